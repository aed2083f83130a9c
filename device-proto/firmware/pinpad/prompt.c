/* prompt.c - see prompt.h. */
#include "pinpad/prompt.h"

#define BAR_X (CHOOSER_X - 4u)

static const struct {
  text_t first, second;
} k_names[] = {
    [SECRET_UNKNOWN] = {TEXT_SECRET_UNKNOWN1, TEXT_SECRET_UNKNOWN2},
    [SECRET_JPKI_AUTH] = {TEXT_SECRET_AUTH1, TEXT_SECRET_AUTH2},
    [SECRET_JPKI_SIGN] = {TEXT_SECRET_SIGN1, TEXT_SECRET_SIGN2},
};
/* A ring of 6 lit columns; the same for every character. */
static const uint8_t k_place_holder[16] = {0x00, 0xc0, 0xe0, 0xf0, 0xf0, 0xe0, 0xc0, 0x00, 0x00, 0x03, 0x07, 0x0f, 0x0f, 0x07, 0x03, 0x00};

void prompt_draw(const prompt_t *p, unsigned field, unsigned count, bool letters, text_t sentence) {
  draw_clear();
  (void)draw_text(0, 0, k_names[p->secret].first, 0, 0);
  if (field == FIELD_CURRENT) {
    (void)draw_text(0, 1, p->t->modify ? TEXT_STAGE_CURRENT : k_names[p->secret].second, 0, 0);
    draw_text_right(1, p->tries < 0 ? TEXT_TRIES_UNKNOWN : TEXT_TRIES_LEFT, p->tries < 0 ? 0u : (unsigned)p->tries, 0);
  } else {
    (void)draw_text(0, 1, field == FIELD_NEW ? TEXT_STAGE_NEW : TEXT_STAGE_CONFIRM, 0, 0);
  }
  for (unsigned i = 0; i < count; i++) draw_columns(8u * i, 2, k_place_holder, 8);
  if (sentence != PROMPT_NO_SENTENCE) {
    (void)draw_text(0, 3, sentence, 0, 0);
    return;
  }
  unsigned x = 0;
  if (p->letters_allowed) x = draw_text(0, 3, letters ? TEXT_MODE_LETTERS : TEXT_MODE_DIGITS, 0, 0) + 8u;
  (void)draw_text(x, 3, p->t->min == p->t->max ? TEXT_LENGTH_EXACT : TEXT_LENGTH_RANGE, p->t->min, p->t->max);
}

void prompt_chooser(uint8_t character, bool beat) {
  const uint8_t *glyph = draw_glyph(character);
  for (unsigned page = 0; page < 2; page++) {
    uint8_t *row = &g_frame[(2u * CHOOSER_ROW + page) * FRAME_WIDTH];
    for (unsigned i = 0; i < CHOOSER_WIDTH / 2u; i++) {
      row[CHOOSER_X + i] = glyph[8u * page + i];
      row[CHOOSER_X + 8u + i] = (uint8_t)~glyph[8u * page + i];
    }
    row[BAR_X] = row[BAR_X + 1u] = (uint8_t)(0u - (unsigned)beat);
  }
}

void prompt_last_try(void) {
  draw_clear();
  (void)draw_text(0, 0, TEXT_LAST_TRY1, 0, 0);
  (void)draw_text(0, 1, TEXT_LAST_TRY2, 0, 0);
  (void)draw_text(0, 2, TEXT_LAST_TRY3, 0, 0);
  (void)draw_text(0, 3, TEXT_LAST_TRY_KEYS, 0, 0);
  draw_show();
}
