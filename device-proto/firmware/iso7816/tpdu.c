/* tpdu.c - see tpdu.h. */
#include "iso7816/tpdu.h"
#include "iso7816/line.h"

static atr_t s_atr;
static bool s_asked, s_started; /* a PPS was done; a protocol is in use */
static uint8_t s_protocol;      /* the one agreed on so far */

static card_result_t finished(card_result_t result) {
  if (result != CARD_OK && result != CARD_PROTOCOL && result != CARD_TOO_LONG) card_power_off(); /* as card_exchange() */
  return result;
}

uint8_t tpdu_first(void) { return s_protocol; }
bool tpdu_started(void) { return s_started; }

card_result_t tpdu_power_on(uint8_t voltage_class) {
  s_asked = s_started = false;
  const card_result_t result = card_power_on_atr(voltage_class, &s_atr);
  if (result != CARD_OK) return result;
  s_protocol = s_atr.specific ? s_atr.specific_protocol : s_atr.first <= 1 ? s_atr.first : (s_atr.protocols & 2u) != 0 ? 1 : 0;
  if (!s_atr.specific) return CARD_OK;
  if (s_protocol > 1 || s_atr.implicit || !fidi_offered(s_atr.fidi)) {
    card_power_off();
    return CARD_REFUSED_PPS;
  }
  fidi_apply(s_atr.fidi); /* from the next character on (8.3) */
  return CARD_OK;
}

card_result_t tpdu_pps(uint8_t protocol, uint8_t fidi) {
  if (s_asked || s_started || s_atr.specific || protocol > 1 || (s_atr.protocols >> protocol & 1u) == 0) return CARD_PROTOCOL;
  s_asked = true;
  hal_line_extra_guard(s_atr.guard == 255 ? 0 : s_atr.guard);
  /* A rate that the line cannot make is not asked for: the answer without PPS1 says so. */
  const card_result_t result = pps_exchange(protocol, fidi_offered(fidi) ? fidi : 0x11);
  if (result == CARD_OK) s_protocol = protocol;
  return finished(result);
}

card_result_t tpdu_start(uint8_t protocol) {
  if (s_started) return protocol == g_card.protocol ? CARD_OK : CARD_PROTOCOL;
  if (protocol > 1 || (s_atr.protocols >> protocol & 1u) == 0) return CARD_PROTOCOL;
  if (protocol != s_protocol) { /* not the card's first offer, and the host did not ask it */
    const card_result_t asked = tpdu_pps(protocol, 0x11);
    if (asked != CARD_OK) return asked;
  }
  g_card.protocol = protocol;
  g_card.guard = s_atr.guard;
  s_started = true;
  if (protocol == 0) {
    hal_line_extra_guard(s_atr.guard == 255 ? 0 : s_atr.guard);
    hal_line_error_signal(true);
    return CARD_OK;
  }
  g_card.ifsc = s_atr.ifsc;
  g_card.ifsd = 32;
  g_card.bwi = s_atr.bwi;
  g_card.cwi = s_atr.cwi;
  g_card.crc = s_atr.crc;
  hal_line_extra_guard(s_atr.guard);
  return finished(t1_start());
}

card_result_t tpdu_t0(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  *answer_length = 0;
  if (!hal_card_present()) return CARD_ABSENT;
  if (g_card.voltage_class == 0) return CARD_MUTE;
  const card_result_t result = t0_tpdu(command, length, answer, capacity, answer_length, s_atr.wi);
  hal_line_wipe();
  return finished(result);
}
