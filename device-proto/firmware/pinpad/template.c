/* template.c - see template.h.
 *
 *     verify   0 op  1 bTimeOut  2 bmFormatString  3 bmPINBlockString  4 bmPINLengthFormat  5 max  6 min  7 condition  8 bNumberMessage
 *              9 wLangId  11 bMsgIndex  12 bTeoPrologue[3]  15 APDU
 *     modify   … 5 offset old  6 offset new  7 max  8 min  9 bConfirmPIN  10 condition  11 bNumberMessage  12 wLangId  14 bMsgIndex1
 *              (bMsgIndex2 unless bNumberMessage is 0) (bMsgIndex3 if it is 3)  bTeoPrologue[3]  APDU */
#include "pinpad/template.h"
#include "gen/product_gen.h"
#include "gen/wire_gen.h"

#define DEFAULT_TIMEOUT_S 60u /* bTimeOut 0 */

/* Which commands may carry a secret: nothing else reaches the card on the secure path. The table is device-proto/src/ccid/pin.ts. */
static const struct {
  uint8_t ins, p1;
  bool modify, ask_current, if_product_allows;
} k_commands[] = {
#define ROW(INS, P1, MODIFY, ASK_CURRENT, IF_ALLOWED) {INS, P1, MODIFY, ASK_CURRENT, IF_ALLOWED},
    WIRE_SECURE_PATH(ROW)
#undef ROW
};

static bool bad(size_t *bad_offset, size_t offset) {
  *bad_offset = offset;
  return false;
}

/* CLA: first interindustry values (ISO 7816-4 §5.4.1), no chaining (b5), no secure messaging (b4 b3): the card must take it as what it is. */
static bool command_allowed(const pin_template_t *t, size_t apdu_at, size_t *bad_offset) {
  if ((t->apdu[0] & 0xfcu) != 0) return bad(bad_offset, apdu_at);
  bool ins_known = false;
  for (size_t i = 0; i < sizeof k_commands / sizeof k_commands[0]; i++) {
    if (k_commands[i].ins != t->apdu[1] || k_commands[i].modify != t->modify || (k_commands[i].if_product_allows && !PRODUCT_ALLOW_2C)) continue;
    ins_known = true;
    if (k_commands[i].p1 != t->apdu[2]) continue;
    return k_commands[i].ask_current == t->ask_current || bad(bad_offset, 9);
  }
  return bad(bad_offset, apdu_at + (ins_known ? 2u : 1u));
}

static unsigned width(const pin_template_t *t) { return t->coding == PIN_BCD ? 4u : 8u; }

/* How many characters fit field `f` of a data field of `lc` bytes; 0 = it does not fit at all. */
static unsigned capacity(const pin_template_t *t, unsigned f, unsigned lc) {
  unsigned end = 8u * lc;
  if (t->ask_current && t->at[f] < t->at[1u - f] && t->at[1u - f] < end) end = t->at[1u - f];
  if (t->at[f] >= end) return 0;
  const unsigned room = end - t->at[f];
  if (t->block == 0) return room / width(t);
  /* A left-justified block may claim more than there is: OpenSC says 8 bytes behind the length byte of an 8-byte field. */
  if (8u * t->block > room && t->right) return 0;
  return (8u * t->block > room ? room : 8u * t->block) / width(t);
}

static bool fields_fit(pin_template_t *t, unsigned max_offset, size_t *bad_offset) {
  if (t->variable) { /* nothing is there to be put into */
    if (t->at[0] != 0 && !t->modify) return bad(bad_offset, 2);
    if (t->block != 0 || t->length_bits != 0) return bad(bad_offset, 3);
    return true;
  }
  const unsigned lc = t->apdu[4];
  for (unsigned f = t->modify && !t->ask_current ? 1u : 0u; f <= (t->modify ? 1u : 0u); f++) {
    if (t->ask_current && t->at[0] == t->at[1]) return bad(bad_offset, 6);
    const unsigned fits = capacity(t, f, lc);
    if (fits == 0) return bad(bad_offset, t->right ? 3 : 2);
    if (t->length_bits != 0 && (t->length_at[f] + t->length_bits > 8u * lc || (1u << t->length_bits) <= t->min)) return bad(bad_offset, 4);
    if (fits < t->max) t->max = (uint8_t)fits;
    while (t->length_bits != 0 && (1u << t->length_bits) <= t->max) t->max--; /* what the length field can say */
  }
  return t->min <= t->max || bad(bad_offset, max_offset);
}

