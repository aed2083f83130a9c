/* The pad: what reaches the card, what reaches the host, and what is left behind.
 * sources: pinpad/pinpad.c pinpad/entry.c pinpad/prompt.c pinpad/template.c guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#define _GNU_SOURCE
#include "front/draw.h"
#include "gen/board_gen.h"
#include "guard/guard.h"
#include "pinpad/entry.h"
#include "pinpad/pinpad.h"
#include "pinpad/prompt.h"
#include "pinpad/secret.h"
#include "test/fakes/check.h"
#include "test/fakes/fake_card.h"
#include "test/fakes/fake_hal.h"
#include <stdlib.h>
#include <ucontext.h>

/* op, timeout, format, block, length format, max, min, condition, messages, language, index, prologue, APDU */
#define VERIFY(format, block, length_format, max, min, condition, ...) \
  {0x00, 0x1e, format, block, length_format, max, min, condition, 0x01, 0x09, 0x04, 0x00, 0x00, 0x00, 0x00, __VA_ARGS__}
static const uint8_t k_verify[] = VERIFY(0x82, 0x00, 0x00, 4, 4, 2, 0x00, 0x20, 0x00, 0x80);
static const uint8_t k_password[] = VERIFY(0x82, 0x00, 0x00, 16, 6, 2, 0x00, 0x20, 0x00, 0x80);

static struct {
  pin_outcome_t outcome;
  uint8_t answer[64];
  size_t length, bad_offset;
  card_result_t card;
} *r; /* on the heap, like all that a test knows */

static void fresh(void) {
  fake_reset();
  fake_card_reset();
  guard_reset();
  memset(r, 0, sizeof *r);
}
static void run(const uint8_t *block, size_t length) {
  r->outcome = pinpad_run(block, length, r->answer, sizeof r->answer, &r->length, &r->bad_offset, &r->card);
}
#define RUN(block) run(block, sizeof(block))
static const fake_command_t *last(void) { return &g_fake_card->commands[g_fake_card->count - 1]; }
static int got(const void *bytes, size_t length) {
  return r->outcome == PIN_DONE && g_fake_card->count > 0 && last()->length == length && memcmp(last()->bytes, bytes, length) == 0;
}
static int clean(void) {
  static const secret_t zero;
  return memcmp(&g_secret, &zero, sizeof zero) == 0 && !g_fake->lamp;
}

/* JPKI selected, and in it the file of a secret. */
static void jpki(uint8_t file) {
  static const uint8_t application[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}, ok[] = {0x90, 0x00};
  const uint8_t select[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, file};
  guard_after(application, sizeof application, ok, 2);
  guard_after(select, sizeof select, ok, 2);
}

/* A card with `s_tries` left of 5 and a secret of its own. */
static uint8_t *s_tries; /* heap */
static char *s_secret;
static size_t card_with_counter(const uint8_t *c, size_t length, uint8_t *answer) {
  answer[0] = 0x63;
  answer[1] = (uint8_t)(0xc0 | *s_tries);
  if (length == 4) return 2;
  if (*s_tries > 0 && length == 5 + strlen(s_secret) && memcmp(c + 5, s_secret, length - 5) == 0) {
    answer[0] = 0x90;
    answer[1] = 0x00;
    return 2;
  }
  if (*s_tries > 0) --*s_tries;
  answer[1] = (uint8_t)(0xc0 | *s_tries);
  return 2;
}

