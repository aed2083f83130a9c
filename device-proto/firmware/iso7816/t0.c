/* t0.c - character protocol T=0 (ISO 7816-3 section 10) and what it carries (section 12.2; ISO 7816-4:1995 annex A numbers the same cases).
 *
 *   header CLA INS P1 P2 P3 ─▶         60 wait · INS all that is left · ~INS one byte · 6X 9X: SW1, and SW2 follows
 *                           ◀─ procedure byte
 *   data ─▶ or ◀─           ◀─ …
 *
 * Beyond the header: 6Cxx says the right length once, 61xx offers more (GET RESPONSE), data over 255 bytes goes in ENVELOPEs. */
#include "gen/card_pio_gen.h"
#include "iso7816/line.h"

#define INS_GET_RESPONSE 0xc0u
#define INS_ENVELOPE 0xc2u
#define NULL_BYTE 0x60u
#define TURN_ETU 16u
#define SHORT_MAX 255u  /* data bytes of one TPDU */
#define EMPTY_ROUNDS 3u /* GET RESPONSE in a row that bring no data: 6Cxx once, and a card that changes its mind */

/* One TPDU's data: to send, or to receive, or none. What comes in beyond `room` is taken from the card and dropped. */
typedef struct {
  const uint8_t *out;
  size_t out_length;
  uint8_t *in;
  size_t in_length, room;
  size_t moved; /* of either */
  uint16_t sw;
} tpdu_t;

/* An APDU taken apart (12.1.3). */
typedef struct {
  const uint8_t *data;
  size_t length; /* Nc */
  size_t wanted; /* Ne; 0 = no Le field */
} apdu_t;

static uint64_t s_wt; /* WI * 960 * Fi / f, us (10.2) */

static card_result_t next_byte(uint8_t *byte, uint64_t also_us) {
  return line_get(byte, patience_until(hal_now_us() + s_wt + also_us + LOOP_SLACK_US));
}

static card_result_t put(const uint8_t *data, size_t length) {
  const hal_span_t span = {data, length};
  patience_for(length);
  return line_put(&span, 1, TURN_ETU);
}

static card_result_t take(tpdu_t *t, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t byte = 0;
    const card_result_t result = next_byte(&byte, 0);
    if (result != CARD_OK) return result;
    patience_for(1);
    if (t->moved < t->room) t->in[t->moved] = byte;
    t->moved++;
  }
  return CARD_OK;
}

/* One header and what follows until SW1 SW2 (10.3). */
static card_result_t exchange_tpdu(const uint8_t header[5], tpdu_t *t) {
  t->moved = 0;
  card_result_t result = put(header, 5);
  if (result != CARD_OK) return result;
  uint64_t tail = sending_tail_us(); /* the waiting time runs from our last character */
  for (;;) {
    uint8_t procedure = 0, byte = 0;
    result = next_byte(&procedure, tail);
    if (result != CARD_OK) return result;
    if (procedure == NULL_BYTE) continue; /* patience ends it */
    tail = 0;
    patience_for(1);
    if ((procedure & 0xf0u) == 0x60u || (procedure & 0xf0u) == 0x90u) {
      result = next_byte(&byte, 0);
      if (result != CARD_OK) return result;
      t->sw = (uint16_t)(procedure << 8 | byte);
      return CARD_OK;
    }
    const size_t left = t->out_length + t->in_length - t->moved;
    size_t count;
    if (procedure == header[1]) count = left;
    else if ((unsigned)procedure + header[1] == 0xffu) count = left > 0 ? 1 : 0; /* INS complemented: one byte at a time */
    else return CARD_PROCEDURE;
    if (left == 0) return CARD_PROCEDURE; /* it asks for, or offers, more than P3 says */
    if (t->out_length > 0) {
      result = put(t->out + t->moved, count);
      t->moved += count;
      tail = sending_tail_us();
    } else {
      result = take(t, count);
    }
    if (result != CARD_OK) return result;
  }
}

static size_t u16be(const uint8_t *at) { return (size_t)at[0] << 8 | at[1]; }

static bool take_apart(const uint8_t *command, size_t length, apdu_t *apdu) {
  *apdu = (apdu_t){0};
  if ((command[1] & 0xf0u) == 0x60u || (command[1] & 0xf0u) == 0x90u) return false; /* would be taken for SW1 (10.3.2) */
  if (length == 4) return true;
  const size_t short_lc = command[4];
  if (length == 5) {
    apdu->wanted = short_lc ? short_lc : 256;
    return true;
  }
  if (short_lc != 0) {
    apdu->data = command + 5;
    apdu->length = short_lc;
    if (length == 6 + short_lc) apdu->wanted = command[length - 1] ? command[length - 1] : 256;
    return length == 5 + short_lc || length == 6 + short_lc;
  }
  if (length < 7) return false;
  if (length == 7) {
    apdu->wanted = u16be(command + 5) ? u16be(command + 5) : 65536;
    return true;
  }
  apdu->data = command + 7;
  apdu->length = u16be(command + 5);
  if (length == 9 + apdu->length) apdu->wanted = u16be(command + length - 2) ? u16be(command + length - 2) : 65536;
  return apdu->length > 0 && (length == 7 + apdu->length || length == 9 + apdu->length);
}

/* The whole APDU as the data of ENVELOPE commands (12.2.7, A.3E.2). CARD_OK: t->sw answers the command, or `*early` says that it ended on
 * the way, and then nothing more is asked. */
