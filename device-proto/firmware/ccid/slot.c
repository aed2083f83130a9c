/* slot.c - see slot.h. One face owns the card from power-on to power-off: a verified PIN is never inherited, since the owner changes only through
 * deactivation and cold reset. */
#include "ccid/slot.h"
#include "blackbox/blackbox.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "hal/hal.h"
#include "iso7816/tpdu.h"

#define SETTLE_US 50000u /* a card being pushed in bounces; the switch must stand still this long */
#define NOBODY FACE_COUNT

static bool s_present;             /* debounced */
static uint64_t s_seen_since;      /* switch closed since; 0 = open */
static face_t s_owner = NOBODY;    /* not NOBODY = the card is powered */
static bool s_abandoned;
static volatile bool s_pulled;     /* from the interrupt: the contacts are off already */
static bool s_news[FACE_COUNT], s_error[FACE_COUNT];
static uint8_t s_error_sequence;
#define OVER_CURRENT 0x01u

void app_card_pulled(void) { s_pulled = true; }

uint8_t slot_status(void) {
  if (!s_present || s_pulled) return ICC_ABSENT;
  /* A card that broke off an exchange was switched off there and then; its owner keeps the slot until slot_settle(). */
  return s_owner == NOBODY || g_card.voltage_class == 0 ? ICC_INACTIVE : ICC_ACTIVE;
}

bool slot_taken(face_t face) { return s_owner != NOBODY && s_owner != face; }
bool slot_lost(void) { return s_pulled || s_abandoned || (s_owner != NOBODY && hal_card_overcurrent()); }

void slot_power_off(void) {
  card_power_off();
  guard_reset();
  s_owner = NOBODY;
  s_abandoned = false;
}

card_result_t slot_power_on(face_t face, uint8_t voltage_class) {
  if (s_owner != NOBODY) slot_power_off();
  guard_reset();
  s_owner = face;
  const card_result_t result = face == FACE_PCSCD ? tpdu_power_on(voltage_class) : card_power_on(voltage_class);
  if (result != CARD_OK) slot_power_off();
  return result;
}

void slot_abandon(face_t face) {
  if (s_owner == face) s_abandoned = true;
}

static void present_is(bool present) {
  if (present == s_present) return;
  s_present = present;
  blackbox_event(BLACKBOX_CARD, present ? 1 : 0, 0);
  for (size_t face = 0; face < FACE_COUNT; face++) s_news[face] = true;
}

void slot_settle(void) {
  const bool pulled = s_pulled; /* once: the interrupt may set it between two looks */
  const bool over = s_owner != NOBODY && hal_card_overcurrent();
  const bool off = g_card.voltage_class == 0 || over; /* the contacts are off already: let it be known */
  if (over && !pulled && g_card.voltage_class != 0) slot_hardware_error(ccid_last_sequence());
  if (s_owner != NOBODY && (pulled || s_abandoned || off)) slot_power_off();
  if (pulled) {
    present_is(false);
    s_seen_since = 0;
    s_pulled = false;
  }
}

uint64_t slot_step(uint64_t now) {
  if (!hal_card_present()) {
    s_seen_since = 0;
    if (s_present) s_pulled = true; /* an edge that came with interrupts off, or none at all: the level counts too */
    return UINT64_MAX;
  }
  if (s_present) return UINT64_MAX;
  if (s_seen_since == 0) s_seen_since = now;
  if (now - s_seen_since < SETTLE_US) return s_seen_since + SETTLE_US;
  present_is(true);
  return UINT64_MAX;
}

/* §6.3.2: bSlot, the bSeq of the command it happened in, bHardwareErrorCode 01 = over-current. */
void slot_hardware_error(uint8_t sequence) {
  for (size_t face = 0; face < FACE_COUNT; face++) s_error[face] = true;
  s_error_sequence = sequence;
}

/* §6.3.1: bit 0 = present, bit 1 = changed since the last notice. */
size_t ccid_notify(face_t face, uint8_t notice[NOTICE_MAX]) {
  if (s_error[face]) {
    s_error[face] = false;
    notice[0] = RDR_TO_PC_HARDWAREERROR;
    notice[1] = 0;
    notice[2] = s_error_sequence;
    notice[3] = OVER_CURRENT;
    return 4;
  }
  if (!s_news[face]) return 0;
  s_news[face] = false;
  notice[0] = RDR_TO_PC_NOTIFYSLOTCHANGE;
  notice[1] = s_present ? 3 : 2;
  return 2;
}

void ccid_notify_again(face_t face) {
  s_news[face] = true;
  s_error[face] = false;
}
