/* line_world.h - contacts and character line of a card that says whatever the script says, in simulated time. For the doors behind iso7816/.
 * Included once, by the door, which gives card_reset() (RST rose) and card_hears() (what the reader sent). */
#ifndef FUZZ_LINE_WORLD_H
#define FUZZ_LINE_WORLD_H
#include "fuzz/door.h"
#include "gen/card_pio_gen.h"
#include "iso7816/card.h"
#include "iso7816/line.h"

static void card_reset(void);
static void card_hears(const uint8_t *bytes, size_t length);

#define QUEUE 8192u
static struct {
  uint64_t now, pulled_at, aborted_at, over_at;
  bool mischief;
  bool inverse, error_signal;
  uint8_t voltage, guard;
  bool clk, rst, io;
  uint64_t clk_since, off_since; /* RST low with the clock running; deactivated */
  uint16_t f;
  uint8_t d;
  size_t head, tail; /* of s_queue */
  uint64_t card_free_at;
  size_t characters, puts, wipes; /* from the card; sendings of the reader */
} s_line;
static struct { uint64_t at; uint8_t byte; bool wrong; } s_queue[QUEUE];

/* Time goes on over the inputs: card.c remembers when it last switched off. */
static void line_fresh(void) {
  const uint64_t now = s_line.now + 1000000;
  memset(&s_line, 0, sizeof s_line);
  s_line.now = now;
  s_line.pulled_at = s_line.aborted_at = s_line.over_at = UINT64_MAX;
  s_line.f = 372;
  s_line.d = 1;
}

/* ---- what the card does ---- */

static void card_says(uint8_t byte, bool wrong, uint64_t after_us) {
  if (s_line.tail - s_line.head == QUEUE) return;
  if (s_line.card_free_at < s_line.now) s_line.card_free_at = s_line.now;
  s_line.card_free_at += after_us + 12u * s_line.f * CARD_CLK_NS / s_line.d / 1000u + 1u;
  s_queue[s_line.tail % QUEUE].at = s_line.card_free_at;
  s_queue[s_line.tail % QUEUE].byte = byte;
  s_queue[s_line.tail++ % QUEUE].wrong = wrong;
}
static void card_says_all(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) card_says(bytes[i], false, i == 0 ? 500 : 0);
}
/* One of the things no protocol expects. */
static void mischief(unsigned which) {
  s_line.mischief = true;
  const uint64_t at = s_line.now + (uint64_t)take16() * 16u;
  switch (which & 3u) {
  case 0: s_line.pulled_at = at; break;
  case 1: s_line.aborted_at = at; break;
  case 2: s_line.over_at = at; break;
  default: break;
  }
}

/* ---- hal.h ---- */

uint64_t hal_now_us(void) { return s_line.now; }
bool hal_card_present(void) { return s_line.now < s_line.pulled_at; }
bool hal_card_overcurrent(void) { return s_line.now >= s_line.over_at; }
bool app_wait(uint64_t until_us) {
  step();
  uint64_t next = until_us;
  if (s_line.head != s_line.tail && s_queue[s_line.head % QUEUE].at < next) next = s_queue[s_line.head % QUEUE].at;
  const uint64_t events[3] = {s_line.pulled_at, s_line.aborted_at, s_line.over_at};
  for (unsigned i = 0; i < 3; i++) {
    if (events[i] > s_line.now && events[i] < next) next = events[i];
  }
  s_line.now = next > s_line.now ? next : s_line.now + 1;
  return hal_card_present() && s_line.now < s_line.aborted_at;
}

/* The order and the times of ISO 7816-3 §6.2 are promises: on VCC, I/O, CLK, RST; off the other way round. */
void hal_card_vcc(uint8_t voltage_class) {
  PROMISE(voltage_class <= 3);
  if (voltage_class == 0) PROMISE(!s_line.rst && !s_line.clk && !s_line.io);
  if (voltage_class != 0) {
    PROMISE(s_line.voltage == 0 && !s_line.rst && !s_line.clk && !s_line.io);
    PROMISE(s_line.off_since == 0 || s_line.now - s_line.off_since >= 10000);
  }
  if (voltage_class == 0 && s_line.voltage != 0) s_line.off_since = s_line.now;
  s_line.voltage = voltage_class;
}
void hal_card_clk(bool on) {
  if (on) PROMISE(s_line.voltage != 0 && s_line.io && !s_line.rst);
  if (!on) PROMISE(!s_line.rst);
  if (on) s_line.clk_since = s_line.now;
  s_line.clk = on;
}
void hal_card_clk_hold(bool high) {
  (void)high;
  PROMISE(false); /* nobody asks for it behind these doors */
}
void hal_card_rst(bool high) {
  if (high) PROMISE(s_line.clk && (s_line.now - s_line.clk_since) * 1000u >= 400u * CARD_CLK_NS);
  const bool rises = high && !s_line.rst;
  s_line.rst = high;
  if (rises) card_reset();
}
void hal_line_start(void) {
  PROMISE(s_line.voltage != 0);
  s_line.io = true;
  s_line.head = s_line.tail = 0;
  s_line.card_free_at = 0;
  s_line.inverse = s_line.error_signal = false;
  s_line.guard = 0;
  s_line.f = 372;
  s_line.d = 1;
}
void hal_line_stop(void) {
  PROMISE(!s_line.rst && !s_line.clk);
  s_line.io = false;
}
void hal_line_rate(uint16_t f, uint8_t d) {
  PROMISE(f != 0 && d != 0); /* a reserved code is never applied */
  s_line.f = f;
  s_line.d = d;
}
void hal_line_convention(bool inverse) { s_line.inverse = inverse; }
void hal_line_error_signal(bool on) { s_line.error_signal = on; }
void hal_line_extra_guard(uint8_t etu) { s_line.guard = etu; }
bool hal_line_get(uint8_t *byte, bool *parity_error) {
  step();
  if (s_line.head == s_line.tail || s_queue[s_line.head % QUEUE].at > s_line.now) return false;
  *byte = s_queue[s_line.head % QUEUE].byte;
  *parity_error = s_queue[s_line.head++ % QUEUE].wrong;
  s_line.characters++;
  return true;
}
bool hal_line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu) {
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += spans[i].length;
  PROMISE(s_line.rst && s_line.clk && s_line.voltage != 0 && length > 0 && turn_etu >= 16);
  uint8_t *bytes = exactly(length), *to = bytes;
  for (size_t i = 0; i < count; i++) {
    if (spans[i].length > 0) memcpy(to, spans[i].data, spans[i].length); /* one too many is the sanitizer's */
    to += spans[i].length;
  }
  s_line.puts++;
  s_line.head = s_line.tail = 0; /* line.c forgets what came before it turned round */
  s_line.now += (uint64_t)(length * 12u + turn_etu) * s_line.f * CARD_CLK_NS / s_line.d / 1000u;
  const bool goes_on = app_wait(s_line.now);
  if (goes_on) card_hears(bytes, length);
  free(bytes);
  return goes_on;
}
bool hal_line_sending(void) { return false; }
void hal_line_wipe(void) { s_line.wipes++; }

/* After any card_power_on or card_exchange: a card is off altogether or on altogether. */
static void contacts_agree(void) {
  const bool off = s_line.voltage == 0;
  PROMISE(off == (g_card.voltage_class == 0) && off == !s_line.rst && off == !s_line.clk && off == !s_line.io);
  static const card_t k_nothing;
  if (off) PROMISE(memcmp(&g_card, &k_nothing, sizeof g_card) == 0);
}
#endif