static void digits(void) {
  STORY("four digits, Lc absent, Lc 00");
  fresh();
  fake_type("1234o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9) && r->length == 2 && r->answer[0] == 0x90 && r->answer[1] == 0x00 && clean());
  fresh();
  fake_type("1234o");
  static const uint8_t lc00[] = VERIFY(0x82, 0x00, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x00); /* as pcscd's serial driver was seen to send */
  RUN(lc00);
  CHECK(got("\x00\x20\x00\x01\x04" "1234", 9));

  STORY("correct, clear, too short, full");
  fresh();
  fake_type("19x129c34o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));
  fresh();
  fake_type("12o34o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));
  fresh();
  fake_type("123456789o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));
  fresh();
  fake_type("cccxo1234o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));

  STORY("the lamp is lit from the first prompt to the end of entry, and the beep is one for all keys");
  fresh();
  fake_type("1c2x1234o");
  RUN(k_verify);
  CHECK(g_fake->lamp_on_count == 1 && !g_fake->lamp && g_fake->lamp_off_at - g_fake->lamp_on_at < 1100000);
  CHECK(g_fake->beep_count == 9);
  for (size_t i = 0; i < g_fake->beep_count; i++) CHECK(g_fake->beeps[i].hertz == g_fake->beeps[0].hertz && g_fake->beeps[i].ms == g_fake->beeps[0].ms);
  CHECK(g_fake->line_wipes == 1);
}

static void letters(void) {
  STORY("multi-tap: another key, a pause, next and mode commit; correct drops what is pending");
  fresh();
  fake_type("m222m1o"); /* C, then digit 1: too short */
  fake_type("xm2n22n222nm123o");
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x06" "ABC123", 11));
  fresh();
  fake_type("m7777 77777 99999 2222 22222 7777c0n1n0 o"); /* S 7 9 2 A (S dropped) 0 1 0 */
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x08" "S792A010", 13));
  fresh();
  fake_type("m234567o"); /* another key commits; OK commits the last */
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x06" "ADGJMP", 11));
  fresh();
  fake_type("m234567x89n1n2n3n4 o");
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x06" "TW1ADG", 11));

  STORY("sixteen is the most, also with a pending one");
  fresh();
  fake_type("m2n2n2n2n2n2n2n2n2n2n2n2n2n2n2n3n4no");
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x10" "AAAAAAAAAAAAAAAD", 21));

  STORY("no letters unless ASCII, none for JPKI's four digits");
  static const uint8_t bcd[] = VERIFY(0x81, 0x00, 0x00, 4, 4, 2, 0x00, 0x20, 0x00, 0x80);
  fresh();
  fake_type("m1234o");
  RUN(bcd);
  CHECK(got("\x00\x20\x00\x80\x02\x12\x34", 7));
  fresh();
  jpki(0x18);
  fake_type("m1234o");
  RUN(k_verify);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));

  STORY("the chooser: every row of the cell has 8 lit pixels for every character, and it is empty when nothing is pending");
  static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  for (const char *c = all; *c != 0; c++) {
    draw_clear();
    prompt_chooser((uint8_t)*c, false);
    for (unsigned y = 48; y < 64; y++) {
      unsigned lit = 0;
      for (unsigned x = 0; x < 128; x++) lit += g_frame[(y >> 3) * 128u + x] >> (y & 7u) & 1u;
      CHECK(lit == 8);
    }
  }
  fresh();
  fake_type("m2 o");
  g_fake->aborted_at = g_fake->next_press + 500000;
  RUN(k_password);
  unsigned with = 0, without = 0;
  for (size_t i = 0; i < g_fake->frame_count; i++) {
    unsigned lit = 0;
    for (unsigned at = 6 * 128; at < 1024; at++) lit += at % 128 >= CHOOSER_X ? (unsigned)__builtin_popcount(g_fake->frames[i].pixels[at]) : 0u;
    if (lit == 128) with++;
    if (lit == 0) without++;
  }
  CHECK(with == 1 && without == g_fake->frame_count - 1);
}

static void conditions(void) {
  STORY("validation by length: without OK, and never with a pending character");
  static const uint8_t by_length[] = VERIFY(0x82, 0x00, 0x00, 4, 4, 1, 0x00, 0x20, 0x00, 0x80);
  fresh();
  fake_type("12o34");
  RUN(by_length);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));
  fresh();
  fake_type("m2n3n4n5");
  const uint64_t typed = g_fake->next_press;
  RUN(by_length);
  CHECK(got("\x00\x20\x00\x80\x04" "ADGJ", 9) && g_fake->now > typed + 800000); /* the pause committed it */
  fresh();
  fake_type("m2n3n4n55");
  RUN(by_length);
  CHECK(got("\x00\x20\x00\x80\x04" "ADGK", 9));

  STORY("timeout: 30 s after the last key, 60 s by default, 240 s in all");
  fresh();
  const uint64_t start = g_fake->now;
  g_fake->next_press += 25000000;
  fake_type("1");
  RUN(k_verify);
  CHECK(r->outcome == PIN_TIMEOUT && g_fake->now - start > 55000000 && g_fake->now - start < 55500000 && g_fake_card->count == 0 && clean());
  uint8_t block[sizeof k_verify];
  memcpy(block, k_verify, sizeof block);
  block[1] = 0;
  fresh();
  const uint64_t at = g_fake->now;
  RUN(block);
  CHECK(r->outcome == PIN_TIMEOUT && g_fake->now - at >= 60000000 && g_fake->now - at < 60100000);
  block[1] = 255;
  fresh();
  const uint64_t from = g_fake->now;
  for (unsigned i = 0; i < 60; i++) {
    fake_type("1");
    g_fake->next_press += 5000000;
  }
  RUN(block);
  CHECK(r->outcome == PIN_TIMEOUT && g_fake->now - from >= 240000000 && g_fake->now - from < 240100000);
  STORY("validation by timeout: what is there is taken, if it is enough");
  static const uint8_t by_timeout[] = VERIFY(0x82, 0x00, 0x00, 8, 4, 4, 0x00, 0x20, 0x00, 0x80);
  fresh();
  fake_type("1234");
  RUN(by_timeout);
  CHECK(got("\x00\x20\x00\x80\x04" "1234", 9));
  fresh();
  fake_type("123");
  RUN(by_timeout);
  CHECK(r->outcome == PIN_TIMEOUT);
}

static size_t says_6a80(const uint8_t *c, size_t length, uint8_t *answer) {
  (void)c, (void)length;
  answer[0] = 0x6a;
  answer[1] = 0x80;
  return 2;
}
static size_t echoes(const uint8_t *c, size_t length, uint8_t *answer) {
  memcpy(answer, c, length);
  answer[length] = 0x90;
  answer[length + 1] = 0x00;
  return length + 2;
}
static size_t babbles(const uint8_t *c, size_t length, uint8_t *answer) {
  for (size_t i = 0; i < 512; i++) answer[i] = c[i % length];
  return 512;
}
static size_t says_nothing(const uint8_t *c, size_t length, uint8_t *answer) {
  (void)c, (void)length, (void)answer;
  return 1;
}

static void endings(void) {
  STORY("cancel, abort, card pulled: each its own outcome, nothing sent, nothing left");
  fresh();
  fake_type("123q");
  RUN(k_verify);
  CHECK(r->outcome == PIN_CANCELLED && g_fake_card->count == 0 && r->length == 0 && clean() && g_fake->line_wipes == 1);
  fresh();
  fake_type("123");
  g_fake->aborted_at = g_fake->next_press;
  RUN(k_verify);
  CHECK(r->outcome == PIN_ABORTED && g_fake_card->count == 0 && clean());
  fresh();
  fake_type("123");
  g_fake->pulled_at = g_fake->next_press - 50000; /* a key is down */
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_ABSENT && g_fake_card->count == 0 && clean());

  STORY("the card: another status, mute, pulled during the command");
  fresh();
  g_fake_card->answer = says_6a80;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_DONE && r->length == 2 && r->answer[0] == 0x6a && r->answer[1] == 0x80 && clean());
  fresh();
  g_fake_card->result = CARD_MUTE;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_MUTE && r->length == 0 && clean());
  fresh();
  g_fake_card->result = CARD_ABORTED;
  g_fake_card->pulled_during = true;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_ABSENT && clean());

  STORY("a card cannot hand the secret to the host");
  fresh();
  g_fake_card->answer = echoes;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_DONE && r->length == 2 && r->answer[0] == 0x90 && r->answer[1] == 0x00 && r->answer[2] == 0 && clean());
  fresh();
  g_fake_card->answer = babbles;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_TOO_LONG && clean());
  fresh();
  g_fake_card->answer = says_nothing;
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_PROTOCOL && clean());
}

