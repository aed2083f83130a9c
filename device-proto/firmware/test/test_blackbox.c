/* The black box: ring, flash log, what survives.
 * sources: blackbox/blackbox.c blackbox/log.c hal/host/host.c hal/host/flash.c */
#include <stdlib.h>
#include <string.h>
#include "blackbox/parts.h"
#include "blackbox/ring.c" /* its array: what a reset or a loss of power leaves there */
#include "gen/board_gen.h"
#include "hal/host/flash.h"
#include "hal/host/host.h"
#include "link/link.h"
#include "test/fakes/check.h"

/* ---- the world around it ---- */
static uint32_t s_discarded;
static uint8_t s_reason = HAL_BOOT_POWER;
static hal_fault_t s_fault;
uint32_t link_discarded(void) { return s_discarded; }
uint8_t hal_boot_reason(hal_fault_t *fault) {
  *fault = s_fault;
  return s_reason;
}
uint32_t hal_stack_used(void) { return 1234; }
void app_card_pulled(void) {}

static void new_world(void) {
  host_reset();
  g_flash = (host_flash_t){.bits_left = UINT64_MAX};
  memset(host_flash(), 0xff, FLASH_SIZE);
  ring_erase();
  s_reason = HAL_BOOT_POWER;
  s_fault = (hal_fault_t){0};
  s_discarded = 0;
  blackbox_start();
}

/* The loop for `us`, a turn each millisecond. */
static void idle_for(uint64_t us) {
  for (const uint64_t end = g_host.now + us; g_host.now < end; g_host.now += 1000) (void)blackbox_step(g_host.now, true);
}

static size_t all(uint8_t store, record_t *into, size_t capacity) {
  uint8_t data[BLACKBOX_PAGE_MAX];
  size_t n = 0;
  for (uint16_t page = 0; page != BLACKBOX_LIMIT_LAST_PAGE;) {
    const size_t length = blackbox_page(store, page, data);
    const wire_blackbox_answer_t *head = (const wire_blackbox_answer_t *)data;
    if (length != sizeof *head + head->count * sizeof(record_t) || head->next <= page) abort();
    for (size_t i = 0; i < head->count && n < capacity; i++) memcpy(&into[n++], data + sizeof *head + i * sizeof(record_t), sizeof(record_t));
    page = head->next;
  }
  return n;
}

static record_t s_found[LOG_SECTORS * LOG_SLOTS];

static size_t count_of(uint8_t store, uint8_t kind) {
  const size_t n = all(store, s_found, sizeof s_found / sizeof *s_found);
  size_t count = 0;
  for (size_t i = 0; i < n; i++) count += s_found[i].kind == kind;
  return count;
}

/* ---- the ring ---- */
static void test_ring(void) {
  new_world();
  for (unsigned i = 0; i < 1000; i++) blackbox_event(BLACKBOX_APDU, 0, (uint16_t)i);
  CHECK(all(BLACKBOX_STORE_RING, s_found, 1000) == BLACKBOX_LIMIT_RING_RECORDS);
  const uint16_t next = ring_next();
  record_t record;
  for (uint16_t back = 1; back <= BLACKBOX_LIMIT_RING_RECORDS; back++) {
    CHECK(ring_get((uint16_t)(next - back), &record) && record.b == 1000 - back);
  }
  CHECK(!ring_get((uint16_t)(next - BLACKBOX_LIMIT_RING_RECORDS - 1), &record));
  CHECK(!ring_get(next, &record));
  /* a reset: the ring goes on where it was */
  ring_start();
  CHECK(ring_next() == next);
  /* over the end of the sequence numbers */
  for (unsigned i = 0; i < 65536u + 200u; i++) {
    record = (record_t){.kind = BLACKBOX_APDU};
    ring_put(&record);
  }
  const uint16_t later = ring_next();
  ring_start();
  CHECK(ring_next() == later);
}

