/* ATR, PPS, T=1 and T=0 against a simulated line: characters with times, cards that behave, and cards that are attackers.
 * sources: iso7816/atr.c iso7816/card.c iso7816/fidi.c iso7816/pps.c iso7816/t0.c iso7816/t1.c */
#include "blackbox/blackbox.h"
#include "iso7816/atr.h"
#include "iso7816/card.h"
#include "iso7816/line.h"
#include "test/fakes/check.h"
#include <stdlib.h>

/* ---- the line ------------------------------------------------------------------------------------------------------------------------ */

#define QUEUE 8192
static uint64_t s_now, s_pulled_at, s_abort_at;
static bool s_present, s_over, s_error_signal, s_inverse;
static uint8_t s_voltage;
static char s_contacts[256];
static struct { uint64_t at; uint8_t byte; bool wrong; } s_queue[QUEUE];
static size_t s_queue_head, s_queue_tail;
static size_t s_puts, s_wipes;
static uint64_t s_card_free_at; /* when the card's last queued character is over */
static uint32_t s_etu_ns;

static void (*s_card_reset)(void);
static void (*s_card_input)(const uint8_t *bytes, size_t length);

static void contact(char what) {
  const size_t n = strlen(s_contacts);
  if (n + 1 < sizeof s_contacts) s_contacts[n] = what, s_contacts[n + 1] = 0;
}
static void queue_byte(uint8_t byte, bool wrong, uint64_t after_us) {
  if (s_queue_tail - s_queue_head >= QUEUE) return;
  if (s_card_free_at < s_now) s_card_free_at = s_now;
  s_card_free_at += after_us + 12u * s_etu_ns / 1000u + 1;
  s_queue[s_queue_tail % QUEUE].at = s_card_free_at;
  s_queue[s_queue_tail % QUEUE].byte = byte;
  s_queue[s_queue_tail % QUEUE].wrong = wrong;
  s_queue_tail++;
}
static void card_says(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) queue_byte(bytes[i], false, i == 0 ? 500 : 0);
}

uint64_t hal_now_us(void) { return s_now; }
bool app_wait(uint64_t until_us) {
  uint64_t next = until_us;
  if (s_queue_head != s_queue_tail && s_queue[s_queue_head % QUEUE].at < next) next = s_queue[s_queue_head % QUEUE].at;
  if (s_pulled_at > s_now && s_pulled_at < next) next = s_pulled_at;
  s_now = next > s_now ? next : s_now + 1;
  if (s_now >= s_pulled_at) s_present = false;
  return s_present && s_now < s_abort_at;
}
bool hal_card_present(void) { return s_present; }
bool hal_card_overcurrent(void) { return s_over; }
static uint64_t s_vcc_on_at;
void hal_card_vcc(uint8_t voltage_class) {
  if (voltage_class) s_vcc_on_at = s_now;
  if (voltage_class != s_voltage) contact(voltage_class ? (char)('0' + voltage_class) : 'v');
  s_voltage = voltage_class;
}
static bool s_clock, s_rst, s_io;
void hal_card_clk(bool on) {
  if (on != s_clock) contact(on ? 'C' : 'c');
  s_clock = on;
}
void hal_card_clk_hold(bool high) {
  contact(high ? 'H' : 'L');
  s_clock = false;
}
void hal_card_rst(bool high) {
  if (high != s_rst) contact(high ? 'R' : 'r');
  s_rst = high;
  if (high && s_card_reset != NULL) s_card_reset();
}
void hal_line_start(void) {
  if (!s_io) contact('I');
  s_io = true;
  s_queue_head = s_queue_tail = 0;
  s_error_signal = s_inverse = false;
  s_etu_ns = 104160;
  s_card_free_at = 0;
}
void hal_line_stop(void) {
  if (s_io) contact('i');
  s_io = false;
}
void hal_line_rate(uint16_t f, uint8_t d) { s_etu_ns = f * 280u / d; }
void hal_line_convention(bool inverse) { s_inverse = inverse; }
void hal_line_error_signal(bool on) { s_error_signal = on; }
static uint8_t s_guard;
void hal_line_extra_guard(uint8_t etu) { s_guard = etu; }
bool hal_line_get(uint8_t *byte, bool *parity_error) {
  if (s_queue_head == s_queue_tail || s_queue[s_queue_head % QUEUE].at > s_now) return false;
  *byte = s_queue[s_queue_head % QUEUE].byte;
  *parity_error = s_queue[s_queue_head % QUEUE].wrong;
  s_queue_head++;
  return true;
}
bool hal_line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu) {
  static uint8_t bytes[1024];
  size_t length = 0;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < spans[i].length; j++) bytes[length++] = spans[i].data[j];
  }
  s_puts++;
  CHECK(turn_etu >= 16);
  s_queue_head = s_queue_tail = 0; /* line.c forgets what came before it turned round */
  s_now += (uint64_t)(length * 12u + turn_etu) * s_etu_ns / 1000u;
  if (!app_wait(s_now)) return false;
  if (s_card_input != NULL) s_card_input(bytes, length);
  return true;
}
bool hal_line_sending(void) { return false; }
void hal_line_wipe(void) { s_wipes++; }

static void fresh(void) {
  card_power_off();
  s_now += 1000000;
  s_pulled_at = s_abort_at = UINT64_MAX;
  s_present = true;
  s_over = false;
  s_contacts[0] = 0;
  s_puts = 0;
  s_card_reset = NULL;
  s_card_input = NULL;
}

static uint32_t s_seed = 0x1234567u;
static uint32_t dice(uint32_t below) {
  s_seed ^= s_seed << 13;
  s_seed ^= s_seed >> 17;
  s_seed ^= s_seed << 5;
  return s_seed % below;
}