static void tries(void) {
  static const uint8_t ask[] = {0x00, 0x20, 0x00, 0x80};
  strcpy(s_secret, "ABC123");
  STORY("JPKI: the counter is read first, without a try");
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  *s_tries = 5;
  fake_type("m2n22n222m123o");
  RUN(k_password);
  CHECK(got("\x00\x20\x00\x80\x06" "ABC123", 11) && g_fake_card->count == 2 && g_fake_card->commands[0].length == 4);
  CHECK_BYTES(g_fake_card->commands[0].bytes, ask, 4);
  CHECK(r->answer[0] == 0x90 && *s_tries == 5);
  uint8_t *five = malloc(1024);
  memcpy(five, g_fake->frames[0].pixels, 1024);
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  *s_tries = 4;
  fake_type("m2n22n222m124o");
  RUN(k_password);
  CHECK(r->outcome == PIN_DONE && r->answer[0] == 0x63 && r->answer[1] == 0xc3 && clean());
  CHECK(memcmp(five, g_fake->frames[0].pixels, 1024) != 0); /* another number of tries left */
  CHECK(guard_tries_left() == 3);
  free(five);

  STORY("another card's counter is not touched");
  fresh();
  fake_type("1234o");
  RUN(k_verify);
  CHECK(g_fake_card->count == 1);

  STORY("on the last try the pad asks first, the lamp still dark");
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  *s_tries = 1;
  fake_type("1q");
  RUN(k_password);
  CHECK(r->outcome == PIN_CANCELLED && g_fake->lamp_on_count == 0 && g_fake_card->count == 1 && *s_tries == 1);
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  fake_type("o");
  g_fake->next_press += 100000;
  fake_type("m2n22n222m123o");
  RUN(k_password);
  CHECK(r->outcome == PIN_DONE && r->answer[0] == 0x90 && g_fake->lamp_on_count == 1);
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  RUN(k_password);
  CHECK(r->outcome == PIN_TIMEOUT && g_fake->lamp_on_count == 0);
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  g_fake->pulled_at = g_fake->now + 3000000;
  RUN(k_password);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_ABSENT);

  STORY("a blocked secret is not asked for: the host gets the card's own answer");
  fresh();
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  *s_tries = 0;
  RUN(k_password);
  CHECK(r->outcome == PIN_DONE && r->answer[0] == 0x63 && r->answer[1] == 0xc0 && g_fake->lamp_on_count == 0);
  fresh();
  jpki(0x18);
  g_fake_card->result = CARD_MUTE;
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_MUTE && g_fake->lamp_on_count == 0);
}

/* Types 12345 (or fewer) into a template and compares the command the card gets. */
#define FORMAT(keys, block, ...) \
  do { \
    static const uint8_t template_[] = block, expected[] = {__VA_ARGS__}; \
    fresh(); \
    fake_type(keys); \
    RUN(template_); \
    CHECK(got(expected, sizeof expected)); \
  } while (0)
#define P(...) __VA_ARGS__
#define FF8 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

