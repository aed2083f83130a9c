/* tpdu.h - the pad for a host that makes T=1 blocks itself (CCID's TPDU level). */
#ifndef PINPAD_TPDU_H
#define PINPAD_TPDU_H
#include "pinpad/pinpad.h"

typedef struct {
  bool t1;         /* else T=0: bTeoPrologue says nothing */
  uint8_t ns;      /* N(S) of the I-block that is due from the host */
  bool chain_open; /* its last I-block said there is more, or it has not fetched all of the answer */
} pinpad_block_t;

/* As pinpad_run(), for the I-block that bTeoPrologue begins (NAD PCB LEN; LEN is made anew). Refused unless that is a whole command in one block, with the
 * number that is due: otherwise the secret could be taken for part of something else. The reader itself asks the card nothing before it. */
pin_outcome_t pinpad_run_block(const pinpad_block_t *due, const uint8_t *block, size_t length, uint8_t sw[2], size_t *answer_length, size_t *bad_offset,
                               card_result_t *card);
#endif
