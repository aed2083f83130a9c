/* draw.h - the frame (128×64, SSD1306 page format) and what may be put into it: our own texts, numbers, the small font. */
#ifndef DRAW_H
#define DRAW_H
#include <stdint.h>
#include "gen/texts_gen.h"

#define FRAME_SIZE 1024u
#define FRAME_WIDTH 128u
extern uint8_t g_frame[FRAME_SIZE];

void draw_clear(void);
/* Rows are 16 pixels high, 0..3. Codes {0} and {1} of a text print `first` and `second`. What does not fit is cut. Returns the x behind it. */
unsigned draw_text(unsigned x, unsigned row, text_t text, unsigned first, unsigned second);
void draw_text_right(unsigned row, text_t text, unsigned first, unsigned second);
/* 8×16 ASCII, up to `length` characters or the first NUL; returns the x behind it. */
unsigned draw_ascii(unsigned x, unsigned row, const char *text, unsigned length);
/* The 5×8 font, any y: a..z 0..9 - and space; an upper-case letter is drawn small. */
unsigned draw_small(unsigned x, unsigned y, const char *text);
/* Columns of a glyph of `width` columns and two pages. */
void draw_columns(unsigned x, unsigned row, const uint8_t *columns, unsigned width);
/* The 16 bytes of an ASCII glyph: 8 columns of the upper page, then 8 of the lower one. */
const uint8_t *draw_glyph(uint8_t character);
/* Hands the frame to the board. */
void draw_show(void);
#endif
