/* TPDU level: a host that negotiates by itself, well or badly, and a card that says anything. Whatever they do, the card hears only what the host asked for:
 * nothing after its ATR, one PPS before anything else, one header per TPDU and its data once and in order.
 * sources: iso7816/atr.c iso7816/card.c iso7816/fidi.c iso7816/pps.c iso7816/t0.c iso7816/t1.c iso7816/tpdu.c */
#include "fuzz/line_world.h"
#include "iso7816/tpdu.h"

static enum { NOTHING, PPS, START, TPDU, BLOCKS } s_doing;
static unsigned s_requests;         /* PPS since the reset */
static bool s_spoken;               /* another thing was said since */
static uint8_t s_header[5], s_asked[4];
static const uint8_t *s_command;
static size_t s_command_length, s_data_sent;
static unsigned s_headers;
static int s_taken = -1;            /* rate that the card took, by its own answer; -1 = none */

static void card_reset(void) {
  static const uint8_t k_atrs[8][14] = {
      {4, 0x3b, 0x80, 0x40, 0x0a},                               /* T=0, WI */
      {2, 0x3b, 0x00},
      {6, 0x3b, 0x90, 0x96, 0x80, 0x01, 0x07},                   /* TA1 = 96; T=0 first, T=1 too */
      {7, 0x3b, 0x90, 0x18, 0x91, 0x10, 0x00, 0x09},             /* specific mode, T=0 (rest of the group by luck) */
      {9, 0x3b, 0x80, 0x81, 0x71, 0xfe, 0x45, 0x01, 0x00, 0x00}, /* T=1, CRC */
      {8, 0x3b, 0xe0, 0x00, 0xff, 0x81, 0x31, 0xfe, 0x45},       /* guard 255 */
      {5, 0x3b, 0x90, 0x96, 0x10, 0xb1},                         /* TA2: specific T=1 */
      {5, 0x3f, 0x20, 0xff, 0x81, 0x00},
  };
  s_requests = 0;
  s_spoken = false;
  const unsigned how = take();
  uint8_t atr[40];
  size_t n;
  if ((how & 0xc0u) == 0xc0u) {
    n = how & 31u;
    take_bytes(atr, n);
  } else {
    const uint8_t *known = k_atrs[how & 7u];
    n = known[0];
    memcpy(atr, known + 1, n);
    if ((how & 0x10u) != 0) atr[take() % n] = take();
    if ((how & 0x20u) != 0 && n < 39) { /* a TCK that is right */
      uint8_t sum = 0;
      for (size_t i = 1; i < n; i++) sum ^= atr[i];
      atr[n++] = sum;
    }
  }
  if ((how & 8u) != 0) card_says(atr[0], true, 500), n = 0;
  for (size_t i = 0; i < n; i++) card_says(i == 0 && atr[0] == 0x3f ? 0x03 : atr[i], i == 0 && atr[0] == 0x3f, i == 0 ? 500 : 0);
}

static void answers_pps(const uint8_t *bytes, size_t length) {
  PROMISE(length == 4 && (bytes[0] ^ bytes[1] ^ bytes[2] ^ bytes[3]) == 0 && (bytes[1] & 0xf0u) == 0x10u && (bytes[1] & 15u) <= 1 && fidi_offered(bytes[2]));
  PROMISE(s_requests++ == 0 && !s_spoken); /* the first thing it hears, and once */
  memcpy(s_asked, bytes, 4);
  s_taken = -1;
  uint8_t told[6];
  size_t n = 4;
  memcpy(told, bytes, 4);
  const unsigned how = take();
  switch (how & 7u) {
  case 0: return;
  case 1: told[1] &= 0x0f, told[2] = (uint8_t)(told[0] ^ told[1]), n = 3; break; /* without PPS1: 372/1 stays */
  case 2: told[how >> 3 & 3u] ^= take(); break;
  case 3: n = how >> 4 & 7u; if (n > 6) n = 6; take_bytes(told, n); break;
  case 4: mischief(how >> 3); break;
  default: break;
  }
  unsigned sum = 0;
  for (size_t i = 0; i < n; i++) sum ^= told[i];
  if (n == 4 && sum == 0 && memcmp(told, bytes, 4) == 0) s_taken = bytes[2];
  card_says_all(told, n);
}

