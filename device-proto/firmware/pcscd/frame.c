/* frame.c - see frame.h. */
#include "pcscd/frame.h"
#include "hal/hal.h"

#define HEADER 10u
#define AT_MESSAGE 2u

/* May these bytes be the beginning of a frame? */
static bool plausible(const uint8_t *b, size_t n) {
  if (n > 0 && b[0] != PCSCD_SYNC) return false;
  if (n > 1 && b[1] != PCSCD_ACK) return false;
  if (n > 2 && (b[2] < PC_TO_RDR_SETPARAMETERS || b[2] > PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY)) return false;
  if (n > 4 && (b[3] | (size_t)b[4] << 8) > PCSCD_LIMIT_MAX_MESSAGE - HEADER) return false;
  return (n <= 5 || b[5] == 0) && (n <= 6 || b[6] == 0);
}

static void drop(pcscd_receiver_t *r, size_t count) {
  for (size_t i = count; i < r->length; i++) r->bytes[i - count] = r->bytes[i];
  r->length -= count;
  secret_wipe(r->bytes + r->length, count); /* a VERIFY typed on the host passes here */
}

size_t pcscd_frame_message(const pcscd_receiver_t *r) {
  if (r->length < AT_MESSAGE + HEADER) return 0;
  return HEADER + (r->bytes[3] | (size_t)r->bytes[4] << 8);
}

static bool whole(const pcscd_receiver_t *r) {
  const size_t message = pcscd_frame_message(r);
  return message != 0 && r->length >= AT_MESSAGE + message + 1u;
}

/* Every turn drops a byte or ends: at most PCSCD_FRAME_MAX turns. */
static pcscd_event_t scan(pcscd_receiver_t *r) {
  pcscd_event_t event = PCSCD_NOTHING;
  while (r->length > 0) {
    if (!plausible(r->bytes, r->length)) {
      drop(r, 1);
      continue;
    }
    if (!whole(r)) return PCSCD_NOTHING;
    uint8_t lrc = 0;
    for (size_t i = 0; i < AT_MESSAGE + pcscd_frame_message(r) + 1u; i++) lrc ^= r->bytes[i];
    if (lrc == 0) return PCSCD_FRAME;
    if (r->bytes[2] == PC_TO_RDR_ESCAPE) event = PCSCD_BAD_ESCAPE;
    drop(r, 1);
  }
  return event;
}

pcscd_event_t pcscd_frame_push(pcscd_receiver_t *r, uint8_t byte, uint64_t now) {
  r->last_us = now;
  r->bytes[r->length++] = byte; /* there is room: a whole frame does not stay, and no candidate is longer than one */
  return scan(r);
}

pcscd_event_t pcscd_frame_next(pcscd_receiver_t *r) {
  drop(r, AT_MESSAGE + pcscd_frame_message(r) + 1u);
  return scan(r);
}

pcscd_event_t pcscd_frame_quiet(pcscd_receiver_t *r, uint64_t now) {
  if (now - r->last_us < PCSCD_LIMIT_BYTE_MS * 1000u) return PCSCD_NOTHING;
  while (r->length > 0) {
    drop(r, 1);
    if (scan(r) == PCSCD_FRAME) return PCSCD_FRAME;
  }
  return PCSCD_NOTHING;
}

size_t pcscd_frame_encode(uint8_t *frame, const uint8_t *message, size_t length) {
  frame[0] = PCSCD_SYNC;
  frame[1] = PCSCD_ACK;
  uint8_t lrc = PCSCD_SYNC ^ PCSCD_ACK;
  for (size_t i = 0; i < length; i++) {
    frame[AT_MESSAGE + i] = message[i];
    lrc ^= message[i];
  }
  frame[AT_MESSAGE + length] = lrc;
  return length + 3u;
}

void pcscd_frame_wipe(pcscd_receiver_t *r) {
  secret_wipe(r->bytes, sizeof r->bytes);
  r->length = 0;
}
