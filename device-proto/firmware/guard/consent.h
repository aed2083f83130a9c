/* consent.h - "what you approve is what is signed": the screen with the fingerprint words. Private to guard/. */
#ifndef CONSENT_H
#define CONSENT_H
#include "guard/digestinfo.h"
#include "guard/guard.h"

/* Asks the person. GUARD_PASS = OK was pressed. */
guard_verdict_t consent_ask(const digest_t *digest);
#endif
