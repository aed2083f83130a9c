/* unheard.c - on a PC the black box is often not there: these weak twins take what is told to it; and the settings are
 * the product's. A program that links blackbox/ or guard/ gets the real ones. */
#include "blackbox/blackbox.h"
#include "blackbox/hold.h"
#include "guard/policy.h"
#include "guard/settings.h"
#include "hal/hal.h"

#define WEAK __attribute__((weak))
WEAK void blackbox_start(void) {}
WEAK void blackbox_event(uint8_t kind, uint8_t a, uint16_t b) {
  (void)kind;
  (void)a;
  (void)b;
}
WEAK void blackbox_count(blackbox_count_t what) { (void)what; }
WEAK void blackbox_secret(bool under_way) { (void)under_way; }
WEAK uint64_t blackbox_step(uint64_t now, bool idle) {
  (void)now;
  (void)idle;
  return UINT64_MAX;
}
WEAK size_t blackbox_page(uint8_t store, uint16_t page, uint8_t data[BLACKBOX_PAGE_MAX]) {
  (void)store;
  (void)page;
  (void)data;
  return 0;
}
WEAK void blackbox_health(wire_health_t *health) { *health = (wire_health_t){0}; }
WEAK uint64_t hold_step(uint64_t now) {
  (void)now;
  return UINT64_MAX;
}
WEAK void hold_stop(void) {}
WEAK void settings_start(void) {}
WEAK uint8_t settings_policies(void) { return 0; }
WEAK uint8_t settings_product(void) { return 0; }
WEAK uint8_t settings_source(void) { return 0; }
WEAK void policy_start(void) {}
WEAK uint8_t policy_ask(uint8_t policy) {
  (void)policy;
  return SERVICE_STATUS_REFUSED;
}
WEAK uint8_t policy_request(void) { return 0; }
WEAK uint8_t policy_left(void) { return 0; }
WEAK void policy_stop(void) {}
WEAK uint64_t policy_step(uint64_t now) {
  (void)now;
  return UINT64_MAX;
}
