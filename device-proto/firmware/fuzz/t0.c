/* T=0: a card that answers headers with anything. Whatever it says, it gets the command's own bytes, each once and in order, and the host gets
 * the card's own.
 * sources: iso7816/atr.c iso7816/card.c iso7816/fidi.c iso7816/pps.c iso7816/t0.c iso7816/t1.c */
#include "fuzz/line_world.h"

static uint8_t s_wi;
static uint8_t *s_command;
static size_t s_command_length, s_data_sent; /* of the command's data field */
static unsigned s_headers;
static bool s_reading;             /* the header in force is one of our own: GET RESPONSE, or the same again after 6Cxx */
static uint8_t s_header[5];
static size_t s_enveloped, s_part, s_part_sent; /* of the whole command: in ENVELOPEs so far; this ENVELOPE's */

static void card_reset(void) {
  const uint8_t atr[] = {0x3b, 0x50, s_wi, 0x00}; /* TA1 absent: 372/1. T0 announces TA1 and TC1 otherwise */
  const uint8_t plain[] = {0x3b, 0x00};
  if (s_wi == 0) {
    card_says_all(plain, sizeof plain);
    return;
  }
  const uint8_t with_wi[] = {0x3b, 0x80, 0x40, s_wi}; /* TD1 = T=0 with TC2 */
  (void)atr;
  card_says_all(with_wi, sizeof with_wi);
}

/* Lc of the command under way, 0 when it has no data; where the data begins. */
static size_t data_field(const uint8_t **data) {
  const bool extended = s_command_length > 7 && s_command[4] == 0;
  *data = s_command_length > 5 ? s_command + (extended ? 7 : 5) : NULL;
  return s_command_length <= 5 ? 0 : extended ? (size_t)s_command[5] << 8 | s_command[6] : s_command[4];
}

static void judge_header(const uint8_t *bytes, size_t length) {
  PROMISE(length == 5 && bytes[0] == s_command[0]);
  memcpy(s_header, bytes, 5);
  s_headers++;
}

/* More than 255 bytes of data: the whole command in ENVELOPEs, each byte once and in order, and only then GET RESPONSE. */
static void judge_enveloped(const uint8_t *bytes, size_t length) {
  if (s_part_sent < s_part) {
    PROMISE(length <= s_part - s_part_sent && memcmp(bytes, s_command + s_enveloped, length) == 0);
    s_part_sent += length;
    s_enveloped += length;
    return;
  }
  judge_header(bytes, length);
  const bool more = s_enveloped < s_command_length;
  PROMISE(bytes[1] == (more ? 0xc2 : 0xc0) && bytes[2] == 0 && bytes[3] == 0);
  if (!more) return;
  PROMISE(bytes[4] > 0 && bytes[4] <= s_command_length - s_enveloped);
  s_part = bytes[4];
  s_part_sent = 0;
}

static void judge_plain(const uint8_t *bytes, size_t length, const uint8_t *data, size_t lc) {
  const bool data_due = !s_reading && s_headers > 0 && s_data_sent < lc && s_header[1] == s_command[1];
  if (data_due && length <= lc - s_data_sent && memcmp(bytes, data + s_data_sent, length) == 0) {
    s_data_sent += length;
    return;
  }
  /* a header: the command's own, the same with another P3, or GET RESPONSE */
  judge_header(bytes, length);
  const bool own = memcmp(bytes, s_command, 4) == 0, response = bytes[1] == 0xc0 && bytes[2] == 0 && bytes[3] == 0;
  PROMISE(own || response);
  s_reading = s_headers > 1;
  if (s_reading) return;
  const size_t ne = s_command_length == 7 && s_command[4] == 0 ? (size_t)s_command[5] << 8 | s_command[6] : s_command_length == 5 ? s_command[4] : 0;
  PROMISE(own && bytes[4] == (lc > 0 ? lc : ne < 256 ? ne : 0));
}

