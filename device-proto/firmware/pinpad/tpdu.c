/* tpdu.c - see tpdu.h. */
#include "pinpad/tpdu.h"
#include "negative.h"
#include "pinpad/template.h"

#define PCB_NS 0x40u

pin_outcome_t pinpad_run_block(const pinpad_block_t *due, const uint8_t *block, size_t length, uint8_t sw[2], size_t *answer_length, size_t *bad_offset,
                               card_result_t *card) {
  pin_template_t t;
  *answer_length = 0;
  *card = CARD_OK;
  if (!template_parse(block, length, &t, bad_offset)) return PIN_REFUSED;
#ifdef NEGATIVE_TPDU_PROLOGUE
  (void)due;
#else
  if (due->t1) {
    const uint8_t *prologue = t.apdu - 3;
    *bad_offset = (size_t)(prologue - block);
    if (prologue[0] != 0) return PIN_REFUSED; /* NAD: nodes are not used */
    *bad_offset += 1;
    if (prologue[1] != (due->ns ? PCB_NS : 0u) || due->chain_open) return PIN_REFUSED; /* an I-block, M not set, N(S) the one that is due */
  }
#endif
  pinpad_ask_tries(false);
  const pin_outcome_t outcome = pinpad_run(block, length, sw, 2, answer_length, bad_offset, card);
  pinpad_ask_tries(true);
  return outcome;
}
