/* card.c - activation, ATR, choice of protocol, deactivation (ISO 7816-3 section 6); the exchanges are in t0.c and t1.c.
 *
 *   VCC ▁▁▁┌───────────────────────────────────────────┐▁▁▁   off: RST, CLK, I/O, VCC
 *   I/O ▁▁▁▁▁┌─────────────────╥ATR╥──────────────┐▁▁▁▁▁▁▁▁
 *   CLK ▁▁▁▁▁▁▁╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥╥▁▁▁▁▁▁▁▁▁▁
 *   RST ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁┌──────────────────────┐▁▁▁▁▁▁▁▁▁▁▁▁
 *              │ ≥ 400 clk  │ 400 … 40 000 clk    */
#include "iso7816/card.h"
#include "blackbox/blackbox.h"
#include "gen/card_pio_gen.h"
#include "iso7816/line.h"
#include "negative.h"

#define CLOCKS_US(n) (((n) * CARD_CLK_NS + 999u) / 1000u)
#define VCC_SETTLE_US 5000u  /* the front end's soft start and the card's blocking capacitor */
#define RST_LOW_CLOCKS 600u  /* >= 400 (6.2.2) */
#define ATR_CLOCKS 40000u    /* 6.2.2 */
#define REST_CLOCKS 1860u    /* I/O high for so long before CLK may stop (6.3.2) */
#define WAKE_CLOCKS 700u     /* CLK runs for so long before I/O may be used again (6.3.2) */
#define OFF_US 11000u        /* >= 10 ms between deactivation and the next activation (6.2.4) */

card_t g_card;
static uint64_t s_off_us;
static uint8_t s_wi;
static atr_t *s_atr_only; /* TPDU level: what comes after the ATR is the host's business */

void card_power_off(void) {
#ifdef NEGATIVE_VCC_OFF_FIRST
  hal_card_vcc(0);
#endif
  hal_card_rst(false);
  hal_card_clk(false);
  hal_line_stop();
  hal_card_vcc(0);
  if (g_card.voltage_class != 0) s_off_us = hal_now_us();
  secret_wipe(&g_card, sizeof g_card); /* the historical bytes name the card's kind: they end with the session */
}

/* Characters of the ATR, the convention found from TS. `from` = when RST rose. */
static card_result_t read_atr(uint64_t from, atr_t *atr) {
  uint64_t deadline = from + CLOCKS_US(ATR_CLOCKS) + etu_us(12) + LOOP_SLACK_US;
  size_t expected = 2;
  g_card.atr_length = 0;
  while (g_card.atr_length < expected) {
    uint8_t byte = 0;
    card_result_t result = line_get(&byte, deadline);
    if (g_card.atr_length == 0 && result == CARD_OK && byte != 0x3b) return CARD_BAD_ATR; /* also 3F, which TS = 3F does not read as: */
    if (g_card.atr_length == 0 && result == CARD_PARITY && byte == 0x03) {
      /* TS = 3F inverse reads as 03 with wrong parity in the direct convention (8.1). Safe at any moment: the error signal is off. */
      hal_line_convention(true);
      byte = 0x3f;
      result = CARD_OK;
    }
    if (result == CARD_MUTE && g_card.atr_length > 0) return CARD_BAD_ATR;
    if (result != CARD_OK) return result;
    g_card.atr[g_card.atr_length++] = byte;
    if (g_card.atr_length >= 2) expected = atr_expected(g_card.atr, g_card.atr_length);
    if (expected > ATR_MAX) return CARD_BAD_ATR;
#ifdef NEGATIVE_TCK_NOT_AWAITED
    if (g_card.atr_length > 8u && g_card.atr_length + 1u == expected) { /* behind the interface bytes */
      g_card.atr[g_card.atr_length] = 0;
      for (size_t i = 1; i < g_card.atr_length; i++) g_card.atr[g_card.atr_length] ^= g_card.atr[i];
      g_card.atr_length++;
    }
#endif
    deadline = hal_now_us() + etu_us(INITIAL_WAITING_ETU) + LOOP_SLACK_US;
  }
  if (atr_parse(g_card.atr, g_card.atr_length, atr)) return CARD_OK;
  return atr->fault == ATR_CHECK ? CARD_BAD_TCK : atr->fault == ATR_PROTOCOL ? CARD_REFUSED_PPS : CARD_BAD_ATR;
}

static bool hopeless(card_result_t result) { return result == CARD_ABSENT || result == CARD_ABORTED || result == CARD_OVERCURRENT; }

