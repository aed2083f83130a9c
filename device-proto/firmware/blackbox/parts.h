/* parts.h - what ring, log and blackbox.c share. */
#ifndef BLACKBOX_PARTS_H
#define BLACKBOX_PARTS_H
#include "blackbox/blackbox.h"

typedef wire_blackbox_record_t record_t;

/* CRC-32 (IEEE) of `length` bytes, from `seed`: 0 for records, LOG_HEADER_SEED for the head of a sector, so that neither is taken for the other. */
uint32_t record_check(uint32_t seed, const void *bytes, size_t length);
bool record_good(const record_t *record);

/* ring.c */
void ring_start(void);
void ring_put(record_t *record); /* gives it its sequence number and its check */
uint16_t ring_next(void);        /* the sequence number of the next record */
/* The record of this number, when the ring still has it. */
bool ring_get(uint16_t sequence, record_t *record);
bool ring_slot(size_t slot, record_t *record);
void ring_erase(void);

/* log.c */
void log_start(void);
/* Appends; false: there is no room (the day's erases are used up, or the flash fails). `records` stand behind each other. */
bool log_append(const record_t *records, size_t count);
/* Prepares the next sector in time; called when nothing runs. `now_ms` since boot. False: one is due, and the day's erases are used up. */
bool log_tend(uint32_t now_ms);
/* While they are: a record now and then, in slots kept for it, or powered time would stand still over resets and the day would never end. */
void log_mark(const record_t *record);
/* Slot `index` of the whole area, 0 … LOG_SECTORS × LOG_SLOTS − 1. False: nothing (good) is there. */
bool log_get(size_t index, record_t *record);
bool log_sector_used(size_t sector);
void log_erase(void);
uint16_t log_erases(void);
uint32_t log_powered_s(uint32_t now_ms);
/* Erases in the last 24 powered hours. */
unsigned log_erases_today(uint32_t now_ms);
#define LOG_SECTORS (FLASH_BLACK_BOX_SIZE / HAL_FLASH_SECTOR)
#define LOG_SLOTS (HAL_FLASH_SECTOR / sizeof(record_t))
#define LOG_HEADER_SEED 0x5ec7u
#endif
