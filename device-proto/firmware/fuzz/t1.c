/* T=1: a card that behaves on a line that does not, and a card that says whatever the script says. Every block of the reader is judged as a card
 * would: right in form, each I-block new and next or the one before again.
 * sources: iso7816/atr.c iso7816/card.c iso7816/fidi.c iso7816/pps.c iso7816/t0.c iso7816/t1.c */
#include "fuzz/line_world.h"

#define FORM_MAX (3u + 254u + 2u)

static bool s_crc, s_hostile, s_touched; /* the card lies; the script has done something to the line in this exchange */
static bool s_unsure; /* it has done so before: reader and card may disagree about IFSD */
static uint8_t s_ifsc, s_bwi_cwi;

/* ---- blocks ---- */

static size_t epilogue(const uint8_t *block, size_t length, uint8_t edc[2]) {
  edc[0] = edc[1] = 0;
  if (!s_crc) {
    for (size_t i = 0; i < length; i++) edc[0] ^= block[i];
    return 1;
  }
  unsigned crc = 0xffff; /* ISO/IEC 13239, bit by bit as the standard draws it */
  for (size_t i = 0; i < 8 * length; i++) {
    const unsigned in = (block[i / 8] >> (i % 8) & 1u) ^ (crc & 1u);
    crc = crc >> 1 ^ (in ? 0x8408u : 0u);
  }
  edc[0] = (uint8_t)(crc >> 8);
  edc[1] = (uint8_t)crc;
  return 2;
}

/* ---- the card that behaves (ISO 7816-3 §11.6) ---- */

static struct {
  unsigned ns, nr;    /* of the next I-block to send; expected */
  size_t ifsd;
  uint8_t command[700], answer[700];
  size_t command_length, answer_length, sent;
  unsigned executed;
  uint8_t last[FORM_MAX]; /* what it said last, to be said again */
  size_t last_length;
} s_card;

static void block(unsigned pcb, const uint8_t *inf, size_t length) {
  s_card.last[0] = 0;
  s_card.last[1] = (uint8_t)pcb;
  s_card.last[2] = (uint8_t)length;
  if (length > 0) memcpy(s_card.last + 3, inf, length);
  uint8_t edc[2];
  const size_t n = epilogue(s_card.last, 3 + length, edc);
  memcpy(s_card.last + 3 + length, edc, n);
  s_card.last_length = 3 + length + n;
}
static void next_part(void) {
  const size_t left = s_card.answer_length - s_card.sent, part = left < s_card.ifsd ? left : s_card.ifsd;
  block(s_card.ns << 6 | (part < left ? 0x20u : 0u), s_card.answer + s_card.sent, part);
  s_card.sent += part;
  s_card.ns ^= 1u;
}
static void execute(void) {
  s_card.executed++;
  const size_t length = s_card.command_length, n = length > 2 ? (size_t)s_card.command[2] * 2u : 0;
  for (size_t i = 0; i < n; i++) s_card.answer[i] = (uint8_t)(i * 3u + s_card.command[length - 1]);
  s_card.answer[n] = 0x90;
  s_card.answer[n + 1] = s_card.command[length - 1];
  s_card.answer_length = n + 2;
  s_card.sent = s_card.command_length = 0;
}
static void behave(const uint8_t *b) {
  const unsigned pcb = b[1];
  if ((pcb & 0x80u) == 0) {
    if ((pcb >> 6 & 1u) != s_card.nr) { /* one it has: it says again what it said */
      return;
    }
    if (b[2] > sizeof s_card.command - s_card.command_length) return;
    memcpy(s_card.command + s_card.command_length, b + 3, b[2]);
    s_card.command_length += b[2];
    s_card.nr ^= 1u;
    if ((pcb & 0x20u) != 0) {
      block(0x80u | s_card.nr << 4, NULL, 0);
      return;
    }
    execute();
    next_part();
  } else if ((pcb & 0xc0u) == 0x80u) {
    if ((pcb >> 4 & 1u) == s_card.ns && s_card.sent < s_card.answer_length) next_part();
    else if (s_card.last_length == 0) block(0x80u | s_card.nr << 4, NULL, 0);
  } else if (pcb == 0xc0u) {
    s_card.ns = s_card.nr = 0;
    s_card.command_length = s_card.answer_length = s_card.sent = 0;
    block(0xe0u, NULL, 0);
  } else if (pcb == 0xc1u) {
    s_card.ifsd = b[3];
    block(0xe1u, b + 3, 1);
  } else if (pcb == 0xc2u) {
    s_card.sent = s_card.answer_length = 0;
    block(0xe2u, NULL, 0);
  } /* a response of the reader's: it goes on with what it owes */
}

