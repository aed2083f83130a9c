/* pcscd.c - see pcscd.h.
 *
 *   host  03 06 │ command │ LRC ──▶                              one command in flight; what another one finds unsent is dropped
 *                               ◀── 03 06 │ its header, 0 bytes │ LRC     the echo: the driver reads one frame before the answer
 *                               ◀── 80 … 80                               still working, one a second
 *                               ◀── 03 06 │ answer │ LRC
 */
#include "pcscd/pcscd.h"
#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "hal/hal.h"
#include "negative.h"
#include "pcscd/level.h"

#define HEADER 10u
#define ECHO (HEADER + 3u)
#define SILENCE_US ((uint64_t)PCSCD_LIMIT_SILENCE_MS * 1000u)

static pcscd_receiver_t s_receiver;
static bool s_chosen;
static bool s_off;           /* the host is silent: its card was switched off */
static uint64_t s_heard;     /* when its last good frame came */
static uint8_t s_next[PCSCD_LIMIT_MAX_MESSAGE]; /* the newest command, not begun */
static size_t s_next_length;
static bool s_running, s_stale, s_gone; /* a command runs; its answer is not wanted any more; nor its host's chains */
/* The one that runs. Aligned: it is read as wire_command_t. */
static uint8_t s_command[PCSCD_LIMIT_MAX_MESSAGE] __attribute__((aligned(4)));
static uint8_t s_out[ECHO + PCSCD_FRAME_MAX + 1u];
static size_t s_out_length, s_out_sent;

static void drop_output(void) {
  secret_wipe(s_out, sizeof s_out);
  s_out_length = s_out_sent = 0;
}

void pcscd_reset(void) {
  pcscd_frame_wipe(&s_receiver);
  drop_output();
  secret_wipe(s_next, sizeof s_next);
  s_next_length = 0;
  s_chosen = s_off = false;
  s_stale = s_gone = s_running;
  if (!s_running) level_reset();
}

bool pcscd_chosen(void) { return s_chosen; }
bool pcscd_alive(void) { return s_chosen && (s_running || hal_now_us() - s_heard < SILENCE_US); }
bool pcscd_in_frame(void) { return s_receiver.length >= 2; }

/* ---- receiving ----------------------------------------------------------------------------------------------- */

/* Who sends a new command has given up waiting for the last one's answer: it must never meet it. */
static void supersede(void) {
#ifndef NEGATIVE_PCSCD_LATE_ANSWER
  drop_output();
#endif
  if (!s_running) return;
#ifndef NEGATIVE_PCSCD_LATE_ANSWER
  s_stale = true;
#endif
  ccid_abort(FACE_PCSCD);
}

static bool take(pcscd_event_t event) {
  bool good = false;
  while (event == PCSCD_FRAME) {
    const size_t length = pcscd_frame_message(&s_receiver);
    /* A link stream never has so many zeros in a row as dwLength and bSlot 0 make: no frame of ours can stand in one (docs/reference/pcscd-serial.md). */
    if (s_chosen || s_receiver.bytes[2 + 5] == 0) {
      supersede();
      secret_wipe(s_next, sizeof s_next); /* one that it replaces may have been longer */
      for (size_t i = 0; i < length; i++) s_next[i] = s_receiver.bytes[2 + i];
      s_next_length = length;
      s_heard = hal_now_us();
      s_chosen = good = true;
      s_off = false;
    }
    event = pcscd_frame_next(&s_receiver);
  }
  if (event == PCSCD_BAD_ESCAPE && s_chosen && !s_running && s_next_length == 0) {
    drop_output();
    s_out[0] = PCSCD_SYNC;
    s_out[1] = PCSCD_NAK;
    s_out[2] = PCSCD_SYNC ^ PCSCD_NAK;
    s_out_length = 3;
  }
  return good;
}

bool pcscd_receive(uint8_t byte) {
  if (s_receiver.length == 0 && byte != PCSCD_SYNC) return false; /* every byte of the link comes by here */
  return take(pcscd_frame_push(&s_receiver, byte, hal_now_us()));
}

uint64_t pcscd_step(bool *frame) {
  const uint64_t now = hal_now_us();
  *frame = take(pcscd_frame_quiet(&s_receiver, now));
  /* Another face's command runs: what asks nothing of the card is answered all the same, and the rest told that the slot is busy. */
  if (!s_running && ccid_running()) (void)pcscd_run();
  uint64_t next = s_receiver.length == 0 ? UINT64_MAX : s_receiver.last_us + PCSCD_LIMIT_BYTE_MS * 1000u;
  if (!s_chosen || s_running || s_off) return next;
  level_idle(now - s_heard);
  /* pcscd asks for the slot's state all the time: who does not is gone, and nobody inherits its PIN. */
  if (now - s_heard >= SILENCE_US) {
    s_off = true;
    level_reset();
    ccid_face_lost(FACE_PCSCD);
    return next;
  }
  return s_heard + SILENCE_US < next ? s_heard + SILENCE_US : next;
}

/* ---- running and sending ------------------------------------------------------------------------------------- */

static void echo(void) {
  uint8_t stub[HEADER] = {s_command[0], 0, 0, 0, 0, s_command[5], s_command[6]};
  /* Header only: a whole echo of its display texts is longer than what the driver has room for (libccid 1.5.2, GemPC PinPad). */
  s_out_length = pcscd_frame_encode(s_out, stub, sizeof stub);
  s_out_sent = 0;
}

bool pcscd_run(void) {
  if (s_next_length == 0) return false;
  const size_t length = s_next_length;
  for (size_t i = 0; i < length; i++) s_command[i] = s_next[i];
  secret_wipe(s_next, length);
  s_next_length = 0;
  echo();
  s_running = true;
  s_stale = false;
  static uint8_t s_answer[PCSCD_LIMIT_MAX_MESSAGE];
  const size_t answer_length = level_run(s_command, length, s_answer);
  s_running = false;
  s_heard = hal_now_us();
  if (s_gone) level_reset();
  s_gone = false;
#ifdef NEGATIVE_PCSCD_STRAY_BYTE
  s_out[s_out_length++] = 0;
#endif
  if (!s_stale) s_out_length += pcscd_frame_encode(s_out + s_out_length, s_answer, answer_length);
  secret_wipe(s_answer, sizeof s_answer);
  secret_wipe(s_command, sizeof s_command); /* a PIN typed on the host passes here */
  return true;
}

void pcscd_time_extension(void) {
  if (!s_running || s_stale || s_out_sent != s_out_length) return; /* the host does not read: it needs no telling */
  s_out[0] = PCSCD_WORKING;
  s_out_length = 1;
  s_out_sent = 0;
}

size_t pcscd_transmit(uint8_t *bytes, size_t capacity) {
  size_t length = s_out_length - s_out_sent;
  if (length > capacity) length = capacity;
  for (size_t i = 0; i < length; i++) bytes[i] = s_out[s_out_sent + i];
  s_out_sent += length;
  if (s_out_sent == s_out_length && !s_running) drop_output();
  return length;
}
