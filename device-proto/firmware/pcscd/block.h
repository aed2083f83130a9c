/* block.h - the card's end of T=1 (ISO 7816-3 section 11) towards a host that runs the protocol itself.
 *
 *   pcscd ══ T=1, its blocks ══ block.c ── whole APDUs ── guard, pinpad ── iso7816/t1.c ══ T=1, our blocks ══ card
 *
 * Nothing of a command reaches the card before its last block came and the guard has seen the whole: a chain that a host leaves open, numbers wrongly or
 * replaces in the middle can make nothing of a secret, and one block that is sent again asks nobody again. Private to pcscd/. */
#ifndef PCSCD_BLOCK_H
#define PCSCD_BLOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_MAX 259u /* NAD PCB LEN, 254, CRC */

typedef enum {
  BLOCK_ANSWERED, /* `out` is what the host gets */
  BLOCK_COMMAND,  /* a whole command stands in the buffer: block_answer() must follow, or block_reset() */
} block_event_t;

typedef struct {
  uint8_t *buffer; /* command, then answer */
  size_t capacity;
  bool crc;
  uint8_t ns, nr; /* of our next I-block; of the host's */
  uint8_t ifsd;
  size_t command; /* bytes collected */
  uint16_t spoilt; /* the chain that comes will not be carried out: its SW1SW2 */
  bool chain;      /* open, the host's */
  const uint8_t *answer;
  size_t left;     /* of the answer */
  uint8_t last[BLOCK_MAX]; /* sent last: may have to be sent again */
  size_t last_length;
} block_peer_t;

/* After a reset of the card. */
void block_reset(block_peer_t *p, uint8_t *buffer, size_t capacity, bool crc);
/* A block from the host. On BLOCK_COMMAND p->command is its length in p->buffer. */
block_event_t block_take(block_peer_t *p, const uint8_t *block, size_t length, uint8_t out[BLOCK_MAX], size_t *out_length);
/* The answer, which must stay where it is while block_holds(). */
void block_answer(block_peer_t *p, const uint8_t *answer, size_t length, uint8_t out[BLOCK_MAX], size_t *out_length);
/* The host's next I-block went another way (the pad's): counts it as taken. */
void block_skip(block_peer_t *p);
/* The buffer is in use: half a command, or half an answer. */
bool block_holds(const block_peer_t *p);
/* Gives the buffer up; what still comes of the command, or is asked of the answer, ends in 6F00. */
void block_spoil(block_peer_t *p);
#endif
