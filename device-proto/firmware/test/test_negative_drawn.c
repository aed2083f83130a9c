/* Digits on the display are noticed.
 * sources: pinpad/pinpad.c pinpad/prompt.c pinpad/template.c guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#define _GNU_SOURCE
#define NEGATIVE_DIGITS_DRAWN
#include "pinpad/entry.c"
#include "test/fakes/negative.h"
