/* t0.c - character protocol T=0 (ISO 7816-3 section 10) and its mapping of short APDUs (section 12.2): header, procedure bytes, GET RESPONSE.
 * Extended lengths over T=0 (ENVELOPE) are refused by name. */
#include "gen/card_pio_gen.h"
#include "iso7816/line.h"

#define INS_GET_RESPONSE 0xc0u
#define NULL_BYTE 0x60u
#define NULLS_US 600000000u /* a card may say "wait" for ten minutes in all */
#define ROUNDS_MAX 300u     /* 6Cxx and 61xx per APDU: 65 536 bytes in 256s, and a few for nothing */

typedef struct {
  const uint8_t *out; /* data to send, or */
  size_t out_length;
  uint8_t *in;        /* room for data to receive */
  size_t in_length;
  size_t got;
  uint16_t sw;
} tpdu_t;

static uint64_t s_wt; /* WI * 960 * Fi / f, us (10.2) */

static card_result_t next_byte(uint8_t *byte) { return line_get(byte, hal_now_us() + s_wt + LOOP_SLACK_US); }

/* One header and what follows until SW1 SW2. Exactly one of out and in is used, or none. */
static card_result_t exchange_tpdu(const uint8_t header[5], tpdu_t *t) {
  const hal_span_t head = {header, 5};
  size_t sent = 0;
  t->got = 0;
  card_result_t result = line_put(&head, 1, 16);
  if (result != CARD_OK) return result;
  const uint64_t give_up = hal_now_us() + NULLS_US;
  for (;;) {
    uint8_t procedure = 0, byte = 0;
    result = next_byte(&procedure);
    if (result != CARD_OK) return result;
    if (procedure == NULL_BYTE) {
      if (hal_now_us() > give_up) return CARD_MUTE;
      continue;
    }
    if ((procedure & 0xf0u) == 0x60u || (procedure & 0xf0u) == 0x90u) {
      result = next_byte(&byte);
      if (result != CARD_OK) return result;
      t->sw = (uint16_t)(procedure << 8 | byte);
      return CARD_OK;
    }
    size_t count;
    const size_t left = t->out_length - sent + (t->in_length - t->got);
    if (procedure == header[1]) count = left;
    else if ((unsigned)procedure + header[1] == 0xffu) count = left > 0 ? 1 : 0; /* INS complemented: one byte at a time */
    else return CARD_PROTOCOL;
    if (left == 0) return CARD_PROTOCOL; /* it asks for, or offers, more than P3 says */
    if (t->out_length > 0) {
      const hal_span_t span = {t->out + sent, count};
      result = line_put(&span, 1, 16);
      if (result != CARD_OK) return result;
      sent += count;
    } else {
      for (size_t i = 0; i < count; i++) {
        result = next_byte(&t->in[t->got]);
        if (result != CARD_OK) return result;
        t->got++;
      }
    }
  }
}

card_result_t t0_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, uint8_t wi) {
  /* Copied because `answer` may be the same memory. Four bytes and a length are no secret. */
  uint8_t header[5] = {command[0], command[1], command[2], command[3], length > 4 ? command[4] : 0};
  s_wt = (uint64_t)wi * 960u * fidi_etu_ns((uint8_t)((g_card.fidi & 0xf0u) | 1u)) / 1000u;
  tpdu_t t = {0};
  size_t wanted = 0; /* bytes the caller may get: Le */
  if (length > 5) {
    const size_t lc = command[4];
    if (lc == 0) return CARD_TOO_LONG; /* extended */
    if (length != 5 + lc && length != 6 + lc) return CARD_PROTOCOL;
    t.out = command + 5;
    t.out_length = lc;
    if (length == 6 + lc) wanted = command[5 + lc] ? command[5 + lc] : 256;
  } else if (length == 5) {
    wanted = command[4] ? command[4] : 256;
    if (wanted > capacity - 2) return CARD_TOO_LONG;
    t.in = answer;
    t.in_length = wanted;
  }
  size_t total = 0;
  for (unsigned round = 0; round < ROUNDS_MAX; round++) {
    const card_result_t result = exchange_tpdu(header, &t);
    if (result != CARD_OK) return result;
    total += t.got;
    const uint8_t sw1 = (uint8_t)(t.sw >> 8), sw2 = (uint8_t)t.sw;
    const size_t offered = sw2 ? sw2 : 256;
    t.out_length = 0;
    t.in = answer + total;
    if (sw1 == 0x6c && wanted > 0 && t.got == 0) {
      header[4] = sw2; /* the same command with the right length */
      t.in_length = offered;
    } else if ((sw1 == 0x61 && wanted > 0) || (t.sw == 0x9000 && wanted > 0 && total == 0 && t.out != NULL)) {
      /* Case 4: 9000 after the data means "ask for Le bytes" (12.2.5). */
      const size_t ask = sw1 == 0x61 ? offered : wanted;
      header[1] = INS_GET_RESPONSE;
      header[2] = header[3] = 0;
      header[4] = (uint8_t)ask;
      t.in_length = ask;
      t.out = NULL;
    } else {
      answer[total] = sw1;
      answer[total + 1] = sw2;
      *answer_length = total + 2;
      return CARD_OK;
    }
    if (total + t.in_length > capacity - 2) return CARD_TOO_LONG;
  }
  return CARD_PROTOCOL;
}