/* A reset in the middle of any record: that one is lost, and nothing else. */
static void test_ring_torn(void) {
  for (unsigned fill = 1; fill < 300; fill += 7) {
    for (size_t cut = 0; cut < sizeof(record_t); cut++) {
      new_world();
      for (unsigned i = 0; i < fill; i++) blackbox_event(BLACKBOX_APDU, 1, (uint16_t)i);
      const uint16_t next = ring_next();
      record_t old = {0};
      const bool had = ring_get((uint16_t)(next - BLACKBOX_LIMIT_RING_RECORDS), &old);
      record_t record = {.kind = BLACKBOX_APDU, .a = 2, .b = 0xbeef, .ms = 77};
      ring_put(&record);
      /* only its first `cut` bytes got there */
      record_t torn;
      CHECK(ring_get(next, &torn));
      uint8_t *place = (uint8_t *)&s_ring[next % SLOTS];
      for (size_t i = cut; i < sizeof torn; i++) place[i] = had ? ((uint8_t *)&old)[i] : 0;
      ring_start();
      CHECK(ring_next() == next); /* the torn one's number is used again */
      CHECK(ring_get((uint16_t)(next - 1), &torn));
    }
  }
}

/* After a loss of power RAM holds anything. */
static void test_ring_garbage(void) {
  new_world();
  srand(7);
  for (unsigned round = 0; round < 200; round++) {
    for (size_t i = 0; i < BLACKBOX_LIMIT_RING_RECORDS * sizeof(record_t); i++) ((uint8_t *)s_ring)[i] = (uint8_t)rand();
    ring_start();
    CHECK(all(BLACKBOX_STORE_RING, s_found, 1000) == 0);
    record_t record = {.kind = BLACKBOX_CARD};
    const uint16_t number = ring_next();
    ring_put(&record);
    CHECK(ring_get(number, &record));
  }
}

/* ---- flash ---- */
static void test_fault_goes_to_flash(void) {
  new_world();
  idle_for(200000); /* the first sector of its life is erased first */
  CHECK(g_flash.erases == 1);
  for (unsigned i = 0; i < 3; i++) blackbox_event(BLACKBOX_APDU, 0, (uint16_t)(0x9000 + i));
  blackbox_event(BLACKBOX_CARD_FAILED, 5, 0);
  const uint64_t began = g_host.now;
  while (count_of(BLACKBOX_STORE_FLASH, BLACKBOX_CARD_FAILED) == 0 && g_host.now - began < 100000) {
    g_host.now += 1000;
    (void)blackbox_step(g_host.now, false); /* also while a command runs */
  }
  CHECK(g_host.now - began < 50000);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_APDU) == 3); /* what led to it */
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_BOOT) == 1);
  /* power is lost, RAM with it: flash still tells */
  ring_erase();
  blackbox_start();
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_CARD_FAILED) == 1);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_CARD_FAILED) == 0);
}

static void test_digest(void) {
  new_world();
  idle_for(1500000);
  for (unsigned i = 0; i < 20; i++) blackbox_event(BLACKBOX_COMMAND, 0x6f, 0);
  blackbox_event(BLACKBOX_CARD, 1, 0);
  (void)blackbox_step(g_host.now, false);
  const size_t before = count_of(BLACKBOX_STORE_FLASH, BLACKBOX_DIGEST);
  for (const uint64_t end = g_host.now + 3000000; g_host.now < end; g_host.now += 1000) (void)blackbox_step(g_host.now, false);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_DIGEST) == before); /* never while a command runs */
  idle_for(1000000);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_DIGEST) == before + 1);
  bool told = false;
  const size_t n = all(BLACKBOX_STORE_FLASH, s_found, sizeof s_found / sizeof *s_found);
  for (size_t i = 0; i < n; i++) told = told || (s_found[i].kind == BLACKBOX_DIGEST && s_found[i].a == 20 && s_found[i].b == 21);
  CHECK(told);
  /* and nothing when nothing happened */
  const uint32_t programs = g_flash.programs;
  idle_for(5000000);
  CHECK(g_flash.programs == programs);
}

