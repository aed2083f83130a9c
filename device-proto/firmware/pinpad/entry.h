/* entry.h - one field typed on the pad, from prompt to OK. Private to pinpad/. */
#ifndef ENTRY_H
#define ENTRY_H
#include "guard/guard.h"
#include "pinpad/secret.h"

typedef enum { ENTRY_DONE, ENTRY_CANCELLED, ENTRY_TIMEOUT, ENTRY_STOPPED } entry_t;

/* What the prompt says; all of it public. */
typedef struct {
  const pin_template_t *t;
  guard_secret_t secret;
  int tries;         /* -1 = unknown */
  bool letters_allowed;
  bool mismatch;     /* the new secret and its repetition differed: say so until the next key */
  uint64_t deadline; /* of the whole dialog */
} prompt_t;

entry_t entry_run(const prompt_t *p, unsigned field);
/* "This is the last try": OK or cancel. */
entry_t entry_ask_last_try(const prompt_t *p);
/* The beep of every key, whichever it is. */
void entry_beep(void);
#endif
