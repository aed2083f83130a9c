/* front.h - who has the display. At rest the front shows the slot's state; pinpad/ and guard/ take it for a dialog. */
#ifndef FRONT_H
#define FRONT_H
#include <stdbool.h>
#include <stdint.h>

typedef enum {
  RESULT_NONE,
  RESULT_ACCEPTED,
  RESULT_CHANGED,
  RESULT_WRONG, /* with tries left */
  RESULT_BLOCKED,
  RESULT_DECLINED, /* the card answered something else */
  RESULT_CANCELLED,
  RESULT_TIMEOUT,
  RESULT_ABORTED,
  RESULT_PULLED,
  RESULT_CARD_FAILED,
  RESULT_CONSENT_GIVEN,
  RESULT_CONSENT_REFUSED,
  RESULT_ERASED, /* the black box */
  RESULT_POLICY_OFF,
} front_result_t;

/* Shows the product, its version and, for test ids or the TEST key, that notice, for 2 s. */
void front_start(void);
/* One turn: redraws when the slot's state changed or a shown result has stood long enough. Does nothing during a dialog. */
void front_step(uint64_t now);
/* "Here I am", for 3 s (service message 02). Ignored during a dialog. */
void front_blink(void);
/* Nothing but the slot's state is shown: no dialog is on, and none ended just now. */
bool front_at_rest(void);
/* A dialog begins: the display is the caller's until front_release(). */
void front_take(void);
/* The dialog is over: shows how it ended for 2.5 s. `tries` only for RESULT_WRONG; -1 = unknown. Every pixel of the dialog is overwritten. */
void front_release(front_result_t result, int tries);
/* During a dialog: "please wait", while the card works. */
void front_busy(void);
#endif