/* Traffic without an end, and faults all the time: 20 erases a day at most, over resets too; then the ring goes on alone. */
static void test_erases_a_day(void) {
  new_world();
  uint32_t within[3] = {0};
  for (unsigned day = 0; day < 3; day++) {
    const uint32_t from = g_flash.erases;
    for (uint32_t second = 0; second < 86400u; second += 4) {
      blackbox_event(BLACKBOX_CARD_FAILED, 3, 0);
      blackbox_event(BLACKBOX_COMMAND, 0x6f, 0);
      for (unsigned i = 0; i < 4; i++, g_host.now += 1000000) (void)blackbox_step(g_host.now, true);
      if (second % 7200u == 0) {
        s_reason = HAL_BOOT_WATCHDOG;
        g_host.now = 1000; /* a reset: time begins anew */
        g_flash.busy_until = 0;
        blackbox_start();
      }
    }
    within[day] = g_flash.erases - from;
  }
  CHECK(within[0] > 10 && within[0] <= 20);
  CHECK(within[1] <= 20 && within[2] <= 20);
  CHECK(within[1] > 0 && within[2] > 0); /* a new day gives new ones */
  wire_health_t health;
  blackbox_health(&health);
  CHECK(health.sectors >= g_flash.erases && health.sectors < 3u * 20u + 12u * 3u); /* a sector that was blank at a boot needs no erase */
  CHECK(health.poweredSeconds > 100000 && health.poweredSeconds <= 3u * 86400u);
}

/* Power fails after any number of changed bits: what was whole before stays, nothing false appears, and the log goes on. */
static void test_torn_writes(void) {
  for (uint64_t bits = 0; bits < 2600; bits += 13) {
    new_world();
    idle_for(200000);
    for (unsigned i = 0; i < 10; i++) {
      blackbox_event(BLACKBOX_CARD_FAILED, 1, (uint16_t)i);
      idle_for(10000);
    }
    g_flash.bits_left = bits;
    for (unsigned i = 10; i < 40; i++) {
      blackbox_event(BLACKBOX_CARD_FAILED, 1, (uint16_t)i);
      idle_for(10000);
    }
    g_flash.bits_left = UINT64_MAX;
    ring_erase();
    blackbox_start();
    idle_for(200000);
    blackbox_event(BLACKBOX_CARD_FAILED, 2, 99);
    idle_for(200000);
    const size_t n = all(BLACKBOX_STORE_FLASH, s_found, sizeof s_found / sizeof *s_found);
    unsigned next = 0, after = 0;
    for (size_t i = 0; i < n; i++) {
      if (s_found[i].kind != BLACKBOX_CARD_FAILED) continue;
      if (s_found[i].a == 2) after++;
      else if (s_found[i].b >= next) next = s_found[i].b + 1u;
      CHECK((s_found[i].a == 1 && s_found[i].b < 40) || (s_found[i].a == 2 && s_found[i].b == 99));
    }
    CHECK(next >= 10);
    CHECK(after == 1);
  }
}

/* … also in the middle of an erase. */
static void test_torn_erase(void) {
  for (uint64_t bits = 0; bits < 40000; bits += 997) {
    new_world();
    idle_for(200000);
    for (unsigned i = 0; i < 200; i++) { /* the next sector is due */
      blackbox_event(BLACKBOX_CARD_FAILED, 1, (uint16_t)i);
      (void)blackbox_step(g_host.now += 1000, false);
    }
    memset(host_flash() + FLASH_BLACK_BOX_AT + HAL_FLASH_SECTOR, 0x5a, HAL_FLASH_SECTOR);
    g_flash.bits_left = bits;
    idle_for(100000);
    g_flash.bits_left = UINT64_MAX;
    ring_erase();
    blackbox_start();
    for (unsigned i = 0; i < 200; i++) {
      blackbox_event(BLACKBOX_CARD_FAILED, 2, (uint16_t)i);
      idle_for(2000);
    }
    idle_for(100000);
    size_t first = 0, second = 0;
    const size_t n = all(BLACKBOX_STORE_FLASH, s_found, sizeof s_found / sizeof *s_found);
    for (size_t i = 0; i < n; i++) {
      first += s_found[i].kind == BLACKBOX_CARD_FAILED && s_found[i].a == 1;
      second += s_found[i].kind == BLACKBOX_CARD_FAILED && s_found[i].a == 2;
    }
    CHECK(first == 200);
    CHECK(second >= 190); /* those of the erase may be summed up: only the newest wait */
  }
}

