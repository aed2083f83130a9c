/* guard.h - watches the APDUs that pass, and says which may pass now: the consent policy, the pad-only policy, what the display may
 * truthfully say about the secret in question. It never sees a secret. */
#ifndef GUARD_H
#define GUARD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  GUARD_PASS,
  GUARD_REFUSE,    /* answer 6982 without asking the card */
  GUARD_CANCELLED, /* the person said no: 6401 */
  GUARD_TIMEOUT,   /* 6400 */
  GUARD_ABORTED,
} guard_verdict_t;

void guard_reset(void);                                          /* card powered on or off */
/* Before a host's APDU goes to the card. May show the consent screen and wait for OK (uses app_wait). */
guard_verdict_t guard_before(const uint8_t *command, size_t length);
/* After the card answered; answer_length 0 = it did not, and whether it carried the command out is not known. Reads of VERIFY and CHANGE only
 * the header. */
void guard_after(const uint8_t *command, size_t length, const uint8_t *answer, size_t answer_length);

typedef enum { SECRET_UNKNOWN, SECRET_JPKI_AUTH, SECRET_JPKI_SIGN } guard_secret_t;
guard_secret_t guard_selected_secret(void);
int guard_tries_left(void);                                      /* of the selected secret; -1 = unknown */
/* The secret a VERIFY with this P2 is about: 80 = the selected file, 98 and 9B = JPKI's short file ids. */
guard_secret_t guard_secret_of(uint8_t p2);
int guard_tries_of(guard_secret_t secret);                       /* -1 = unknown */

/* The card waits for more of a chained command (CLA b5): what it gets next it may take for data of that. */
bool guard_chain_open(void);

/* The policies in force; at start the product's. */
void guard_policies(bool consent, bool pad_only);
#endif
