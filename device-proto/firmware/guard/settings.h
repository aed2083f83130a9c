/* settings.h - which policies are in force, and where that is written: FLASH_SETTINGS, two sectors of records that are only ever appended. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits: POLICY_CONSENT, POLICY_PAD_ONLY of gen/wire_gen.h. */
#define POLICIES_STRICTEST (POLICY_CONSENT | POLICY_PAD_ONLY)

typedef enum { SETTINGS_BLANK, SETTINGS_GOOD, SETTINGS_UNREADABLE } settings_found_t;

/* The area's bytes, from its first on. *policies: of the newest record; the strictest when anything that could be newer cannot be read or two
 * records contradict each other; untouched when the area is blank. */
settings_found_t settings_read(const uint8_t *bytes, size_t length, uint8_t *policies);

/* At start: reads the flash and tells the guard. */
void settings_start(void);
uint8_t settings_policies(void); /* in force */
uint8_t settings_product(void);  /* the product's own */
uint8_t settings_source(void);   /* SETTINGS_SOURCE_* */
/* Appends a record; the policies are in force from now on. False: the flash did not take it, and what is in force is what a restart would find. */
bool settings_write(uint8_t policies);
#endif
