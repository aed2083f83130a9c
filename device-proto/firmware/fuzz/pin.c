/* The PIN pad: any template, any keys, a card that answers anything. Each input is played twice, the second time with other digits and letters typed in
 * the same rhythm: all that a host, a card's length and a looker-on could see must be the same, and nothing may be left behind.
 * sources: pinpad/pinpad.c pinpad/entry.c pinpad/prompt.c pinpad/template.c guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/words.c test/fakes/fake_hal.c */
#define CPU_NS_MAX 1000000000 /* up to eight minutes of a person's time, the keys looked at every 5 ms */
#include "front/draw.h"
#include "front/keypad.c" /* for its state, which must be forgotten */
#include "fuzz/door.h"
#include "guard/guard.h"
#include "pinpad/pinpad.h"
#include "pinpad/secret.h"
#include "test/fakes/fake_hal.h"

#define COMMANDS_MAX 8u
#define BLOCK_MAX 300u

card_t g_card = {.voltage_class = 1};

/* ---- what happened, in one play --------------------------------------------------------------------------------- */

typedef struct {
  pin_outcome_t outcome;
  card_result_t card;
  uint8_t answer[8];
  size_t answer_length, bad_offset, commands, frames, beeps;
  struct { uint8_t bytes[300]; size_t length; uint16_t sw; uint64_t at; } command[COMMANDS_MAX];
  uint64_t ended, lamp_on, lamp_off;
  fake_frame_t *frame;
  fake_beep_t *beep;
} play_t;

static play_t s_play[2];
static unsigned s_which;
static uint8_t s_block[BLOCK_MAX];
static size_t s_block_length;
static uint8_t s_luck[COMMANDS_MAX]; /* how the card answers each command */

card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  play_t *p = &s_play[s_which];
  PROMISE(p->commands < COMMANDS_MAX && length >= 4 && length <= 260 && capacity >= 258 && !g_fake->lamp);
  const uint8_t luck = s_luck[p->commands];
  const uint16_t sws[] = {0x9000, 0x63c0, 0x63c1, 0x63c5, 0x6983, 0x6984, 0x6a80, 0x6700};
  const uint16_t sw = sws[luck & 7u];
  memcpy(p->command[p->commands].bytes, command, length);
  p->command[p->commands].length = length;
  p->command[p->commands].sw = sw;
  p->command[p->commands++].at = g_fake->now;
  g_fake->now += 30000;
  if ((luck & 0xf0u) == 0xf0u) g_fake->present = false;
  if ((luck & 0xe0u) == 0xe0u) return (card_result_t)(1u + (luck & 15u) % 9u);
  size_t n = 0;
  if ((luck & 8u) != 0) { /* it says the whole command back before its status word */
    n = length < capacity - 2 ? length : capacity - 2;
    memcpy(answer, command, n);
  }
  answer[n] = (uint8_t)(sw >> 8);
  answer[n + 1] = (uint8_t)sw;
  *answer_length = n + 2;
  return CARD_OK;
}

/* ---- keys of the same rhythm: as many letters on each ----------------------------------------------------------- */

static uint8_t other_key(uint8_t key) {
  static const char from[] = "0123456789", to[] = "1034568927";
  const char *at = key >= '0' ? strchr(from, key) : NULL;
  return at == NULL ? key : (uint8_t)to[at - from];
}

static void press_keys(const uint8_t *keys, size_t count, const uint8_t *gaps) {
  uint64_t at = g_fake->now + 400000;
  for (size_t i = 0; i < count; i++) {
    fake_press(at, s_which == 0 ? KEYPAD[keys[i] & 15u] : other_key(KEYPAD[keys[i] & 15u]));
    at += g_fake->hold_us + (gaps[i] < 240 ? 40000u : (uint64_t)(gaps[i] - 239u) * 4000000u);
  }
}

static void play(const uint8_t *keys, size_t count, const uint8_t *gaps, const uint8_t world[4]) {
  play_t *p = &s_play[s_which];
  fake_reset();
  guard_reset();
  g_fake->hold_us = 20000u + world[0] % 8u * 5000u;
  press_keys(keys, count, gaps);
  if ((world[1] & 7u) == 1) g_fake->pulled_at = g_fake->now + (uint64_t)world[2] * 100000u;
  if ((world[1] & 7u) == 2) g_fake->aborted_at = g_fake->now + (uint64_t)world[2] * 100000u;
  static const uint8_t k_select[] = {0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01}, k_ok[] = {0x90, 0x00};
  const uint8_t file[] = {0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, (world[3] & 2u) != 0 ? 0x1b : 0x18};
  if ((world[3] & 1u) != 0) guard_after(k_select, sizeof k_select, k_ok, 2);
  if ((world[3] & 5u) == 5u) guard_after(file, sizeof file, k_ok, 2);
  uint8_t *block = exactly(s_block_length), *answer = exactly(world[0] >> 6);
  memcpy(block, s_block, s_block_length);
  p->commands = 0;
  p->bad_offset = SIZE_MAX;
  const uint64_t from = g_fake->now;
  p->outcome = pinpad_run(block, s_block_length, answer, world[0] >> 6, &p->answer_length, &p->bad_offset, &p->card);
  PROMISE(memcmp(block, s_block, s_block_length) == 0);
  PROMISE(p->answer_length <= world[0] >> 6 && p->answer_length <= sizeof p->answer);
  memcpy(p->answer, answer, p->answer_length);
  free(block);
  free(answer);
  PROMISE(p->outcome <= PIN_ABORTED && g_fake->now - from <= 241ull * 1000000u);
  p->ended = g_fake->now - from;
  p->lamp_on = g_fake->lamp_on_at;
  p->lamp_off = g_fake->lamp_off_at;
  p->frames = g_fake->frame_count;
  p->beeps = g_fake->beep_count;
  p->frame = realloc(p->frame, (p->frames + 1u) * sizeof *p->frame);
  p->beep = realloc(p->beep, (p->beeps + 1u) * sizeof *p->beep);
  if (p->frame == NULL || p->beep == NULL) abort();
  if (p->frames > 0) memcpy(p->frame, g_fake->frames, p->frames * sizeof *p->frame);
  memcpy(p->beep, g_fake->beeps, p->beeps * sizeof *p->beep);
}

