/* PPS and the way to it: a card that answers resets and requests with anything. The answer to a PPS is judged from ISO 7816-3 §9.3.
 * sources: iso7816/atr.c iso7816/card.c iso7816/fidi.c iso7816/pps.c iso7816/t0.c iso7816/t1.c */
#include "fuzz/line_world.h"
#include "gen/wire_gen.h"

static uint8_t s_heard[16], s_told[16]; /* the request; the card's answer as it will arrive */
static size_t s_heard_length, s_told_length;
static size_t s_broken_at; /* its first character that comes wrong or late */
static unsigned s_requests;

static void card_reset(void) {
  s_heard_length = 0;
  const unsigned n = take() % 40u;
  for (unsigned i = 0; i < n; i++) {
    const uint8_t byte = take();
    card_says(byte, i == 0 && byte == 0x03, i == 0 ? 500 : 0); /* 03 with wrong parity is TS of the inverse convention */
  }
}

static void card_hears(const uint8_t *bytes, size_t length) {
  if (bytes[0] != 0xff) { /* the protocol has begun; S(IFS) is as far as power-on goes */
    PROMISE(length >= 4);
    if ((take() & 1u) != 0) {
      uint8_t answer[5] = {bytes[0], (uint8_t)(bytes[1] | 0x20u), bytes[2], bytes[3], 0};
      answer[4] = (uint8_t)(answer[0] ^ answer[1] ^ answer[2] ^ answer[3]);
      card_says_all(answer, 5);
    }
    return;
  }
  s_requests++;
  PROMISE(length == 4 && (bytes[0] ^ bytes[1] ^ bytes[2] ^ bytes[3]) == 0);
  PROMISE((bytes[1] & 0xf0u) == 0x10u && (bytes[1] & 15u) <= 1);
  PROMISE(fidi_offered(bytes[2]));
  memcpy(s_heard, bytes, s_heard_length = length);
  s_told_length = 0;
  s_broken_at = SIZE_MAX;
  const unsigned how = take();
  if (how == 0) return; /* silence */
  if ((how & 3u) == 1) { /* echo, but for one byte changed or left out */
    const unsigned at = take() & 7u, change = take();
    for (unsigned i = 0; i < 4; i++) {
      if (i == at && change == 0xff) continue;
      s_told[s_told_length++] = (uint8_t)(bytes[i] ^ (i == at || (i == 3 && (how & 8u) != 0 && at < 3) ? change : 0u)); /* PCK fits, or not */
    }
  } else {
    s_told_length = how >> 2 & 7u;
    take_bytes(s_told, s_told_length);
    if ((how & 3u) == 2 && s_told_length > 0) {
      s_told[s_told_length - 1] = 0;
      for (size_t i = 0; i + 1 < s_told_length; i++) s_told[s_told_length - 1] ^= s_told[i];
    }
  }
  const size_t wrong = how & 0x40u ? take() & 7u : 99, late = how & 0x80u ? take() & 7u : 99;
  for (size_t i = 0; i < s_told_length; i++) {
    card_says(s_told[i], i == wrong, i == late ? 2000000u : i == 0 ? 500 : 0);
    if ((i == wrong || i == late) && s_broken_at == SIZE_MAX) s_broken_at = i;
  }
}

/* §9.3: PPSS and T echoed, PPS1 echoed or left out, PCK right. A longer answer is judged by its first bytes, as they announce themselves. */
static bool acceptable(bool *at_rate) {
  if (s_told_length < 3 || s_told[0] != 0xff || (s_told[1] & 0x0fu) != (s_heard[1] & 0x0fu)) return false;
  *at_rate = (s_told[1] & 0x10u) != 0;
  if ((s_told[1] & 0x60u) != 0) return false; /* PPS2 and PPS3 were not asked for */
  const size_t length = *at_rate ? 4 : 3;
  if (s_told_length < length || s_broken_at < length || (*at_rate && s_told[2] != s_heard[2])) return false;
  unsigned sum = 0;
  for (size_t i = 0; i < length; i++) sum ^= s_told[i];
  return sum == 0;
}

static void alone(void) {
  g_card = (card_t){.fidi = 0x11, .voltage_class = 1};
  s_line.voltage = 1;
  s_line.rst = s_line.clk = s_line.io = true;
  const uint8_t protocol = take() & 1u, fidi = WIRE_RATE_PAIRS[take() % WIRE_RATE_PAIRS_COUNT];
  const card_result_t result = pps_exchange(protocol, fidi);
  bool at_rate = false;
  const bool good = acceptable(&at_rate);
  PROMISE((s_heard[1] & 15u) == protocol && s_heard[2] == fidi);
  PROMISE(result == (good ? CARD_OK : CARD_REFUSED_PPS));
  PROMISE(g_card.fidi == (good && at_rate ? fidi : 0x11));
  PROMISE(s_line.f == WIRE_F[g_card.fidi >> 4] && s_line.d == WIRE_D[g_card.fidi & 15u]);
  memset(&g_card, 0, sizeof g_card);
}

static void door(void) {
  line_fresh();
  s_told_length = s_requests = 0;
  const unsigned how = take();
  if ((how & 3u) == 0) {
    alone();
    return;
  }
  if ((how & 0x30u) == 0x30u) mischief(how >> 6);
  memset(&g_card, 0, sizeof g_card);
  const uint64_t from = s_line.now;
  const card_result_t result = card_power_on(how >> 2 & 3u);
  contacts_agree();
  PROMISE((result == CARD_OK) == (g_card.voltage_class != 0));
  PROMISE(s_line.now - from < 700ull * 1000000u && s_requests <= 6);
  if (result != CARD_OK) return;
  PROMISE(g_card.protocol <= 1 && g_card.atr_length <= ATR_MAX && (g_card.fidi == 0x11 || fidi_offered(g_card.fidi)));
  PROMISE(s_line.f == WIRE_F[g_card.fidi >> 4] && s_line.d == WIRE_D[g_card.fidi & 15u]);
  PROMISE(s_line.error_signal == (g_card.protocol == 0) && s_line.inverse == (g_card.atr[0] == 0x3f));
  if (s_heard_length > 0) PROMISE(g_card.protocol == (s_heard[1] & 15u)); /* what was agreed since the last reset */
  card_power_off();
  contacts_agree();
}
