/* blackbox.c - see blackbox.h. */
#include "blackbox/blackbox.h"
#include "blackbox/parts.h"
#include "gen/board_gen.h"
#include "hal/hal.h"
#include "link/link.h"

#define CONTEXT 7u           /* records that go to flash with a fault, from before it */
#define DIGEST_US 1000000u   /* doubled with every four erases of the day: continuous traffic fills 20 sectors in 8 hours, not in 90 minutes */
#define DIGEST_ERASES 16u    /* of the day's erases, the last ones are kept for faults */
#define MARK_US 1800000000u
#define FAULT_TRY_US 50000u  /* a fault that found no room is tried again */
#define NOISE_US 1000000u

static uint16_t s_written;    /* records before this number are in flash, or in a digest */
static bool s_fault;          /* a fault waits for flash … */
static uint16_t s_fault_next; /* … up to this number */
static uint64_t s_fault_retry;
static uint32_t s_digest_events, s_digest_commands;
static uint64_t s_digest_at, s_noise_at, s_mark_at;
static uint32_t s_noise;
static uint32_t s_counts[COUNT_KINDS];
static bool s_secret;
static uint8_t s_usb;

static uint32_t now_ms(void) { return (uint32_t)(hal_now_us() / 1000u); }

static record_t record_of(uint8_t kind, uint8_t a, uint16_t b) {
  return (record_t){.boot = (uint16_t)hal_boot_count(), .ms = now_ms(), .kind = kind, .a = a, .b = b};
}

void blackbox_secret(bool under_way) { s_secret = under_way; }

void blackbox_event(uint8_t kind, uint8_t a, uint16_t b) {
  /* The time between two blocks of a VERIFY tells how long the secret is. */
  if (s_secret && (kind == BLACKBOX_BLOCK_SENT || kind == BLACKBOX_BLOCK_RECEIVED)) return;
  record_t record = record_of(kind, a, b);
  ring_put(&record);
  s_digest_events++;
  if (kind == BLACKBOX_COMMAND) s_digest_commands++;
  if ((BLACKBOX_FAULTS >> kind & 1u) != 0) {
    s_fault = true;
    s_fault_next = ring_next();
    s_fault_retry = 0;
  }
}

void blackbox_count(blackbox_count_t what) {
  s_counts[what]++;
  if (what == COUNT_FLASH_ERROR) blackbox_event(BLACKBOX_FLASH_ERROR, 0, log_erases());
}

void blackbox_start(void) {
  ring_start();
  log_start();
  s_fault = s_secret = false;
  s_digest_events = s_digest_commands = 0;
  s_usb = 0;
  s_noise = 0;
  const uint16_t before = ring_next();
  hal_fault_t fault;
  const uint8_t reason = hal_boot_reason(&fault);
  /* What led to a reset nobody asked for is still in the ring: its last records go to flash, too. */
  s_written = reason == HAL_BOOT_WATCHDOG || reason == HAL_BOOT_FAULT ? (uint16_t)(before - CONTEXT) : before;
  blackbox_event(BLACKBOX_BOOT, reason, 0);
  if (reason == HAL_BOOT_FAULT) {
    blackbox_event(BLACKBOX_FAULT, (uint8_t)fault.cause, 0);
    blackbox_event(BLACKBOX_FAULT_PC, (uint8_t)(fault.pc >> 16), (uint16_t)fault.pc);
    blackbox_event(BLACKBOX_FAULT_LR, (uint8_t)(fault.lr >> 16), (uint16_t)fault.lr);
  }
  const uint64_t now = hal_now_us();
  s_digest_at = now + DIGEST_US;
  s_noise_at = now + NOISE_US;
  s_mark_at = now + MARK_US;
}

/* Faults, with the few records before each that flash does not have. */
static void write_faults(uint64_t now) {
  record_t records[CONTEXT + 1u];
  while (s_written != s_fault_next) {
    const uint16_t left = (uint16_t)(s_fault_next - s_written);
    if (left > BLACKBOX_LIMIT_RING_RECORDS) s_written = (uint16_t)(s_fault_next - BLACKBOX_LIMIT_RING_RECORDS); /* the ring has gone on */
    size_t count = 0;
    while (count < sizeof records / sizeof *records && s_written != s_fault_next) {
      if (ring_get(s_written, &records[count])) count++;
      s_written++;
    }
    if (count > 0 && !log_append(records, count)) {
      s_written = (uint16_t)(s_written - count); /* nothing of it, or twice: the reader sorts it out by the numbers */
      s_fault_retry = now + FAULT_TRY_US;
      return;
    }
  }
  s_fault = false;
}

static void watch_usb(void) {
  const uint8_t usb = hal_usb_suspended() ? 2 : hal_usb_configured() ? 1 : 0;
  if (usb == s_usb) return;
  s_usb = usb;
  blackbox_event(BLACKBOX_USB, usb, 0);
}

