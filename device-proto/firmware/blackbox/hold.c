/* hold.c - see hold.h.
 *
 *   RELEASE ──no key down──▶ WATCH ──clear + cancel──▶ HELD ──5 s──▶ LET_GO ──no key down──▶ ASK ──OK──▶ erased
 *      ▲                                                                                      │ another key, 20 s, a command
 *      └──────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Which key is down is looked at only after all were seen up with no dialog on: the last key of a secret, still held, is nobody's business here. */
#include "blackbox/hold.h"
#include "blackbox/blackbox.h"
#include "front/draw.h"
#include "front/front.h"
#include "gen/board_gen.h"
#include "hal/hal.h"

#define HOLD_US 5000000u
#define ASK_US 20000000u
#define SAMPLE_US 20000u /* longer than a key bounces */

static enum { RELEASE, WATCH, HELD, LET_GO, ASK } s_state;
static uint64_t s_since;

static uint16_t key_bit(uint8_t code) {
  for (unsigned i = 0; i < 16; i++) {
    if (KEYPAD[i] == code) return (uint16_t)(1u << i);
  }
  return 0;
}

static void ask(void) {
  front_take();
  draw_clear();
  (void)draw_text(0, 0, TEXT_ERASE_ASK1, 0, 0);
  (void)draw_text(0, 1, TEXT_ERASE_ASK2, 0, 0);
  (void)draw_text(0, 3, TEXT_CONSENT_KEYS, 0, 0);
  draw_show();
}

static void go(uint64_t now, int state) {
  s_state = state;
  s_since = now;
}

void hold_stop(void) {
  if (s_state == LET_GO || s_state == ASK) front_release(RESULT_NONE, 0);
  s_state = RELEASE;
}

uint64_t hold_step(uint64_t now) {
  const bool asking = s_state == LET_GO || s_state == ASK;
  if (!asking && !front_at_rest()) {
    s_state = RELEASE;
    return UINT64_MAX;
  }
  if (s_state == RELEASE || s_state == LET_GO) {
    if (!hal_key_down()) go(now, s_state == RELEASE ? WATCH : ASK);
  } else {
    const uint16_t keys = hal_keys();
    if (s_state == WATCH || s_state == HELD) {
      const bool both = keys == (key_bit(KEY_CLEAR) | key_bit(KEY_CANCEL));
      if (both != (s_state == HELD)) go(now, both ? HELD : WATCH);
      if (s_state == HELD && now - s_since >= HOLD_US) {
        ask();
        go(now, LET_GO);
      }
    } else if (keys == key_bit(KEY_OK)) {
      blackbox_erase();
      front_release(RESULT_ERASED, 0);
      s_state = RELEASE;
    } else if (keys != 0) {
      hold_stop();
    }
  }
  if (s_state == ASK && now - s_since >= ASK_US) hold_stop();
  return s_state == WATCH || s_state == RELEASE ? UINT64_MAX : now + SAMPLE_US;
}
