/* policy.c - see policy.h.
 *
 *   ─request─▶ BEGIN ──▶ RELEASE ──no key down──▶ ASK ──OK──▶ HELD ──3 s──▶ written
 *                                                  │            │ let go, another key
 *                                                  ▼            ▼
 *                                  refused: another key, 60 s, a command, a card that is on
 */
#include "guard/policy.h"
#include "front/draw.h"
#include "front/front.h"
#include "gen/board_gen.h"
#include "gen/wire_gen.h"
#include "guard/settings.h"
#include "hal/hal.h"
#include "iso7816/card.h"

#define HOLD_US 3000000u
#define ASK_US 60000000u
#define SAMPLE_US 20000u /* longer than a key bounces */
#define REQUESTS_MAX 3u

static enum { IDLE, BEGIN, RELEASE, ASK, HELD } s_state;
static uint8_t s_policy, s_request;
static uint64_t s_begun, s_since;
/* Requests since power-up: kept over resets, for a host can cause one. Without power it holds anything, so it is kept twice. */
static struct {
  uint32_t asked, inverse;
} s_kept __attribute__((section(".noinit")));

void policy_start(void) {
  hal_fault_t fault;
  if (hal_boot_reason(&fault) == HAL_BOOT_POWER || s_kept.asked != ~s_kept.inverse) s_kept.asked = 0;
  s_kept.inverse = ~s_kept.asked;
  s_state = IDLE;
  s_request = POLICY_REQUEST_NONE;
}

uint8_t policy_request(void) { return s_request; }
uint8_t policy_left(void) { return (uint8_t)(s_kept.asked >= REQUESTS_MAX ? 0 : REQUESTS_MAX - s_kept.asked); }

uint8_t policy_ask(uint8_t policy) {
  const bool one = policy == POLICY_CONSENT || policy == POLICY_PAD_ONLY;
  if (!one || (settings_policies() & policy) == 0 || policy_left() == 0) return SERVICE_STATUS_REFUSED;
  if (s_state != IDLE || !front_at_rest() || g_card.voltage_class != 0) return SERVICE_STATUS_BUSY;
  s_kept.asked++;
  s_kept.inverse = ~s_kept.asked;
  s_policy = policy;
  s_request = POLICY_REQUEST_ASKING;
  s_state = BEGIN;
  return SERVICE_STATUS_OK;
}

static void end(uint8_t how, front_result_t shown) {
  if (s_state != BEGIN) front_release(shown, 0);
  s_state = IDLE;
  s_request = how;
}

void policy_stop(void) {
  if (s_state != IDLE) end(POLICY_REQUEST_REFUSED, RESULT_ABORTED);
}

static void draw(void) {
  const bool consent = s_policy == POLICY_CONSENT;
  front_take();
  draw_clear();
  (void)draw_text(0, 0, consent ? TEXT_CONSENT_OFF1 : TEXT_PAD_ONLY_OFF1, 0, 0);
  (void)draw_text(0, 1, consent ? TEXT_CONSENT_OFF2 : TEXT_PAD_ONLY_OFF2, 0, 0);
  (void)draw_text(0, 2, TEXT_POLICY_OFF_HOLD, 0, 0);
  (void)draw_text(0, 3, TEXT_POLICY_OFF_CANCEL, 0, 0);
  draw_show();
}

static bool only_ok(uint16_t keys) {
  for (unsigned i = 0; i < 16; i++) {
    if (KEYPAD[i] == KEY_OK) return keys == (uint16_t)(1u << i);
  }
  return false;
}

static void go(uint64_t now, int state) {
  s_state = state;
  s_since = now;
}

uint64_t policy_step(uint64_t now) {
  if (s_state == IDLE) return UINT64_MAX;
  if (g_card.voltage_class != 0) {
    policy_stop();
    return UINT64_MAX;
  }
  if (s_state == BEGIN) {
    draw();
    s_begun = now;
    go(now, RELEASE);
  }
  const uint16_t keys = hal_keys();
  if (s_state == RELEASE) {
    if (keys == 0) go(now, ASK);
  } else if (s_state == ASK) {
    if (only_ok(keys)) go(now, HELD);
    else if (keys != 0) end(POLICY_REQUEST_REFUSED, RESULT_CANCELLED);
  } else if (!only_ok(keys)) {
    end(POLICY_REQUEST_REFUSED, RESULT_CANCELLED);
  } else if (now - s_since >= HOLD_US) {
    const bool written = settings_write((uint8_t)(settings_policies() & ~s_policy));
    end(written ? POLICY_REQUEST_DONE : POLICY_REQUEST_FAILED, written ? RESULT_POLICY_OFF : RESULT_CANCELLED);
  }
  if (s_state != IDLE && now - s_begun >= ASK_US) end(POLICY_REQUEST_TIMEOUT, RESULT_TIMEOUT);
  return s_state == IDLE ? UINT64_MAX : now + SAMPLE_US;
}
