/* What the display shows and the keypad believes.
 * sources: front/draw.c front/front.c front/keypad.c front/words.c test/fakes/fake_hal.c test/fakes/fake_card.c */
#include "front/draw.h"
#include "front/front.h"
#include "front/keypad.h"
#include "front/words.h"
#include "test/fakes/check.h"
#include "test/fakes/fake_card.h"
#include "test/fakes/fake_hal.h"

static unsigned lit(const uint8_t *frame, unsigned x, unsigned y, unsigned width, unsigned height) {
  unsigned count = 0;
  for (unsigned row = y; row < y + height; row++) {
    for (unsigned column = x; column < x + width; column++) count += frame[(row >> 3) * 128u + column] >> (row & 7u) & 1u;
  }
  return count;
}
static const uint8_t *shown(void) { return g_fake->frames[g_fake->frame_count - 1].pixels; }

static void debouncing(void) {
  STORY("a press is one event, after 10 ms of quiet");
  uint8_t key = 0;
  fake_reset();
  keypad_forget();
  fake_press(g_fake->now + 100000, '5');
  const uint64_t start = g_fake->now;
  CHECK(keypad_wait(start + 1000000, &key) == KEYPAD_PRESSED && key == '5');
  CHECK(g_fake->now - start >= 110000 && g_fake->now - start <= 125000);
  CHECK(keypad_wait(start + 1000000, &key) == KEYPAD_DEADLINE && g_fake->now >= start + 1000000);

  STORY("bouncing contacts are one press");
  fake_reset();
  keypad_forget();
  g_fake->hold_us = 3000;
  for (unsigned i = 0; i < 4; i++) fake_press(g_fake->now + 100000 + 4000u * i, '7');
  g_fake->hold_us = 60000;
  fake_press(g_fake->now + 116000, '7');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_PRESSED && key == '7');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_DEADLINE);

  STORY("a spike is none");
  fake_reset();
  keypad_forget();
  g_fake->hold_us = 6000;
  fake_press(g_fake->now + 100000, '7');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_DEADLINE);

  STORY("a key that is down when the dialog begins does not count");
  fake_reset();
  g_fake->hold_us = 500000;
  fake_press(g_fake->now, KEY_OK);
  keypad_forget();
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_DEADLINE);

  STORY("rolling from one key to the next gives both; three at once give nothing");
  fake_reset();
  keypad_forget();
  g_fake->hold_us = 100000;
  fake_press(g_fake->now + 100000, '1');
  fake_press(g_fake->now + 150000, '9');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_PRESSED && key == '1');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_PRESSED && key == '9');
  fake_press(g_fake->now + 300000, '1');
  fake_press(g_fake->now + 300000, '2');
  fake_press(g_fake->now + 300000, '4');
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_DEADLINE);

  STORY("every place of the matrix has its key");
  for (unsigned bit = 0; bit < 16; bit++) {
    fake_reset();
    keypad_forget();
    fake_press(g_fake->now + 50000, KEYPAD[bit]);
    key = 0;
    CHECK(keypad_wait(g_fake->now + 200000, &key) == KEYPAD_PRESSED && key == KEYPAD[bit]);
  }

  STORY("a stop ends the wait at once");
  fake_reset();
  keypad_forget();
  g_fake->aborted_at = g_fake->now + 12345;
  CHECK(keypad_wait(g_fake->now + 1000000, &key) == KEYPAD_STOPPED && g_fake->now == g_fake->aborted_at);
}

static void at_rest(void) {
  STORY("boot screen, then what the slot says; redrawn only when it changes");
  fake_reset();
  fake_card_reset();
  g_fake->present = false;
  front_start();
  CHECK(g_fake->frame_count == 1 && lit(shown(), 0, 0, 128, 16) > 100 && lit(shown(), 0, 48, 128, 16) > 50);
  front_step(g_fake->now + 1999999);
  CHECK(g_fake->frame_count == 1);
  front_step(g_fake->now += 2000000);
  front_step(g_fake->now += 1000);
  CHECK(g_fake->frame_count == 2);
  g_fake->present = true;
  g_card.voltage_class = 0;
  front_step(g_fake->now += 1000);
  CHECK(g_fake->frame_count == 3);
  g_card.voltage_class = 1;
  front_step(g_fake->now += 1000);
  CHECK(g_fake->frame_count == 4);
  CHECK(memcmp(g_fake->frames[2].pixels, g_fake->frames[3].pixels, 1024) != 0);

  STORY("a dialog owns the display; its end is shown, then rest again");
  front_take();
  g_fake->present = false;
  front_step(g_fake->now += 1000);
  front_blink();
  CHECK(g_fake->frame_count == 4);
  front_release(RESULT_WRONG, 2);
  CHECK(g_fake->frame_count == 5);
  front_step(g_fake->now += 2499999);
  CHECK(g_fake->frame_count == 5);
  front_step(g_fake->now += 1);
  CHECK(g_fake->frame_count == 6);
  front_blink();
  front_step(g_fake->now += 3000000);
  CHECK(g_fake->frame_count == 8 && memcmp(g_fake->frames[5].pixels, g_fake->frames[7].pixels, 1024) == 0);
}

static void texts(void) {
  STORY("every text draws inside its row and lights something, or is empty on purpose");
  for (unsigned text = 0; text < TEXT_COUNT; text++) {
    draw_clear();
    const unsigned end = draw_text(0, 3, (text_t)text, 16, 99);
    CHECK(end <= 128 && lit(g_frame, 0, 0, 128, 48) == 0);
    CHECK((end == 0) == (TEXTS[text][0] == 0) && (end == 0) == (lit(g_frame, 0, 48, 128, 16) == 0));
    draw_clear();
    draw_text_right(3, (text_t)text, 3, 5);
    CHECK(end == 0 || lit(g_frame, 112, 48, 16, 16) > 0);
  }
  STORY("sentences of the entry's last row stay left of the chooser and its bar");
  static const text_t left[] = {TEXT_TOO_SHORT, TEXT_MISMATCH};
  for (unsigned i = 0; i < 2; i++) CHECK(draw_text(0, 3, left[i], 0, 0) <= CHOOSER_X - 4u);
  CHECK(draw_text(draw_text(0, 3, TEXT_MODE_LETTERS, 0, 0) + 8u, 3, TEXT_LENGTH_RANGE, 6, 16) <= CHOOSER_X - 4u);
  STORY("nothing is drawn outside the frame");
  draw_clear();
  CHECK(draw_ascii(120, 3, "AB", 2) == 136);
  draw_columns(200, 3, draw_glyph('A'), 8);
  draw_columns(0, 4, draw_glyph('A'), 8);
  CHECK(draw_small(124, 56, "ab") == 136 && draw_small(0, 57, "a") == 6);
}

static void words(void) {
  STORY("11 bits a word, most significant first");
  /* the same vector as src/words.test.ts: 2047, 1, 0, 0, 0, and bits 55..65 = 00000000010 */
  static const uint8_t bits[9] = {0xff, 0xe0, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80};
  static const char *const expected[6] = {"zoo", "ability", "abandon", "abandon", "abandon", "able"};
  for (unsigned i = 0; i < 6; i++) {
    char word[9];
    fingerprint_word(bits, i, word);
    CHECK(strcmp(word, expected[i]) == 0);
  }
}

int main(void) {
  debouncing();
  at_rest();
  texts();
  words();
  return check_end("front");
}
