/* Policies: what the flash says, whatever became of it, and how a person switches one off.
 * sources: guard/settings.c guard/policy.c front/draw.c front/front.c hal/host/flash.c hal/host/host.c */
#include <stdlib.h>
#include "front/front.h"
#include "gen/board_gen.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "guard/policy.h"
#include "guard/settings.h"
#include "hal/host/flash.h"
#include "hal/host/host.h"
#include "iso7816/card.h"
#include "test/fakes/check.h"

/* ---- the world ---- */
static bool s_consent, s_pad_only;
static uint8_t s_reason = HAL_BOOT_POWER;
card_t g_card;
void guard_policies(bool consent, bool pad_only) {
  s_consent = consent;
  s_pad_only = pad_only;
}
uint8_t hal_boot_reason(hal_fault_t *fault) {
  *fault = (hal_fault_t){0};
  return s_reason;
}
void app_card_pulled(void) {}

static uint8_t *area(void) { return host_flash() + FLASH_SETTINGS_AT; }
static void blank_flash(void) {
  g_flash = (host_flash_t){.bits_left = UINT64_MAX};
  memset(host_flash(), 0xff, FLASH_SIZE);
}
static void boot(uint8_t reason) {
  host_reset();
  g_host.now = 10000000;
  s_reason = reason;
  g_card = (card_t){0};
  settings_start();
  policy_start();
  front_start();
  g_host.now += 5000000;
  front_step(g_host.now);
}
static bool in_force(uint8_t policies) {
  return settings_policies() == policies && s_consent == ((policies & POLICY_CONSENT) != 0) && s_pad_only == ((policies & POLICY_PAD_ONLY) != 0);
}

static void reading(void) {
  uint8_t policies = 0x55;
  STORY("blank: the product's own");
  blank_flash();
  CHECK(settings_read(area(), FLASH_SETTINGS_SIZE, &policies) == SETTINGS_BLANK && policies == 0x55);
  boot(HAL_BOOT_POWER);
  CHECK(in_force(settings_product()) && settings_source() == SETTINGS_SOURCE_PRODUCT);

  STORY("what was written is in force, after a restart too; the last one counts");
  for (unsigned n = 0; n < 8; n++) {
    CHECK(settings_write((uint8_t)(n & 3u)) && in_force((uint8_t)(n & 3u)));
    boot(HAL_BOOT_POWER);
    CHECK(in_force((uint8_t)(n & 3u)) && settings_source() == SETTINGS_SOURCE_SETTINGS);
  }
  STORY("any bit of the newest record changed: the strictest");
  for (unsigned bit = 0; bit < 128; bit++) {
    area()[7 * 16 + bit / 8] ^= (uint8_t)(1u << (bit & 7u));
    CHECK(settings_read(area(), FLASH_SETTINGS_SIZE, &policies) == SETTINGS_UNREADABLE && policies == POLICIES_STRICTEST);
    area()[7 * 16 + bit / 8] ^= (uint8_t)(1u << (bit & 7u));
  }
  STORY("two records of one number, numbers that fall: the strictest");
  memcpy(area() + 8 * 16, area() + 7 * 16, 16);
  CHECK(settings_read(area(), FLASH_SETTINGS_SIZE, &policies) == SETTINGS_UNREADABLE && policies == POLICIES_STRICTEST);
  memcpy(area() + 8 * 16, area(), 16);
  CHECK(settings_read(area(), FLASH_SETTINGS_SIZE, &policies) == SETTINGS_UNREADABLE && policies == POLICIES_STRICTEST);
  memset(area() + 8 * 16, 0xff, 16);
  memcpy(area() + HAL_FLASH_SECTOR, area() + 7 * 16, 16);
  CHECK(settings_read(area(), FLASH_SETTINGS_SIZE, &policies) == SETTINGS_UNREADABLE && policies == POLICIES_STRICTEST);
  STORY("… until a person decides again");
  boot(HAL_BOOT_POWER);
  CHECK(in_force(POLICIES_STRICTEST) && settings_source() == SETTINGS_SOURCE_UNREADABLE);
  CHECK(settings_write(POLICY_CONSENT) && in_force(POLICY_CONSENT));
  boot(HAL_BOOT_POWER);
  CHECK(in_force(POLICY_CONSENT));

  STORY("both sectors in turn, many times full; half a record is none");
  for (unsigned n = 0; n < 1100; n++) {
    CHECK(settings_write((uint8_t)(n & 3u)));
    if (n % 50 == 0) boot(HAL_BOOT_POWER);
    CHECK(in_force((uint8_t)(n & 3u)));
  }
  CHECK(g_flash.erases >= 4 && g_flash.erases <= 8);
  CHECK(settings_read((const uint8_t *)"1234567", 7, &policies) == SETTINGS_UNREADABLE && policies == POLICIES_STRICTEST);
  CHECK(settings_read(area(), 0, &policies) == SETTINGS_BLANK);
}