/* RST low to high, then the ATR. Warm: VCC and CLK stay (6.2.3). */
static card_result_t reset_card(atr_t *atr) {
  hal_card_rst(false);
  hal_line_start();
  g_card.fidi = 0x11;
  hal_card_clk(true);
  /* The clock ran before in a warm reset, which changes nothing: 400 clocks count from RST low. */
#ifndef NEGATIVE_RST_EARLY
  const card_result_t result = line_wait(hal_now_us() + CLOCKS_US(RST_LOW_CLOCKS));
  if (result != CARD_OK) return result;
#endif
  hal_card_rst(true);
  return read_atr(hal_now_us(), atr);
}

void card_give_up(void) {
  atr_t atr;
  if (g_card.voltage_class != 0 && hal_card_present()) (void)reset_card(&atr); /* ends what it was saying or doing; what it answers is not kept */
  card_power_off();
}

static card_result_t activate(uint8_t voltage_class, atr_t *atr) {
  g_card.voltage_class = voltage_class;
  card_result_t result = line_wait(s_off_us + OFF_US);
  if (result != CARD_OK) return result;
  hal_card_rst(false);
  hal_card_vcc(voltage_class);
  result = line_wait(hal_now_us() + VCC_SETTLE_US);
  if (result != CARD_OK) return result;
  result = reset_card(atr);
  /* A garbled or missing ATR gets one warm reset; EMV and ISO cards alike recover there if at all. */
  if (result != CARD_OK && !hopeless(result)) result = reset_card(atr);
  return result;
}

/* Protocol and rate. `negotiate` = try a PPS where the ATR leaves room for one. */
static card_result_t choose(const atr_t *atr, bool negotiate) {
  uint8_t protocol;
  g_card.guard = atr->guard;
  g_card.clock_stop = atr->clock_stop;
  if (atr->specific) {
    protocol = atr->specific_protocol;
    /* Implicit: at a rate only the card knows (8.3). */
    if (protocol > 1 || atr->implicit || !fidi_offered(atr->fidi)) return CARD_REFUSED_PPS;
    /* From the next character on (8.3); but the guard time of the ATR's last one, read at 9.5 etu of it, still counts in old etu. */
    const card_result_t result = line_wait(hal_now_us() + etu_us(4));
    if (result != CARD_OK) return result;
    fidi_apply(atr->fidi);
  } else {
    /* T=1 where it is offered: it carries extended lengths and recovers from errors by itself. Without a PPS the card speaks its first offer. */
    protocol = (atr->protocols & 2u) != 0 && (negotiate || atr->first > 1) ? 1 : atr->first <= 1 ? atr->first : 0;
    const uint8_t fidi = fidi_offered(atr->fidi) ? atr->fidi : 0x11;
    if ((fidi != 0x11 && negotiate) || protocol != atr->first) {
      hal_line_extra_guard(atr->guard == 255 ? 0 : atr->guard); /* 255 means 11 etu in T=1 only, and T=1 has not begun */
      const card_result_t result = pps_exchange(protocol, negotiate ? fidi : 0x11);
      if (result != CARD_OK) return result;
    }
  }
  g_card.protocol = protocol;
  if (protocol == 1) {
    g_card.ifsc = atr->ifsc;
    g_card.ifsd = 32;
    g_card.bwi = atr->bwi;
    g_card.cwi = atr->cwi;
    g_card.crc = atr->crc;
    hal_line_extra_guard(atr->guard);
    return t1_start();
  }
  s_wi = atr->wi;
  hal_line_extra_guard(atr->guard == 255 ? 0 : atr->guard);
  hal_line_error_signal(true); /* only now: in the ATR it would answer an inverse TS with an error signal */
  return CARD_OK;
}

/* `*classes`: what the ATR says, or as it was when there is none. */
static card_result_t power_on_class(uint8_t voltage_class, uint8_t *classes, bool *answered) {
  atr_t atr;
  card_result_t result = activate(voltage_class, &atr);
  if (result != CARD_OK) return result;
  *classes = atr.classes;
  if ((atr.classes & (1u << (voltage_class - 1u))) == 0) return CARD_CLASS; /* it answered, but asks for another voltage (6.2.1) */
  if (s_atr_only != NULL) {
    *s_atr_only = atr;
    s_wi = atr.wi;
    return CARD_OK;
  }
  *answered = true;
  result = choose(&atr, true);
  if (result == CARD_OK || hopeless(result)) return result;
  /* Once more after a warm reset. A mode we do not speak: the reset makes it negotiable, where TA2 allows it (6.3.1). A PPS that was
   * refused, or after which nothing works: without one (9.3). */
  const bool negotiate = atr.specific;
  if (atr.specific && !atr.changeable) return result;
  result = reset_card(&atr);
  return result == CARD_OK ? choose(&atr, negotiate) : result;
}

