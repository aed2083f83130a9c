/* log.c - the flash log: 64 sectors in a circle, records behind each other, each with its check. A torn record or sector head is skipped, never
 * repaired.
 *
 *   sector   │ head: erase number, powered seconds when it was erased │ record │ record │ … 255 │
 *                                     ▲ the 20th sector back must be 24 powered hours old before another is erased
 */
#include "blackbox/parts.h"
#include "gen/board_gen.h"
#include "hal/hal.h"

#define DAY_S 86400u
#define MARK_SLOTS 48u  /* kept free for log_mark(): a day of half hours */
#define AHEAD_SLOTS 64u /* the next sector is erased while this many are free: a fault never waits for an erase */

typedef struct __attribute__((packed)) {
  uint16_t erases; /* counted mod 65536 over the log's whole life */
  uint16_t boot;
  uint32_t ms;     /* of that boot, at the erase */
  uint32_t powered_s;
  uint32_t check;
} head_t;
_Static_assert(sizeof(head_t) == sizeof(record_t), "a head takes one slot");
_Static_assert(LOG_SECTORS > 2u * BLACKBOX_LIMIT_ERASES_PER_DAY, "a day's heads must still be there");

static bool s_any;          /* there is a sector to append to */
static size_t s_sector;     /* it */
static size_t s_slot;       /* its first free slot; LOG_SLOTS = full */
static bool s_erasing;      /* the sector behind it is being erased, or is erased */
static uint16_t s_erases;   /* of the newest head, or of the erase under way */
static uint32_t s_before_s; /* powered time before this boot */

static uint32_t address(size_t sector, size_t slot) { return FLASH_BLACK_BOX_AT + (uint32_t)(sector * HAL_FLASH_SECTOR + slot * sizeof(record_t)); }

static bool read_head(size_t sector, head_t *head) {
  return hal_flash_read(address(sector, 0), (uint8_t *)head, sizeof *head) &&
         head->check == record_check(LOG_HEADER_SEED, head, sizeof *head - sizeof head->check);
}

static bool blank(const record_t *record) {
  const uint8_t *bytes = (const uint8_t *)record;
  for (size_t i = 0; i < sizeof *record; i++) {
    if (bytes[i] != 0xff) return false;
  }
  return true;
}

static bool blank_sector(size_t sector) {
  record_t record;
  for (size_t slot = 0; slot < LOG_SLOTS; slot++) {
    if (!hal_flash_read(address(sector, slot), (uint8_t *)&record, sizeof record) || !blank(&record)) return false;
  }
  return true;
}

static size_t behind(void) { return (s_sector + 1u) % LOG_SECTORS; }

/* The first free slot, and the powered time up to the last record: each boot's ms count from its start. */
static void scan_sector(const head_t *head) {
  uint16_t boot = head->boot;
  uint32_t ms = head->ms;
  s_before_s = head->powered_s;
  s_slot = 1;
  for (size_t slot = 1; slot < LOG_SLOTS; slot++) {
    record_t record;
    if (!hal_flash_read(address(s_sector, slot), (uint8_t *)&record, sizeof record) || blank(&record)) continue;
    s_slot = slot + 1; /* also behind a torn one */
    if (!record_good(&record)) continue;
    const bool same = record.boot == boot && record.ms >= ms;
    s_before_s += (same ? record.ms - ms : record.ms) / 1000u;
    boot = record.boot;
    ms = record.ms;
  }
}

void log_start(void) {
  head_t head, newest = {0};
  s_any = s_erasing = false;
  s_erases = 0;
  s_before_s = 0;
  s_slot = LOG_SLOTS;
  s_sector = LOG_SECTORS - 1u; /* the first one to be erased is 0 */
  for (size_t sector = 0; sector < LOG_SECTORS; sector++) {
    if (!read_head(sector, &head) || (s_any && (int16_t)(head.erases - newest.erases) <= 0)) continue;
    newest = head;
    s_sector = sector;
    s_any = true;
  }
  if (!s_any) return;
  s_erases = newest.erases;
  scan_sector(&newest);
  s_erasing = blank_sector(behind()); /* erased before the reset, and not yet begun: not once more */
  if (s_erasing) s_erases++;
}