static void formats(void) {
  STORY("Lc present: ASCII left, position, right, padding kept");
  FORMAT("12345o", P(VERIFY(0x82, 0x08, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, FF8)), 0x00, 0x20, 0x00, 0x01, 0x08, '1', '2', '3', '4', '5', 0xff, 0xff, 0xff);
  FORMAT("1234o", P(VERIFY(0x92, 0x04, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, FF8)), 0x00, 0x20, 0x00, 0x01, 0x08, 0xff, 0xff, '1', '2', '3', '4', 0xff, 0xff);
  FORMAT("12345o", P(VERIFY(0x86, 0x08, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, 0, 0, 0, 0, 0, 0, 0, 0)), 0x00, 0x20, 0x00, 0x01, 0x08, 0, 0, 0, '1', '2', '3', '4', '5');
  FORMAT("123456o", P(VERIFY(0x82, 0x04, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x00, 0x08, 0x30, 0x30, 0x30, 0x30, 0, 0, 0, 0)), 0x00, 0x20, 0x00, 0x00, 0x08, '1', '2', '3', '4', 0, 0, 0, 0);
  STORY("binary and BCD, odd lengths, both justifications");
  FORMAT("12345o", P(VERIFY(0x80, 0x08, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, FF8)), 0x00, 0x20, 0x00, 0x01, 0x08, 1, 2, 3, 4, 5, 0xff, 0xff, 0xff);
  FORMAT("12345o", P(VERIFY(0x81, 0x08, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, FF8)), 0x00, 0x20, 0x00, 0x01, 0x08, 0x12, 0x34, 0x5f, 0xff, 0xff, 0xff, 0xff, 0xff);
  FORMAT("12345o", P(VERIFY(0x85, 0x04, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, FF8)), 0x00, 0x20, 0x00, 0x01, 0x08, 0xff, 0xf1, 0x23, 0x45, 0xff, 0xff, 0xff, 0xff);
  FORMAT("12345o", P(VERIFY(0x81, 0x00, 0x00, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x00)), 0x00, 0x20, 0x00, 0x01, 0x03, 0x12, 0x34, 0x5f);
  STORY("an inserted length: format 2 PIN block, as in CCID's example and as OpenSC sends it");
  FORMAT("12345o", P(VERIFY(0x41, 0x47, 0x04, 12, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), 0x00, 0x20, 0x00, 0x01, 0x08, 0x25, 0x12, 0x34, 0x5f, 0xff, 0xff, 0xff, 0xff);
  FORMAT("1234o", P(VERIFY(0x41, 0x48, 0x04, 12, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x08, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), 0x00, 0x20, 0x00, 0x01, 0x08, 0x24, 0x12, 0x34, 0xff, 0xff, 0xff, 0xff, 0xff);
  FORMAT("1234o", P(VERIFY(0x8a, 0x88, 0x10, 8, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x09, 0x00, FF8)), 0x00, 0x20, 0x00, 0x01, 0x09, 0x04, '1', '2', '3', '4', 0xff, 0xff, 0xff, 0xff);
  STORY("a field begins between two nibbles' borders too: positions are bits");
  FORMAT("1234o", P(VERIFY(0x21, 0x00, 0x00, 4, 4, 2, 0x00, 0x20, 0x00, 0x01, 0x03, 0x00, 0x00, 0x00)), 0x00, 0x20, 0x00, 0x01, 0x03, 0x01, 0x23, 0x40);
}

/* modify: op, timeout, format, block, length, old offset, new offset, max, min, confirm, condition, messages, language, index…, prologue, APDU */
#define MODIFY(block, old, new, max, min, confirm, messages, ...) \
  {0x01, 0x1e, 0x82, block, 0x00, old, new, max, min, confirm, 0x02, messages, 0x09, 0x04, __VA_ARGS__}
static void changes(void) {
  STORY("JPKI's change: the new one, twice");
  FORMAT("1234o1234o", P(MODIFY(0x00, 0, 0, 4, 4, 1, 2, 0, 1, 0, 0, 0, 0x00, 0x24, 0x01, 0x80)), 0x00, 0x24, 0x01, 0x80, 0x04, '1', '2', '3', '4');
  STORY("also when the host does not ask for the repetition; a slip is noticed and asked again");
  FORMAT("1234o1235o5678o5678o", P(MODIFY(0x00, 0, 0, 4, 4, 0, 0, 0, 0, 0, 0, 0x00, 0x24, 0x01, 0x80)), 0x00, 0x24, 0x01, 0x80, 0x04, '5', '6', '7', '8');
  FORMAT("12345o1234o1234o1234o", P(MODIFY(0x00, 0, 0, 8, 4, 1, 3, 0, 1, 2, 0, 0, 0, 0x00, 0x24, 0x01, 0x80, 0x00)), 0x00, 0x24, 0x01, 0x80, 0x04, '1', '2', '3', '4');
  STORY("current and new: one after the other, and in fields of their own");
  FORMAT("123456o7890o7890o", P(MODIFY(0x00, 0, 0, 8, 4, 3, 3, 0, 1, 2, 0, 0, 0, 0x00, 0x24, 0x00, 0x80)), 0x00, 0x24, 0x00, 0x80, 0x0a, '1', '2', '3', '4', '5', '6', '7', '8', '9', '0');
  FORMAT("123456o7890o7890o", P(MODIFY(0x08, 0, 8, 8, 4, 3, 0xff, 0, 1, 0, 0, 0, 0x00, 0x24, 0x00, 0x01, 0x10, FF8, FF8)),
         0x00, 0x24, 0x00, 0x01, 0x10, '1', '2', '3', '4', '5', '6', 0xff, 0xff, '7', '8', '9', '0', 0xff, 0xff, 0xff, 0xff);
  FORMAT("123456o7890o7890o", P(MODIFY(0x00, 0, 4, 8, 4, 3, 2, 0, 1, 0, 0, 0, 0x00, 0x24, 0x00, 0x01, 0x08, FF8)),
         0x00, 0x24, 0x00, 0x01, 0x08, '1', '2', '3', '4', '7', '8', '9', '0'); /* neither runs into the other */

  STORY("what would make the card take a wrong secret is refused");
  static const uint8_t both_for_new[] = MODIFY(0x00, 0, 0, 8, 4, 3, 0, 0, 0, 0, 0, 0x00, 0x24, 0x01, 0x80);
  fresh();
  RUN(both_for_new);
  CHECK(r->outcome == PIN_REFUSED && r->bad_offset == 9);
  static const uint8_t new_for_both[] = MODIFY(0x00, 0, 0, 8, 4, 1, 0, 0, 0, 0, 0, 0x00, 0x24, 0x00, 0x80);
  fresh();
  RUN(new_for_both);
  CHECK(r->outcome == PIN_REFUSED && r->bad_offset == 9);
  static const uint8_t same_place[] = MODIFY(0x04, 0, 0, 4, 4, 3, 0, 0, 0, 0, 0, 0x00, 0x24, 0x00, 0x80, 0x08, FF8);
  fresh();
  RUN(same_place);
  CHECK(r->outcome == PIN_REFUSED && r->bad_offset == 6);
}

static void refuse(size_t changed, uint8_t value, size_t expected) {
  uint8_t block[sizeof k_verify];
  memcpy(block, k_verify, sizeof block);
  block[changed] = value;
  fresh();
  fake_type("1234o");
  RUN(block);
  CHECK(r->outcome == PIN_REFUSED && r->bad_offset == expected && g_fake_card->count == 0 && g_fake->frame_count == 0 && g_fake->lamp_on_count == 0);
}

static void table(void) {
  STORY("only the printed CLA, INS, P1 take a secret");
  for (unsigned v = 0; v < 256; v++) {
    if ((v & 0xfcu) != 0) refuse(15, (uint8_t)v, 15);
    if (v != 0x20) refuse(16, (uint8_t)v, 16);
    if (v != 0) refuse(17, (uint8_t)v, 17);
  }
  static const uint8_t modify[] = MODIFY(0x00, 0, 0, 4, 4, 1, 0, 0, 0, 0, 0, 0x00, 0x24, 0x01, 0x80);
  for (unsigned ins = 0; ins < 256; ins++) {
    for (unsigned p1 = 0; p1 < 256; p1++) {
      uint8_t block[sizeof modify];
      memcpy(block, modify, sizeof block);
      block[19] = (uint8_t)ins;
      block[20] = (uint8_t)p1;
      if (ins == 0x24 && p1 <= 1) continue;
      fresh();
      RUN(block);
      if (r->outcome != PIN_REFUSED || g_fake_card->count != 0) CHECK(!"a secret for another command");
    }
  }
  STORY("a chained or foreign T=1 block, unknown coding, impossible lengths and positions");
  refuse(13, 0x20, 13);
  refuse(13, 0x60, 13);
  refuse(13, 0x80, 13);
  refuse(0, 2, 0);
  refuse(2, 0x83, 2);
  refuse(2, 0x86, 3);
  refuse(2, 0x8a, 2);
  refuse(3, 0x08, 3);
  refuse(3, 0x40, 3);
  refuse(5, 3, 5);
  STORY("the same of a change, each with the offset of the field that is wrong");
  static const uint8_t change[] = {1, 30, 0x82, 0, 0, 0, 4, 4, 4, 3, 2, 3, 0x11, 0x04, 0, 1, 2, 0, 0, 0, 0x00, 0x24, 0x00, 0x80, 8, 1, 2, 3, 4, 5, 6, 7, 8};
  static const struct { uint8_t at, value, offset; } malformed[] = {
      {0, 2, 0}, {2, 0x83, 2}, {2, 0x86, 3}, {6, 0, 6}, {6, 8, 2}, {7, 3, 7}, {9, 4, 9}, {9, 1, 9}, {11, 4, 11}, {11, 0xfe, 11},
      {18, 0x20, 18}, {18, 0x80, 18}, {20, 0x10, 20}, {20, 0x0c, 20}, {20, 0x80, 20}, {21, 0x20, 21}, {21, 0x2c, 21}, {22, 0x02, 22}, {24, 7, 24}, {24, 9, 24},
  };
  fresh();
  fake_type("1234o5678o5678o");
  RUN(change);
  CHECK(got("\x00\x24\x00\x80\x08" "12345678", 13));
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    uint8_t block[sizeof change];
    memcpy(block, change, sizeof block);
    block[malformed[i].at] = malformed[i].value;
    fresh();
    RUN(block);
    CHECK(r->outcome == PIN_REFUSED && g_fake_card->count == 0 && g_fake->lamp_on_count == 0);
    if (r->bad_offset != malformed[i].offset) printf("malformed row %zu: offset %zu\n", i, r->bad_offset);
    CHECK(r->bad_offset == malformed[i].offset);
  }
  for (size_t length = 0; length < sizeof k_verify; length++) {
    uint8_t *exact = malloc(length + 1);
    memcpy(exact, k_verify, length);
    fresh();
    run(exact, length);
    CHECK(r->outcome == PIN_REFUSED);
    free(exact);
  }
}

/* ---- the table of formats, judged by an oracle of its own (device-proto/src/ccid/pin-format.ts) --------------------- */

static size_t hex_value(const char *line, const char *key, uint8_t *bytes) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "\"%s\": \"", key);
  const char *at = strstr(line, quoted) + strlen(quoted);
  size_t n = 0;
  for (unsigned byte; *at != '"' && sscanf(at, "%2x", &byte) == 1; at += 2) bytes[n++] = (uint8_t)byte;
  return n;
}
/* The keys for a field: digits as they are; letters tapped in letter mode. */
static void type_field(const char *line, const char *key, unsigned times) {
  static const char *const taps[] = {"0", "1", "ABC2", "DEF3", "GHI4", "JKL5", "MNO6", "PQRS7", "TUV8", "WXYZ9"};
  char quoted[32], keys[128];
  snprintf(quoted, sizeof quoted, "\"%s\": \"", key);
  const char *text = strstr(line, quoted) + strlen(quoted);
  if (*text == '"') return;
  for (; times > 0; times--) {
    size_t n = 0;
    bool letters = false;
    for (const char *c = text; *c != '"'; c++) letters |= *c >= 'A';
    if (letters) keys[n++] = 'm';
    for (const char *c = text; *c != '"'; c++) {
      unsigned digit = 0;
      while (letters && strchr(taps[digit], *c) == NULL) digit++;
      if (!letters) {
        keys[n++] = *c;
        continue;
      }
      for (const char *tap = taps[digit]; tap <= strchr(taps[digit], *c); tap++) keys[n++] = (char)('0' + digit);
      keys[n++] = 'n';
    }
    keys[n++] = 'o';
    keys[n] = 0;
    fake_type(keys);
  }
}

