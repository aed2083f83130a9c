/* One key code left in the keypad's state is noticed.
 * sources: pinpad/pinpad.c pinpad/entry.c pinpad/prompt.c pinpad/template.c guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#define _GNU_SOURCE
#define NEGATIVE_KEY_STAYS
#include "front/keypad.c"
#include "test/fakes/negative.h"
