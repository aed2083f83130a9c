/* settings.c - see settings.h.
 *
 *   sector 0  │ record │ record │ torn │ record │ …blank          a record counts by its check, the newest by its number
 *   sector 1  │ …blank                                            taken when the other is full, erased before
 *
 * Torn by a power cut: a last record that is none. It might have been a stricter one, so that the strictest policies are in force until a person
 * decides again. The same for what nobody of ours writes: two records of one number, numbers that fall. */
#include "guard/settings.h"
#include "gen/board_gen.h"
#include "gen/product_gen.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "hal/hal.h"

typedef wire_settings_record_t record_t;
#define SLOTS (HAL_FLASH_SECTOR / sizeof(record_t))
#define KIND_POLICIES 1u
#define CHECK_SEED 0x706f6c69u /* other than the black box's: its records are none of ours */
_Static_assert(sizeof(record_t) == 16 && FLASH_SETTINGS_SIZE == 2u * HAL_FLASH_SECTOR, "two sectors of whole slots");

typedef struct {
  struct {
    size_t used;   /* slots up to the last one that is not blank */
    bool any;      /* it has a good record, the last of them: */
    uint32_t last;
    bool torn;     /* what stands behind that is none */
  } sector[2];
  bool any, contradiction;
  uint32_t newest;
  unsigned in; /* the newest's sector */
  uint8_t policies;
} reader_t;

static reader_t s_reader;
static settings_found_t s_found;
static uint8_t s_policies = POLICIES_STRICTEST;

static uint32_t check_of(const record_t *record) {
  const uint8_t *at = (const uint8_t *)record;
  uint32_t crc = ~CHECK_SEED;
  for (size_t i = 0; i < sizeof *record - sizeof record->check; i++) {
    crc ^= at[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ ((0u - (crc & 1u)) & 0xedb88320u);
  }
  return ~crc;
}

static bool good(const record_t *r) {
  return r->check == check_of(r) && r->kind == KIND_POLICIES && (r->policies & ~POLICIES_STRICTEST) == 0 && r->reserved == 0 && r->more == 0;
}

static bool blank(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != 0xff) return false;
  }
  return true;
}

static void take(reader_t *reader, size_t slot, const record_t *record) {
  const unsigned in = slot >= SLOTS;
  if (blank((const uint8_t *)record, sizeof *record)) return;
  reader->sector[in].used = slot % SLOTS + 1u;
  reader->sector[in].torn = !good(record);
  if (reader->sector[in].torn) return;
  if (reader->sector[in].any && record->sequence <= reader->sector[in].last) reader->contradiction = true;
  if (reader->any && record->sequence == reader->newest) reader->contradiction = true;
  reader->sector[in].any = true;
  reader->sector[in].last = record->sequence;
  if (reader->any && record->sequence <= reader->newest) return;
  reader->any = true;
  reader->newest = record->sequence;
  reader->in = in;
  reader->policies = record->policies;
}

static settings_found_t judge(const reader_t *reader, uint8_t *policies) {
  bool bad = reader->contradiction, used = false;
  for (unsigned in = 0; in < 2; in++) {
    used |= reader->sector[in].used != 0;
    /* A full sector whose last record was torn was left for the other, which has a newer one. */
    const bool left = reader->any && reader->in != in && reader->sector[in].used == SLOTS;
    bad |= reader->sector[in].torn && !left;
  }
  if (!bad && !used) return SETTINGS_BLANK;
  *policies = bad ? POLICIES_STRICTEST : reader->policies;
  return bad ? SETTINGS_UNREADABLE : SETTINGS_GOOD;
}

settings_found_t settings_read(const uint8_t *bytes, size_t length, uint8_t *policies) {
  reader_t reader = {0};
  const size_t whole = length / sizeof(record_t);
  for (size_t slot = 0; slot < whole && slot < 2u * SLOTS; slot++) {
    record_t record;
    for (size_t i = 0; i < sizeof record; i++) ((uint8_t *)&record)[i] = bytes[slot * sizeof record + i];
    take(&reader, slot, &record);
  }
  const size_t read = whole < 2u * SLOTS ? whole * sizeof(record_t) : FLASH_SETTINGS_SIZE;
  if (!blank(bytes + read, length - read)) reader.contradiction = true; /* there is no such place */
  return judge(&reader, policies);
}

static void scan(void) {
  s_reader = (reader_t){0};
  for (size_t slot = 0; slot < 2u * SLOTS; slot++) {
    record_t record;
    if (hal_flash_read(FLASH_SETTINGS_AT + (uint32_t)(slot * sizeof record), (uint8_t *)&record, sizeof record)) {
      take(&s_reader, slot, &record);
    } else {
      s_reader.contradiction = true;
    }
  }
  s_policies = settings_product();
  s_found = judge(&s_reader, &s_policies);
  guard_policies((s_policies & POLICY_CONSENT) != 0, (s_policies & POLICY_PAD_ONLY) != 0);
}

void settings_start(void) { scan(); }
uint8_t settings_policies(void) { return s_policies; }
uint8_t settings_product(void) { return (PRODUCT_CONSENT ? POLICY_CONSENT : 0u) | (PRODUCT_PAD_ONLY ? POLICY_PAD_ONLY : 0u); }
uint8_t settings_source(void) {
  return s_found == SETTINGS_BLANK ? SETTINGS_SOURCE_PRODUCT : s_found == SETTINGS_GOOD ? SETTINGS_SOURCE_SETTINGS : SETTINGS_SOURCE_UNREADABLE;
}

static uint32_t address(unsigned sector, size_t slot) { return FLASH_SETTINGS_AT + sector * HAL_FLASH_SECTOR + (uint32_t)(slot * sizeof(record_t)); }

bool settings_write(uint8_t policies) {
  const unsigned old = s_reader.in;
  const bool anew = s_found == SETTINGS_UNREADABLE, other = anew || s_reader.sector[old].used == SLOTS;
  const unsigned to = other ? old ^ 1u : old;
  record_t record = {.sequence = s_reader.newest + 1u, .kind = KIND_POLICIES, .policies = policies};
  record.check = check_of(&record);
  bool taken = record.sequence != 0; /* they do not begin again */
  if (taken && other && s_reader.sector[to].used != 0) taken = hal_flash_erase(address(to, 0));
  if (taken) taken = hal_flash_program(address(to, other ? 0 : s_reader.sector[to].used), (const uint8_t *)&record, sizeof record);
  if (taken && anew) taken = hal_flash_erase(address(to ^ 1u, 0)); /* only now: until then it says that something was there */
  scan();
  return taken && s_found == SETTINGS_GOOD && s_policies == policies;
}
