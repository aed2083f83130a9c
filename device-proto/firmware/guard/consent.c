/* consent.c - see consent.h.
 *
 *   署名用の鍵で署名
 *   1 abandon  2 ability      the hash's first 66 bits, as `inkan sign` prints them
 *   3 able     4 about
 *   5 above    6 absent
 *   OK/取消        sha-256 */
#include "guard/consent.h"
#include "front/draw.h"
#include "front/front.h"
#include "front/keypad.h"
#include "front/words.h"
#include "hal/hal.h"

#define CONSENT_US 60000000u
#define BEEP_MS 120u
#define LOOK_US 500000u /* OK counts only after this: the second tap of a double one, meant for the PIN, signs nothing */

static void draw(const digest_t *digest) {
  draw_clear();
  (void)draw_text(0, 0, TEXT_CONSENT_TITLE, 0, 0);
  for (unsigned i = 0; i < FINGERPRINT_WORDS; i++) {
    const char number[3] = {(char)('1' + i), ' ', 0};
    char word[9];
    fingerprint_word(digest->hash, i, word);
    (void)draw_small(draw_small((i & 1u) * 66u, 18u + (i >> 1) * 10u, number), 18u + (i >> 1) * 10u, word);
  }
  (void)draw_text(0, 3, TEXT_CONSENT_KEYS, 0, 0);
  (void)draw_small(84, 53, digest->name);
  draw_show();
}

/* Two rising tones: nothing else sounds like this. */
static bool sound(void) {
  hal_beep(1200, BEEP_MS);
  const uint64_t second = hal_now_us() + BEEP_MS * 1000u;
  while (hal_now_us() < second) {
    if (!app_wait(second)) return false;
  }
  hal_beep(1600, BEEP_MS);
  return true;
}

static guard_verdict_t answer(void) {
  const uint64_t shown = hal_now_us(), deadline = shown + CONSENT_US;
  keypad_forget();
  if (!sound()) return GUARD_ABORTED;
  for (;;) {
    uint8_t key = KEYPAD_NONE;
    const keypad_wait_t waited = keypad_wait(deadline, &key);
    if (waited == KEYPAD_STOPPED) return GUARD_ABORTED;
    if (waited == KEYPAD_DEADLINE) return GUARD_TIMEOUT;
    if (key == KEY_OK && hal_now_us() - shown >= LOOK_US) return GUARD_PASS;
    if (key == KEY_CANCEL) return GUARD_CANCELLED;
  }
}

guard_verdict_t consent_ask(const digest_t *digest) {
  front_take();
  draw(digest);
  const guard_verdict_t verdict = answer();
  keypad_forget();
  front_release(verdict == GUARD_PASS        ? RESULT_CONSENT_GIVEN
                : verdict == GUARD_CANCELLED ? RESULT_CONSENT_REFUSED
                : verdict == GUARD_TIMEOUT   ? RESULT_TIMEOUT
                : hal_card_present()         ? RESULT_ABORTED
                                             : RESULT_PULLED,
                -1);
  return verdict;
}
