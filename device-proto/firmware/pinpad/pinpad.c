/* pinpad.c - a secret from the pad to the card.
 *
 *   template ─▶ whose secret? ─▶ tries left ─▶ (last try: OK?) ─▶ lamp on, entry, lamp off ─▶ card ─▶ SW1SW2 ─▶ wipe
 *
 * Every way out ends in pinpad_run()'s last lines: block, frame, keypad state, line and stack are overwritten. */
#include "pinpad/pinpad.h"
#include "front/draw.h"
#include "front/front.h"
#include "front/keypad.h"
#include "guard/guard.h"
#include "hal/hal.h"
#include "negative.h"
#include "pinpad/entry.h"

#define ALL_IN_ALL_US 240000000u /* the longest a dialog may take */
/* Half of the 8 KiB of stack: what entry, card_exchange, app_wait and the interrupts over them may have reached. */
#define STACK_BELOW 4096u

secret_t g_secret;
static bool s_silent; /* only what the host's own commands showed is known of the tries left */

void pinpad_ask_tries(bool ask) { s_silent = !ask; }

void pinpad_wipe(void) {
  hal_lamp(false);
#ifndef NEGATIVE_NO_WIPE
  secret_wipe(&g_secret, sizeof g_secret);
#endif
  secret_wipe(g_frame, sizeof g_frame);
  keypad_forget();
}

#ifndef NEGATIVE_NO_SCRUB
static void __attribute__((noinline)) scrub_stack(void) {
  uint8_t below[STACK_BELOW];
  secret_wipe(below, sizeof below);
}
#endif

typedef struct {
  pin_outcome_t outcome;
  front_result_t result;
  int tries;
} ending_t;

static bool blocked(unsigned sw) { return sw == 0x63c0u || sw == 0x6983u || sw == 0x6984u; }

static ending_t card_failed(card_result_t how, card_result_t *card) {
  *card = !hal_card_present() ? CARD_ABSENT : hal_card_overcurrent() ? CARD_OVERCURRENT : how;
  if (*card == CARD_ABORTED) return (ending_t){PIN_ABORTED, RESULT_ABORTED, -1};
  return (ending_t){PIN_CARD_FAILED, *card == CARD_ABSENT ? RESULT_PULLED : RESULT_CARD_FAILED, -1};
}

static ending_t not_entered(entry_t how, card_result_t *card) {
  if (how == ENTRY_CANCELLED) return (ending_t){PIN_CANCELLED, RESULT_CANCELLED, -1};
  if (how == ENTRY_TIMEOUT) return (ending_t){PIN_TIMEOUT, RESULT_TIMEOUT, -1};
  return card_failed(CARD_ABORTED, card);
}

/* Sends the `length` bytes in g_secret.apdu. On CARD_OK *sw is the card's. The guard learns header and status, no more. */
static card_result_t send(size_t length, unsigned *sw) {
  size_t n = 0;
  const card_result_t how = card_exchange(g_secret.apdu, length, g_secret.reply, sizeof g_secret.reply, &n);
  if (how != CARD_OK || n < 2) {
    guard_after(g_secret.apdu, 4, NULL, 0);
    return how != CARD_OK ? how : CARD_PROTOCOL;
  }
  *sw = (unsigned)g_secret.reply[n - 2] << 8 | g_secret.reply[n - 1];
  guard_after(g_secret.apdu, 4, &g_secret.reply[n - 2], 2);
  return CARD_OK;
}

/* All fields the template wants, the new one twice. */
static entry_t enter(prompt_t *p) {
  const bool current = !p->t->modify || p->t->ask_current;
  if (current) {
    const entry_t how = entry_run(p, FIELD_CURRENT);
    if (how != ENTRY_DONE || !p->t->modify) return how;
  }
  for (;;) {
    for (unsigned field = FIELD_NEW; field <= FIELD_CONFIRM; field++) {
      const entry_t how = entry_run(p, field);
      if (how != ENTRY_DONE) return how;
    }
    uint8_t different = g_secret.count[FIELD_NEW] ^ g_secret.count[FIELD_CONFIRM];
    for (size_t i = 0; i < PIN_MAX; i++) different |= g_secret.typed[FIELD_NEW][i] ^ g_secret.typed[FIELD_CONFIRM][i];
    if (different == 0) return ENTRY_DONE;
    p->mismatch = true;
  }
}