static void watch_noise(uint64_t now) {
  if (now < s_noise_at) return;
  s_noise_at = now + NOISE_US;
  const uint32_t noise = link_discarded() - s_noise;
  if (noise == 0) return;
  s_noise += noise;
  blackbox_event(BLACKBOX_LINK_NOISE, 0, (uint16_t)(noise < 0xffffu ? noise : 0xffffu));
}

static record_t digest_of(void) {
  record_t digest = record_of(BLACKBOX_DIGEST, (uint8_t)(s_digest_commands < 255u ? s_digest_commands : 255u),
                              (uint16_t)(s_digest_events < 0xffffu ? s_digest_events : 0xffffu));
  digest.sequence = ring_next();
  digest.check = record_check(0, &digest, sizeof digest - sizeof digest.check);
  return digest;
}

static void write_digest(uint64_t now, unsigned today) {
  const record_t digest = digest_of();
  s_digest_at = now + ((uint64_t)DIGEST_US << today / 4u);
  if (today >= DIGEST_ERASES || !log_append(&digest, 1)) return;
  s_digest_events = s_digest_commands = 0;
  s_written = ring_next();
}

uint64_t blackbox_step(uint64_t now, bool idle) {
  watch_usb();
  watch_noise(now);
  if (s_fault && now >= s_fault_retry && !hal_flash_busy()) {
    /* Too many to be of use one by one: the newest, with what led to them. */
    if ((uint16_t)(s_fault_next - s_written) > 2u * CONTEXT) s_written = (uint16_t)(s_fault_next - 2u * CONTEXT);
    write_faults(now);
  }
  if (!idle || hal_flash_busy()) return s_fault ? now + 1000u : UINT64_MAX;
  if (!log_tend((uint32_t)(now / 1000u)) && now >= s_mark_at) {
    const record_t mark = digest_of();
    log_mark(&mark);
    s_mark_at = now + MARK_US;
  }
  if (s_digest_events != 0 && !s_fault && now >= s_digest_at && !hal_flash_busy()) write_digest(now, log_erases_today((uint32_t)(now / 1000u)));
  return s_fault ? now + 1000u : s_digest_events != 0 ? s_digest_at : UINT64_MAX;
}

/* ---- for whoever asks ------------------------------------------------------------------------------------------ */

size_t blackbox_page(uint8_t store, uint16_t page, uint8_t data[BLACKBOX_PAGE_MAX]) {
  const size_t slots = store == BLACKBOX_STORE_RING ? BLACKBOX_LIMIT_RING_RECORDS : LOG_SECTORS * LOG_SLOTS;
  if (store > BLACKBOX_STORE_FLASH) return 0;
  const size_t first = (size_t)page * BLACKBOX_LIMIT_PAGE_RECORDS;
  const bool skip = store == BLACKBOX_STORE_FLASH && first < slots && !log_sector_used(first / LOG_SLOTS);
  uint8_t count = 0;
  record_t *records = (record_t *)(void *)(data + sizeof(wire_blackbox_answer_t)); /* packed: any address will do */
  for (size_t i = 0; i < BLACKBOX_LIMIT_PAGE_RECORDS && first + i < slots && !skip; i++) {
    record_t record;
    if (!(store == BLACKBOX_STORE_RING ? ring_slot(first + i, &record) : log_get(first + i, &record))) continue;
    records[count++] = record;
  }
  const size_t after = skip ? (first / LOG_SLOTS + 1u) * LOG_SLOTS : first + BLACKBOX_LIMIT_PAGE_RECORDS;
  *(wire_blackbox_answer_t *)(void *)data = (wire_blackbox_answer_t){
      .next = after < slots ? (uint16_t)(after / BLACKBOX_LIMIT_PAGE_RECORDS) : BLACKBOX_LIMIT_LAST_PAGE,
      .count = count,
  };
  return sizeof(wire_blackbox_answer_t) + count * sizeof(record_t);
}

void blackbox_health(wire_health_t *health) {
  *health = (wire_health_t){
      .uptimeMs = now_ms(),
      .bootCount = hal_boot_count(),
      .poweredSeconds = log_powered_s(now_ms()),
      .linkDiscarded = link_discarded(),
      .retries = s_counts[COUNT_RETRY],
      .parityErrors = s_counts[COUNT_PARITY],
      .flashErrors = (uint16_t)s_counts[COUNT_FLASH_ERROR],
      .sectors = log_erases(),
      .stackUsed = (uint16_t)hal_stack_used(),
      .stackSize = RAM_STACK_SIZE,
  };
}

void blackbox_erase(void) {
  ring_erase();
  log_erase();
  s_written = ring_next();
  s_digest_events = s_digest_commands = 0;
  s_fault = false;
  blackbox_event(BLACKBOX_ERASED, 0, 0);
}
