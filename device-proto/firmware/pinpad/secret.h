/* secret.h - the one block in which a secret, and anything that depends on it, exists. Private to pinpad/. */
#ifndef SECRET_H
#define SECRET_H
#include <stdbool.h>
#include <stdint.h>
#include "pinpad/template.h"

/* Fields of an entry: the current (or only) secret, the new one, and the new one again. */
enum { FIELD_CURRENT, FIELD_NEW, FIELD_CONFIRM, FIELD_COUNT };

typedef struct {
  uint8_t typed[FIELD_COUNT][PIN_MAX]; /* ASCII */
  uint8_t count[FIELD_COUNT];          /* committed characters */
  uint8_t key;                         /* the key pressed last */
  uint8_t tap_key, tap;                /* multi-tap: on which key, which of its characters */
  bool pending;                        /* typed[field][count] is shown in the chooser and not yet committed */
  bool letters;                        /* digit/letter switch */
  uint8_t apdu[260];                   /* the command the card gets: sent from here, by reference */
  uint8_t reply[258];                  /* a card could echo the secret: only SW1SW2 leave this block */
} secret_t;
extern secret_t g_secret;
#endif
