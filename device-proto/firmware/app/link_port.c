/* link_port.c - two ports, one link. The port a session was opened on keeps it; without a session the port that speaks is listened to. */
#include "app/link_port.h"
#include "ccid/ccid.h"
#include "hal/hal.h"
#include "link/link.h"

#define PACKET 64u
#define TURN 256u /* bytes per turn: a flood on one port must not starve the rest */

typedef enum { PORT_CDC, PORT_UART } port_t;
static port_t s_port;
static uint32_t s_epoch;
static bool s_dtr;
static uint8_t s_out[PACKET] __attribute__((aligned(4)));
static size_t s_out_length, s_out_sent;

static void drop(void) {
  link_reset();
  ccid_face_lost(FACE_LINK);
  s_out_length = s_out_sent = 0;
}

/* The cable was pulled, the bus was reset, or the program closed the port: a session on CDC is over. */
static void watch_cdc(void) {
  const bool dtr = hal_cdc_dtr();
  const bool closed = s_dtr && !dtr;
  s_dtr = dtr;
  if (hal_usb_epoch() == s_epoch && !closed) return;
  s_epoch = hal_usb_epoch();
  if (s_port == PORT_CDC) drop();
}

static void bytes_from(port_t port, const uint8_t *bytes, size_t length) {
  if (length == 0) return;
  if (port != s_port) {
    if (link_session_open()) return;
    drop();
    s_port = port;
  }
  link_receive(bytes, length);
}

static void receive(void) {
  uint8_t bytes[PACKET] __attribute__((aligned(4)));
  for (size_t taken = 0; taken < TURN; taken += PACKET) {
    bool got;
    bytes_from(PORT_CDC, bytes, hal_bulk_out(HAL_FACE_CDC, bytes, &got));
    bytes_from(PORT_UART, bytes, hal_uart_read(bytes, sizeof bytes));
  }
}

static bool port_takes(void) { return s_port == PORT_UART || hal_bulk_in_ready(HAL_FACE_CDC); }

/* A CDC read on the host ends with a short packet; a full one must therefore be followed, by an empty one if there is nothing else. */
static void transmit(void) {
  static bool s_full;
  while (port_takes()) {
    if (s_out_sent == s_out_length) {
      s_out_sent = 0;
      s_out_length = link_transmit(s_out, sizeof s_out);
    }
    if (s_port == PORT_CDC) {
      if (s_out_length == 0 && !s_full) return;
      hal_bulk_in(HAL_FACE_CDC, s_out, s_out_length);
      s_full = s_out_length == PACKET;
      s_out_sent = s_out_length;
    } else {
      if (s_out_length == 0) return;
      const size_t taken = hal_uart_write(s_out + s_out_sent, s_out_length - s_out_sent);
      if (taken == 0) return;
      s_out_sent += taken;
    }
  }
}

uint64_t link_port_step(void) {
  watch_cdc();
  receive();
  const uint64_t deadline = link_step();
  transmit();
  const uint64_t next = port_takes() ? link_next_deadline() : UINT64_MAX; /* a port with room again wakes the loop by its interrupt */
  return next < deadline ? next : deadline;
}
