/* The black box: ring and flash log found in any state (torn, noise, another boot's, forged with a right check), events, time, power cuts. Whatever is given
 * out has a right check by this door's own CRC, in its own place and in its own order; what was put in since the boot comes out again.
 * sources: blackbox/blackbox.c blackbox/log.c hal/host/host.c hal/host/flash.c */
#include "fuzz/door.h"
#include "blackbox/parts.h"
#include "blackbox/ring.c" /* its array: what a reset or a loss of power leaves there */
#include "gen/board_gen.h"
#include "hal/host/flash.h"
#include "hal/host/host.h"

#define AREA (host_flash() + FLASH_BLACK_BOX_AT)
#define DAY_US 86400000000ull

static uint32_t s_discarded;
static uint8_t s_reason;
uint32_t link_discarded(void) { return s_discarded; }
uint8_t hal_boot_reason(hal_fault_t *fault) {
  *fault = (hal_fault_t){0x13, 0x10001234, 0x10005679};
  return s_reason;
}
uint32_t hal_stack_used(void) { return 1234; }
void app_card_pulled(void) {}

static uint32_t crc32(uint32_t from, const uint8_t *bytes, size_t length) {
  uint32_t crc = ~from;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (unsigned k = 0; k < 8; k++) crc = (crc & 1u) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}
static uint32_t le32(const uint8_t *b) { return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24; }
static bool right(const uint8_t *record) { return crc32(0, record, sizeof(record_t) - 4) == le32(record + sizeof(record_t) - 4); }
static void seal(uint32_t seed, uint8_t *record) {
  const uint32_t crc = crc32(seed, record, sizeof(record_t) - 4);
  for (unsigned i = 0; i < 4; i++) record[sizeof(record_t) - 4 + i] = (uint8_t)(crc >> 8 * i);
}

/* ---- what a host is given ------------------------------------------------------------------------------------------ */

static record_t s_all[LOG_SECTORS * LOG_SLOTS];

/* Every page of a store, as a host follows them. */
static size_t read_all(uint8_t store, size_t slots) {
  size_t n = 0;
  unsigned pages = 0;
  for (unsigned page = 0; page != BLACKBOX_LIMIT_LAST_PAGE;) {
    uint8_t *data = exactly(BLACKBOX_PAGE_MAX);
    const size_t length = blackbox_page(store, (uint16_t)page, data);
    PROMISE(length >= 3 && length <= BLACKBOX_PAGE_MAX);
    const unsigned next = data[0] | (unsigned)data[1] << 8, count = data[2];
    PROMISE(count <= BLACKBOX_LIMIT_PAGE_RECORDS && length == 3 + count * sizeof(record_t));
    PROMISE(next > page && ++pages <= slots / BLACKBOX_LIMIT_PAGE_RECORDS); /* it comes to an end */
    for (unsigned i = 0; i < count; i++) {
      const uint8_t *record = data + 3 + i * sizeof(record_t);
      PROMISE(right(record)); /* its own check, or it is not given out */
      memcpy(&s_all[n++], record, sizeof(record_t));
    }
    page = next;
    free(data);
  }
  return n;
}

/* ---- what was put in ----------------------------------------------------------------------------------------------- */

static bool s_blank;          /* flash and ring began erased, and nothing was torn since: more can be promised */
static uint64_t s_began_us;
static struct { uint8_t kind, a; uint16_t b; } s_put[4096];
static size_t s_puts;
static bool s_secret_on;