/* ---- ATR ----------------------------------------------------------------------------------------------------------------------------- */

static const uint8_t k_my_number[] = {0x3b, 0xda, 0x13, 0xff, 0x81, 0x31, 0xfb, 0x46, 0x80, 0x12, 0x39, 0x2f, 0x31, 0xc1, 0x73, 0xc6, 0x01, 0xc0, 0x3b};
static const uint8_t k_juki[] = {0x3b, 0xe0, 0x00, 0xff, 0x81, 0x31, 0xfe, 0x45, 0x14};
static const uint8_t k_specific[] = {0x3b, 0xf5, 0x91, 0x00, 0xff, 0x91, 0x81, 0x71, 0xfe, 0x40, 0x00, 0x42, 0x00, 0x01, 0x00, 0xd1, 0xd6};
static const uint8_t k_t0[] = {0x3b, 0x10, 0x11};

static void atr_table(void) {
  STORY("atr_parse");
  atr_t atr;
  CHECK(atr_parse(k_my_number, sizeof k_my_number, &atr));
  CHECK(atr.fidi == 0x13 && atr.guard == 255 && atr.protocols == 2 && atr.first == 1 && !atr.specific);
  CHECK(atr.ifsc == 0xfb && atr.bwi == 4 && atr.cwi == 6 && !atr.crc && atr.classes == 7);
  CHECK(atr_parse(k_juki, sizeof k_juki, &atr));
  CHECK(atr.fidi == 0x11 && atr.ifsc == 0xfe && atr.bwi == 4 && atr.cwi == 5);
  CHECK(atr_parse(k_specific, sizeof k_specific, &atr));
  CHECK(atr.fidi == 0x91 && atr.specific && atr.specific_protocol == 1 && !atr.implicit && atr.ifsc == 0xfe && atr.cwi == 0);
  CHECK(atr_parse(k_t0, sizeof k_t0, &atr));
  CHECK(atr.protocols == 1 && atr.first == 0 && atr.wi == 10);
  static const uint8_t k_class_b[] = {0x3b, 0x80, 0x81, 0x1f, 0x02, 0x1c};
  CHECK(atr_parse(k_class_b, sizeof k_class_b, &atr) && atr.classes == 2);
  uint8_t broken[sizeof k_my_number];
  for (size_t at = 0; at < sizeof broken; at++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      memcpy(broken, k_my_number, sizeof broken);
      broken[at] ^= (uint8_t)(1u << bit);
      if (at == 0 && broken[0] == 0x3f) continue; /* the other convention */
      CHECK(!atr_parse(broken, sizeof broken, &atr)); /* TCK sees every single bit */
    }
  }
  for (size_t length = 0; length < sizeof k_my_number; length++) CHECK(!atr_parse(k_my_number, length, &atr));
  /* The longest there may be, all of it interface bytes; and one more. */
  uint8_t longest[ATR_MAX + 1];
  memset(longest, 0x80, sizeof longest);
  longest[0] = 0x3b;
  longest[ATR_MAX - 1] = 0x00;
  CHECK(atr_expected(longest, ATR_MAX) == ATR_MAX && atr_parse(longest, ATR_MAX, &atr) && atr.protocols == 1);
  longest[ATR_MAX - 1] = 0x80;
  CHECK(atr_expected(longest, ATR_MAX) == ATR_MAX + 1 && !atr_parse(longest, ATR_MAX, &atr));
  /* Anything at all, up to 64 bytes: bounded, and what is accepted fits. */
  for (unsigned i = 0; i < 200000; i++) {
    const size_t length = dice(65);
    uint8_t *bytes = malloc(length ? length : 1); /* exactly as long: the sanitizer sees one byte too far */
    for (size_t j = 0; j < length; j++) bytes[j] = (uint8_t)dice(256);
    if (length > 0) bytes[0] = 0x3b;
    if (length > 1 && dice(2)) bytes[1] |= 0x80;
    if (length >= 2) CHECK(atr_expected(bytes, length) <= ATR_MAX + 1);
    if (atr_parse(bytes, length, &atr)) CHECK(length <= ATR_MAX && atr.ifsc > 0 && atr.ifsc < 255 && atr.bwi <= 9);
    free(bytes);
  }
}

/* ---- a T=1 card that behaves ------------------------------------------------------------------------------------------------------------ */

static uint8_t s_atr[40];
static size_t s_atr_length;
static uint8_t s_ns, s_nr, s_ifsd;
static uint8_t s_command[4096], s_answer[4200];
static size_t s_command_length, s_answer_length, s_answer_sent;
static unsigned s_executed;
static uint8_t s_last[300];
static size_t s_last_length;

