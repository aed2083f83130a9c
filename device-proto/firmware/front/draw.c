/* draw.c - see draw.h. Nothing here branches on a pixel. */
#include "front/draw.h"
#include "gen/glyphs_gen.h"
#include "hal/hal.h"

uint8_t g_frame[FRAME_SIZE];

void draw_clear(void) { secret_wipe(g_frame, sizeof g_frame); }

void draw_show(void) { hal_display(g_frame); }

void draw_columns(unsigned x, unsigned row, const uint8_t *columns, unsigned width) {
  if (row > 3 || x > FRAME_WIDTH || width > FRAME_WIDTH - x) return;
  uint8_t *upper = &g_frame[row * 2u * FRAME_WIDTH + x];
  for (unsigned i = 0; i < width; i++) {
    upper[i] = columns[i];
    upper[FRAME_WIDTH + i] = columns[width + i];
  }
}

const uint8_t *draw_glyph(uint8_t character) { return GLYPHS_ASCII[character < 0x20u || character > 0x7eu ? 0u : character - 0x20u]; }

static unsigned draw_code(unsigned x, unsigned row, unsigned code) {
  if (code >= 0x80u) {
    if (code - 0x80u >= GLYPH_WIDE_COUNT) return x;
    draw_columns(x, row, GLYPHS_WIDE[code - 0x80u], 16);
    return x + 16u;
  }
  if (code < 0x20u || code > 0x7eu) code = '?';
  draw_columns(x, row, GLYPHS_ASCII[code - 0x20u], 8);
  return x + 8u;
}

static unsigned draw_number(unsigned x, unsigned row, unsigned number) {
  unsigned tens = 0; /* no display text says more than 99; the chip has no divider in its core */
  if (number > 99u) number = 99u;
  for (; number >= 10u; number -= 10u) tens++;
  if (tens != 0) x = draw_code(x, row, '0' + tens);
  return draw_code(x, row, '0' + number);
}

unsigned draw_text(unsigned x, unsigned row, text_t text, unsigned first, unsigned second) {
  for (const uint16_t *code = TEXTS[text]; *code != 0; code++) {
    if (*code == 1 || *code == 2) {
      x = draw_number(x, row, *code == 1 ? first : second);
    } else {
      x = draw_code(x, row, *code);
    }
  }
  return x;
}

void draw_text_right(unsigned row, text_t text, unsigned first, unsigned second) {
  unsigned width = 0;
  for (const uint16_t *code = TEXTS[text]; *code != 0; code++) {
    const unsigned number = *code == 1 ? first : second;
    width += *code <= 2 ? (number > 9u ? 16u : 8u) : *code >= 0x80u ? 16u : 8u;
  }
  (void)draw_text(width < FRAME_WIDTH ? FRAME_WIDTH - width : 0u, row, text, first, second);
}

unsigned draw_ascii(unsigned x, unsigned row, const char *text, unsigned length) {
  for (unsigned i = 0; i < length && text[i] != 0; i++) x = draw_code(x, row, (uint8_t)text[i]);
  return x;
}

unsigned draw_small(unsigned x, unsigned y, const char *text) {
  for (; *text != 0; text++, x += 6u) {
    unsigned index = 37;
    char c = *text;
    if (c >= 'A' && c <= 'Z') c = (char)(c + ('a' - 'A'));
    if (c >= 'a' && c <= 'z') index = (unsigned)(c - 'a');
    if (c >= '0' && c <= '9') index = 26u + (unsigned)(c - '0');
    if (c == '-') index = 36;
    if (index > 36 || x + 5u > FRAME_WIDTH || y > 56u) continue;
    for (unsigned i = 0; i < 5; i++) { /* 8 rows from y on lie in at most two pages */
      const unsigned bits = (unsigned)GLYPHS_SMALL[index][i] << (y & 7u), at = (y >> 3) * FRAME_WIDTH + x + i;
      g_frame[at] |= (uint8_t)bits;
      if (bits > 0xffu) g_frame[at + FRAME_WIDTH] |= (uint8_t)(bits >> 8);
    }
  }
  return x;
}
