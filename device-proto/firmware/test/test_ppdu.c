/* Pseudo APDUs of PC/SC part 10: what each answers, and that PIN_VERIFY_STRUCTURE and PIN_MODIFY_STRUCTURE become CCID's blocks.
 * sources: ccid/ppdu.c pinpad/template.c */
#include "ccid/ppdu.h"
#include "gen/product_gen.h"
#include "gen/wire_gen.h"
#include "pinpad/template.h"
#include "test/fakes/check.h"
#include <stdlib.h>

static uint8_t s_out[PPDU_BLOCK_MAX];
static size_t s_length;

/* From memory of exactly this length: the sanitizer watches the end. */
static ppdu_t take(const uint8_t *apdu, size_t length) {
  uint8_t *exact = malloc(length + 1);
  memcpy(exact, apdu, length);
  memset(s_out, 0xee, sizeof s_out);
  s_length = 0;
  const ppdu_t what = ppdu_take(exact, length, s_out, &s_length);
  free(exact);
  return what;
}
#define TAKE(...) take((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define SAYS(...) (s_length == sizeof((const uint8_t[]){__VA_ARGS__}) && memcmp(s_out, (const uint8_t[]){__VA_ARGS__}, s_length) == 0)

static const uint8_t k_verify[] = {0xff, 0xc2, 0x01, 0x06, 24, 30, 15, 0x82, 0x00, 0x00, 4, 4, 2, 1, 0x11, 0x04, 0, 0, 0, 0, 5, 0, 0, 0, 0x00, 0x20, 0x00, 0x80, 0x00};
static const uint8_t k_modify[] = {0xff, 0xc2, 0x01, 0x07, 28, 30, 15, 0x82, 0x00, 0x00, 0, 0, 4, 4, 3, 2, 3, 0x11, 0x04, 0, 1, 2, 0, 0, 0, 4, 0, 0, 0, 0x00, 0x24, 0x00, 0x80};

int main(void) {
  STORY("what is not FF C2 01 is the card's");
  CHECK(TAKE(0x00, 0xc2, 0x01, 0x06) == PPDU_NONE && TAKE(0xff, 0xc2, 0x00, 0x00) == PPDU_NONE && TAKE(0xff, 0xca, 0x01, 0x00) == PPDU_NONE && TAKE(0xff, 0xc2, 0x01) == PPDU_NONE);

  STORY("features and properties");
  CHECK(TAKE(0xff, 0xc2, 0x01, 0x00, 0x00) == PPDU_ANSWERED && SAYS(0x06, 0x07, 0x0a, 0x12, 0x90, 0x00));
  CHECK(TAKE(0xff, 0xc2, 0x01, 0x0a, 0x00) == PPDU_ANSWERED && SAYS(WIRE_LCD_LAYOUT & 0xff, WIRE_LCD_LAYOUT >> 8, 0x07, 0x00, 0x90, 0x00));
  CHECK(TAKE(0xff, 0xc2, 0x01, 0x12, 0x00) == PPDU_ANSWERED && s_out[s_length - 2] == 0x90 && s_out[s_length - 1] == 0x00);
  unsigned tags = 0;
  for (size_t at = 0; at + 2 < s_length; at += 2u + s_out[at + 1]) {
    tags |= 1u << s_out[at];
    if (s_out[at] == 0x0b) CHECK(s_out[at + 1] == 2 && (s_out[at + 2] | s_out[at + 3] << 8) == WIRE_ID_VENDOR);
    if (s_out[at] == 0x0c) CHECK(s_out[at + 1] == 2 && (s_out[at + 2] | s_out[at + 3] << 8) == WIRE_ID_PRODUCT);
    if (s_out[at] == 0x09) CHECK(s_out[at + 1] == 1 && s_out[at + 2] == 3);
    if (s_out[at] == 0x07) CHECK(s_out[at + 1] == 1 && s_out[at + 2] == PIN_MAX);
    if (s_out[at] == 0x08) CHECK(s_out[at + 1] == sizeof PRODUCT_VERSION - 1 && memcmp(s_out + at + 2, PRODUCT_VERSION, s_out[at + 1]) == 0);
  }
  CHECK(tags == (1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12));
  STORY("every other feature is refused here, never passed on");
  for (unsigned feature = 0; feature < 256; feature++) {
    if (feature == 0x00 || feature == 0x06 || feature == 0x07 || feature == 0x0a || feature == 0x12) continue;
    CHECK(TAKE(0xff, 0xc2, 0x01, (uint8_t)feature, 0x00) == PPDU_ANSWERED && SAYS(0x6a, 0x86));
  }

  STORY("PIN_VERIFY_STRUCTURE becomes CCID's block: bTimeOut2 and ulDataLength fall out");
  CHECK(take(k_verify, sizeof k_verify) == PPDU_PIN && SAYS(0, 30, 0x82, 0x00, 0x00, 4, 4, 2, 1, 0x11, 0x04, 0, 0, 0, 0, 0x00, 0x20, 0x00, 0x80, 0x00));
  pin_template_t t;
  size_t bad_offset;
  CHECK(template_parse(s_out, s_length, &t, &bad_offset) && !t.modify && t.min == 4 && t.max == 4);
  STORY("PIN_MODIFY_STRUCTURE: message indexes as far as bNumberMessage asks for them");
  for (unsigned messages = 0; messages < 4; messages++) {
    uint8_t apdu[sizeof k_modify];
    memcpy(apdu, k_modify, sizeof apdu);
    apdu[16] = (uint8_t)messages;
    CHECK(take(apdu, sizeof apdu) == PPDU_PIN && s_length == 22u + (messages != 0) + (messages == 3));
    CHECK(template_parse(s_out, s_length, &t, &bad_offset) && t.modify && t.ask_current && t.apdu[1] == 0x24);
  }
  STORY("lengths that contradict each other: 6B80, and nothing is read that was not sent");
  for (size_t length = 4; length < sizeof k_verify; length++) CHECK(take(k_verify, length) == PPDU_ANSWERED && SAYS(0x6b, 0x80));
  for (size_t length = 4; length < sizeof k_modify; length++) CHECK(take(k_modify, length) == PPDU_ANSWERED && SAYS(0x6b, 0x80));
  for (unsigned at = 20; at < 24; at++) {
    uint8_t apdu[sizeof k_verify];
    memcpy(apdu, k_verify, sizeof apdu);
    apdu[at]++;
    CHECK(take(apdu, sizeof apdu) == PPDU_ANSWERED && SAYS(0x6b, 0x80));
  }
  return check_end("ppdu");
}