static void t1_reset(void) {
  s_ns = s_nr = 0;
  s_ifsd = 32;
  s_command_length = s_answer_length = s_answer_sent = 0;
  card_says(s_atr, s_atr_length);
}
static void inverse_reset(void) {
  s_ns = s_nr = 0;
  s_ifsd = 32;
  queue_byte(0x03, true, 500);
  for (size_t i = 1; i < s_atr_length; i++) queue_byte(s_atr[i], false, 0);
}
static void block(uint8_t pcb, const uint8_t *inf, size_t length) {
  s_last[0] = 0;
  s_last[1] = pcb;
  s_last[2] = (uint8_t)length;
  if (length > 0) memcpy(s_last + 3, inf, length);
  uint8_t sum = 0;
  for (size_t i = 0; i < 3 + length; i++) sum ^= s_last[i];
  s_last[3 + length] = sum;
  s_last_length = 4 + length;
  card_says(s_last, s_last_length);
}
static void next_chunk(void) {
  const size_t left = s_answer_length - s_answer_sent;
  const size_t chunk = left < s_ifsd ? left : s_ifsd;
  const uint8_t pcb = (uint8_t)(s_ns << 6 | (chunk < left ? 0x20 : 0));
  block(pcb, s_answer + s_answer_sent, chunk);
  s_answer_sent += chunk;
  s_ns ^= 1;
}
static bool pps(const uint8_t *bytes, size_t length) {
  if (bytes[0] != 0xff) return false;
  card_says(bytes, length);
  return true;
}
static void t1_input(const uint8_t *bytes, size_t length) {
  if (pps(bytes, length)) return;
  uint8_t sum = 0;
  for (size_t i = 0; i < length; i++) sum ^= bytes[i];
  CHECK(length >= 4 && sum == 0 && length == 4u + bytes[2] && bytes[2] < 255);
  const uint8_t pcb = bytes[1];
  if ((pcb & 0x80) == 0) {
    CHECK((pcb >> 6 & 1) == s_nr);
    memcpy(s_command + s_command_length, bytes + 3, bytes[2]);
    s_command_length += bytes[2];
    s_nr ^= 1;
    if (pcb & 0x20) {
      block((uint8_t)(0x80 | s_nr << 4), NULL, 0);
      return;
    }
    s_executed++;
    memcpy(s_answer, s_command, s_command_length);
    s_answer[s_command_length] = 0x90;
    s_answer[s_command_length + 1] = 0;
    s_answer_length = s_command_length + 2;
    s_answer_sent = s_command_length = 0;
    next_chunk();
  } else if ((pcb & 0xc0) == 0x80) {
    if ((pcb >> 4 & 1) == s_ns && s_answer_sent < s_answer_length) next_chunk();
    else card_says(s_last, s_last_length);
  } else if (pcb == 0xc1) {
    s_ifsd = bytes[3];
    block(0xe1, bytes + 3, 1);
  } else if (pcb == 0xc0) {
    s_ns = s_nr = 0;
    s_command_length = s_answer_length = s_answer_sent = 0;
    block(0xe0, NULL, 0);
  }
}

static void use(const uint8_t *atr, size_t length, void (*reset)(void), void (*input)(const uint8_t *, size_t)) {
  fresh();
  memcpy(s_atr, atr, length);
  s_atr_length = length;
  s_card_reset = reset;
  s_card_input = input;
}

static void activation(void) {
  STORY("activation");
  use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
  CHECK(card_power_on(0) == CARD_OK);
  CHECK(strcmp(s_contacts, "1ICR") == 0);
  CHECK(g_card.protocol == 1 && g_card.fidi == 0x13 && g_card.ifsd == 254 && g_card.ifsc == 0xfb && g_card.voltage_class == 1 && s_guard == 255);
  CHECK(g_card.atr_length == sizeof k_my_number);
  CHECK_BYTES(g_card.atr, k_my_number, sizeof k_my_number);
  card_power_off();
  CHECK(strcmp(s_contacts, "1ICRrciv") == 0);
  CHECK(g_card.atr_length == 0 && g_card.voltage_class == 0);

  STORY("no answer: each class, one warm reset each");
  fresh();
  const uint64_t from = s_now;
  CHECK(card_power_on(0) == CARD_MUTE);
  CHECK(strcmp(s_contacts, "1ICRrRrciv2ICRrRrciv3ICRrRrciv") == 0);
  CHECK(s_now - from < 300000);
  fresh();
  CHECK(card_power_on(2) == CARD_MUTE);
  CHECK(strcmp(s_contacts, "2ICRrRrciv") == 0);

  STORY("no card");
  fresh();
  s_present = false;
  CHECK(card_power_on(0) == CARD_ABSENT && s_contacts[0] == 0);

  STORY("pulled or stopped at any moment");
  use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
  const uint64_t begun = s_now;
  CHECK(card_power_on(0) == CARD_OK);
  const uint64_t takes = s_now - begun;
  for (uint64_t us = 100; us < takes - 1; us += 277) {
    use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
    s_pulled_at = s_now + us;
    CHECK(card_power_on(0) == CARD_ABSENT && s_voltage == 0 && !s_clock && !s_rst && !s_io);
    use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
    s_abort_at = s_now + us;
    CHECK(card_power_on(0) == CARD_ABORTED && s_voltage == 0);
  }

  STORY("a card that answers at class A and says that it wants C");
  static const uint8_t k_class_c_only[] = {0x3b, 0x80, 0x81, 0x1f, 0x04, 0x1a};
  use(k_class_c_only, sizeof k_class_c_only, t1_reset, t1_input);
  CHECK(card_power_on(0) == CARD_OK && g_card.voltage_class == 3);
  CHECK(strcmp(s_contacts, "1ICRrciv3ICR") == 0);
  use(k_class_c_only, sizeof k_class_c_only, t1_reset, t1_input);
  CHECK(card_power_on(1) == CARD_CLASS);

  STORY("the clock stops 1 860 clocks after the last use of I/O, where the card says, and runs for 700 before the next");
  /* TA for T=15: low, high, either, not at all */
  static const struct { uint8_t ta; const char *contacts; uint8_t rests; } k_rest[] = {{0x47, "L", 1}, {0x87, "H", 2}, {0xc7, "L", 1}, {0x07, "", 0}};
  for (size_t i = 0; i < sizeof k_rest / sizeof *k_rest; i++) {
    uint8_t atr[] = {0x3b, 0x80, 0x81, 0x1f, k_rest[i].ta, 0};
    for (size_t at = 1; at < 5; at++) atr[5] ^= atr[at];
    use(atr, sizeof atr, t1_reset, t1_input);
    CHECK(card_power_on(1) == CARD_OK && g_card.clock_stop == k_rest[i].ta >> 6);
    s_contacts[0] = 0;
    const uint64_t stop = s_now;
    CHECK(card_clock_stop() == (k_rest[i].rests != 0 ? CARD_OK : CARD_PROTOCOL));
    CHECK(strcmp(s_contacts, k_rest[i].contacts) == 0 && g_card.clock_rests == k_rest[i].rests);
    if (k_rest[i].rests == 0) continue;
    CHECK(s_now - stop >= 521); /* us: 280 ns a clock */
    CHECK(card_clock_stop() == CARD_OK && s_contacts[1] == 0); /* it rests already */
    const uint64_t start = s_now;
    CHECK(card_clock_start() == CARD_OK && s_contacts[1] == 'C' && g_card.clock_rests == 0);
    CHECK(s_now - start >= 196);
    CHECK(card_clock_stop() == CARD_OK);
    uint8_t answer[16];
    size_t got = 0;
    CHECK(card_exchange((const uint8_t[5]){0, 0xb0, 0, 0, 4}, 5, answer, sizeof answer, &got) == CARD_OK && s_clock);
    CHECK(card_clock_stop() == CARD_OK);
    card_power_off();
    CHECK(card_clock_stop() == CARD_MUTE && card_clock_start() == CARD_MUTE);
  }

  STORY("inverse convention: TS arrives as 03 with wrong parity");
  use(k_my_number, sizeof k_my_number, inverse_reset, t1_input);
  CHECK(card_power_on(0) == CARD_OK && s_inverse && g_card.atr[0] == 0x3f);

  STORY("no gap under 10 ms between off and on");
  for (unsigned i = 0; i < 3; i++) {
    use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
    CHECK(card_power_on(0) == CARD_OK);
    card_power_off();
    const uint64_t off = s_now;
    s_vcc_on_at = 0;
    CHECK(card_power_on(0) == CARD_OK && s_vcc_on_at >= off + 10000);
  }
}