static void judge(void) {
  const size_t n = read_all(BLACKBOX_STORE_RING, BLACKBOX_LIMIT_RING_RECORDS);
  size_t last = SIZE_MAX;
  for (size_t i = 0; i < n; i++) { /* by slots: a record's place is its number */
    const size_t slot = s_all[i].sequence % BLACKBOX_LIMIT_RING_RECORDS;
    PROMISE(last == SIZE_MAX || slot > last);
    last = slot;
  }
  /* What the reader put in since it started, the newest as far as there is room, in the order in which it happened. The reader adds events of its own. */
  size_t next = s_puts;
  record_t record;
  for (unsigned back = 1; back <= BLACKBOX_LIMIT_RING_RECORDS && next > 0; back++) {
    if (!ring_get((uint16_t)(ring_next() - back), &record)) PROMISE(false);
    if (record.kind == s_put[next - 1].kind && record.a == s_put[next - 1].a && record.b == s_put[next - 1].b) next--;
  }
  PROMISE(next == 0 || s_puts - next + 16 + g_flash.programs + g_flash.erases >= BLACKBOX_LIMIT_RING_RECORDS / 2 || s_puts - next >= 100);
  const size_t m = read_all(BLACKBOX_STORE_FLASH, LOG_SECTORS * LOG_SLOTS);
  /* In a log that this reader alone has written, by sectors in order, the numbers never go back within one boot. */
  if (s_blank) {
    for (size_t i = 1; i < m; i++) PROMISE((int16_t)(s_all[i].sequence - s_all[i - 1].sequence) >= 0 || s_all[i].boot != s_all[i - 1].boot || g_flash.erases >= LOG_SECTORS);
    PROMISE(g_host.now - s_began_us >= DAY_US || g_flash.erases <= BLACKBOX_LIMIT_ERASES_PER_DAY);
  }
  wire_health_t health;
  blackbox_health(&health);
  PROMISE(health.stackUsed == 1234 && health.uptimeMs == (uint32_t)(g_host.now / 1000));
}

static void put(uint8_t kind, uint8_t a, uint16_t b) {
  blackbox_event(kind, a, b);
  if (s_secret_on && (kind == BLACKBOX_BLOCK_SENT || kind == BLACKBOX_BLOCK_RECEIVED)) {
    record_t record; /* nothing that could tell a secret's length */
    PROMISE(!ring_get((uint16_t)(ring_next() - 1u), &record) || record.kind != kind || record.a != a || record.b != b || (s_puts > 0 && s_put[s_puts - 1].kind == kind));
    return;
  }
  if (s_puts < sizeof s_put / sizeof *s_put) s_put[s_puts].kind = kind, s_put[s_puts].a = a, s_put[s_puts++].b = b;
}

static void idle_for(uint64_t us, uint64_t each) {
  for (uint64_t t = 0; t < us; t += each) {
    step();
    g_host.now += each;
    (void)blackbox_step(g_host.now, true);
  }
}
static void boot(uint8_t reason) {
  s_reason = reason;
  blackbox_start();
  s_puts = 0;
  s_secret_on = false;
}

/* ---- what was there before ------------------------------------------------------------------------------------------ */

static void some_record(uint8_t *record, unsigned how) {
  take_bytes(record, 6);
  memset(record + 6, 0x11, sizeof(record_t) - 10);
  seal(0, record);
  if ((how & 1u) != 0) record[take() % sizeof(record_t)] ^= (uint8_t)(1u << (how >> 1 & 7u));
}
static void find(unsigned how) {
  if ((how & 1u) != 0) { /* the ring: a run of numbers, gaps, torn ones */
    uint16_t sequence = (uint16_t)take16();
    for (unsigned n = take(); n > 0; n--) {
      uint8_t record[sizeof(record_t)];
      const unsigned what = s_left > 0 ? take() : 0;
      memset(record, 0x22, sizeof record);
      record_t *r = (record_t *)(void *)record;
      r->sequence = sequence;
      r->kind = what & 15u;
      seal(0, record);
      if ((what & 0xf0u) == 0xf0u) record[take() % sizeof record] ^= take();
      if ((what & 0xf0u) == 0xe0u) sequence = (uint16_t)(sequence + take());
      memcpy(&s_ring[(sequence + ((what & 0xf0u) == 0xd0u)) % SLOTS], record, sizeof record);
      sequence++;
    }
  }
  if ((how & 2u) != 0) { /* the log: heads with any numbers, records behind them, torn anywhere */
    for (unsigned n = take() % 24u; n > 0; n--) {
      const unsigned what = take(), sector = take() % LOG_SECTORS;
      uint8_t *at = AREA + sector * HAL_FLASH_SECTOR;
      uint8_t head[sizeof(record_t)];
      memset(head, 0, sizeof head);
      take_bytes(head, 4);
      head[8] = take(), head[9] = take(), head[10] = take(), head[11] = (what & 0x80u) != 0 ? take() : 0;
      seal(LOG_HEADER_SEED, head);
      if ((what & 3u) == 3) head[take() % sizeof head] ^= take();
      memcpy(at, head, sizeof head);
      for (unsigned k = 0; k < (what >> 2 & 15u); k++) some_record(at + (1u + k + ((what & 0x40u) != 0 ? 200u : 0u)) * sizeof(record_t), what >> 3 & k);
      if ((what & 0x43u) == 0x42u) memset(at + 16, take(), HAL_FLASH_SECTOR - 16);
    }
  }
  if ((how & 4u) != 0) { /* noise */
    const unsigned at = take16() * 3u, n = take();
    for (unsigned i = 0; i < n; i++) AREA[(at + i) % FLASH_BLACK_BOX_SIZE] ^= take();
  }
}