static void test_reset_reasons(void) {
  new_world();
  idle_for(200000);
  for (unsigned i = 0; i < 20; i++) blackbox_event(BLACKBOX_APDU, 0, (uint16_t)i);
  s_reason = HAL_BOOT_FAULT;
  s_fault = (hal_fault_t){3, 0x20001236u, 0x20004321u};
  blackbox_start(); /* nothing of the 20 was in flash */
  idle_for(50000);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_APDU) == 7); /* the last of what led to it */
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_FAULT) == 1);
  const size_t n = all(BLACKBOX_STORE_RING, s_found, 1000);
  uint32_t pc = 0, lr = 0;
  for (size_t i = 0; i < n; i++) {
    if (s_found[i].kind == BLACKBOX_FAULT_PC) pc = (uint32_t)s_found[i].a << 16 | s_found[i].b;
    if (s_found[i].kind == BLACKBOX_FAULT_LR) lr = (uint32_t)s_found[i].a << 16 | s_found[i].b;
  }
  CHECK(pc == 0x1236 && lr == 0x4321);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_APDU) == 20);
}

static void test_secret(void) {
  new_world();
  blackbox_secret(true);
  blackbox_event(BLACKBOX_BLOCK_SENT, 0, 0);
  blackbox_event(BLACKBOX_BLOCK_RECEIVED, 0, 0);
  blackbox_secret(false);
  blackbox_event(BLACKBOX_BLOCK_SENT, 0x40, 0);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_BLOCK_SENT) == 1);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_BLOCK_RECEIVED) == 0);
}

static void test_erase_by_hand(void) {
  new_world();
  idle_for(200000);
  for (unsigned i = 0; i < 600; i++) { /* over three sectors */
    blackbox_event(BLACKBOX_CARD_FAILED, 1, (uint16_t)i);
    idle_for(2000);
  }
  const uint32_t erases = g_flash.erases;
  CHECK(erases >= 3 && count_of(BLACKBOX_STORE_FLASH, BLACKBOX_CARD_FAILED) > 500);
  blackbox_erase();
  idle_for(60000);
  CHECK(g_flash.erases == erases); /* written over with zeros */
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_CARD_FAILED) == 0);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_CARD_FAILED) == 0);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_ERASED) == 1);
  blackbox_start(); /* and it goes on behind them */
  blackbox_event(BLACKBOX_CARD_FAILED, 2, 0);
  idle_for(60000);
  CHECK(count_of(BLACKBOX_STORE_FLASH, BLACKBOX_CARD_FAILED) == 1);
}

static void test_broken_flash(void) {
  new_world();
  idle_for(200000);
  g_flash.broken = true;
  blackbox_event(BLACKBOX_CARD_FAILED, 1, 0);
  idle_for(3000000);
  wire_health_t health;
  blackbox_health(&health);
  CHECK(health.flashErrors > 0);
  CHECK(g_flash.programs < 300); /* it does not hammer */
}

static void test_noise(void) {
  new_world();
  s_discarded = 70000;
  idle_for(1100000);
  const size_t n = all(BLACKBOX_STORE_RING, s_found, 1000);
  bool told = false;
  for (size_t i = 0; i < n; i++) told = told || (s_found[i].kind == BLACKBOX_LINK_NOISE && s_found[i].b == 0xffff);
  CHECK(told);
  idle_for(2000000);
  CHECK(count_of(BLACKBOX_STORE_RING, BLACKBOX_LINK_NOISE) == 1);
}

int main(void) {
  STORY("ring");
  test_ring();
  STORY("ring torn");
  test_ring_torn();
  STORY("ring garbage");
  test_ring_garbage();
  STORY("fault goes to flash");
  test_fault_goes_to_flash();
  STORY("digest");
  test_digest();
  STORY("erases a day");
  test_erases_a_day();
  STORY("torn writes");
  test_torn_writes();
  STORY("torn erase");
  test_torn_erase();
  STORY("reset reasons");
  test_reset_reasons();
  STORY("secret");
  test_secret();
  STORY("erase by hand");
  test_erase_by_hand();
  STORY("broken flash");
  test_broken_flash();
  STORY("noise");
  test_noise();
  return check_end("blackbox");
}