static bool s_secret;
static unsigned s_told; /* that a secret was on its way while the card got something */
void blackbox_secret(bool under_way) { s_secret = under_way; }
void blackbox_event(uint8_t kind, uint8_t a, uint16_t b) {
  (void)a;
  (void)b;
  if (kind == BLACKBOX_BLOCK_SENT && s_secret) s_told++;
}

static void redacted(void) {
  STORY("every command that may carry a secret is announced to the black box, and no other");
  use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
  CHECK(card_power_on(0) == CARD_OK);
  for (unsigned ins = 0; ins < 256; ins++) {
    const unsigned even = ins & 0xfeu;
    const bool secret = even == 0x20 || even == 0x24 || even == 0x26 || even == 0x28 || even == 0x2c || even == 0x32 || even == 0xc2;
    if ((ins & 0xf0u) == 0x60 || (ins & 0xf0u) == 0x90) continue;
    uint8_t memory[64] = {0, (uint8_t)ins, 0, 0x80, 4, 1, 2, 3, 4};
    size_t got = 0;
    s_told = 0;
    CHECK(card_exchange(memory, 9, memory, sizeof memory, &got) == CARD_OK && (s_told != 0) == secret && !s_secret);
  }
}

static void exchanges(void) {
  STORY("T=1, every length, command and answer in the same memory");
  static uint8_t memory[1100];
  use(k_my_number, sizeof k_my_number, t1_reset, t1_input);
  CHECK(card_power_on(0) == CARD_OK);
  for (size_t length = 4; length < 1000; length += length < 300 ? 1 : 37) {
    for (size_t i = 0; i < length; i++) memory[i] = (uint8_t)(i * 31 + length);
    uint8_t before[1100];
    memcpy(before, memory, length);
    size_t got = 0;
    const unsigned executed = s_executed, wiped = (unsigned)s_wipes;
    CHECK(card_exchange(memory, length, memory, sizeof memory, &got) == CARD_OK);
    CHECK(got == length + 2 && memory[length] == 0x90 && memory[length + 1] == 0 && s_executed == executed + 1 && s_wipes == wiped + 1);
    CHECK_BYTES(memory, before, length);
  }
  STORY("an answer that does not fit is named, and the card stays usable");
  size_t got = 0;
  uint8_t small[64];
  CHECK(card_exchange(memory, 200, small, sizeof small, &got) == CARD_TOO_LONG && got == 0);
  CHECK(card_exchange(memory, 20, small, sizeof small, &got) == CARD_OK && got == 22);
}

/* ---- a T=1 card that is an attacker -------------------------------------------------------------------------------------------------------- */

static void attacker_input(const uint8_t *bytes, size_t length) {
  if (bytes[0] == 0xff && pps(bytes, length)) return;
  if (bytes[1] == 0xc1 && dice(8)) { /* usually lets the session begin */
    block(0xe1, bytes + 3, 1);
    return;
  }
  static uint8_t inf[260];
  for (size_t i = 0; i < sizeof inf; i++) inf[i] = (uint8_t)dice(256);
  static const uint8_t k_pcbs[] = {0x00, 0x40, 0x20, 0x60, 0x80, 0x90, 0x81, 0x92, 0xc0, 0xc1, 0xc2, 0xc3, 0xe0, 0xe1, 0xe2, 0xe3, 0x1f, 0xa0, 0xff};
  static const size_t k_lengths[] = {0, 1, 1, 2, 3, 31, 32, 33, 254};
  switch (dice(8)) {
  case 0: break; /* silence */
  case 1: for (unsigned n = dice(700); n > 0; n--) queue_byte((uint8_t)dice(256), dice(20) == 0, dice(50) == 0 ? dice(5000) : 0); break;
  case 2: card_says(bytes, length); break; /* our own block back */
  case 3:
    block(k_pcbs[dice(sizeof k_pcbs)], inf, k_lengths[dice(9)]);
    if (s_queue_tail > s_queue_head) s_queue_tail -= dice(2); /* cut short */
    break;
  case 4: block(0xc3, inf, 1); break;                              /* WTX with any multiplier */
  case 5: block((uint8_t)(bytes[1] & 0x40), inf, k_lengths[dice(9)]); break; /* often a proper answer */
  default: block(k_pcbs[dice(sizeof k_pcbs)], inf, k_lengths[dice(9)]); break;
  }
}

