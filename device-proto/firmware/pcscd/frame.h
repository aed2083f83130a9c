/* frame.h - pcscd's serial framing (libccidtwin): 03 06 │ CCID message │ LRC. See docs/reference/pcscd-serial.md. */
#ifndef PCSCD_FRAME_H
#define PCSCD_FRAME_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/wire_gen.h"

#define PCSCD_FRAME_MAX (PCSCD_LIMIT_MAX_MESSAGE + 3u)

typedef struct {
  uint8_t bytes[PCSCD_FRAME_MAX]; /* from the first byte that may begin a frame on */
  size_t length;
  uint64_t last_us; /* when the newest byte came */
} pcscd_receiver_t;

typedef enum {
  PCSCD_NOTHING,
  PCSCD_FRAME,      /* bytes[2 .. 2 + pcscd_frame_message()) is a CCID message whose check passed; pcscd_frame_next() must follow */
  PCSCD_BAD_ESCAPE, /* an Escape whose check did not, and nothing good in it */
} pcscd_event_t;

/* Takes one byte as it came. What turned out to be no frame is looked through again from its second byte on: a good frame behind garbage is never lost. */
pcscd_event_t pcscd_frame_push(pcscd_receiver_t *r, uint8_t byte, uint64_t now);
/* Drops the frame that was given, and looks at what stands behind it. */
pcscd_event_t pcscd_frame_next(pcscd_receiver_t *r);
/* Nothing came for PCSCD_LIMIT_BYTE_MS: what is there is no frame, unless a whole one stands inside. */
pcscd_event_t pcscd_frame_quiet(pcscd_receiver_t *r, uint64_t now);
/* Length of the message of the candidate; 0 as long as its header is not complete. */
size_t pcscd_frame_message(const pcscd_receiver_t *r);
/* Writes 03 06, `message` and LRC; the frame's length. */
size_t pcscd_frame_encode(uint8_t *frame, const uint8_t *message, size_t length);
void pcscd_frame_wipe(pcscd_receiver_t *r);
#endif