/* ---- the reader's blocks, judged ---- */

static struct {
  const uint8_t *command; /* of the exchange that runs, NULL between */
  size_t length, begun;   /* begun..begun+part: the I-block before */
  size_t part;
  int ns;                 /* its N(S), -1 = none yet */
  bool resynchronised;
} s_reader;

static void judge(const uint8_t *b, size_t length) {
  uint8_t edc[2];
  PROMISE(length >= 4 && b[0] == 0 && b[2] <= 254);
  const size_t n = epilogue(b, 3u + b[2], edc);
  PROMISE(length == 3u + b[2] + n && memcmp(b + 3 + b[2], edc, n) == 0);
  const unsigned pcb = b[1];
  if ((pcb & 0x80u) != 0) {
    if ((pcb & 0xc0u) == 0x80u) PROMISE((pcb & 0x2cu) == 0 && (pcb & 3u) <= 2 && b[2] == 0);
    else PROMISE(pcb == 0xc0u || pcb == 0xc2u || pcb == 0xe2u ? b[2] == 0 : (pcb == 0xc1u || pcb == 0xe1u || pcb == 0xe3u) && b[2] == 1);
    if (pcb == 0xc0u) s_reader.resynchronised = true;
    return;
  }
  PROMISE((pcb & 0x1fu) == 0 && s_reader.command != NULL && b[2] > 0);
  PROMISE(!s_reader.resynchronised); /* rule 6: the exchange is given up, the command is not said again */
  const int ns = (int)(pcb >> 6 & 1u);
  if (s_reader.ns < 0 || ns != s_reader.ns) { /* a new one: it begins where the one before ended */
    s_reader.begun += s_reader.part;
    s_reader.part = b[2];
    PROMISE(b[2] <= s_ifsc);
    s_reader.ns = ns;
  }
  PROMISE(b[2] == s_reader.part && s_reader.begun + s_reader.part <= s_reader.length);
  PROMISE(memcmp(b + 3, s_reader.command + s_reader.begun, s_reader.part) == 0);
  PROMISE(((pcb & 0x20u) != 0) == (s_reader.begun + s_reader.part < s_reader.length));
}

/* ---- what the script does ---- */

static void send_last(void) { card_says_all(s_card.last, s_card.last_length); }

static void invent(unsigned how) {
  static const uint8_t k_pcbs[16] = {0x00, 0x40, 0x20, 0x60, 0x80, 0x90, 0x81, 0x92, 0xc0, 0xc1, 0xc2, 0xc3, 0xe0, 0xe1, 0xe2, 0xe3};
  uint8_t b[FORM_MAX] = {0, (how & 8u) != 0 ? take() : k_pcbs[take() & 15u]};
  const unsigned length = take();
  b[2] = (uint8_t)length;
  for (size_t i = 0; i < length && i < 254; i++) b[3 + i] = i < 2 ? take() : (uint8_t)i;
  size_t n = 3u + (length > 254 ? 254u : length);
  uint8_t edc[2];
  const size_t e = epilogue(b, n, edc);
  for (size_t i = 0; i < e && n < sizeof b; i++) b[n++] = edc[i];
  if ((how & 0x30u) == 0x30u) b[take() % n] ^= (uint8_t)(1u << (how >> 6)); /* a bit falls over */
  if (b[1] == 0xc1u && length == 1 && b[3] != 255 && b[3] > s_ifsc) s_ifsc = b[3]; /* the reader may use it from now on, or not have taken it */
  card_says_all(b, n);
}

static void card_reset(void) {
  memset(&s_card, 0, offsetof(__typeof__(s_card), executed));
  s_card.ifsd = 32;
  s_card.last_length = 0;
  uint8_t atr[] = {0x3b, 0x80, 0x81, 0x71, s_ifsc, s_bwi_cwi, s_crc, 0};
  for (size_t i = 1; i < 7; i++) atr[7] ^= atr[i];
  card_says_all(atr, sizeof atr);
}