uint32_t log_powered_s(uint32_t now_ms) { return s_before_s + now_ms / 1000u; }
uint16_t log_erases(void) { return s_erases; }

unsigned log_erases_today(uint32_t now_ms) {
  const uint32_t now = log_powered_s(now_ms);
  unsigned today = 0;
  for (size_t back = 0; back <= BLACKBOX_LIMIT_ERASES_PER_DAY; back++) {
    head_t head;
    const size_t sector = (s_sector + LOG_SECTORS - back) % LOG_SECTORS;
    if (read_head(sector, &head) && (uint16_t)(s_erases - head.erases) <= BLACKBOX_LIMIT_ERASES_PER_DAY && now - head.powered_s < DAY_S) today++;
  }
  return s_erasing ? today + 1u : today;
}

bool log_tend(uint32_t now_ms) {
  if (s_erasing || (s_any && LOG_SLOTS - s_slot > AHEAD_SLOTS)) return true;
  if (log_erases_today(now_ms) >= BLACKBOX_LIMIT_ERASES_PER_DAY) return false;
  s_erasing = hal_flash_erase(address(behind(), 0));
  if (s_erasing) s_erases++;
  else blackbox_count(COUNT_FLASH_ERROR);
  return true;
}

static bool next_sector(void) {
  if (!s_erasing) return false;
  head_t head = {.erases = s_erases, .boot = (uint16_t)hal_boot_count(), .ms = (uint32_t)(hal_now_us() / 1000u)};
  head.powered_s = log_powered_s(head.ms);
  head.check = record_check(LOG_HEADER_SEED, &head, sizeof head - sizeof head.check);
  s_sector = behind();
  s_erasing = false;
  s_slot = 1;
  s_any = hal_flash_program(address(s_sector, 0), (const uint8_t *)&head, sizeof head);
  if (s_any) return true;
  s_slot = LOG_SLOTS; /* a bad sector is passed over */
  blackbox_count(COUNT_FLASH_ERROR);
  return s_any;
}

static bool append(const record_t *records, size_t count, size_t room) {
  for (size_t done = 0; done < count;) {
    if (!s_erasing && s_slot + count - done > room) return false;
    if ((!s_any || s_slot >= LOG_SLOTS) && !next_sector()) return false;
    const size_t page_left = (HAL_FLASH_PAGE - s_slot * sizeof(record_t) % HAL_FLASH_PAGE) / sizeof(record_t);
    const size_t n = count - done < page_left ? count - done : page_left;
    const bool good = hal_flash_program(address(s_sector, s_slot), (const uint8_t *)&records[done], n * sizeof(record_t));
    s_slot += n; /* what failed is not written over */
    if (!good) {
      blackbox_count(COUNT_FLASH_ERROR);
      return false;
    }
    done += n;
  }
  return true;
}

bool log_append(const record_t *records, size_t count) { return append(records, count, LOG_SLOTS - MARK_SLOTS); }
void log_mark(const record_t *record) { (void)append(record, 1, LOG_SLOTS); }

bool log_sector_used(size_t sector) {
  head_t head;
  return read_head(sector, &head);
}

bool log_get(size_t index, record_t *record) {
  return hal_flash_read(address(index / LOG_SLOTS, index % LOG_SLOTS), (uint8_t *)record, sizeof *record) && record_good(record);
}

/* Written over with zeros, which costs no erase and leaves the heads, by which erases are counted. */
void log_erase(void) {
  static const uint8_t k_zeros[HAL_FLASH_PAGE] = {0};
  for (size_t sector = 0; sector < LOG_SECTORS; sector++) {
    if (!log_sector_used(sector)) continue;
    const size_t used = sector == s_sector ? s_slot : LOG_SLOTS;
    for (size_t at = sizeof(record_t); at < used * sizeof(record_t);) {
      const size_t left = used * sizeof(record_t) - at, page_left = HAL_FLASH_PAGE - at % HAL_FLASH_PAGE;
      const size_t n = left < page_left ? left : page_left;
      if (!hal_flash_program(address(sector, 0) + (uint32_t)at, k_zeros, n)) blackbox_count(COUNT_FLASH_ERROR);
      at += n;
      hal_watchdog();
    }
  }
}
