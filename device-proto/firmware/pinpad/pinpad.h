/* pinpad.h - the only room where a digit of a secret exists. */
#ifndef PINPAD_H
#define PINPAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../iso7816/card.h"

typedef enum {
  PIN_DONE = 0,     /* the card answered: its SW1SW2 is in the answer */
  PIN_CANCELLED,    /* cancel key */
  PIN_TIMEOUT,
  PIN_REFUSED,      /* this CLA/INS/P1 may not take a secret, a chain is open, or the template is malformed: *bad_offset says where */
  PIN_CARD_FAILED,  /* *card says how */
  PIN_ABORTED,      /* PC_to_RDR_Abort or the host vanished */
} pin_outcome_t;

/* PC_to_RDR_Secure, abPINOperation 0 (verify) and 1 (modify): `block` = abData as received (bPINOperation first), `length` its length. */
pin_outcome_t pinpad_run(const uint8_t *block, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, size_t *bad_offset, card_result_t *card);
/* May the reader ask the card itself for the tries that are left? True but for pinpad/tpdu.c. */
void pinpad_ask_tries(bool ask);
/* Wipes everything, whatever state it is in. Also called by HardFault and before every reset. */
void pinpad_wipe(void);
#endif
