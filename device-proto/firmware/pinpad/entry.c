/* entry.c - see entry.h.
 *
 *      key ──▶ digits:   typed[count++]
 *          └─▶ letters:  2 2 2 ──▶ A B C in the chooser ──pause 1 s, another key, next, mode, OK──▶ committed
 *
 * Whatever depends on which character it is, is looked up, masked or added, never branched on: two secrets typed in the same rhythm take
 * the same time. The branches below depend on what the display shows anyway: how many characters there are, and whether one is pending. */
#include "pinpad/entry.h"
#include "front/keypad.h"
#include "hal/hal.h"
#include "negative.h"
#include "pinpad/prompt.h"

#define PAUSE_US 1000000u
#define BEEP_HZ 2000u
#define BEEP_MS 20u

static const struct {
  uint8_t count, characters[5];
} k_taps[10] = {
    {1, "0"},    {1, "1"},    {4, "ABC2"},  {4, "DEF3"}, {4, "GHI4"},
    {4, "JKL5"}, {4, "MNO6"}, {5, {'P', 'Q', 'R', 'S', '7'}}, {4, "TUV8"}, {5, {'W', 'X', 'Y', 'Z', '9'}},
};

void entry_beep(void) { hal_beep(BEEP_HZ, BEEP_MS); }

static void redraw(const prompt_t *p, unsigned field, text_t sentence, bool beat) {
  const unsigned count = g_secret.count[field];
  prompt_draw(p, field, count + g_secret.pending, g_secret.letters, sentence);
#ifdef NEGATIVE_DIGITS_DRAWN
  (void)draw_ascii(0, 2, (const char *)g_secret.typed[field], count);
#endif
  if (g_secret.pending) prompt_chooser(g_secret.typed[field][count], beat);
  draw_show();
}

static void commit(unsigned field) {
  g_secret.count[field] = (uint8_t)(g_secret.count[field] + g_secret.pending);
  g_secret.pending = false;
  g_secret.tap_key = g_secret.tap = 0;
}

static void erase(unsigned field, unsigned from) {
  secret_wipe(&g_secret.typed[field][from], PIN_MAX - from);
  g_secret.count[field] = (uint8_t)from;
  g_secret.pending = false;
  g_secret.tap_key = g_secret.tap = 0;
}

static void character_key(const prompt_t *p, unsigned field) {
  if (g_secret.letters && g_secret.pending && g_secret.key == g_secret.tap_key) {
    const uint8_t next = (uint8_t)(g_secret.tap + 1u);
    g_secret.tap = (uint8_t)(next & (0u - (unsigned)(next < k_taps[g_secret.key - '0'].count)));
  } else {
    commit(field);
    if (g_secret.count[field] >= p->t->max) return;
    g_secret.pending = g_secret.letters;
    g_secret.tap_key = g_secret.key;
    g_secret.tap = 0;
  }
  const unsigned at = g_secret.count[field];
  if (g_secret.letters) {
    g_secret.typed[field][at] = k_taps[g_secret.key - '0'].characters[g_secret.tap];
  } else {
    g_secret.typed[field][at] = g_secret.key;
    g_secret.count[field]++;
  }
}

/* Is the field finished because it is full? A pending character is not part of it until somebody commits it. */
static bool full(const prompt_t *p, unsigned field) {
  return (p->t->condition & CONDITION_MAX) != 0 && !g_secret.pending && g_secret.count[field] == p->t->max;
}

/* A key that is no character. True: the field is finished. */
static bool function_key(const prompt_t *p, unsigned field, text_t *sentence) {
  const bool had_pending = g_secret.pending;
  switch (g_secret.key) {
  case KEY_CORRECT:
    if (had_pending) {
      erase(field, g_secret.count[field]);
    } else if (g_secret.count[field] > 0) {
      erase(field, g_secret.count[field] - 1u);
    }
    return false;
  case KEY_CLEAR: erase(field, 0); return false;
  case KEY_MODE:
    commit(field);
    if (p->letters_allowed) g_secret.letters = !g_secret.letters;
    return full(p, field);
  case KEY_NEXT: commit(field); return full(p, field);
  case KEY_OK:
    commit(field);
    if (full(p, field)) return true;
    if ((p->t->condition & CONDITION_KEY) == 0) return false;
    if (g_secret.count[field] >= p->t->min) return true;
    *sentence = TEXT_TOO_SHORT;
    return false;
  default: return false;
  }
}

entry_t entry_run(const prompt_t *p, unsigned field) {
  text_t sentence = p->mismatch && field == FIELD_NEW ? TEXT_MISMATCH : PROMPT_NO_SENTENCE;
  bool beat = false;
  erase(field, 0);
  g_secret.letters = false;
  keypad_forget();
  redraw(p, field, sentence, beat);
  hal_lamp(true);
  uint64_t last = hal_now_us();
  for (;;) {
    uint64_t timeout = last + p->t->key_timeout_us;
    if (timeout > p->deadline) timeout = p->deadline;
    const uint64_t pause = last + PAUSE_US;
    const keypad_wait_t waited = keypad_wait(g_secret.pending && pause < timeout ? pause : timeout, &g_secret.key);
    if (waited == KEYPAD_STOPPED) return ENTRY_STOPPED;
    if (waited == KEYPAD_DEADLINE) {
      if (hal_now_us() < timeout) {
        commit(field);
        redraw(p, field, sentence, beat);
        if (full(p, field)) return ENTRY_DONE;
        continue;
      }
      const bool may_end = (p->t->condition & CONDITION_TIMEOUT) != 0 && !g_secret.pending && timeout < p->deadline;
      return may_end && g_secret.count[field] >= p->t->min ? ENTRY_DONE : ENTRY_TIMEOUT;
    }
    last = hal_now_us();
    entry_beep();
    sentence = PROMPT_NO_SENTENCE;
    beat = !beat;
    if (g_secret.key == KEY_CANCEL) return ENTRY_CANCELLED;
    bool finished = false;
    if (g_secret.key >= '0') {
      character_key(p, field);
      finished = full(p, field);
    } else {
      finished = function_key(p, field, &sentence);
    }
    redraw(p, field, sentence, beat);
    if (finished) return ENTRY_DONE;
  }
}

entry_t entry_ask_last_try(const prompt_t *p) {
  prompt_last_try();
  keypad_forget();
  for (;;) {
    uint8_t key = KEYPAD_NONE;
    uint64_t timeout = hal_now_us() + p->t->key_timeout_us;
    if (timeout > p->deadline) timeout = p->deadline;
    const keypad_wait_t waited = keypad_wait(timeout, &key);
    if (waited == KEYPAD_STOPPED) return ENTRY_STOPPED;
    if (waited == KEYPAD_DEADLINE) return ENTRY_TIMEOUT;
    entry_beep();
    if (key == KEY_OK) return ENTRY_DONE;
    if (key == KEY_CANCEL) return ENTRY_CANCELLED;
  }
}
