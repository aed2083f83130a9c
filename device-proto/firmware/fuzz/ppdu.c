/* Pseudo APDUs of PC/SC part 10: any APDU. What becomes of it is written down a second time from part 10 §2.5 (v2.02.09) and CCID 1.1 §6.1.11/12, field by
 * field, and what goes to the pad must be a block that says just what the host's structure said.
 * sources: ccid/ppdu.c pinpad/template.c */
#include "ccid/ppdu.h"
#include "fuzz/door.h"
#include "gen/wire_gen.h"
#include "pinpad/template.h"

static unsigned sw_of(const uint8_t *out, size_t length) {
  PROMISE(length >= 2);
  return (unsigned)out[length - 2] << 8 | out[length - 1];
}

/* abData of PC_to_RDR_Secure for a structure of `n` bytes. */
static size_t expected_block(bool modify, const uint8_t *s, size_t n, uint8_t *block) {
  size_t at = 0;
  const uint8_t *data = s + (modify ? 24 : 19);
  block[at++] = modify;                       /* bPINOperation */
  block[at++] = s[0];                         /* bTimeOut; s[1] = bTimeOut2 */
  for (size_t i = 2; i < 5; i++) block[at++] = s[i]; /* bmFormatString bmPINBlockString bmPINLengthFormat */
  if (modify) block[at++] = s[5], block[at++] = s[6]; /* bInsertionOffsetOld, New */
  const uint8_t *p = s + (modify ? 7 : 5);
  block[at++] = p[0], block[at++] = p[1];     /* wPINMaxExtraDigit */
  p += 2;
  if (modify) block[at++] = *p++;             /* bConfirmPIN */
  block[at++] = *p++;                         /* bEntryValidationCondition */
  const uint8_t messages = *p;
  block[at++] = *p++;
  block[at++] = *p++, block[at++] = *p++;     /* wLangId */
  if (modify) {
    const unsigned indexes = messages == 0 ? 1 : messages == 3 ? 3 : 2;
    for (unsigned i = 0; i < indexes; i++) block[at++] = p[i];
    p += 3;
  } else {
    block[at++] = *p++;
  }
  for (unsigned i = 0; i < 3; i++) block[at++] = *p++; /* bTeoPrologue */
  PROMISE(p + 4 == data);
  memcpy(block + at, data, n - (size_t)(data - s));
  return at + n - (size_t)(data - s);
}

static void judge(const uint8_t *apdu, size_t length) {
  uint8_t *out = exactly(PPDU_BLOCK_MAX);
  size_t n = SIZE_MAX;
  const ppdu_t what = ppdu_take(apdu, length, out, &n);
  const bool ours = length >= 4 && apdu[0] == 0xff && apdu[1] == 0xc2 && apdu[2] == 0x01;
  PROMISE((what == PPDU_NONE) == !ours); /* never a card's, and never a card's taken */
  if (!ours) {
    free(out);
    return;
  }
  const bool modify = apdu[3] == 7;
  if (apdu[3] == 6 || modify) {
    const size_t fixed = modify ? 24 : 19, data = length > 5 ? apdu[4] : 0;
    const uint8_t *said = apdu + 5 + fixed - 4;
    const bool good = data >= fixed && (length == 5 + data || length == 6 + data) && said[0] == data - fixed && said[1] == 0 && said[2] == 0 && said[3] == 0;
    PROMISE((what == PPDU_PIN) == good);
    if (!good) {
      PROMISE(n == 2 && sw_of(out, n) == 0x6b80);
    } else {
      uint8_t block[300];
      const size_t due = expected_block(modify, apdu + 5, data, block);
      PROMISE(n == due && n <= PPDU_BLOCK_MAX && memcmp(out, block, n) == 0);
      /* The pad reads the host's own command in it, to the byte. */
      pin_template_t t;
      size_t bad = 0;
      uint8_t *exact = exactly(n);
      memcpy(exact, out, n);
      if (template_parse(exact, n, &t, &bad)) PROMISE(t.modify == modify && t.apdu_length == said[0] && memcmp(t.apdu, said + 4, t.apdu_length) == 0);
      else PROMISE(bad <= n);
      free(exact);
    }
    free(out);
    return;
  }
  PROMISE(what == PPDU_ANSWERED && n <= PPDU_ANSWER_MAX);
  const unsigned sw = sw_of(out, n);
  switch (apdu[3]) {
  case 0x00: PROMISE(sw == 0x9000 && n == 6 && out[0] == 6 && out[1] == 7 && out[2] == 0x0a && out[3] == 0x12); break;
  case 0x0a: PROMISE(sw == 0x9000 && n == 6 && out[2] == 7 && out[3] == 0); break;
  case 0x12: { /* every property whole, each once, nothing behind the last */
    uint32_t seen = 0;
    size_t at = 0;
    while (at < n - 2) {
      PROMISE(at + 2 <= n - 2 && out[at] < 32 && (seen >> out[at] & 1u) == 0);
      seen |= 1u << out[at];
      at += 2u + out[at + 1];
    }
    PROMISE(sw == 0x9000 && at == n - 2);
    break;
  }
  default: PROMISE(sw == 0x6a86 && n == 2); break;
  }
  free(out);
}

static void door(void) {
  const unsigned how = take();
  size_t n = s_left < 400 ? s_left : 400;
  uint8_t *apdu;
  if ((how & 1u) == 0) { /* anything */
    apdu = exactly(n);
    take_bytes(apdu, n);
  } else { /* a structure whose lengths agree, or nearly */
    const bool modify = (how & 2u) != 0;
    const size_t fixed = modify ? 24 : 19, data = fixed + (how >> 4) % 12u + ((how & 8u) != 0 ? 200u : 0u);
    n = 5 + data + ((how & 4u) != 0);
    apdu = exactly(n);
    memset(apdu, 0, n);
    apdu[0] = 0xff, apdu[1] = 0xc2, apdu[2] = 0x01, apdu[3] = modify ? 7 : 6, apdu[4] = (uint8_t)data;
    take_bytes(apdu + 5, data);
    uint8_t *said = apdu + 5 + fixed - 4;
    said[0] = (uint8_t)(data - fixed), said[1] = said[2] = said[3] = 0;
    const unsigned at = take();
    if ((at & 0xc0u) == 0x40u) apdu[(at & 63u) % n] = take();
  }
  judge(apdu, n);
  free(apdu);
}