static void vectors(void) {
  STORY("every format, justification, style, position, block and length field: the oracle's command");
  char path[1024];
  snprintf(path, sizeof path, "%s", __FILE__);
  char *slash = strrchr(path, '/');
  snprintf(slash == NULL ? path : slash, sizeof path - (slash == NULL ? 0 : (size_t)(slash - path)), "/../../vectors/pin.json");
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  if (file == NULL) return;
  char line[1024];
  unsigned count = 0, wrong = 0, changes_seen = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (strstr(line, "\"block\": ") == NULL) continue;
    uint8_t block[300], apdu[300];
    const size_t length = hex_value(line, "block", block), wanted = hex_value(line, "apdu", apdu);
    fresh();
    type_field(line, "current", 1);
    type_field(line, "new", 2);
    run(block, length);
    count++;
    changes_seen += block[0];
    if (!got(apdu, wanted) || !clean()) {
      if (wrong++ < 5) printf("%s", line);
    }
  }
  fclose(file);
  CHECK(wrong == 0);
  CHECK(count > 500 && changes_seen > 100);
}

/* Every command there is: 65 536 CLA and INS, with every P1, as a verification, a change, and a change that asks for the current one. */
static void every_command(void) {
  STORY("65 536 CLA and INS x 256 P1 x 3 operations: only the table's take a secret");
  static const uint8_t with_current[] = MODIFY(0x00, 0, 0, 4, 4, 3, 0, 0, 0, 0, 0, 0x00, 0x24, 0x00, 0x80), new_only[] = MODIFY(0x00, 0, 0, 4, 4, 1, 0, 0, 0, 0, 0, 0x00, 0x24, 0x01, 0x80);
  static const struct { const uint8_t *block; size_t length, apdu; } forms[] = {{k_verify, sizeof k_verify, 15}, {with_current, sizeof with_current, 18}, {new_only, sizeof new_only, 18}};
  unsigned allowed = 0, offsets_wrong = 0;
  for (unsigned form = 0; form < 3; form++) {
    uint8_t block[32];
    memcpy(block, forms[form].block, forms[form].length);
    uint8_t *apdu = block + forms[form].apdu;
    for (unsigned command = 0; command < 0x1000000u; command++) {
      apdu[0] = (uint8_t)(command >> 16);
      apdu[1] = (uint8_t)(command >> 8);
      apdu[2] = (uint8_t)command;
      pin_template_t t;
      size_t bad_offset = 0;
      if (template_parse(block, forms[form].length, &t, &bad_offset)) {
        const bool right = form == 0 ? apdu[1] == 0x20 && apdu[2] == 0 : apdu[1] == 0x24 && apdu[2] == form - 1u;
        if (!right || apdu[0] > 3) CHECK(!"a secret for another command");
        allowed++;
        continue;
      }
      const size_t offset = apdu[0] > 3 ? 0u : apdu[1] != (form == 0 ? 0x20 : 0x24) ? 1u : 2u;
      offsets_wrong += bad_offset != forms[form].apdu + offset && !(form != 0 && apdu[0] <= 3 && apdu[1] == 0x24 && apdu[2] <= 1 && bad_offset == 9);
    }
  }
  CHECK(allowed == 4 * 3);
  CHECK(offsets_wrong == 0);
}