/* ---- promises --------------------------------------------------------------------------------------------------- */

static void nothing_left(void) {
  static const secret_t k_zero;
  PROMISE(memcmp(&g_secret, &k_zero, sizeof k_zero) == 0 && !g_fake->lamp);
  PROMISE(s_matrix.raw == 0 && s_matrix.stable == 0xffff && s_matrix.quiet == 0);
}

static bool counter_question(const uint8_t *c, size_t length) { return length == 4 && c[0] == 0 && c[1] == 0x20 && c[2] == 0; }

/* What the card was given is the host's command with characters put in, and the host learns the status word and no more. */
static void card_and_host(const play_t *p) {
  if (p->outcome == PIN_REFUSED) {
    PROMISE(p->commands == 0 && p->frames == 0 && p->beeps == 0 && p->bad_offset <= s_block_length);
    return;
  }
  PROMISE(s_block[0] <= 1);
  const size_t at = s_block[0] == 0 ? 15 : 18u + (s_block[11] != 0) + (s_block[11] == 3);
  const uint8_t *apdu = s_block + at;
  PROMISE((apdu[0] & 0xfcu) == 0);
  if (s_block[0] == 0) PROMISE(apdu[1] == 0x20 && apdu[2] == 0);
  else PROMISE(apdu[1] == 0x24 && apdu[2] <= 1 && (apdu[2] == 0) == ((s_block[9] & 2u) != 0));
  PROMISE(p->commands <= 2);
  for (size_t i = 0; i < p->commands; i++) {
    const uint8_t *c = p->command[i].bytes;
    const size_t length = p->command[i].length;
    if (i == 0 && counter_question(c, length)) continue;
    PROMISE(i + 1 == p->commands && memcmp(c, apdu, 4) == 0 && length > 5 && length == 5u + c[4]);
    const bool fixed = s_block_length - at > 5;
    if (fixed) PROMISE(length == s_block_length - at);
    else PROMISE(c[4] <= 2u * PIN_MAX);
  }
  if (p->outcome != PIN_DONE) {
    PROMISE(p->answer_length == 0);
    return;
  }
  PROMISE(p->commands > 0 && p->answer_length == 2);
  const unsigned sw = p->command[p->commands - 1].sw;
  PROMISE(p->answer[0] == sw >> 8 && p->answer[1] == (sw & 0xffu));
}

/* The cell in which the letter being chosen stands is the one place that may differ. */
static bool same_frame(fake_frame_t *a, fake_frame_t *b) {
  if (a->at != b->at || a->lamp != b->lamp) return false;
  if (a->lamp) {
    for (unsigned page = 2 * CHOOSER_ROW; page < 2 * CHOOSER_ROW + 2; page++) {
      unsigned lit[2] = {0};
      for (unsigned x = CHOOSER_X; x < CHOOSER_X + CHOOSER_WIDTH; x++) {
        lit[0] += (unsigned)__builtin_popcount(a->pixels[page * FRAME_WIDTH + x]);
        lit[1] += (unsigned)__builtin_popcount(b->pixels[page * FRAME_WIDTH + x]);
        a->pixels[page * FRAME_WIDTH + x] = b->pixels[page * FRAME_WIDTH + x] = 0;
      }
      if (lit[0] != lit[1]) return false; /* as bright */
    }
  }
  return memcmp(a->pixels, b->pixels, sizeof a->pixels) == 0;
}

static void indistinguishable(play_t *a, play_t *b) {
  PROMISE(a->outcome == b->outcome && a->card == b->card && a->bad_offset == b->bad_offset && a->ended == b->ended);
  PROMISE(a->answer_length == b->answer_length && memcmp(a->answer, b->answer, a->answer_length) == 0);
  PROMISE(a->lamp_on == b->lamp_on && a->lamp_off == b->lamp_off && a->beeps == b->beeps && a->frames == b->frames && a->commands == b->commands);
  if (a->beeps > 0) PROMISE(memcmp(a->beep, b->beep, a->beeps * sizeof *a->beep) == 0);
  for (size_t i = 0; i < a->frames; i++) PROMISE(same_frame(&a->frame[i], &b->frame[i]));
  for (size_t i = 0; i < a->commands; i++) PROMISE(a->command[i].length == b->command[i].length && a->command[i].at == b->command[i].at);
}

static void door(void) {
  uint8_t world[4], keys[64], gaps[64];
  take_bytes(world, sizeof world);
  take_bytes(s_luck, sizeof s_luck);
  const size_t count = take() % 65u;
  for (size_t i = 0; i < count; i++) {
    const uint8_t press = take();
    keys[i] = press & 15u;
    gaps[i] = (press & 0xf0u) == 0xf0u ? take() : 0;
  }
  s_block_length = s_left < BLOCK_MAX ? s_left : BLOCK_MAX;
  take_bytes(s_block, s_block_length);
  for (s_which = 0; s_which < 2; s_which++) {
    play(keys, count, gaps, world);
    nothing_left();
    card_and_host(&s_play[s_which]);
  }
  indistinguishable(&s_play[0], &s_play[1]);
}
