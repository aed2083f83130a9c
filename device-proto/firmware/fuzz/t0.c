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

static void card_hears(const uint8_t *bytes, size_t length) {
  const bool data_due = !s_reading && s_headers > 0 && s_command_length > 5 && s_data_sent < s_command[4] && s_header[1] == s_command[1];
  const bool is_data = data_due && s_headers > 0 && length <= s_command[4] - s_data_sent && memcmp(bytes, s_command + 5 + s_data_sent, length) == 0;
  if (is_data) {
    s_data_sent += length;
  } else {
    /* a header: the command's own, the same with another P3, or GET RESPONSE */
    PROMISE(length == 5);
    const bool own = memcmp(bytes, s_command, 4) == 0, response = bytes[0] == s_command[0] && bytes[1] == 0xc0 && bytes[2] == 0 && bytes[3] == 0;
    PROMISE(own || response);
    if (s_headers == 0) PROMISE(own && bytes[4] == (s_command_length > 4 ? s_command[4] : 0));
    memcpy(s_header, bytes, 5);
    s_reading = s_headers > 0;
    s_headers++;
  }
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
    if (extended && lc > 0) s_command_length = 7 + lc;
    s_command = exactly(s_command_length);
    for (size_t i = 0; i < s_command_length; i++) s_command[i] = (uint8_t)(i * 7u + form);
    take_bytes(s_command, s_command_length < 5 ? s_command_length : 5);
    if (s_command_length > 5 && !extended) s_command[4] = (uint8_t)(lc + ((form & 0x60u) == 0x60u));
    const size_t capacity = (form & 0x80u) != 0 ? 2u + wanted : 2u + 16u * wanted;
    uint8_t *answer = exactly(capacity), *before = exactly(s_command_length);
    memcpy(before, s_command, s_command_length);
    size_t length = SIZE_MAX;
    s_headers = 0;
    s_data_sent = 0;
    s_reading = false;
    const uint64_t from = s_line.now;
    const size_t heard = s_line.characters, wipes = s_line.wipes;
    const card_result_t result = card_exchange(s_command, s_command_length, answer, capacity, &length);
    contacts_agree();
    PROMISE(result <= CARD_ABORTED && length <= capacity && (result == CARD_OK) == (length >= 2));
    PROMISE(memcmp(before, s_command, s_command_length) == 0 && s_line.wipes == wipes + 1);
    PROMISE(s_headers <= 300);
    /* Every character awaited at most one WT, and ten minutes of "wait" in all per header. */
    const uint64_t wt = (s_wi ? s_wi : 10u) * 960ull * 372u * CARD_CLK_NS / 1000u + 5000u;
    PROMISE(s_line.now - from < (s_line.characters - heard + 2u) * wt + s_headers * 600000000ull + (s_line.puts + 1u) * 2000000ull);
    if (result == CARD_OK) {
      const unsigned sw1 = answer[length - 2];
      PROMISE((sw1 & 0xf0u) == 0x60u || (sw1 & 0xf0u) == 0x90u);
      PROMISE(sw1 != 0x60u);
      if (s_command_length == 4) PROMISE(length == 2);
    }
    free(s_command);
    free(before);
    free(answer);
  }
  card_power_off();
  contacts_agree();
}
