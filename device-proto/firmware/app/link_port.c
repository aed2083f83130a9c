/* link_port.c - two ports, two framings. The port a session was opened on keeps it; without a session the port that speaks is listened to. Both deframers
 * hear every byte: the link is spoken until a frame of pcscd's framing is good, that one until a hello of the link is. */
#include "app/link_port.h"
#include "ccid/ccid.h"
#include "gen/wire_gen.h"
#include "hal/hal.h"
#include "link/link.h"
#include "pcscd/pcscd.h"

#define PACKET 64u
#define SENT_LOOK_US 100u /* the last characters leave without an interrupt */
#define TURN 256u /* bytes per turn: a flood on one port must not starve the rest */

typedef enum { PORT_CDC, PORT_UART } port_t;
static port_t s_port;
static uint32_t s_epoch;
static bool s_dtr;
static uint32_t s_rate = LINK_LIMIT_DEFAULT_BAUD; /* UART0's */
static uint8_t s_out[PACKET] __attribute__((aligned(4)));
static size_t s_out_length, s_out_sent;

static bool s_hello; /* a hello came, perhaps inside a frame of pcscd's framing */

static void drop(void) {
  link_reset();
  ccid_face_lost(FACE_LINK);
  pcscd_reset();
  ccid_face_lost(FACE_PCSCD);
  s_hello = false;
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

/* A good frame of pcscd's framing: what the link has received or has to say is dropped, and what a command before it has not been told. */
static void choose_pcscd(bool already) {
  s_hello = false; /* its bytes were the frame's */
  s_out_length = s_out_sent = 0;
  if (already) return;
  link_reset();
  ccid_face_lost(FACE_LINK);
}

static void choose_link(void) {
  s_hello = false;
  pcscd_reset();
  ccid_face_lost(FACE_PCSCD);
  s_out_length = s_out_sent = 0;
  link_take_hello();
}

static void bytes_from(port_t port, const uint8_t *bytes, size_t length) {
  if (length == 0) return;
  if (port != s_port) {
    if (link_session_open() || pcscd_alive()) return;
    drop();
    s_port = port;
    link_line(port == PORT_UART);
  }
  size_t i = 0;
  if (!pcscd_chosen()) {
    while (i < length && !pcscd_receive(bytes[i])) i++;
    if (!pcscd_chosen()) {
      link_receive(bytes, length);
      return;
    }
    choose_pcscd(false);
    i++;
  }
  for (; i < length && pcscd_chosen(); i++) {
    if (pcscd_receive(bytes[i])) choose_pcscd(true);
    if (link_listen(bytes[i])) s_hello = true;
    if (s_hello && !pcscd_in_frame()) choose_link();
  }
  link_receive(bytes + i, length - i);
}

/* A frame of pcscd's framing that has come to nothing may have had something else behind it. */
static uint64_t step_pcscd(void) {
  bool frame;
  const bool already = pcscd_chosen();
  const uint64_t next = pcscd_step(&frame);
  if (frame) choose_pcscd(already);
  if (s_hello && !pcscd_in_frame()) choose_link();
  return next;
}

static void receive(void) {
  uint8_t bytes[PACKET] __attribute__((aligned(4)));
  for (size_t taken = 0; taken < TURN; taken += PACKET) {
    bool got;
    for (port_t port = PORT_CDC; port <= PORT_UART; port++) {
      const size_t length = port == PORT_CDC ? hal_bulk_out(HAL_FACE_CDC, bytes, &got) : hal_uart_read(bytes, sizeof bytes);
      bytes_from(port, bytes, length);
      secret_wipe(bytes, length); /* they may have been part of a secret that the host typed */
    }
  }
  const uint32_t lost = hal_uart_lost();
  if (lost != 0 && s_port == PORT_UART) link_lost(lost);
}

static bool port_takes(void) { return s_port == PORT_UART || hal_bulk_in_ready(HAL_FACE_CDC); }

/* A CDC read on the host ends with a short packet; a full one must therefore be followed, by an empty one if there is nothing else. */
static void transmit(void) {
  static bool s_full;
  while (port_takes()) {
    if (s_out_sent == s_out_length) {
      s_out_sent = 0;
      s_out_length = pcscd_chosen() ? pcscd_transmit(s_out, sizeof s_out) : link_transmit(s_out, sizeof s_out);
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

/* UART0 follows the session's rate when everything said at the old one has left. Returns when to look again. */
static uint64_t follow_rate(void) {
  const uint32_t wanted = s_port == PORT_UART ? link_rate() : LINK_LIMIT_DEFAULT_BAUD;
  if (wanted == s_rate) return UINT64_MAX;
  if (s_port == PORT_UART && s_out_sent != s_out_length) return UINT64_MAX; /* room in the ring wakes the loop */
  if (!hal_uart_sent()) return hal_now_us() + SENT_LOOK_US;
  hal_uart_rate(wanted);
  s_rate = wanted;
  link_rate_is_set();
  return 0;
}

uint64_t link_port_step(void) {
  watch_cdc();
  receive();
  uint64_t deadline = link_step();
  const uint64_t pcscd = step_pcscd();
  if (pcscd < deadline) deadline = pcscd;
  transmit();
  const uint64_t look = follow_rate();
  if (look < deadline) deadline = look;
  const uint64_t next = port_takes() ? link_next_deadline() : UINT64_MAX; /* a port with room again wakes the loop by its interrupt */
  return next < deadline ? next : deadline;
}