/* Any block at all: refused, or a secret goes only where it may. The sanitizers watch the rest. */
static void noise(void) {
  STORY("random blocks");
  static const uint8_t *const seeds[] = {k_verify, k_password};
  unsigned seed = 7, wrong = 0, accepted = 0;
  for (unsigned n = 0; n < 30000; n++) {
    uint8_t block[64];
    size_t length = sizeof k_verify + (n % 20);
    memset(block, 0xff, sizeof block);
    memcpy(block, seeds[n & 1], sizeof k_verify);
    if (length > sizeof k_verify) block[sizeof k_verify] = (uint8_t)(length - sizeof k_verify - 1);
    for (unsigned k = 0; k < 3; k++) {
      seed = seed * 1664525u + 1013904223u;
      const unsigned at = (seed >> 8) % 20;
      if (at != 1) block[at] = (uint8_t)((seed >> 24) & ((seed & 0x40) ? 0xffu : 0x0fu));
    }
    if ((n & 3) == 3) {
      block[0] = 1;
      block[14 + n % 7] = 0x00;
      block[15 + n % 7] = 0x24;
    }
    fresh();
    fake_type("123456o123456o123456oq");
    uint8_t *exact = malloc(length);
    memcpy(exact, block, length);
    run(exact, length);
    free(exact);
    wrong += !clean();
    if (g_fake_card->count > 0) {
      accepted++;
      const uint8_t *c = last()->bytes;
      wrong += !((c[0] & 0xfc) == 0 && ((c[1] == 0x20 && c[2] == 0) || (c[1] == 0x24 && c[2] <= 1)) && last()->length == 5u + c[4]);
    }
  }
  CHECK(wrong == 0 && accepted > 1000);
}

