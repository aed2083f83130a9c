/* fidi.c - transmission factors (ISO 7816-3 tables 7 and 8) and times in etu; characters with deadlines; patience. */
#include "blackbox/blackbox.h"
#include "gen/card_pio_gen.h"
#include "iso7816/line.h"

static const uint16_t k_fi[16] = CARD_FI;
static const uint8_t k_di[16] = CARD_DI;
static const uint16_t k_offered[16] = CARD_FIDI_OFFERED;

uint32_t fidi_etu_ns(uint8_t fidi) {
  const uint32_t f = k_fi[fidi >> 4], d = k_di[fidi & 15u];
  return f == 0 || d == 0 ? 0 : (f * CARD_CLK_NS + d - 1) / d;
}

bool fidi_offered(uint8_t fidi) { return (k_offered[fidi >> 4] >> (fidi & 15u) & 1u) != 0; }

void fidi_apply(uint8_t fidi) {
  hal_line_rate(k_fi[fidi >> 4], k_di[fidi & 15u]);
  g_card.fidi = fidi;
}

uint64_t etu_us(uint32_t etu) { return ((uint64_t)etu * fidi_etu_ns(g_card.fidi) + 999u) / 1000u; }

static uint32_t pitch_etu(void) { return 12u + (g_card.guard == 255 ? 0u : g_card.guard); }

static uint64_t s_patience_until;

void patience_begin(uint64_t us) { s_patience_until = hal_now_us() + us; }
void patience_for(size_t characters) { s_patience_until += characters * etu_us(pitch_etu()); }
bool patience_over(void) { return hal_now_us() >= s_patience_until; }
uint64_t patience_until(uint64_t deadline_us) { return deadline_us < s_patience_until ? deadline_us : s_patience_until; }

/* A repeat costs 13 etu: 11 until the signal is seen, and 2 (7.3). In T=1 there is none. */
uint64_t sending_tail_us(void) { return etu_us(5u * (pitch_etu() + (g_card.protocol == 0 ? 3u * 13u : 0u)) + 11u); }

card_result_t line_stopped(void) {
  if (!hal_card_present() || g_card.voltage_class == 0) return CARD_ABSENT;
  return hal_card_overcurrent() ? CARD_OVERCURRENT : CARD_ABORTED;
}

card_result_t line_wait(uint64_t until_us) {
  while (hal_now_us() < until_us) {
    if (!app_wait(until_us) || hal_card_overcurrent() || !hal_card_present()) return line_stopped();
  }
  return CARD_OK;
}

card_result_t line_get(uint8_t *byte, uint64_t deadline_us) {
  bool parity_error = false;
  for (;;) {
    const bool late = hal_now_us() >= deadline_us; /* before the look, so that a character that came in time is not missed */
    if (hal_line_get(byte, &parity_error)) {
      if (parity_error) blackbox_count(COUNT_PARITY);
      return parity_error ? CARD_PARITY : CARD_OK;
    }
    if (late) return CARD_MUTE;
    if (!app_wait(deadline_us) || hal_card_overcurrent() || !hal_card_present()) return line_stopped();
  }
}

card_result_t line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu) {
  if (hal_line_put(spans, count, turn_etu)) return CARD_OK;
  if (!hal_card_present() || hal_card_overcurrent() || g_card.voltage_class == 0) return line_stopped();
  /* Refused again and again by the card's error signal, or the command was aborted: both end the exchange. */
  return app_wait(hal_now_us()) ? CARD_PARITY : CARD_ABORTED;
}