static void card_hears(const uint8_t *bytes, size_t length) {
  if (s_doing == PPS || (s_doing == START && bytes[0] == 0xff && length == 4)) {
    answers_pps(bytes, length);
    return;
  }
  s_spoken = true;
  if (s_doing == START || s_doing == BLOCKS) { /* S(IFS), and blocks: the door t1 judges those */
    PROMISE(length >= 4 && bytes[0] == 0);
    const unsigned how = take();
    if (how == 0) return;
    uint8_t block[6] = {0, (how & 1u) != 0 ? (uint8_t)(bytes[1] | 0x20u) : take(), (uint8_t)(length > 4 + g_card.crc ? bytes[2] : 0), bytes[3], 0, 0};
    if ((how & 2u) != 0) block[1] = 0, block[2] = 2, block[3] = 0x90, block[4] = 0; /* an I-block with 9000 */
    const size_t n = 3u + block[2] % 3u;
    block[n] = 0;
    for (size_t i = 0; i < n; i++) block[n] ^= block[i];
    card_says_all(block, n + 1);
    return;
  }
  PROMISE(s_doing == TPDU);
  if (s_headers == 0) { /* CLA INS P1 P2 P3 as given; where the command has none, 0 */
    PROMISE(length == 5 && memcmp(bytes, s_command, 4) == 0 && bytes[4] == (s_command_length > 4 ? s_command[4] : 0));
    memcpy(s_header, bytes, 5);
    s_headers++;
  } else { /* no second header, no GET RESPONSE: those are the host's */
    PROMISE(s_command_length > 5 && length <= s_command_length - 5 - s_data_sent && memcmp(bytes, s_command + 5 + s_data_sent, length) == 0);
    s_data_sent += length;
  }
  for (unsigned turn = 0; turn < 4; turn++) {
    const unsigned what = take();
    const size_t p3 = s_header[4] ? s_header[4] : 256;
    switch (what & 15u) {
    case 0: return;
    case 1: card_says(s_header[1], false, 500); return;
    case 2: card_says((uint8_t)~s_header[1], false, 500); return;
    case 3: card_says(0x60, false, (uint64_t)(what >> 4) * 100000u); break;
    case 4:
      card_says(s_header[1], false, 500);
      for (size_t i = 0; i < p3; i++) card_says((uint8_t)(what + i), false, 0);
      card_says(0x90, false, 0), card_says(0x00, false, 0);
      return;
    case 5: card_says((what & 0x10u) != 0 ? 0x61 : 0x6c, false, 500), card_says(take(), false, 0); return;
    case 6: card_says(0x90, false, 500), card_says(0x00, false, 0); return;
    case 7: mischief(what >> 4); break;
    case 8: card_says(take(), true, 500); break;
    case 9:
      for (size_t i = 0; i < p3; i++) card_says((uint8_t)~s_header[1], false, 0), card_says((uint8_t)i, false, 0);
      card_says(0x62, false, 0), card_says(0x82, false, 0);
      return;
    default:
      for (unsigned n = what >> 4; n > 0; n--) card_says(take(), false, n == 3 ? 20000u : 0);
      return;
    }
  }
}