static card_result_t envelope(const uint8_t *command, size_t length, tpdu_t *t, bool *early) {
  for (size_t at = 0, part; at < length; at += part) {
    part = length - at < SHORT_MAX ? length - at : SHORT_MAX;
    const uint8_t header[5] = {command[0], INS_ENVELOPE, 0, 0, (uint8_t)part};
    *t = (tpdu_t){.out = command + at, .out_length = part};
    const card_result_t result = exchange_tpdu(header, t);
    if (result != CARD_OK) return result;
    if (at == 0 && (t->sw == 0x6d00u || t->sw == 0x6e00u)) return CARD_NO_ENVELOPE;
    *early = at + part < length && t->sw != 0x9000u;
    if (*early) break;
    if ((t->sw == 0x9000u || t->sw >> 8 == 0x61u) && t->moved < part) return CARD_PROCEDURE; /* "done" with what it never took */
  }
  return CARD_OK;
}

card_result_t t0_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, uint8_t wi) {
  apdu_t apdu;
  if (!take_apart(command, length, &apdu)) return CARD_PROTOCOL;
  s_wt = (uint64_t)wi * 960u * fidi_etu_ns((uint8_t)((g_card.fidi & 0xf0u) | 1u)) / 1000u;
  patience_begin(PATIENCE_US);
  const size_t space = capacity - 2;
  size_t wanted = apdu.wanted;
  /* Copied because `answer` may be the same memory. Four bytes and a length are no secret. */
  uint8_t header[5] = {command[0], command[1], command[2], command[3], 0};
  tpdu_t t = {0};
  card_result_t result;
  if (apdu.length > SHORT_MAX) {
    bool early = false;
    result = envelope(command, length, &t, &early);
    if (early) wanted = 0;
  } else {
    header[4] = (uint8_t)(apdu.length > 0 ? apdu.length : wanted < 256 ? wanted : 0);
    t.out = apdu.data;
    t.out_length = apdu.length;
    if (apdu.length == 0 && wanted > 0) {
      t.in = answer;
      t.in_length = t.room = wanted < 256 ? wanted : 256;
      if (t.room > space) return CARD_TOO_LONG;
    }
    result = exchange_tpdu(header, &t);
  }
  bool may_ask = t.out_length > 0; /* case 4: 9000 after the data means "ask for Le bytes" (A.4S.2) */
  bool corrected = false;
  size_t total = 0;
  for (unsigned empty = 0; result == CARD_OK && empty <= EMPTY_ROUNDS;) {
    const size_t kept = t.out_length > 0 ? 0 : t.moved < t.room ? t.moved : t.room;
    total += kept;
    empty = kept > 0 ? 0 : empty + 1;
    const uint8_t sw1 = (uint8_t)(t.sw >> 8), sw2 = (uint8_t)t.sw;
    const size_t offered = sw2 ? sw2 : 256, missing = wanted - total;
    size_t ask;
    if (sw1 == 0x6cu && t.in_length > 0 && t.moved == 0 && !corrected) {
      ask = offered; /* the same command with the right length, once; of a longer answer the first Ne bytes count (A.2S.3) */
      corrected = true;
    } else if ((sw1 == 0x61u && missing > 0) || (t.sw == 0x9000u && may_ask && wanted > 0)) {
      ask = sw1 == 0x61u && offered < missing ? offered : missing < 256 ? missing : 256;
      header[1] = INS_GET_RESPONSE;
      header[2] = header[3] = 0;
      corrected = false;
    } else {
      answer[total] = sw1;
      answer[total + 1] = sw2;
      *answer_length = total + 2;
      return CARD_OK;
    }
    may_ask = false;
    header[4] = (uint8_t)ask;
    t = (tpdu_t){.in = answer + total, .in_length = ask, .room = ask < missing ? ask : missing};
    if (t.room > space - total) return CARD_TOO_LONG;
    result = exchange_tpdu(header, &t);
  }
  if (result == CARD_OK) result = CARD_PROTOCOL;
  /* The line is where nobody knows: T=0 has no way back into step but a reset. */
  if (result == CARD_PROTOCOL || result == CARD_PROCEDURE) card_give_up();
  return result;
}

/* TPDU level (tpdu.h): one header and its data, no mapping. */
card_result_t t0_tpdu(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, uint8_t wi) {
  const uint8_t header[5] = {command[0], command[1], command[2], command[3], length > 4 ? command[4] : 0};
  if ((header[1] & 0xf0u) == 0x60u || (header[1] & 0xf0u) == 0x90u) return CARD_PROTOCOL; /* would be taken for SW1 (10.3.2) */
  s_wt = (uint64_t)wi * 960u * fidi_etu_ns((uint8_t)((g_card.fidi & 0xf0u) | 1u)) / 1000u;
  patience_begin(PATIENCE_US);
  tpdu_t t = {0};
  if (length > 5) {
    t.out = command + 5;
    t.out_length = header[4];
  } else if (length == 5) {
    t.in = answer;
    t.in_length = t.room = header[4] ? header[4] : 256;
  }
  if (t.room + 2u > capacity) return CARD_TOO_LONG;
  const card_result_t result = exchange_tpdu(header, &t);
  if (result == CARD_PROCEDURE) card_give_up(); /* as t0_exchange() */
  if (result != CARD_OK) return result;
  const size_t got = t.out_length > 0 ? 0 : t.moved;
  answer[got] = (uint8_t)(t.sw >> 8);
  answer[got + 1] = (uint8_t)t.sw;
  *answer_length = got + 2;
  return CARD_OK;
}