static void door(void) {
  host_reset();
  g_flash = (host_flash_t){.bits_left = UINT64_MAX};
  memset(AREA, 0xff, FLASH_BLACK_BOX_SIZE);
  ring_erase();
  s_discarded = 0;
  const unsigned how = take();
  find(how);
  s_blank = (how & 7u) == 0;
  s_began_us = g_host.now;
  boot((uint8_t)(1u + (how >> 3) % 5u));
  judge();
  for (unsigned turn = 0; turn < 60 && s_left > 0; turn++) {
    const unsigned what = take();
    switch (what & 15u) {
    case 0: case 1: case 2: put(BLACKBOX_COMMAND, take(), (uint16_t)(what >> 4)); break;
    case 3: for (unsigned n = what >> 4; n > 0; n--) put(BLACKBOX_APDU, (uint8_t)n, 0x9000); break;
    case 4: put((uint8_t)(1u + take() % 16u), (uint8_t)what, (uint16_t)turn); break; /* faults among them */
    case 5: idle_for((1u + (what >> 4)) * 100000u, 10000); break;
    case 6: idle_for((1u + (what >> 4)) * 3600000000ull, 1800000000ull); break;
    case 7: (void)blackbox_step(g_host.now, false); break;
    case 8: /* power fails in the middle of whatever is written next */
      g_flash.bits_left = (uint64_t)take() * (1u + (what >> 4));
      put(BLACKBOX_CARD_FAILED, 3, 0);
      idle_for(200000, 20000);
      g_flash.bits_left = UINT64_MAX;
      s_blank = false;
      g_flash.busy_until = 0;
      if ((what & 0x10u) != 0) memset(s_ring, take(), (what >> 5) * 200u); /* and RAM with it */
      boot(HAL_BOOT_POWER);
      break;
    case 9: boot((uint8_t)(1u + (what >> 4) % 5u)); s_blank = false; break;
    case 10: g_flash.broken = (what & 0x10u) != 0, s_blank = false; break;
    case 11: blackbox_secret(s_secret_on = (what & 0x10u) != 0); break;
    case 12: put((what & 0x10u) != 0 ? BLACKBOX_BLOCK_SENT : BLACKBOX_BLOCK_RECEIVED, (uint8_t)turn, take()); break;
    case 13: blackbox_count((blackbox_count_t)((what >> 4) % COUNT_KINDS)); break;
    case 14: s_discarded += take(), g_host.configured = (what & 0x10u) != 0, g_host.suspended = (what & 0x20u) != 0; break;
    default:
      if ((what & 0xf0u) != 0xf0u) break;
      blackbox_erase();
      s_puts = 0;
      s_blank = false;
      /* Nothing of what was written down is left, but for heads and that it was erased. */
      PROMISE(g_flash.broken || read_all(BLACKBOX_STORE_FLASH, LOG_SECTORS * LOG_SLOTS) == 0);
      PROMISE(read_all(BLACKBOX_STORE_RING, BLACKBOX_LIMIT_RING_RECORDS) <= 1 + s_puts + g_flash.broken * 128u);
      break;
    }
    if ((what & 0x80u) != 0) judge();
  }
  judge();
  /* A fault reaches the flash of a reader whose flash is sound and whose day's erases are not used up. */
  if (s_blank && g_flash.erases < BLACKBOX_LIMIT_ERASES_PER_DAY - 2u) {
    blackbox_event(BLACKBOX_CARD_FAILED, 0x5a, 0xa55a);
    idle_for(1000000, 10000);
    const size_t n = read_all(BLACKBOX_STORE_FLASH, LOG_SECTORS * LOG_SLOTS);
    bool there = false;
    for (size_t i = 0; i < n; i++) there |= s_all[i].kind == BLACKBOX_CARD_FAILED && s_all[i].a == 0x5a && s_all[i].b == 0xa55a;
    PROMISE(there);
  }
}
