/* host.c - see host.h. */
#include "hal/host/host.h"
#include <stdlib.h>
#include <string.h>

host_t g_host;

void host_reset(void) {
  memset(&g_host, 0, sizeof g_host);
  g_host.now = 1000;
  g_host.configured = true;
  g_host.epoch = 1;
}

/* ---- time ---- */
uint64_t hal_now_us(void) { return g_host.now; }
uint64_t hal_poll(uint64_t now_us) {
  (void)now_us;
  return UINT64_MAX;
}
void hal_idle(uint64_t until_us) {
  const bool work = g_host.to_device[0].in != g_host.to_device[0].out || g_host.to_device[1].in != g_host.to_device[1].out;
  g_host.now = work || until_us <= g_host.now ? g_host.now + 10 : until_us;
  if (g_host.turn != NULL) g_host.turn();
}

/* ---- USB ---- */
bool hal_usb_configured(void) { return g_host.configured && !g_host.suspended; }
bool hal_usb_suspended(void) { return g_host.suspended; }
uint32_t hal_usb_epoch(void) { return g_host.epoch; }
bool hal_cdc_dtr(void) { return g_host.dtr; }

bool hal_usb_take_abort(uint8_t *slot, uint8_t *sequence) {
  const bool abort = g_host.abort;
  *slot = g_host.abort_slot;
  *sequence = g_host.abort_sequence;
  g_host.abort = false;
  return abort;
}

static void put(host_pipe_t *pipe, const uint8_t *data, size_t length) {
  if (length > 64 || pipe->in - pipe->out == HOST_PACKETS) abort();
  host_packet_t *packet = &pipe->packets[pipe->in++ % HOST_PACKETS];
  packet->length = length;
  if (length > 0) memcpy(packet->bytes, data, length);
}

bool hal_bulk_in_ready(uint8_t face) {
  const host_pipe_t *pipe = &g_host.from_device[face];
  return hal_usb_configured() && (g_host.unread[face] == 0 || pipe->in - pipe->out < g_host.unread[face]);
}
void hal_bulk_in(uint8_t face, const uint8_t *data, size_t length) {
  if (!hal_bulk_in_ready(face)) abort();
  put(&g_host.from_device[face], data, length);
}
size_t hal_bulk_out(uint8_t face, uint8_t packet[64], bool *got) {
  host_pipe_t *pipe = &g_host.to_device[face];
  *got = pipe->in != pipe->out;
  if (!*got) return 0;
  const host_packet_t *p = &pipe->packets[pipe->out++ % HOST_PACKETS];
  memcpy(packet, p->bytes, p->length);
  return p->length;
}
bool hal_interrupt_in_ready(void) { return hal_usb_configured(); }
void hal_interrupt_in(const uint8_t *data, size_t length) {
  if (length > sizeof g_host.notice) abort();
  memcpy(g_host.notice, data, length);
  g_host.notices++;
}

void host_bulk_out(uint8_t face, const uint8_t *bytes, size_t length, bool zero) {
  size_t at = 0;
  do {
    const size_t n = length - at < 64 ? length - at : 64;
    put(&g_host.to_device[face], bytes + at, n);
    at += n;
  } while (at < length);
  if (zero && length > 0 && length % 64 == 0) put(&g_host.to_device[face], NULL, 0);
}

size_t host_bulk_in(uint8_t face, uint8_t *bytes, size_t capacity) {
  host_pipe_t *pipe = &g_host.from_device[face];
  size_t length = 0;
  for (size_t at = pipe->out; at != pipe->in;) {
    const host_packet_t *p = &pipe->packets[at++ % HOST_PACKETS];
    if (length + p->length > capacity) abort();
    memcpy(bytes + length, p->bytes, p->length);
    length += p->length;
    if (p->length == 64) continue;
    pipe->out = at;
    return length;
  }
  return SIZE_MAX;
}

void host_bus_reset(void) {
  g_host.epoch++;
  memset(g_host.to_device, 0, sizeof g_host.to_device);
  memset(g_host.from_device, 0, sizeof g_host.from_device);
}

/* ---- UART0 ---- */
size_t hal_uart_read(uint8_t *data, size_t capacity) {
  size_t n = 0;
  while (n < capacity && g_host.uart_in_at < g_host.uart_in_length) data[n++] = g_host.uart_in[g_host.uart_in_at++];
  return n;
}
size_t hal_uart_write(const uint8_t *data, size_t length) {
  if (g_host.uart_out_length + length > sizeof g_host.uart_out) abort();
  memcpy(g_host.uart_out + g_host.uart_out_length, data, length);
  g_host.uart_out_length += length;
  return length;
}
bool hal_uart_sent(void) { return !g_host.uart_sending; }
void hal_uart_rate(uint32_t baud) {
  if (g_host.uart_sending) abort();
  g_host.uart_baud = baud;
}
uint32_t hal_uart_lost(void) {
  const uint32_t lost = g_host.uart_lost;
  g_host.uart_lost = 0;
  return lost;
}

/* ---- card contacts ---- */
bool hal_card_present(void) { return g_host.present; }
bool hal_card_overcurrent(void) { return g_host.overcurrent; }
void hal_card_vcc(uint8_t voltage_class) {
  g_host.overcurrent = false;
  g_host.voltage_class = g_host.present ? voltage_class : 0;
}
void hal_card_clk_hold(bool high) {
  (void)high;
  g_host.clk = false;
}
void hal_card_clk(bool on) { g_host.clk = on && g_host.voltage_class != 0; }
void hal_card_rst(bool high) { g_host.rst = high && g_host.voltage_class != 0; }
void hal_card_emergency_off(void) {
  g_host.rst = g_host.clk = false;
  g_host.voltage_class = 0;
  g_host.emergencies++;
}
void host_pull_card(void) {
  g_host.present = false;
  hal_card_emergency_off();
  app_card_pulled();
}

/* ---- front ---- */
uint16_t hal_keys(void) { return g_host.keys; }
void hal_display(const uint8_t frame[1024]) { memcpy(g_host.frame, frame, sizeof g_host.frame); }
void hal_lamp(bool lit) { g_host.lamp = lit; }
void hal_beep(uint16_t hertz, uint16_t ms) {
  (void)hertz;
  (void)ms;
}

/* ---- identity ---- */
void hal_unique_id(uint8_t id[8]) { memcpy(id, "\xA0\xA1\xA2\xA3\xA4\xA5\xA6\xA7", 8); }
void hal_image_hash(uint8_t hash[8]) { memset(hash, 0x11, 8); }
uint32_t hal_entropy(void) {
  static uint32_t s_state = 1;
  s_state = s_state * 1664525u + 1013904223u;
  return s_state;
}
uint32_t hal_boot_count(void) { return 1; }
void hal_watchdog(void) { g_host.watchdog_fed++; }
_Noreturn void hal_reset(void) { abort(); }