static ending_t __attribute__((noinline)) dialog(const pin_template_t *t, unsigned *sw, card_result_t *card) {
  prompt_t p = {.t = t, .tries = -1, .deadline = hal_now_us() + ALL_IN_ALL_US};
  p.secret = (t->apdu[0] & 3u) == 0 ? guard_secret_of(t->apdu[3]) : SECRET_UNKNOWN; /* the guard names secrets of the basic channel */
  p.letters_allowed = t->coding == PIN_ASCII && p.secret != SECRET_JPKI_AUTH; /* that one is four digits */
  const bool current = !t->modify || t->ask_current;

  /* JPKI's counter is read with a case-1 VERIFY, which costs no try; other cards might count it. */
  if (current && p.secret != SECRET_UNKNOWN && !s_silent) {
    const uint8_t ask[4] = {0x00, 0x20, 0x00, t->apdu[3]};
    for (size_t i = 0; i < sizeof ask; i++) g_secret.apdu[i] = ask[i];
    const card_result_t how = send(sizeof ask, sw);
    if (how != CARD_OK) return card_failed(how, card);
    if (blocked(*sw)) return (ending_t){PIN_DONE, RESULT_BLOCKED, 0}; /* nothing to type: this is the card's answer */
  }
  if (current) p.tries = guard_tries_of(p.secret);
  if (p.tries == 1) {
    const entry_t how = entry_ask_last_try(&p);
    if (how != ENTRY_DONE) return not_entered(how, card);
  }

  for (size_t i = 0; i < t->apdu_length; i++) g_secret.apdu[i] = t->apdu[i];
  const entry_t how = enter(&p);
  hal_lamp(false);
  if (how != ENTRY_DONE) return not_entered(how, card);
  front_busy();

  size_t length = t->apdu_length;
  if (current) length = template_insert(t, 0, g_secret.typed[FIELD_CURRENT], g_secret.count[FIELD_CURRENT], g_secret.apdu, length);
  if (t->modify) length = template_insert(t, 1, g_secret.typed[FIELD_NEW], g_secret.count[FIELD_NEW], g_secret.apdu, length);
  const card_result_t sent = send(length, sw);
  if (sent != CARD_OK) return card_failed(sent, card);
  if (*sw == 0x9000u) return (ending_t){PIN_DONE, t->modify ? RESULT_CHANGED : RESULT_ACCEPTED, -1};
  if (blocked(*sw)) return (ending_t){PIN_DONE, RESULT_BLOCKED, 0};
  if ((*sw & 0xfff0u) == 0x63c0u) return (ending_t){PIN_DONE, RESULT_WRONG, (int)(*sw & 15u)};
  return (ending_t){PIN_DONE, RESULT_DECLINED, -1};
}

pin_outcome_t pinpad_run(const uint8_t *block, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, size_t *bad_offset, card_result_t *card) {
  pin_template_t t;
  unsigned sw = 0;
  *answer_length = 0;
  *card = CARD_OK;
  if (!template_parse(block, length, &t, bad_offset)) return PIN_REFUSED;
  if (guard_chain_open()) { /* else a host could have the card sign the secret as the rest of its data */
    *bad_offset = (size_t)(t.apdu - block);
    return PIN_REFUSED;
  }
  front_take();
  ending_t ending = dialog(&t, &sw, card);
  pinpad_wipe();
  hal_line_wipe();
#ifndef NEGATIVE_NO_SCRUB
  scrub_stack();
#endif
  front_release(ending.result, ending.tries);
  if (ending.outcome != PIN_DONE) return ending.outcome;
  if (capacity < 2) {
    *card = CARD_TOO_LONG;
    return PIN_CARD_FAILED;
  }
  answer[0] = (uint8_t)(sw >> 8);
  answer[1] = (uint8_t)sw;
  *answer_length = 2;
  return PIN_DONE;
}