/* A card that was pulled or a command that was aborted is no fault. */
static card_result_t tell(card_result_t result) {
  if (result != CARD_ABORTED && result != CARD_ABSENT) blackbox_event(BLACKBOX_CARD_FAILED, (uint8_t)result, 0);
  return result;
}

/* VERIFY, CHANGE REFERENCE DATA, DISABLE and ENABLE VERIFICATION REQUIREMENT, RESET RETRY COUNTER, whoever typed the secret (the second codings too, and
 * JPKI's 80 32); and ENVELOPE, which may hold any of them. */
static bool carries_secret(const uint8_t *command) {
  const uint8_t ins = command[1] & 0xfeu;
  return ins == 0x20u || ins == 0x24u || ins == 0x26u || ins == 0x28u || ins == 0x2cu || ins == 0x32u || ins == 0xc2u;
}

card_result_t card_power_on(uint8_t voltage_class) {
  card_power_off();
  if (!hal_card_present()) return CARD_ABSENT;
  if (voltage_class > 3) return CARD_MUTE;
  const uint8_t first = voltage_class == 0 ? 1 : voltage_class, last = voltage_class == 0 ? 3 : voltage_class;
  uint8_t classes = 7;
  card_result_t result = CARD_MUTE;
  bool answered = false;
  for (uint8_t class = first; class <= last && !answered; class++) {
    if (voltage_class == 0 && (classes & (1u << (class - 1u))) == 0) continue;
    result = power_on_class(class, &classes, &answered);
    if (result == CARD_OK) {
      blackbox_event(BLACKBOX_ACTIVATED, class, (uint16_t)(g_card.protocol << 8 | g_card.fidi));
      return CARD_OK;
    }
    card_power_off();
    if (hopeless(result)) return tell(result);
  }
  return tell(result);
}

card_result_t card_power_on_atr(uint8_t voltage_class, atr_t *atr) {
  s_atr_only = atr;
  const card_result_t result = card_power_on(voltage_class);
  s_atr_only = NULL;
  return result;
}

card_result_t card_clock_stop(void) {
  if (g_card.voltage_class == 0) return CARD_MUTE;
  if (g_card.clock_stop == 0) return CARD_PROTOCOL;
  if (g_card.clock_rests != 0) return CARD_OK;
#ifndef NEGATIVE_CLOCK_STOPS_AT_ONCE
  const card_result_t result = line_wait(hal_now_us() + CLOCKS_US(REST_CLOCKS));
  if (result != CARD_OK) return result;
#endif
  g_card.clock_rests = g_card.clock_stop == 2 ? 2 : 1;
  hal_card_clk_hold(g_card.clock_rests == 2);
  return CARD_OK;
}

card_result_t card_clock_start(void) {
  if (g_card.voltage_class == 0) return CARD_MUTE;
  if (g_card.clock_rests == 0) return CARD_OK;
  hal_card_clk(true);
  g_card.clock_rests = 0;
#ifdef NEGATIVE_CLOCK_NOT_AWAITED
  return CARD_OK;
#else
  return line_wait(hal_now_us() + CLOCKS_US(WAKE_CLOCKS));
#endif
}

card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  *answer_length = 0;
  if (!hal_card_present()) return CARD_ABSENT;
  if (g_card.voltage_class == 0) return CARD_MUTE;
  if (length < 4 || capacity < 2) return CARD_PROTOCOL;
  blackbox_secret(carries_secret(command));
  card_result_t result = card_clock_start();
  if (result == CARD_OK) {
    result = g_card.protocol == 1 ? t1_exchange(command, length, answer, capacity, answer_length)
                                  : t0_exchange(command, length, answer, capacity, answer_length, s_wi);
  }
  hal_line_wipe();
  blackbox_secret(false);
  if (result == CARD_OK) {
    blackbox_event(BLACKBOX_APDU, 0, (uint16_t)(answer[*answer_length - 2] << 8 | answer[*answer_length - 1]));
  } else {
    (void)tell(result);
  }
  const bool known = result == CARD_OK || result == CARD_PROTOCOL || result == CARD_TOO_LONG || result == CARD_NO_ENVELOPE;
  if (!known) card_power_off(); /* nobody knows what such a card still believes */
  if (result != CARD_OK) *answer_length = 0;
  return result;
}