static void one_tpdu(unsigned how) {
  const size_t lc = (how & 0x40u) != 0 ? take() : how >> 4 & 3u, length = (how & 0x80u) != 0 || lc == 0 ? 4u + (how >> 4 & 1u) : 5u + lc;
  uint8_t *command = exactly(length);
  for (size_t i = 0; i < length; i++) command[i] = i < 5 ? take() : (uint8_t)(i * 11u);
  if (length > 5) command[4] = (uint8_t)lc;
  const size_t capacity = (how & 8u) != 0 ? 2u + take() : 258u;
  uint8_t *answer = exactly(capacity), *before = exactly(length);
  memcpy(before, command, length);
  s_command = command;
  s_command_length = length;
  s_data_sent = s_headers = 0;
  s_doing = TPDU;
  size_t n = SIZE_MAX;
  const size_t puts = s_line.puts, wipes = s_line.wipes;
  const bool powered = g_card.voltage_class != 0 && hal_card_present();
  const card_result_t result = tpdu_t0(command, length, answer, capacity, &n);
  PROMISE(memcmp(before, command, length) == 0 && n <= capacity && (result == CARD_OK) == (n >= 2));
  if (!powered) PROMISE(s_line.puts == puts && result != CARD_OK);
  else PROMISE(s_line.wipes == wipes + 1); /* the data may have been a secret */
  if ((command[1] & 0xf0u) == 0x60u || (command[1] & 0xf0u) == 0x90u) PROMISE(s_line.puts == puts && result != CARD_OK);
  if (result == CARD_OK) {
    PROMISE(s_headers == 1 && ((answer[n - 2] & 0xf0u) == 0x60u || (answer[n - 2] & 0xf0u) == 0x90u) && answer[n - 2] != 0x60);
    if (length != 5) PROMISE(n == 2);
    else PROMISE(n <= 2u + (command[4] ? command[4] : 256u));
  } else if (powered && result != CARD_PROTOCOL && result != CARD_TOO_LONG) {
    PROMISE(g_card.voltage_class == 0); /* nobody knows what such a card still believes */
  }
  free(command);
  free(before);
  free(answer);
}

static void door(void) {
  line_fresh();
  memset(&g_card, 0, sizeof g_card);
  s_taken = -1;
  bool ready = false; /* an ATR was read: what it allows may be asked for */
  for (unsigned turn = 0; turn < 24 && (s_left > 0 || turn == 0); turn++) {
    const unsigned what = turn == 0 ? 0 : take();
    const size_t puts = s_line.puts;
    const uint8_t before = g_card.fidi;
    const bool powered = g_card.voltage_class != 0;
    switch (what & 7u) {
    case 0: {
      s_doing = NOTHING;
      ready = tpdu_power_on((uint8_t)((what >> 4) % 5u)) == CARD_OK;
      PROMISE(s_line.puts == puts && ready == (g_card.voltage_class != 0)); /* an ATR, and nothing more */
      PROMISE(!tpdu_started() && (!ready || tpdu_first() <= 1));
      break;
    }
    case 1: {
      s_doing = PPS;
      const uint8_t protocol = (what & 8u) != 0 ? take() & 3u : what >> 4 & 1u, fidi = (what & 0x20u) != 0 ? take() : 0x96;
      const unsigned requests = s_requests;
      if (!ready) break;
      const bool late = tpdu_started() || s_requests != 0;
      const card_result_t result = tpdu_pps(protocol, fidi);
      if (late) PROMISE(result == CARD_PROTOCOL && s_requests == requests);
      if (result == CARD_OK) {
        PROMISE(s_requests == 1 && (s_asked[1] & 15u) == protocol && tpdu_first() == protocol);
        PROMISE(g_card.fidi == (s_taken >= 0 ? s_taken : before)); /* the rate in force is the one the card took */
      }
      break;
    }
    case 2: {
      if (!ready) break;
      s_doing = START;
      const uint8_t protocol = (what & 8u) != 0 ? take() : what >> 4 & 1u;
      const bool started = tpdu_started(), same = started && protocol == g_card.protocol;
      const card_result_t result = tpdu_start(protocol);
      if (started) PROMISE((result == CARD_OK) == same && s_line.puts == puts);
      if (result == CARD_OK) PROMISE(tpdu_started() && g_card.protocol == protocol && powered);
      break;
    }
    case 3:
    case 4:
    case 5:
      if (tpdu_started() && g_card.protocol == 0) one_tpdu(take() | (what & 0x80u));
      else if (!powered) one_tpdu(0x10);
      break;
    case 6: {
      if (!tpdu_started() || g_card.protocol != 1) break;
      s_doing = BLOCKS;
      uint8_t answer[300];
      size_t n = 0;
      static const uint8_t k_command[5] = {0, 0xb0, 0, 0, 0};
      (void)card_exchange(k_command, sizeof k_command, answer, sizeof answer, &n);
      PROMISE(n <= sizeof answer);
      break;
    }
    default:
      if ((what & 8u) != 0) mischief(what >> 4);
      else if ((what & 0x70u) == 0x70u) card_power_off();
      break;
    }
    contacts_agree();
    if (g_card.voltage_class == 0) ready = false;
  }
  card_power_off();
  contacts_agree();
}
