/* template.h - what a host asks of the pad: abPINDataStructure of CCID 1.1 §6.1.11 (verify) and §6.1.12 (modify), checked and
 * brought to one form. No secret here. */
#ifndef TEMPLATE_H
#define TEMPLATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_MAX 16u /* characters: JPKI's longest; a host's larger maximum is lowered to it */

typedef enum { PIN_BINARY = 0, PIN_BCD = 1, PIN_ASCII = 2 } pin_coding_t;
enum { CONDITION_MAX = 1, CONDITION_KEY = 2, CONDITION_TIMEOUT = 4 };

typedef struct {
  bool modify;      /* else verify */
  bool ask_current; /* modify: the current secret goes first */
  uint8_t coding;   /* pin_coding_t */
  bool right;       /* justification within the block */
  bool variable;    /* Lc absent or 00: the data field becomes exactly the characters, one field after the other */
  uint8_t block;    /* bytes of the formatted block; 0 = as many as there are */
  uint8_t length_bits;    /* size of an inserted length; 0 = none */
  uint16_t at[2];         /* bit in the data field where the block of the current (verify: the only) and of the new secret begins */
  uint16_t length_at[2];  /* and the inserted length */
  uint8_t min, max;       /* characters */
  uint8_t condition;      /* CONDITION_* */
  uint32_t key_timeout_us;
  const uint8_t *apdu; /* in the host's block */
  uint8_t apdu_length;
} pin_template_t;

/* False: *bad_offset is the offset in `block` of the field that may not be as it is. */
bool template_parse(const uint8_t *block, size_t length, pin_template_t *t, size_t *bad_offset);
/* Writes `count` typed characters (ASCII) into the command's data field as the template says: field 0 current or only, 1 new. Constant in
 * the characters' values. `command` holds the header and, unless variable, the template's data. Returns the command's new length. */
size_t template_insert(const pin_template_t *t, unsigned field, const uint8_t *typed, unsigned count, uint8_t *command, size_t length);
#endif