static void hostile(void) {
  STORY("a hostile T=1 card: bounded time, nothing outside the buffers, always a named end");
  unsigned ends[16] = {0};
  for (unsigned i = 0; i < 4000; i++) {
    use(k_my_number, sizeof k_my_number, t1_reset, attacker_input);
    const uint64_t from = s_now;
    if (card_power_on(0) != CARD_OK) continue;
    const size_t capacity = 2 + dice(600), length = 4 + dice(600);
    uint8_t *command = malloc(length), *answer = malloc(capacity);
    memset(command, 0x5a, length);
    size_t got = 99999;
    const card_result_t result = card_exchange(command, length, answer, capacity, &got);
    CHECK(result <= CARD_ABORTED && got <= capacity && (result == CARD_OK) == (got >= 2));
    CHECK(s_now - from < 1300ull * 1000000u); /* ten minutes of extensions granted, and as many again to end them */
    ends[result]++;
    for (size_t j = 0; j < length; j++) CHECK(command[j] == 0x5a);
    free(command);
    free(answer);
  }
  CHECK(ends[CARD_OK] > 0 && ends[CARD_PROTOCOL] > 0 && ends[CARD_MUTE] > 0 && ends[CARD_TOO_LONG] > 0);

  STORY("a hostile ATR");
  for (unsigned i = 0; i < 3000; i++) {
    uint8_t atr[40];
    for (size_t j = 0; j < sizeof atr; j++) atr[j] = (uint8_t)dice(256);
    atr[0] = dice(4) ? 0x3b : (uint8_t)dice(256);
    if (dice(2)) atr[1] |= 0x80;
    use(atr, dice(sizeof atr + 1), t1_reset, attacker_input);
    const uint64_t from = s_now;
    const card_result_t result = card_power_on(0);
    CHECK(result <= CARD_ABORTED && s_now - from < 700ull * 1000000u);
    if (result != CARD_OK) CHECK(s_voltage == 0 && !s_rst && !s_clock && !s_io);
    else CHECK(g_card.atr_length <= ATR_MAX);
  }
}

/* endless empty I-blocks, endless WTX, endless IFS requests: each a budget of its own */
static uint8_t s_endless;
static unsigned s_blocks;
static void endless_input(const uint8_t *bytes, size_t length) {
  if (pps(bytes, length)) return;
  s_blocks++;
  if (bytes[1] == 0xc1 || bytes[1] == 0xc0) {
    block(bytes[1] | 0x20, bytes + 3, bytes[2]);
    return;
  }
  static const uint8_t k_one[1] = {1};
  if (s_endless == 0) {
    block((uint8_t)(0x20 | s_ns << 6), NULL, 0);
    s_ns ^= 1;
  } else if (s_endless == 1) {
    block(0xc3, k_one, 1);
  } else if (s_endless == 2) {
    block(0xc1, k_one, 1);
  } else {
    block((uint8_t)(0x20 | s_ns << 6), k_one, 1); /* one byte a block, for ever: ends where the buffer does */
    s_ns ^= 1;
  }
}
static void endless(void) {
  STORY("a card that never comes to an end");
  static const card_result_t k_ends[] = {CARD_PROTOCOL, CARD_MUTE, CARD_PROTOCOL, CARD_TOO_LONG};
  for (s_endless = 0; s_endless < 4; s_endless++) {
    use(k_my_number, sizeof k_my_number, t1_reset, endless_input);
    CHECK(card_power_on(0) == CARD_OK);
    s_blocks = 0;
    uint8_t answer[500];
    size_t got;
    static const uint8_t k_command[] = {0, 0xa4, 0, 0};
    CHECK(card_exchange(k_command, 4, answer, sizeof answer, &got) == k_ends[s_endless]);
    CHECK(s_blocks < 7000 && got == 0);
  }
}

/* ---- T=0 -------------------------------------------------------------------------------------------------------------------------------- */

/* INS B0 reads (data = its offset counted up), D6 writes, A4 takes data and offers 61xx or 9000, C0 GET RESPONSE. */
static unsigned s_mode; /* bit 0: byte by byte; bit 1: NULLs first; bit 2: case 4 ends in 9000 instead of 61xx */
static uint8_t s_t0_header[5], s_t0_written[300];
static size_t s_t0_need, s_t0_have, s_t0_stored, s_t0_file;
/* ENVELOPE: what came in so far; -1 = the card does not know it. The long answer counts up from 0 in 251s. */
static int s_t0_envelope = -1;
static uint8_t s_t0_apdu[66000];
static uint8_t s_t0_cla;
static size_t s_t0_given, s_t0_long; /* of the long answer */

