/* ring.c - the last records in RAM that no reset clears (NOINIT of app.ld; the loader's wipe leaves it out). There is no pointer that could be torn:
 * a record's place is its sequence number, and the newest is the one that the next place does not continue. */
#include "blackbox/parts.h"
#include "hal/hal.h"

#define SLOTS BLACKBOX_LIMIT_RING_RECORDS
_Static_assert((SLOTS & (SLOTS - 1u)) == 0 && 65536u % SLOTS == 0, "a sequence number has one place");

static record_t s_ring[SLOTS] __attribute__((section(".noinit")));
static uint16_t s_next;

uint32_t record_check(uint32_t seed, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  uint32_t crc = ~seed;
  for (size_t i = 0; i < length; i++) {
    crc ^= at[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ ((0u - (crc & 1u)) & 0xedb88320u);
  }
  return ~crc;
}

bool record_good(const record_t *record) { return record->check == record_check(0, record, sizeof *record - sizeof record->check); }

static bool holds(size_t slot) { return record_good(&s_ring[slot]) && s_ring[slot].sequence % SLOTS == slot; }

/* After a loss of power RAM holds anything: only what has a good check and stands in its own place counts. */
void ring_start(void) {
  bool any = false;
  s_next = 0;
  for (size_t slot = 0; slot < SLOTS; slot++) {
    if (!holds(slot)) continue;
    const uint16_t after = (uint16_t)(s_ring[slot].sequence + 1u);
    if (holds(after % SLOTS) && s_ring[after % SLOTS].sequence == after) continue;
    if (!any || (int16_t)(after - s_next) > 0) s_next = after;
    any = true;
  }
}

uint16_t ring_next(void) { return s_next; }

void ring_put(record_t *record) {
  record->sequence = s_next;
  record->check = record_check(0, record, sizeof *record - sizeof record->check);
  s_ring[s_next % SLOTS] = *record;
  s_next++;
}

bool ring_slot(size_t slot, record_t *record) {
  if (slot >= SLOTS || !holds(slot)) return false;
  *record = s_ring[slot];
  return true;
}

bool ring_get(uint16_t sequence, record_t *record) { return ring_slot(sequence % SLOTS, record) && record->sequence == sequence; }

void ring_erase(void) { secret_wipe(s_ring, sizeof s_ring); }
