/* RESET RETRY COUNTER on the secure path: only where the product definition allows it (PRODUCT_ALLOW_2C; test_pinpad.c has the one that does not).
 * sources: */
#include "gen/product_gen.h"
#undef PRODUCT_ALLOW_2C
#define PRODUCT_ALLOW_2C 1
#include "pinpad/template.c"
#include "test/fakes/check.h"

static bool takes(uint8_t operation, uint8_t confirm, uint8_t cla, uint8_t ins, uint8_t p1, size_t *bad_offset) {
  const uint8_t verify[] = {0, 30, 0x82, 0, 0, 8, 4, 2, 1, 0x11, 0x04, 0, 0, 0, 0, cla, ins, p1, 0x80};
  const uint8_t modify[] = {1, 30, 0x82, 0, 0, 0, 0, 8, 4, confirm, 2, 0, 0x11, 0x04, 0, 0, 0, 0, cla, ins, p1, 0x80};
  pin_template_t t;
  return operation == 0 ? template_parse(verify, sizeof verify, &t, bad_offset) : template_parse(modify, sizeof modify, &t, bad_offset);
}

int main(void) {
  size_t at = 0;
  STORY("the code alone, the code and the new one, the new one alone: each with the operation that asks for it");
  CHECK(takes(0, 0, 0x00, 0x2c, 0x01, &at));
  CHECK(takes(1, 3, 0x00, 0x2c, 0x00, &at));
  CHECK(takes(1, 1, 0x00, 0x2c, 0x02, &at));
  CHECK(!takes(1, 1, 0x00, 0x2c, 0x00, &at) && at == 9);
  CHECK(!takes(1, 3, 0x00, 0x2c, 0x02, &at) && at == 9);
  STORY("nothing else");
  unsigned allowed = 0;
  for (unsigned operation = 0; operation < 2; operation++) {
    for (unsigned command = 0; command < 0x1000000u; command++) {
      for (uint8_t confirm = 1; confirm <= (operation == 0 ? 1 : 3); confirm += 2) {
        if ((command >> 8 & 0xffu) == 0x2c && takes((uint8_t)operation, confirm, (uint8_t)(command >> 16), 0x2c, (uint8_t)command, &at)) allowed++;
      }
    }
  }
  CHECK(allowed == 3 * 4); /* CLA 00 to 03 */
  return check_end("pin_2c");
}