static void card_hears(const uint8_t *bytes, size_t length) {
  const uint8_t *data;
  const size_t lc = data_field(&data);
  if (lc > 255) judge_enveloped(bytes, length);
  else judge_plain(bytes, length, data, lc);
  /* What the card says now. */
  for (unsigned turn = 0; turn < 4; turn++) {
    const unsigned what = take();
    const size_t p3 = s_header[4] ? s_header[4] : 256;
    switch (what & 15u) {
    case 0: return;
    case 1: card_says(s_header[1], false, 500); return;                    /* all that is left, please */
    case 2: card_says((uint8_t)~s_header[1], false, 500); return;          /* one byte, please */
    case 3: card_says(0x60, false, (uint64_t)(what >> 4) * 100000u); break; /* wait */
    case 4:                                                                /* data as announced, and 9000 */
      card_says(s_header[1], false, 500);
      for (size_t i = 0; i < p3; i++) card_says((uint8_t)(what + i), false, 0);
      card_says(0x90, false, 0), card_says(0x00, false, 0);
      return;
    case 5: card_says(0x61, false, 500), card_says(take(), false, 0); return;
    case 6: card_says(0x6c, false, 500), card_says(take(), false, 0); return;
    case 7: card_says(0x90, false, 500), card_says(0x00, false, 0); return;
    case 8: card_says((uint8_t)(0x60u | what >> 4), false, 500), card_says(take(), false, 0); return;
    case 9: mischief(what >> 4); break;
    case 10: card_says(take(), true, 500); break; /* wrong parity to the end */
    case 11: /* data one by one */
      for (size_t i = 0; i < p3; i++) card_says((uint8_t)~s_header[1], false, 0), card_says((uint8_t)i, false, 0);
      card_says(0x62, false, 0), card_says(0x82, false, 0);
      return;
    default:
      for (unsigned n = what >> 4; n > 0; n--) card_says(take(), false, n == 3 ? 20000u : 0);
      return;
    }
  }
}

static void door(void) {
  line_fresh();
  s_headers = 0;
  memset(&g_card, 0, sizeof g_card);
  s_wi = take();
  if (card_power_on(1) != CARD_OK) { /* mischief has not begun: this card answers its reset */
    PROMISE(false);
  }
  PROMISE(g_card.protocol == 0);
  for (unsigned exchange = 0; exchange < 3 && g_card.voltage_class != 0; exchange++) {
    const unsigned form = take(), wanted = take();
    const bool extended = (form & 7u) == 7;
    const size_t lc = (form & 4u) != 0 ? take() : 0;
    s_command_length = (form & 3u) == 0 ? 4 : (form & 4u) == 0 ? 5 : 5 + lc + (form & 1u) + ((form & 0x18u) == 0x18u);
    if (extended) s_command_length = 7 + lc * (1u + (form >> 6)) + ((form & 0x30u) == 0x30u ? 2u : 0u);
    s_command = exactly(s_command_length);
    for (size_t i = 0; i < s_command_length; i++) s_command[i] = (uint8_t)(i * 7u + form);
    take_bytes(s_command, s_command_length < 5 ? s_command_length : 5);
    if (extended) {
      const size_t says = lc * (1u + (form >> 6)) + ((form & 8u) != 0 && wanted == 1);
      s_command[4] = 0;
      s_command[5] = (uint8_t)(s_command_length == 7 ? wanted : says >> 8);
      s_command[6] = (uint8_t)(s_command_length == 7 ? form : says);
    }
    if (s_command_length > 5 && !extended) s_command[4] = (uint8_t)(lc + ((form & 0x60u) == 0x60u));
    const size_t capacity = (form & 0x80u) != 0 ? 2u + wanted : 2u + 16u * wanted;
    uint8_t *answer = exactly(capacity), *before = exactly(s_command_length);
    memcpy(before, s_command, s_command_length);
    size_t length = SIZE_MAX;
    s_headers = 0;
    s_data_sent = 0;
    s_reading = false;
    s_enveloped = s_part = s_part_sent = 0;
    const uint64_t from = s_line.now;
    const size_t heard = s_line.characters, wipes = s_line.wipes;
    const card_result_t result = card_exchange(s_command, s_command_length, answer, capacity, &length);
    contacts_agree();
    PROMISE(result <= CARD_ABORTED && length <= capacity && (result == CARD_OK) == (length >= 2));
    PROMISE(memcmp(before, s_command, s_command_length) == 0 && s_line.wipes == wipes + 1);
    /* Every character awaited at most one WT, and ten minutes of waiting in all. */
    const uint64_t wt = (s_wi ? s_wi : 10u) * 960ull * 372u * CARD_CLK_NS / 1000u + 5000u;
    PROMISE(s_line.now - from < (s_line.characters - heard + 2u) * wt + 600000000ull + (s_line.puts + 1u) * 2000000ull);
    if (result == CARD_OK) {
      const unsigned sw1 = answer[length - 2];
      PROMISE((sw1 & 0xf0u) == 0x60u || (sw1 & 0xf0u) == 0x90u);
      PROMISE(sw1 != 0x60u);
      PROMISE(s_headers <= 16u + 4u * length + s_command_length / 255u); /* rounds that bring nothing end */
      if (s_command_length == 4) PROMISE(length == 2);
    }
    free(s_command);
    free(before);
    free(answer);
  }
  card_power_off();
  contacts_agree();
}