/* ---- non-interference -------------------------------------------------------------------------------------------- */
extern char __data_start[], _end[];
#define STACK_SIZE (1u << 18)
#define OWN_FRAMES 128u /* the outermost bytes: makecontext's and coroutine()'s frames keep this program's registers */
typedef struct {
  uint8_t *memory, *stack;
  fake_t world;
  fake_frame_t *frames;
  uint8_t answer[64];
  size_t length, command_length;
  pin_outcome_t outcome;
  card_result_t card;
} session_t;

static ucontext_t *s_main, *s_coroutine;
static const uint8_t *s_block;
static size_t s_block_length;
static uint8_t *s_stack;
static void coroutine(void) { run(s_block, s_block_length); }

/* Also what lies between the objects: the sanitizer would stop at their borders. */
__attribute__((no_sanitize("address"))) static void picture(uint8_t *to, volatile uint8_t *from, size_t size) {
  for (size_t i = 0; i < size; i++) to[i] = from[i];
}

/* One dialog on a stack of its own; then a picture of everything: memory, stack, frames, answers, times. */
static session_t session(const uint8_t *block, size_t length, const char *keys, void (*prepare)(void)) {
  session_t s;
  memset(&s, 0, sizeof s);
  fresh();
  s_block = block;
  s_block_length = length;
  jpki(0x1b);
  g_fake_card->answer = card_with_counter;
  *s_tries = 5;
  if (prepare != NULL) prepare();
  fake_type(keys);
  memset(s_stack, 0xa5, STACK_SIZE);
  getcontext(s_coroutine);
  s_coroutine->uc_stack.ss_sp = s_stack;
  s_coroutine->uc_stack.ss_size = STACK_SIZE;
  s_coroutine->uc_link = s_main;
  makecontext(s_coroutine, coroutine, 0);
  swapcontext(s_main, s_coroutine);
  const size_t size = (size_t)(_end - __data_start);
  s.memory = malloc(size);
  picture(s.memory, (volatile uint8_t *)__data_start, size);
  s.stack = malloc(STACK_SIZE);
  picture(s.stack, s_stack, STACK_SIZE);
  s.world = *g_fake;
  s.frames = malloc(g_fake->frame_count * sizeof *s.frames);
  memcpy(s.frames, g_fake->frames, g_fake->frame_count * sizeof *s.frames);
  memcpy(s.answer, r->answer, sizeof s.answer);
  s.length = r->length;
  s.outcome = r->outcome;
  s.card = r->card;
  s.command_length = g_fake_card->count > 0 ? last()->length : 0;
  return s;
}