static void t0_status(uint8_t sw1, uint8_t sw2) {
  const uint8_t sw[2] = {sw1, sw2};
  if (s_mode & 2) card_says((const uint8_t[]){0x60, 0x60, 0x60}, 3);
  card_says(sw, 2);
}
static void t0_done(void) {
  s_executed++;
  if (s_t0_header[1] == 0xa4) {
    s_t0_stored = 20;
    if (s_mode & 4) t0_status(0x90, 0x00);
    else t0_status(0x61, 20);
  } else t0_status(0x90, 0x00);
}
static void t0_ask(void) {
  if (s_mode & 2) card_says((const uint8_t[]){0x60, 0x60}, 2);
  const uint8_t procedure = s_mode & 1 ? (uint8_t)(s_t0_header[1] ^ 0xff) : s_t0_header[1];
  card_says(&procedure, 1);
}
static void t0_send(size_t length) {
  const uint8_t ins = s_t0_header[1];
  if (!(s_mode & 1)) card_says(&ins, 1);
  for (size_t i = 0; i < length; i++) {
    const uint8_t one[2] = {(uint8_t)(ins ^ 0xff), (uint8_t)(i + s_t0_header[3])};
    if (s_mode & 1) card_says(one, 2);
    else card_says(one + 1, 1);
  }
  t0_status(0x90, 0x00);
}
/* 61xx with what is left of the long answer, up to `most` at a time, or 9000. */
static void t0_offer(size_t most) {
  const size_t left = s_t0_long - s_t0_given;
  if (left == 0) t0_status(0x90, 0x00);
  else t0_status(0x61, (uint8_t)(left < most ? left : most));
}
static void t0_enveloped(void) {
  const size_t lc = s_t0_envelope > 7 ? (size_t)s_t0_apdu[5] << 8 | s_t0_apdu[6] : 0;
  memcpy(s_t0_apdu + s_t0_envelope, s_t0_written, s_t0_have);
  s_t0_envelope += (int)s_t0_have;
  const size_t total = lc == 0 ? 0 : 7 + lc;
  if ((size_t)s_t0_envelope < total || lc == 0) {
    t0_status(0x90, 0x00);
    return;
  }
  s_executed++;
  s_t0_given = 0;
  t0_offer(256);
}
static void t0_long_part(size_t p3) {
  const uint8_t ins = s_t0_header[1];
  card_says(&ins, 1);
  for (size_t i = 0; i < p3; i++) queue_byte((uint8_t)((s_t0_given + i) % 251), false, 0);
  s_t0_given += p3;
  t0_offer(256);
}
static void t0_input(const uint8_t *bytes, size_t length) {
  if (bytes[0] == 0xff && s_t0_need == 0) {
    card_says(bytes, length);
    return;
  }
  if (s_t0_need > 0) {
    CHECK(length == (s_mode & 1 ? 1 : s_t0_need));
    memcpy(s_t0_written + s_t0_have, bytes, length);
    s_t0_have += length;
    s_t0_need -= length;
    if (s_t0_need > 0) t0_ask();
    else if (s_t0_header[1] == 0xc2) t0_enveloped();
    else t0_done();
    return;
  }
  CHECK(length == 5);
  memcpy(s_t0_header, bytes, 5);
  const size_t p3 = bytes[4];
  switch (bytes[1]) {
  case 0xb0:
    if (p3 == 0 ? s_t0_file < 256 : p3 > s_t0_file) t0_status(0x6c, (uint8_t)s_t0_file);
    else t0_send(p3 ? p3 : 256);
    break;
  case 0xc0:
    CHECK(s_t0_header[0] == s_t0_cla); /* GET RESPONSE and ENVELOPE go where the command goes */
    if (s_t0_long > s_t0_given && s_t0_stored == 0) t0_long_part(p3 ? p3 : 256);
    else if (s_t0_stored == 0) t0_status(0x69, 0x85);
    else if (p3 != s_t0_stored && p3 != 0) t0_status(0x6c, (uint8_t)s_t0_stored);
    else if (p3 == 0) t0_status(0x6c, (uint8_t)s_t0_stored);
    else t0_send(p3), s_t0_stored = 0;
    break;
  case 0xc2:
    if (s_t0_envelope < 0) {
      t0_status(0x6d, 0x00);
      break;
    }
    CHECK(s_t0_header[0] == s_t0_cla && bytes[2] == 0 && bytes[3] == 0);
    s_t0_have = 0;
    s_t0_need = p3;
    t0_ask();
    break;
  case 0xb2: t0_long_part(p3 ? p3 : 256); break; /* a record longer than one TPDU */
  case 0xd6:
  case 0xa4:
    s_t0_have = 0;
    s_t0_need = p3;
    if (p3 == 0) t0_done();
    else t0_ask();
    break;
  default: t0_status(0x6d, 0x00);
  }
}
static void t0_reset(void) {
  s_t0_need = s_t0_stored = 0;
  card_says(s_atr, s_atr_length);
}

