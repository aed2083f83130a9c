/* blackbox.h - what happened, for whoever asks afterwards. Kinds and their values: device-proto/src/blackbox, printed in docs/reference/blackbox.md.
 *
 *   events ──▶ ring in no-init RAM, 128 records, survives every reset
 *                 │ a fault: at once, with the few records before it       (blackbox_step: within 50 ms)
 *                 │ else: one digest when nothing runs                     (each second; slower as the day's erases are used up)
 *                 ▼
 *              flash log, append-only, 64 sectors, at most 20 erases in 24 powered hours
 *
 * Redacted at the source: kinds, status words and times only. While a secret is on its way nothing of the card line is written down. Only the loop
 * calls this, never an interrupt. */
#ifndef BLACKBOX_H
#define BLACKBOX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/wire_gen.h"

typedef enum { COUNT_RETRY, COUNT_PARITY, COUNT_FLASH_ERROR, COUNT_KINDS } blackbox_count_t;

void blackbox_start(void);
void blackbox_event(uint8_t kind, uint8_t a, uint16_t b);
void blackbox_count(blackbox_count_t what);
/* A secret is under way on the card line: nothing that could tell its length is written down until it is over. */
void blackbox_secret(bool under_way);
/* Once per turn of the loop; `idle` = no command runs. Returns when it wants the next turn. */
uint64_t blackbox_step(uint64_t now, bool idle);
/* One page of service message 05: its answer data, behind the status. Returns the length; 0 = there is no such store. */
#define BLACKBOX_PAGE_MAX (sizeof(wire_blackbox_answer_t) + BLACKBOX_LIMIT_PAGE_RECORDS * sizeof(wire_blackbox_record_t))
size_t blackbox_page(uint8_t store, uint16_t page, uint8_t data[BLACKBOX_PAGE_MAX]);
void blackbox_health(wire_health_t *health);
/* Everything that was written down is gone, in RAM and in flash. */
void blackbox_erase(void);
#endif
