/* The display: everything that draws, with any place, number, character and text number. Nothing is written outside the frame (the sanitizer sees the
 * neighbours of g_frame), what is drawn off the display is cut, and a dialog's end leaves no pixel of it.
 * sources: front/draw.c front/front.c front/keypad.c front/words.c pinpad/prompt.c test/fakes/fake_hal.c */
#include "front/draw.h"
#include "front/front.h"
#include "front/words.h"
#include "fuzz/door.h"
#include "iso7816/card.h"
#include "pinpad/prompt.h"
#include "test/fakes/fake_hal.h"

card_t g_card;

static unsigned place(void) { /* near the edges, or anywhere at all */
  const unsigned how = take();
  return (how & 0xc0u) == 0xc0u ? take16() << 16 | take16() : how;
}

static void any_text(char *text, size_t n) {
  take_bytes((uint8_t *)text, n);
  text[n] = 0;
}

static void one(unsigned what) {
  char text[33];
  switch (what % 10u) {
  case 0: PROMISE(draw_text(place() % 200u, place(), (text_t)(take() % TEXT_COUNT), place(), place()) < 2000); break;
  case 1: draw_text_right(take(), (text_t)(take() % TEXT_COUNT), place(), place()); break;
  case 2: {
    const size_t n = take() % 33u;
    any_text(text, n);
    PROMISE(draw_ascii(take(), place(), text, place()) < 1000);
    break;
  }
  case 3: {
    const size_t n = take() % 33u;
    any_text(text, n);
    PROMISE(draw_small(take(), place(), text) < 1000);
    break;
  }
  case 4: {
    const unsigned x = place(), row = place(), width = take() % 17u;
    uint8_t *columns = exactly(2u * width);
    memset(columns, 0xff, 2u * width);
    draw_columns(x, row, columns, width);
    free(columns);
    break;
  }
  case 5: { /* an entry screen: what a template and a card's counter can make of it */
    const pin_template_t t = {.modify = what & 0x10u, .ask_current = what & 0x20u, .coding = take() % 3u, .min = take(), .max = take()};
    const prompt_t p = {.t = &t, .secret = (guard_secret_t)(take() % 3u), .tries = (int)(take() % 17u) - 1, .letters_allowed = what & 0x40u};
    prompt_draw(&p, take() % FIELD_COUNT, take() % (PIN_MAX + 1u), what & 0x80u, (text_t)(take() % (TEXT_COUNT + 1u)));
    prompt_chooser(take(), what & 0x10u);
    draw_show();
    break;
  }
  case 6: {
    uint8_t *hash = exactly(20);
    take_bytes(hash, 20);
    for (unsigned i = 0; i < FINGERPRINT_WORDS; i++) {
      fingerprint_word(hash, i, text);
      PROMISE(strlen(text) >= 3 && strlen(text) <= 8 && strspn(text, "abcdefghijklmnopqrstuvwxyz") == strlen(text));
    }
    free(hash);
    break;
  }
  case 7: {
    /* Drawn over whatever was there, an ending is the same: nothing of the dialog shines through. */
    static uint8_t over[FRAME_SIZE];
    const front_result_t result = (front_result_t)(take() % (RESULT_CONSENT_REFUSED + 1u));
    const int tries = (int)(take() % 17u) - 1;
    front_take();
    front_release(result, tries);
    memcpy(over, g_frame, FRAME_SIZE);
    front_take();
    memset(g_frame, 0xff, FRAME_SIZE);
    front_release(result, tries);
    PROMISE(memcmp(over, g_frame, FRAME_SIZE) == 0);
    break;
  }
  case 8:
    g_fake->present = what & 0x10u;
    g_card.voltage_class = (what & 0x20u) != 0;
    g_fake->now += (uint64_t)take() * 50000u;
    front_step(g_fake->now);
    break;
  default: {
    const uint8_t *glyph = draw_glyph((uint8_t)(what ^ take()));
    uint8_t bytes[16];
    memcpy(bytes, glyph, sizeof bytes);
    front_blink();
    break;
  }
  }
}

static void door(void) {
  fake_reset();
  front_start();
  for (unsigned i = 0; i < 100 && s_left > 0; i++) one(take());
}