static void same(const session_t *a, const session_t *b, pin_outcome_t outcome) {
  CHECK(a->outcome == outcome && b->outcome == outcome);
  CHECK(a->world.now == b->world.now && a->length == b->length && a->command_length == b->command_length && a->card == b->card);
  CHECK_BYTES(a->answer, b->answer, sizeof a->answer);
  CHECK_BYTES(a->memory, b->memory, (size_t)(_end - __data_start));
  CHECK_BYTES(a->stack, b->stack, STACK_SIZE - OWN_FRAMES);
  CHECK(a->world.beep_count == b->world.beep_count && a->world.lamp_on_at == b->world.lamp_on_at && a->world.lamp_off_at == b->world.lamp_off_at);
  CHECK_BYTES(a->world.beeps, b->world.beeps, sizeof a->world.beeps);
  CHECK(a->world.frame_count == b->world.frame_count);
  for (size_t i = 0; i < a->world.frame_count && i < b->world.frame_count; i++) {
    unsigned outside = a->frames[i].at != b->frames[i].at, lit = 0;
    for (unsigned at = 0; at < 1024; at++) {
      const bool cell = at >= 6 * 128 && at % 128 >= CHOOSER_X;
      if (!cell) outside += a->frames[i].pixels[at] != b->frames[i].pixels[at];
      if (cell) lit += (unsigned)__builtin_popcount(a->frames[i].pixels[at]) - (unsigned)__builtin_popcount(b->frames[i].pixels[at]);
    }
    CHECK(outside == 0 && lit == 0);
  }
  CHECK_BYTES(a->frames[a->world.frame_count - 1].pixels, b->frames[b->world.frame_count - 1].pixels, 1024);
  free(a->memory), free(a->stack), free(a->frames);
  free(b->memory), free(b->stack), free(b->frames);
}

static void first_password(void) { strcpy(s_secret, "ADG123"); }
static void second_password(void) { strcpy(s_secret, "MTW890"); }
static void other_password(void) { strcpy(s_secret, "XXXXXX"); }
static void pulled_with_key_down(void) { g_fake->pulled_at = g_fake->next_press + 7 * 80000 - 50000; }
static void aborted_with_letter_pending(void) { g_fake->aborted_at = g_fake->next_press + 4 * 80000 + 300000; }
static void mute(void) { g_fake_card->result = CARD_MUTE, g_fake_card->answer = NULL; }
static void echo(void) { g_fake_card->answer = echoes; }

static void secrecy(void) {
  static const struct { const char *name, *one, *two; void (*prepare_one)(void), (*prepare_two)(void); pin_outcome_t outcome; } ways[] = {
      {"accepted", "m234m123o", "m689m890o", first_password, second_password, PIN_DONE},
      {"wrong", "m234m123o", "m689m890o", other_password, other_password, PIN_DONE},
      {"taps and corrections", "m22n333c77771m123o", "m55n888c99991m456o", NULL, NULL, PIN_DONE},
      {"cancelled", "m234m12q", "m689m89q", NULL, NULL, PIN_CANCELLED},
      {"cancelled with a letter pending", "m234q", "m689q", NULL, NULL, PIN_CANCELLED},
      {"timed out", "m234m12", "m689m89", NULL, NULL, PIN_TIMEOUT},
      {"card pulled while a key is down", "m234m123o", "m689m890o", pulled_with_key_down, pulled_with_key_down, PIN_CARD_FAILED},
      {"aborted with a letter pending", "m234", "m689", aborted_with_letter_pending, aborted_with_letter_pending, PIN_ABORTED},
      {"card mute", "m234m123o", "m689m890o", mute, mute, PIN_CARD_FAILED},
      {"card echoes", "m234m123o", "m689m890o", echo, echo, PIN_DONE},
  };
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    STORY(ways[i].name);
    /* The one difference allowed between the runs: which keys, and the card's own secret. Both on the heap. */
    const session_t a = session(k_password, sizeof k_password, ways[i].one, ways[i].prepare_one);
    const session_t b = session(k_password, sizeof k_password, ways[i].two, ways[i].prepare_two);
    same(&a, &b, ways[i].outcome);
  }
  STORY("change, one slip");
  static const uint8_t modify[] = MODIFY(0x00, 0, 0, 4, 4, 3, 0, 0, 0, 0, 0, 0x00, 0x24, 0x00, 0x80);
  const session_t a = session(modify, sizeof modify, "1234o5678o5679o5678o5678o", NULL), b = session(modify, sizeof modify, "9876o4321o4320o4321o4321o", NULL);
  same(&a, &b, PIN_DONE);
}

static void open_chain(void) {
  STORY("no secret while the card waits for more of a chained command; over-current has its own name");
  fresh();
  static const uint8_t part[] = {0x10, 0x2a, 0x00, 0x9a, 0x02, 1, 2}, ok[] = {0x90, 0x00};
  guard_after(part, sizeof part, ok, 2);
  fake_type("1234o");
  RUN(k_verify);
  CHECK(r->outcome == PIN_REFUSED && r->bad_offset == 15 && g_fake_card->count == 0 && g_fake->lamp_on_count == 0);
  fresh();
  g_fake->overcurrent = true;
  g_fake->aborted_at = g_fake->now + 1000000;
  RUN(k_verify);
  CHECK(r->outcome == PIN_CARD_FAILED && r->card == CARD_OVERCURRENT && clean());
}

int main(void) {
  r = calloc(1, sizeof *r);
  s_tries = calloc(1, 1);
  s_secret = calloc(1, 32);
  s_main = calloc(1, sizeof *s_main);
  s_coroutine = calloc(1, sizeof *s_coroutine);
  s_stack = aligned_alloc(4096, STACK_SIZE);
  digits();
  letters();
  open_chain();
  conditions();
  endings();
  tries();
  formats();
  changes();
  table();
  vectors();
  every_command();
  noise();
  secrecy();
  return check_end("pinpad");
}