static void card_hears(const uint8_t *bytes, size_t length) {
  judge(bytes, length);
  const unsigned what = take();
  if (what != 0) s_touched = true;
  switch (what & 7u) {
  case 1: return;                                    /* the card did not get it */
  case 2: behave(bytes); return;                     /* it did, and its answer gets lost */
  case 3: {                                          /* its answer is damaged */
    behave(bytes);
    const size_t wrong = s_card.last_length == 0 ? 0 : take() % s_card.last_length;
    for (size_t i = 0; i < s_card.last_length; i++) {
      const bool here = i == wrong;
      card_says((uint8_t)(s_card.last[i] ^ (here ? 1u << (what >> 5) : 0u)), here && (what & 8u) != 0, i == 0 ? 500 : 0);
    }
    return;
  }
  case 4: block(0x80u | s_card.nr << 4 | 1u, NULL, 0), send_last(); return; /* it got rubbish: EDC error */
  case 5: mischief(what >> 3); break;
  case 6:
    if (s_hostile) {
      invent(what);
      return;
    }
    break;
  case 7:
    if (s_hostile) {
      for (unsigned n = take(); n > 0 && s_left > 0; n--) card_says(take(), (what & 8u) != 0 && n == 1, 0);
      return;
    }
    break;
  default: break;
  }
  behave(bytes);
  send_last();
}

static void exchange(void) {
  const unsigned how = take();
  const size_t length = 4u + take() + ((how & 1u) != 0 ? 255u : 0u), capacity = 2u + (size_t)take() * 3u;
  uint8_t *command = exactly(length), *answer = exactly(capacity), *before = exactly(length);
  for (size_t i = 0; i < length; i++) command[i] = (uint8_t)(i * 31u + how);
  command[2] = take();
  memcpy(before, command, length);
  memset(&s_reader, 0, sizeof s_reader);
  s_reader.command = command;
  s_reader.length = length;
  s_reader.ns = -1;
  s_touched = false;
  const unsigned executed = s_card.executed;
  const uint64_t from = s_line.now;
  const size_t heard = s_line.characters, puts = s_line.puts, wipes = s_line.wipes;
  size_t got = SIZE_MAX;
  const card_result_t result = card_exchange(command, length, answer, capacity, &got);
  s_reader.command = NULL;
  contacts_agree();
  PROMISE(result <= CARD_ABORTED && got <= capacity && (result == CARD_OK) == (got >= 2));
  PROMISE(memcmp(before, command, length) == 0 && s_line.wipes == wipes + 1);
  PROMISE(s_line.now - from < 2600ull * 1000000u || s_hostile);
  /* A silent card is asked so many times and no more: what it says is what keeps an exchange going. */
  PROMISE(s_line.puts - puts <= 16u + 2u * (s_line.characters - heard) + length);
  if (!s_hostile) {
    PROMISE(s_card.executed - executed <= 1);
    const size_t n = (size_t)command[2] * 2u;
    if (result == CARD_OK) {
      PROMISE(s_card.executed == executed + 1 && got == n + 2 && answer[n] == 0x90 && answer[n + 1] == command[length - 1]);
      for (size_t i = 0; i < n; i++) PROMISE(answer[i] == (uint8_t)(i * 3u + command[length - 1]));
    }
    if (!s_touched && !s_unsure && !s_line.mischief) PROMISE(result == (n + 2 <= capacity ? CARD_OK : CARD_TOO_LONG));
  }
  free(command);
  free(before);
  free(answer);
}

static void door(void) {
  line_fresh();
  memset(&g_card, 0, sizeof g_card);
  memset(&s_card, 0, sizeof s_card);
  memset(&s_reader, 0, sizeof s_reader);
  s_touched = false;
  const unsigned how = take();
  s_hostile = (how & 1u) != 0;
  s_crc = (how & 2u) != 0;
  s_ifsc = take();
  if (s_ifsc == 0 || s_ifsc == 255) s_ifsc = 32;
  s_bwi_cwi = (uint8_t)((how >> 4) % 10u << 4 | (how >> 2 & 3u) << 2);
  if (card_power_on(1) != CARD_OK) {
    contacts_agree();
    return;
  }
  s_unsure = s_touched;
  for (unsigned i = 0; i < 4 && g_card.voltage_class != 0 && (i == 0 || s_left > 0); i++) exchange();
  card_power_off();
  contacts_agree();
}