static void t0(void) {
  static const uint8_t k_t0_fast[] = {0x3b, 0x90, 0x95, 0x00}; /* TA1 = 95, TD1 = T=0: a PPS to 512/16 */
  for (s_mode = 0; s_mode < 8; s_mode++) {
    STORY("T=0: the four cases");
    s_t0_file = 256;
    use(s_mode & 2 ? k_t0_fast : k_t0, s_mode & 2 ? sizeof k_t0_fast : sizeof k_t0, t0_reset, t0_input);
    CHECK(card_power_on(0) == CARD_OK);
    CHECK(g_card.protocol == 0 && s_error_signal && g_card.fidi == (s_mode & 2 ? 0x95 : 0x11));
    uint8_t memory[300];
    size_t got = 0;
    const uint8_t case1[] = {0, 0xd6, 0, 0};
    CHECK(card_exchange(case1, 4, memory, sizeof memory, &got) == CARD_OK && got == 2 && memory[0] == 0x90);
    for (unsigned le = 0; le < 256; le += 51) { /* case 2, 0 = 256 */
      const size_t n = le ? le : 256;
      memory[0] = 0, memory[1] = 0xb0, memory[2] = 0, memory[3] = 7, memory[4] = (uint8_t)le;
      CHECK(card_exchange(memory, 5, memory, sizeof memory, &got) == CARD_OK && got == n + 2);
      for (size_t i = 0; i < n; i++) CHECK(memory[i] == (uint8_t)(i + 7));
      CHECK(memory[n] == 0x90);
    }
    for (unsigned lc = 1; lc < 256; lc += 127) { /* case 3 */
      memory[0] = 0, memory[1] = 0xd6, memory[2] = memory[3] = 0, memory[4] = (uint8_t)lc;
      for (size_t i = 0; i < lc; i++) memory[5 + i] = (uint8_t)(i ^ 0x33);
      CHECK(card_exchange(memory, 5 + lc, memory, sizeof memory, &got) == CARD_OK && got == 2 && s_t0_have == lc);
      for (size_t i = 0; i < lc; i++) CHECK(s_t0_written[i] == (uint8_t)(i ^ 0x33));
    }
    const uint8_t case4[] = {0, 0xa4, 4, 0, 3, 0xff, 2, 3, 20}; /* data may begin with FF: it is no PPS */
    CHECK(card_exchange(case4, sizeof case4, memory, sizeof memory, &got) == CARD_OK && got == 22 && memory[0] == 0 && memory[19] == 19 && memory[20] == 0x90);
    const uint8_t case4_any[] = {0, 0xa4, 4, 0, 1, 1, 0};
    CHECK(card_exchange(case4_any, sizeof case4_any, memory, sizeof memory, &got) == CARD_OK && got == 22);
    const uint8_t case3_offer[] = {0, 0xa4, 4, 0, 1, 1};
    CHECK(card_exchange(case3_offer, sizeof case3_offer, memory, sizeof memory, &got) == CARD_OK && got == 2);
    s_t0_file = 40; /* shorter than asked for: 6C28, and once more with 28 */
    const uint8_t longer[] = {0, 0xb0, 0, 0, 0};
    CHECK(card_exchange(longer, 5, memory, sizeof memory, &got) == CARD_OK && got == 42);
    const uint8_t unknown[] = {0, 0x10, 0, 0};
    CHECK(card_exchange(unknown, 4, memory, sizeof memory, &got) == CARD_OK && got == 2 && memory[0] == 0x6d);
    const uint8_t extended[] = {0, 0xb0, 0, 0, 0, 1, 0};
    CHECK(card_exchange(extended, sizeof extended, memory, sizeof memory, &got) == CARD_OK && got == 42);
    CHECK(card_exchange(case1, 4, memory, sizeof memory, &got) == CARD_OK); /* and it goes on */
  }
}