/* Power fails at every bit of a write. */
static void torn(unsigned before) {
  for (uint64_t bits = 0;; bits++) {
    blank_flash();
    boot(HAL_BOOT_POWER);
    for (unsigned n = 0; n < before; n++) (void)settings_write(n + 1 == before ? POLICY_CONSENT : POLICIES_STRICTEST);
    const uint8_t old = settings_policies();
    g_flash.bits_left = bits;
    (void)settings_write(0);
    const bool whole = g_flash.bits_left != 0;
    g_flash.bits_left = UINT64_MAX;
    boot(HAL_BOOT_POWER);
    const uint8_t now = settings_policies();
    CHECK(now == old || now == POLICIES_STRICTEST || (now == 0 && settings_source() == SETTINGS_SOURCE_SETTINGS));
    CHECK(settings_write(POLICY_CONSENT));
    boot(HAL_BOOT_POWER);
    CHECK(in_force(POLICY_CONSENT));
    if (whole) {
      CHECK(now == 0);
      break;
    }
    if (bits > 200) bits += 97; /* an erase: its many bits by samples */
  }
}

static uint16_t key(uint8_t code) {
  for (unsigned i = 0; i < 16; i++) {
    if (KEYPAD[i] == code) return (uint16_t)(1u << i);
  }
  return 0;
}
static void idle(uint32_t ms) {
  for (const uint64_t end = g_host.now + 1000u * ms; g_host.now < end; g_host.now += 5000) {
    (void)policy_step(g_host.now);
    front_step(g_host.now);
  }
}
static void fresh(void) {
  blank_flash();
  boot(HAL_BOOT_POWER);
  CHECK(settings_write(POLICIES_STRICTEST));
}

