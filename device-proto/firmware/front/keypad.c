/* keypad.c - debouncing.
 *
 *   raw      ___/\/\/‾‾‾‾‾‾‾‾‾‾‾‾‾‾\/\/\_____        sampled every 5 ms
 *   stable   ____________/‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾\___      after 10 ms without change
 *   press                ^ once
 *
 * At most two keys down at once are believed: a 4×4 matrix without diodes shows ghosts from the third on. */
#include "front/keypad.h"
#include "hal/hal.h"
#include "negative.h"

#define SAMPLE_US 5000u
#define QUIET_SAMPLES 2u /* equal samples after the first: 10 ms */

static struct {
  uint16_t raw;    /* last sample */
  uint16_t stable; /* what is believed to be down */
  uint8_t quiet;   /* samples equal to `raw` since it changed */
} s_matrix = {.stable = 0xffff};

#ifdef NEGATIVE_KEY_STAYS
static volatile uint8_t s_last_digit; /* as a repeat function would keep it */
#endif

void keypad_forget(void) {
  secret_wipe(&s_matrix, sizeof s_matrix);
  s_matrix.stable = 0xffff; /* as if all were down: nothing counts before it was up once */
}

/* Code of the only key in `pressed`, KEYPAD_NONE for none or several. Goes over all sixteen, whichever it is. */
static uint8_t code_of(uint16_t pressed) {
  uint8_t code = 0, count = 0;
  for (unsigned i = 0; i < 16; i++) {
    const uint8_t mask = (uint8_t)(0u - ((pressed >> i) & 1u));
    code |= KEYPAD[i] & mask;
    count = (uint8_t)(count - mask); /* mask is 0 or -1 */
  }
  return (uint8_t)(code & (0u - (unsigned)(count == 1)));
}

static uint8_t bits(uint16_t keys) {
  uint8_t count = 0;
  for (unsigned i = 0; i < 16; i++) count = (uint8_t)(count + ((keys >> i) & 1u));
  return count;
}

static uint8_t sample(void) {
  const uint16_t raw = hal_keys();
  if (raw != s_matrix.raw) {
    s_matrix.raw = raw;
    s_matrix.quiet = 0;
    return KEYPAD_NONE;
  }
  if (s_matrix.quiet < QUIET_SAMPLES && ++s_matrix.quiet < QUIET_SAMPLES) return KEYPAD_NONE;
  const uint16_t pressed = raw & (uint16_t)~s_matrix.stable;
  s_matrix.stable = raw;
  return bits(raw) <= 2 ? code_of(pressed) : (uint8_t)KEYPAD_NONE;
}

keypad_wait_t keypad_wait(uint64_t deadline, uint8_t *key) {
  uint64_t next = hal_now_us() + SAMPLE_US;
  for (;;) {
    while (hal_now_us() < next) { /* app_wait returns early after every interrupt */
      if (!app_wait(next)) return KEYPAD_STOPPED;
    }
    const uint8_t code = sample();
    if (code != KEYPAD_NONE) {
#ifdef NEGATIVE_KEY_STAYS
      if (code >= '0') s_last_digit = code;
#endif
      *key = code;
      return KEYPAD_PRESSED;
    }
    if (hal_now_us() >= deadline) return KEYPAD_DEADLINE;
    next += SAMPLE_US;
    if (next <= hal_now_us()) next = hal_now_us() + SAMPLE_US; /* something took long: do not catch up */
  }
}
