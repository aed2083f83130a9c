/* prompt.h - the entry screen. Private to pinpad/.
 *
 *   row 0   the secret's name, from what the guard saw            署名用パスワード
 *   row 1   … and tries left, or which field of a change                   残り5回
 *   row 2   one place-holder per character, committed or pending  ●●●
 *   row 3   digits or letters, lengths; or a sentence; chooser    英字 6-16文字  |A */
#ifndef PROMPT_H
#define PROMPT_H
#include "front/draw.h"
#include "pinpad/entry.h"

#define PROMPT_NO_SENTENCE TEXT_COUNT

/* Draws all of it but the chooser and shows nothing yet. `count` = place-holders. */
void prompt_draw(const prompt_t *p, unsigned field, unsigned count, bool letters, text_t sentence);
/* The chooser: the character and its negative side by side, so that every pixel row of the cell has 8 lit pixels and the display's supply
 * current tells nothing (CVE-2019-14353). The bar beside it flips with `beat`, so that both pages change at every press, whatever the
 * letter: which pages travel to the display tells nothing either. */
void prompt_chooser(uint8_t character, bool beat);
void prompt_last_try(void);
#endif