static void t0_extended(void) {
  static uint8_t command[66000], answer[65538];
  size_t got = 0;
  s_mode = 0;
  use(k_t0, sizeof k_t0, t0_reset, t0_input);
  CHECK(card_power_on(0) == CARD_OK);

  STORY("T=0: long answers by repeated GET RESPONSE, up to 64 KiB, in the command's CLA");
  for (size_t ne = 1; ne <= 65536; ne = ne < 255 ? ne + 127 : ne < 1000 ? ne + 1 : ne < 60000 ? ne * 3 : ne == 65536 ? 65537 : 65536) {
    const uint8_t read[] = {s_t0_cla = 0x8c, 0xb2, 0, 0, 0, (uint8_t)(ne >> 8), (uint8_t)ne};
    s_t0_long = 65536;
    s_t0_given = s_t0_stored = 0;
    CHECK(card_exchange(read, sizeof read, answer, sizeof answer, &got) == CARD_OK && got == ne + 2);
    for (size_t i = 0; i < ne; i++) CHECK(answer[i] == i % 251);
    CHECK(answer[ne] == (ne == 65536 ? 0x90 : 0x61)); /* it had more than was asked for, and says so */
    const size_t room = 2 + ne - 1;
    s_t0_given = 0;
    CHECK(card_exchange(read, sizeof read, answer, room, &got) == CARD_TOO_LONG && got == 0 && g_card.voltage_class != 0);
  }
  STORY("T=0: the card has less than Ne");
  s_t0_long = 700;
  s_t0_given = 0;
  const uint8_t all[] = {s_t0_cla = 0, 0xb2, 0, 0, 0, 0, 0};
  CHECK(card_exchange(all, sizeof all, answer, sizeof answer, &got) == CARD_OK && got == 702 && answer[700] == 0x90);

  STORY("T=0: a length that 6Cxx corrects, of which Ne bytes count");
  s_t0_file = 4;
  const uint8_t five[] = {0, 0xb0, 0, 0, 5};
  CHECK(card_exchange(five, 5, answer, sizeof answer, &got) == CARD_OK && got == 6);

  STORY("T=0: 256 bytes of data and more go in ENVELOPEs; answers as for any command");
  for (unsigned form = 0; form < 3; form++) { /* case 3E; case 4E; case 4E with a short answer */
    for (size_t lc = 256; lc <= 65535; lc = lc < 600 ? lc + 43 : lc < 16000 ? lc * 4 : lc == 65535 ? 65536 : 65535) {
      const size_t length = 7 + lc + (form > 0 ? 2u : 0u), ne = form == 1 ? 3000 : 5;
      for (size_t i = 0; i < length; i++) command[i] = (uint8_t)(i * 7u);
      command[0] = s_t0_cla = 0x10;
      command[1] = 0xda;
      command[4] = 0;
      command[5] = (uint8_t)(lc >> 8);
      command[6] = (uint8_t)lc;
      command[length - 2] = form > 0 ? (uint8_t)(ne >> 8) : command[length - 2];
      command[length - 1] = form > 0 ? (uint8_t)ne : command[length - 1];
      s_t0_envelope = 0;
      s_t0_long = form == 0 ? 0 : ne;
      s_t0_given = 0;
      const unsigned executed = s_executed;
      CHECK(card_exchange(command, length, answer, sizeof answer, &got) == CARD_OK && s_executed == executed + 1);
      CHECK((size_t)s_t0_envelope >= 7 + lc && (size_t)s_t0_envelope <= length);
      CHECK_BYTES(s_t0_apdu, command, (size_t)s_t0_envelope);
      CHECK(got == (form == 0 ? 2 : ne + 2) && answer[got - 2] == 0x90);
      for (size_t i = 0; form > 0 && i < ne; i++) CHECK(answer[i] == i % 251);
    }
  }
  STORY("T=0: a card without ENVELOPE: its own error, and the card goes on");
  s_t0_envelope = -1;
  CHECK(card_exchange(command, 7 + 0xffff, answer, sizeof answer, &got) == CARD_NO_ENVELOPE && got == 0 && g_card.voltage_class != 0);
  s_t0_file = 256;
  const uint8_t read[] = {0, 0xb0, 0, 0, 9};
  CHECK(card_exchange(read, 5, answer, sizeof answer, &got) == CARD_OK && got == 11);

  STORY("T=0: extended coding of a short command needs no ENVELOPE");
  static const uint8_t k_small[] = {0, 0xd6, 0, 0, 0, 0, 3, 1, 2, 3}, k_both[] = {0, 0xa4, 0, 0, 0, 0, 1, 9, 0, 0};
  s_t0_cla = 0;
  s_t0_long = s_t0_given = 0;
  CHECK(card_exchange(k_small, sizeof k_small, answer, sizeof answer, &got) == CARD_OK && got == 2 && s_t0_have == 3);
  CHECK(card_exchange(k_both, sizeof k_both, answer, sizeof answer, &got) == CARD_OK && got == 22);

  STORY("T=0: what is no APDU is not sent");
  const size_t puts = s_puts;
  static const uint8_t k_wrong[][9] = {{0, 0xd6, 0, 0, 2, 1}, {0, 0xd6, 0, 0, 0, 0}, {0, 0xd6, 0, 0, 0, 0, 2, 1}, {0, 0x6a, 0, 0}, {0, 0x90, 0, 0}};
  static const size_t k_lengths[] = {6, 6, 8, 4, 4};
  for (size_t i = 0; i < 5; i++) CHECK(card_exchange(k_wrong[i], k_lengths[i], answer, sizeof answer, &got) == CARD_PROTOCOL && got == 0);
  CHECK(s_puts == puts && g_card.voltage_class != 0);
}

static void t0_attacker(const uint8_t *bytes, size_t length) {
  (void)length;
  static const uint8_t k_bytes[] = {0x60, 0x61, 0x6c, 0x90, 0x00, 0xff, 0x6f, 0x9f};
  for (unsigned n = dice(300); n > 0; n--) {
    const uint32_t kind = dice(6);
    queue_byte(kind == 0 ? bytes[1] : kind == 1 ? (uint8_t)~bytes[1] : kind == 2 ? (uint8_t)dice(256) : k_bytes[dice(8)], dice(200) == 0, 0);
  }
}
static void t0_null_for_ever(const uint8_t *bytes, size_t length) {
  (void)bytes, (void)length;
  for (unsigned i = 0; i < 8000; i++) queue_byte(0x60, false, 900000);
}
static void t0_hostile(void) {
  STORY("a hostile T=0 card");
  unsigned ok = 0, other = 0;
  for (unsigned i = 0; i < 5000; i++) {
    use(k_t0, sizeof k_t0, t0_reset, t0_attacker);
    CHECK(card_power_on(0) == CARD_OK);
    const size_t capacity = 2 + dice(300), lc = 1 + dice(255);
    uint8_t *command = calloc(1, 6 + lc), *answer = malloc(capacity);
    command[1] = (uint8_t)dice(256);
    const uint32_t kind = dice(4);
    size_t length = kind == 0 ? 4 : kind == 1 ? 5 : kind == 2 ? 5 + lc : 6 + lc;
    if (length > 4) command[4] = (uint8_t)(length > 5 ? lc : dice(256));
    size_t got = 0;
    const uint64_t from = s_now;
    const card_result_t result = card_exchange(command, length, answer, capacity, &got);
    CHECK(got <= capacity && (result == CARD_OK) == (got >= 2) && s_now - from < 1200ull * 1000000u);
    result == CARD_OK ? ok++ : other++;
    free(command);
    free(answer);
  }
  CHECK(ok > 50 && other > 50);
  use(k_t0, sizeof k_t0, t0_reset, t0_null_for_ever);
  CHECK(card_power_on(0) == CARD_OK);
  const uint64_t from = s_now;
  uint8_t answer[10];
  size_t got = 0;
  static const uint8_t k_command[] = {0, 0xb0, 0, 0};
  CHECK(card_exchange(k_command, 4, answer, sizeof answer, &got) == CARD_MUTE && s_now - from < 620ull * 1000000u);
}

int main(void) {
  atr_table();
  activation();
  redacted();
  exchanges();
  hostile();
  endless();
  t0();
  t0_extended();
  t0_hostile();
  return check_end("iso7816");
}
