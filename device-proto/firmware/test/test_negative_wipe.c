/* One missing wipe of the block is noticed.
 * sources: pinpad/entry.c pinpad/prompt.c pinpad/template.c guard/guard.c guard/consent.c guard/digestinfo.c front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#define _GNU_SOURCE
#define NEGATIVE_NO_WIPE
#include "pinpad/pinpad.c"
#include "test/fakes/negative.h"
