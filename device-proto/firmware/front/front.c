/* front.c - see front.h. */
#include "front/front.h"
#include "front/draw.h"
#include "gen/product_gen.h"
#include "hal/hal.h"
#include "iso7816/card.h"

#define BOOT_US 2000000u
#define RESULT_US 2500000u
#define BLINK_US 3000000u

typedef enum { SHOWS_NOTHING, SHOWS_NO_CARD, SHOWS_CARD_IN, SHOWS_ACTIVE, SHOWS_FOR_A_WHILE } shows_t;

static bool s_dialog;
static shows_t s_shows;
static uint64_t s_until; /* of SHOWS_FOR_A_WHILE */

static void show_for(uint64_t us) {
  draw_show();
  s_shows = SHOWS_FOR_A_WHILE;
  s_until = hal_now_us() + us;
}

/* The name on one row, or on two when it must: broken at the last space that fits. */
static unsigned draw_name(unsigned row) {
  static const char name[] = PRODUCT_NAME;
  const unsigned length = sizeof name - 1u, columns = FRAME_WIDTH / 8u;
  if (length <= columns) {
    (void)draw_ascii(0, row, name, length);
    return row + 1u;
  }
  unsigned cut = columns;
  while (cut > 0 && name[cut] != ' ') cut--;
  const unsigned rest = cut == 0 ? columns : cut + 1u;
  (void)draw_ascii(0, row, name, cut == 0 ? columns : cut);
  (void)draw_ascii(0, row + 1u, name + rest, columns);
  return row + 2u;
}

void front_start(void) {
  s_dialog = false;
  draw_clear();
  unsigned row = draw_name(0);
  (void)draw_ascii(0, row++, PRODUCT_VERSION, sizeof PRODUCT_VERSION - 1u);
#if PRODUCT_TEST_KEY && PRODUCT_TEST_IDS
  (void)draw_text(0, row, TEXT_TEST_KEY_AND_IDS, 0, 0);
#elif PRODUCT_TEST_KEY
  (void)draw_text(0, row, TEXT_TEST_KEY, 0, 0);
#elif PRODUCT_TEST_IDS
  (void)draw_text(0, row, TEXT_TEST_IDS, 0, 0);
#endif
  show_for(BOOT_US);
}

static shows_t slot_state(void) {
  if (!hal_card_present()) return SHOWS_NO_CARD;
  return g_card.voltage_class == 0 ? SHOWS_CARD_IN : SHOWS_ACTIVE;
}

void front_step(uint64_t now) {
  if (s_dialog || (s_shows == SHOWS_FOR_A_WHILE && now < s_until)) return;
  const shows_t state = slot_state();
  if (state == s_shows) return;
  s_shows = state;
  draw_clear();
  (void)draw_name(0);
  switch (state) {
  case SHOWS_NO_CARD:
    (void)draw_text(0, 2, TEXT_IDLE_NO_CARD1, 0, 0);
    (void)draw_text(0, 3, TEXT_IDLE_NO_CARD2, 0, 0);
    break;
  case SHOWS_CARD_IN:
    (void)draw_text(0, 2, TEXT_IDLE_CARD_IN1, 0, 0);
    (void)draw_text(0, 3, TEXT_IDLE_CARD_IN2, 0, 0);
    break;
  default: (void)draw_text(0, 2, TEXT_IDLE_CARD_ACTIVE, 0, 0); break;
  }
  draw_show();
}

void front_blink(void) {
  if (s_dialog) return;
  draw_clear();
  (void)draw_text(0, 1, TEXT_BLINK, 0, 0);
  for (unsigned i = 0; i < FRAME_SIZE; i++) g_frame[i] = (uint8_t)~g_frame[i];
  show_for(BLINK_US);
}

bool front_at_rest(void) { return !s_dialog && s_shows != SHOWS_FOR_A_WHILE && s_shows != SHOWS_NOTHING; }
void front_take(void) { s_dialog = true; }

void front_busy(void) {
  draw_clear();
  (void)draw_text(0, 1, TEXT_BUSY, 0, 0);
  draw_show();
}

void front_release(front_result_t result, int tries) {
  static const struct {
    text_t first, second;
  } sentences[] = {
      [RESULT_ACCEPTED] = {TEXT_PIN_ACCEPTED, TEXT_COUNT},
      [RESULT_CHANGED] = {TEXT_PIN_CHANGED, TEXT_COUNT},
      [RESULT_WRONG] = {TEXT_PIN_WRONG, TEXT_COUNT},
      [RESULT_BLOCKED] = {TEXT_PIN_BLOCKED1, TEXT_PIN_BLOCKED2},
      [RESULT_DECLINED] = {TEXT_PIN_DECLINED1, TEXT_PIN_DECLINED2},
      [RESULT_CANCELLED] = {TEXT_CANCELLED, TEXT_COUNT},
      [RESULT_TIMEOUT] = {TEXT_TIMEOUT, TEXT_COUNT},
      [RESULT_ABORTED] = {TEXT_ABORTED, TEXT_COUNT},
      [RESULT_PULLED] = {TEXT_CARD_PULLED1, TEXT_CARD_PULLED2},
      [RESULT_CARD_FAILED] = {TEXT_CARD_FAILED1, TEXT_CARD_FAILED2},
      [RESULT_CONSENT_GIVEN] = {TEXT_CONSENT_GIVEN, TEXT_COUNT},
      [RESULT_CONSENT_REFUSED] = {TEXT_CONSENT_REFUSED, TEXT_COUNT},
      [RESULT_ERASED] = {TEXT_ERASE_DONE, TEXT_COUNT},
      [RESULT_POLICY_OFF] = {TEXT_POLICY_OFF_DONE, TEXT_COUNT},
  };
  s_dialog = false;
  draw_clear();
  if (result != RESULT_NONE) {
    (void)draw_text(0, 1, sentences[result].first, 0, 0);
    if (sentences[result].second != TEXT_COUNT) (void)draw_text(0, 2, sentences[result].second, 0, 0);
    if (result == RESULT_WRONG) (void)draw_text(0, 2, tries < 0 ? TEXT_TRIES_UNKNOWN : TEXT_TRIES_LEFT, tries < 0 ? 0u : (unsigned)tries, 0);
  }
  show_for(result == RESULT_NONE ? 0u : RESULT_US);
}