bool template_parse(const uint8_t *block, size_t length, pin_template_t *t, size_t *bad_offset) {
  *t = (pin_template_t){0};
  if (length < 1 || block[0] > 1) return bad(bad_offset, 0);
  t->modify = block[0] == 1;
  size_t at = 12; /* of bTeoPrologue */
  if (t->modify) {
    if (length < 12) return bad(bad_offset, length);
    at = 15u + (block[11] != 0) + (block[11] == 3);
    if (block[11] > 3 && block[11] != 0xff) return bad(bad_offset, 11);
    if (block[9] > 3) return bad(bad_offset, 9);
  }
  if (length < at + 3u + 4u || length > at + 3u + 5u + 255u) return bad(bad_offset, length);
  t->ask_current = t->modify && (block[9] & 2u) != 0;
  /* bConfirmPIN bit 0 is not looked at: a new secret is always asked for twice, because a slip of the finger would lock its owner out. */

  t->key_timeout_us = (block[1] == 0 ? DEFAULT_TIMEOUT_S : block[1]) * 1000000u;
  t->coding = block[2] & 3u;
  if (t->coding > PIN_ASCII) return bad(bad_offset, 2);
  t->right = (block[2] & 4u) != 0;
  const uint16_t position = (uint16_t)((block[2] >> 3 & 15u) * ((block[2] & 0x80u) != 0 ? 8u : 1u));
  t->block = block[3] & 15u;
  t->length_bits = block[3] >> 4;
  const uint16_t length_position = (uint16_t)((block[4] & 15u) * ((block[4] & 0x10u) != 0 ? 8u : 1u));
  const unsigned old_offset = t->modify ? block[5] : 0u, new_offset = t->modify ? block[6] : 0u, max_offset = t->modify ? 7u : 5u;
  if (t->right && t->block == 0) return bad(bad_offset, 3); /* right of what? */
  t->at[0] = (uint16_t)(position + 8u * old_offset);
  t->at[1] = (uint16_t)(position + 8u * new_offset);
  t->length_at[0] = (uint16_t)(length_position + 8u * old_offset);
  t->length_at[1] = (uint16_t)(length_position + 8u * new_offset);

  const uint8_t max = block[max_offset], min = block[max_offset + 1u];
  t->max = max == 0 || max > PIN_MAX ? PIN_MAX : max;
  t->min = min == 0 ? 1 : min; /* an empty secret never reaches the card (CVE-2023-40660) */
  if (t->min > t->max) return bad(bad_offset, max_offset);
  t->condition = block[max_offset + (t->modify ? 3u : 2u)];
  if (t->condition == 0 || t->condition > 7) t->condition = CONDITION_KEY; /* as libccid corrects it */

  /* bTeoPrologue is for readers at TPDU level; a chained I-block (M) or any other block would make data of the secret. */
  if ((block[at + 1u] & 0xa0u) != 0) return bad(bad_offset, at + 1u);
  const size_t apdu_at = at + 3u, apdu_length = length - apdu_at;
  t->apdu = block + apdu_at;
  t->variable = apdu_length == 4 || (apdu_length == 5 && t->apdu[4] == 0);
  if (!t->variable && apdu_length != 5u + t->apdu[4]) return bad(bad_offset, apdu_at + 4u);
  t->apdu_length = (uint8_t)(apdu_length > 255 ? 0 : apdu_length);
  if (t->apdu_length == 0) return bad(bad_offset, apdu_at + 4u);
  return command_allowed(t, apdu_at, bad_offset) && fields_fit(t, max_offset, bad_offset);
}

static void put_bits(uint8_t *data, unsigned bit, unsigned count, unsigned value) {
  while (count-- > 0) {
    const uint8_t mask = (uint8_t)(0x80u >> (bit & 7u)), set = (uint8_t)(0u - (value >> count & 1u));
    data[bit >> 3] = (uint8_t)((data[bit >> 3] & ~mask) | (set & mask));
    bit++;
  }
}

size_t template_insert(const pin_template_t *t, unsigned field, const uint8_t *typed, unsigned count, uint8_t *command, size_t length) {
  const unsigned bits = width(t), value_mask = t->coding == PIN_ASCII ? 0xffu : 0x0fu;
  unsigned at = t->at[field];
  if (t->variable) {
    if (length < 5) command[4] = 0;
    at = 8u * command[4];
    const unsigned lc = command[4] + (count * bits + 7u) / 8u;
    if (bits == 4 && (count & 1u) != 0) command[4u + lc] = 0x0f; /* an odd last BCD digit is padded with F */
    command[4] = (uint8_t)lc;
    length = 5u + lc;
  } else if (t->right) {
    at += 8u * t->block - bits * count;
  }
  for (unsigned i = 0; i < count; i++) put_bits(command + 5, at + bits * i, bits, typed[i] & value_mask);
  if (t->length_bits != 0) put_bits(command + 5, t->length_at[field], t->length_bits, count);
  return length;
}
