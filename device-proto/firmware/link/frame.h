/* frame.h - one frame of the link: 00 │ COBS( header 4 │ payload 0…1024 │ CRC-32 ) │ 00. See docs/reference/link.md. */
#ifndef LINK_FRAME_H
#define LINK_FRAME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/wire_gen.h"

#define FRAME_HEADER sizeof(wire_link_header_t)
#define FRAME_CRC 4u
#define FRAME_PLAIN_MAX (FRAME_HEADER + LINK_LIMIT_MAX_PAYLOAD + FRAME_CRC)
/* COBS costs one byte in 254, and one for the first group. */
#define FRAME_COBS_MAX (FRAME_PLAIN_MAX + (FRAME_PLAIN_MAX + 253u) / 254u + 1u)
/* … with the delimiter before it (after a silence) and the one that ends it. */
#define FRAME_WIRE_MAX (FRAME_COBS_MAX + 2u)

typedef struct {
  wire_link_header_t header;
  const uint8_t *payload; /* valid until the next frame_push */
  size_t length;
} frame_t;

typedef struct {
  uint8_t bytes[FRAME_COBS_MAX];
  size_t length;
  size_t ended; /* of the frame that has just ended: so many of `bytes` are to be wiped once it was looked at */
  bool too_long;
  uint32_t discarded; /* bytes that were no good frame */
} frame_receiver_t;

/* Takes one byte as it came. True when it ended a good frame. A bad frame is never delivered, and the next good one always is. */
bool frame_push(frame_receiver_t *receiver, uint8_t byte, frame_t *frame);
/* Forgets what has come of the current frame, and overwrites it: it may have been a VERIFY typed on the host. */
void frame_wipe(frame_receiver_t *receiver);
/* Encodes a frame with its closing 00 (and the opening one if `opening`). Returns its length on the wire. */
size_t frame_encode(uint8_t wire[FRAME_WIRE_MAX], bool opening, wire_link_header_t header, const uint8_t *payload, size_t length);
#endif
