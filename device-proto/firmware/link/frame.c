/* frame.c - COBS (Cheshire & Baker 1999) and CRC-32 (IEEE 802.3). */
#include "link/frame.h"
#include "hal/hal.h"

/* Four bits at a time: 16 words instead of 256, and still 20 times faster than the fastest port. */
static uint32_t crc_step(uint32_t crc, uint8_t byte) {
  static const uint32_t k_table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  crc ^= byte;
  crc = crc >> 4 ^ k_table[crc & 15u];
  return crc >> 4 ^ k_table[crc & 15u];
}

/* ---- receiving ----------------------------------------------------------------------------------------------- */

/* Decodes in place: the output never overtakes the input. Returns the length, 0 for a code that points past the end. */
static size_t cobs_decode(uint8_t *bytes, size_t length) {
  size_t out = 0;
  size_t at = 0;
  while (at < length) {
    const size_t code = bytes[at++];
    if (code - 1u > length - at) return 0; /* code is never 0: zeros end the frame */
    for (size_t k = 1; k < code; k++) bytes[out++] = bytes[at++];
    if (code < 255u && at < length) bytes[out++] = 0;
  }
  return out;
}

static bool good(uint8_t *bytes, size_t length, frame_t *frame) {
  const size_t size = cobs_decode(bytes, length);
  if (size < FRAME_HEADER + FRAME_CRC || size > FRAME_PLAIN_MAX) return false;
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size - FRAME_CRC; i++) crc = crc_step(crc, bytes[i]);
  crc = ~crc;
  for (size_t i = 0; i < FRAME_CRC; i++) {
    if (bytes[size - FRAME_CRC + i] != (uint8_t)(crc >> 8 * i)) return false;
  }
  /* only session frames have a session kind */
  if ((bytes[0] >> 6 == LINK_CHANNEL_SESSION) != ((bytes[0] & 0x1fu) != 0)) return false;
  frame->header = (wire_link_header_t){bytes[0], bytes[1], bytes[2], bytes[3]};
  frame->payload = bytes + FRAME_HEADER;
  frame->length = size - FRAME_HEADER - FRAME_CRC;
  return true;
}

bool frame_push(frame_receiver_t *receiver, uint8_t byte, frame_t *frame) {
  if (byte != 0) {
    if (receiver->length < FRAME_COBS_MAX) {
      receiver->bytes[receiver->length++] = byte;
    } else {
      receiver->too_long = true; /* garbage up to the next delimiter */
      receiver->discarded++;
    }
    return false;
  }
  const size_t length = receiver->length;
  const bool whole = !receiver->too_long;
  receiver->length = 0;
  receiver->ended = length;
  receiver->too_long = false;
  if (length == 0) return false; /* two delimiters: an empty frame */
  if (whole && good(receiver->bytes, length, frame)) return true;
  secret_wipe(receiver->bytes, length); /* one flipped bit makes no secret less of one */
  receiver->discarded += (uint32_t)length;
  return false;
}

void frame_wipe(frame_receiver_t *receiver) {
  secret_wipe(receiver->bytes, sizeof receiver->bytes);
  receiver->length = 0;
  receiver->too_long = false;
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

typedef struct {
  uint8_t *out;
  size_t code; /* where the current group's length goes */
  size_t at;
  bool full; /* the last group is 254 bytes long: the next byte opens another */
} cobs_t;

static void cobs_put(cobs_t *c, uint8_t byte) {
  if (c->full) {
    c->code = c->at++;
    c->out[c->code] = 1;
    c->full = false;
  }
  if (byte == 0) {
    c->code = c->at++;
    c->out[c->code] = 1;
    return;
  }
  c->out[c->at++] = byte;
  c->full = ++c->out[c->code] == 255u;
}

size_t frame_encode(uint8_t wire[FRAME_WIRE_MAX], bool opening, wire_link_header_t header, const uint8_t *payload, size_t length) {
  cobs_t c = {.out = wire, .code = opening ? 1 : 0, .at = opening ? 2 : 1, .full = false};
  if (opening) wire[0] = 0;
  wire[c.code] = 1;
  const uint8_t head[FRAME_HEADER] = {header.kind, header.seq, header.ack, header.tag};
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < FRAME_HEADER + length; i++) {
    const uint8_t byte = i < FRAME_HEADER ? head[i] : payload[i - FRAME_HEADER];
    crc = crc_step(crc, byte);
    cobs_put(&c, byte);
  }
  crc = ~crc;
  for (size_t i = 0; i < FRAME_CRC; i++) cobs_put(&c, (uint8_t)(crc >> 8 * i));
  wire[c.at++] = 0;
  return c.at;
}