static void asking(void) {
  STORY("OK held for 3 s switches it off, for good");
  fresh();
  uint8_t rest[1024];
  memcpy(rest, g_host.frame, sizeof rest);
  CHECK(policy_left() == 3 && policy_request() == POLICY_REQUEST_NONE);
  CHECK(policy_ask(POLICY_PAD_ONLY) == SERVICE_STATUS_OK && policy_request() == POLICY_REQUEST_ASKING && policy_left() == 2);
  idle(100);
  CHECK(memcmp(rest, g_host.frame, sizeof rest) != 0 && policy_ask(POLICY_PAD_ONLY) == SERVICE_STATUS_BUSY);
  g_host.keys = key(KEY_OK);
  idle(2900);
  CHECK(in_force(POLICIES_STRICTEST) && policy_request() == POLICY_REQUEST_ASKING);
  idle(200);
  CHECK(in_force(POLICY_CONSENT) && policy_request() == POLICY_REQUEST_DONE);
  g_host.keys = 0;
  boot(HAL_BOOT_POWER);
  CHECK(in_force(POLICY_CONSENT) && policy_ask(POLICY_PAD_ONLY) == SERVICE_STATUS_REFUSED && policy_left() == 3);

  STORY("let go before, another key, cancel, silence, a command, a card that comes on: no");
  fresh();
  (void)policy_ask(POLICY_CONSENT);
  idle(100);
  g_host.keys = key(KEY_OK);
  idle(2900);
  g_host.keys = 0;
  idle(100);
  CHECK(policy_request() == POLICY_REQUEST_REFUSED && in_force(POLICIES_STRICTEST));
  static const uint8_t others[] = {KEY_CANCEL, KEY_CLEAR, '5'};
  for (unsigned i = 0; i < sizeof others; i++) {
    fresh();
    (void)policy_ask(POLICY_CONSENT);
    idle(100);
    g_host.keys = (uint16_t)(key(others[i]) | (i == 2 ? key(KEY_OK) : 0));
    idle(3500);
    CHECK(policy_request() == POLICY_REQUEST_REFUSED && in_force(POLICIES_STRICTEST));
  }
  fresh();
  (void)policy_ask(POLICY_CONSENT);
  idle(59900);
  CHECK(policy_request() == POLICY_REQUEST_ASKING);
  idle(200);
  CHECK(policy_request() == POLICY_REQUEST_TIMEOUT && in_force(POLICIES_STRICTEST));
  fresh();
  (void)policy_ask(POLICY_CONSENT);
  idle(100);
  policy_stop();
  CHECK(policy_request() == POLICY_REQUEST_REFUSED);
  g_host.keys = key(KEY_OK);
  idle(4000);
  CHECK(in_force(POLICIES_STRICTEST));
  fresh();
  (void)policy_ask(POLICY_CONSENT);
  idle(100);
  g_host.keys = key(KEY_OK);
  idle(1000);
  g_card.voltage_class = 1;
  idle(4000);
  CHECK(policy_request() == POLICY_REQUEST_REFUSED && in_force(POLICIES_STRICTEST));

  STORY("OK that was down before does not count");
  fresh();
  g_host.keys = key(KEY_OK);
  (void)policy_ask(POLICY_CONSENT);
  idle(5000);
  CHECK(policy_request() == POLICY_REQUEST_ASKING && in_force(POLICIES_STRICTEST));
  policy_stop();

  STORY("not with the card on, not two at once, nothing else");
  fresh();
  g_card.voltage_class = 1;
  CHECK(policy_ask(POLICY_CONSENT) == SERVICE_STATUS_BUSY);
  g_card.voltage_class = 0;
  CHECK(policy_ask(POLICIES_STRICTEST) == SERVICE_STATUS_REFUSED && policy_ask(0) == SERVICE_STATUS_REFUSED && policy_ask(4) == SERVICE_STATUS_REFUSED);
  CHECK(policy_left() == 3);

  STORY("three requests per power-up, whatever resets come between");
  fresh();
  for (unsigned n = 0; n < 3; n++) {
    CHECK(policy_ask(POLICY_CONSENT) == SERVICE_STATUS_OK);
    boot(n == 0 ? HAL_BOOT_WATCHDOG : n == 1 ? HAL_BOOT_FAULT : HAL_BOOT_RUN_PIN);
  }
  CHECK(policy_left() == 0 && policy_ask(POLICY_CONSENT) == SERVICE_STATUS_REFUSED);
  boot(HAL_BOOT_POWER);
  CHECK(policy_left() == 3);

  STORY("flash that does not take it: nothing is switched off");
  fresh();
  (void)policy_ask(POLICY_CONSENT);
  idle(100);
  g_flash.broken = true;
  g_host.keys = key(KEY_OK);
  idle(4000);
  CHECK(policy_request() == POLICY_REQUEST_FAILED && in_force(POLICIES_STRICTEST));
}

int main(void) {
  reading();
  STORY("power fails in the first record, in a later one, between the sectors");
  torn(1);
  torn(256);
  asking();
  return check_end("settings");
}
