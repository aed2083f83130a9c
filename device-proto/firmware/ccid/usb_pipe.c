/* usb_pipe.c - bulk OUT → g_message → bulk IN, and the abort on two pipes.
 *
 *   OUT  │ header 10 │ data 54 │ data 64 │ … │ short packet │      whole when dwLength bytes are there
 *   IN   │ header 10 │ data 54 │ data 64 │ … │ short packet │      a multiple of 64 is ended by an empty packet
 *
 * While g_message is occupied a header is enough to answer "busy"; the data that belongs to it is dropped. Whoever holds g_message without going on
 * loses it after a while: a transfer that stands still, a chain without its next part, an answer nobody reads while the other face has work. */
#include "ccid/usb_pipe.h"
#include "ccid/ccid.h"
#include "gen/wire_gen.h"
#include "hal/hal.h"

#define PACKET 64u
#define HEADER 10u
#define SAY_MAX 6u
#define SAY_ROOM 3u         /* kept free when a packet is taken: a time extension, and an abort with the command it found unbegun */
#define TRANSFER_US 2000000u /* between packets of one transfer, which follow each other within milliseconds */
#define HOLD_US 20000000u    /* between parts of a chain; for a host to read its answer */

static enum { IN_HEADER, IN_DATA, IN_DROP } s_receive;
static size_t s_total, s_have;         /* of the message being received, header included */
static size_t s_ready;                 /* length of a whole message, 0 = none */
static bool s_awaited;                 /* a host still waits for the answer of the message that runs */
static size_t s_answer, s_sent;        /* answer in g_message and how much of it went */
static uint8_t s_say[SAY_MAX][HEADER];
static size_t s_say_count;
static uint64_t s_since;               /* when the last packet went or came */
static uint32_t s_epoch;
/* §5.3.1: an abort is the control request and the bulk message with the same sequence number, in any order. */
static bool s_abort_control, s_abort_bulk;
static uint8_t s_abort_control_sequence, s_abort_bulk_sequence;

/* What has come of a message (`have` bytes, header included), and of its chain, is not wanted any more. */
static void forget(size_t have) {
  if (have > HEADER) secret_wipe(g_message + ccid_data_at(FACE_USB), have - HEADER);
  ccid_chain_break(FACE_USB);
  if (s_answer == 0) message_release(FACE_USB);
}

static void reset(void) {
  if (s_receive == IN_DATA || s_ready != 0) forget(s_receive == IN_DATA ? s_have : s_ready);
  s_receive = IN_HEADER;
  s_ready = s_answer = s_sent = s_say_count = 0;
  s_awaited = s_abort_control = s_abort_bulk = false;
  ccid_face_lost(FACE_USB);
  ccid_notify_again(FACE_USB); /* after a reset, a configuration or a resume the host learns what the slot holds, and that its card was switched off */
}

static bool is_extension(const uint8_t *answer) { return answer[7] >> 6 == COMMAND_TIME_EXTENSION; }

void usb_pipe_say(const uint8_t answer[HEADER]) {
  if (s_say_count == SAY_MAX) return;
  for (size_t row = 0; is_extension(answer) && row < s_say_count; row++) {
    if (is_extension(s_say[row])) return; /* a host that reads nothing needs no second one */
  }
  for (size_t i = 0; i < HEADER; i++) s_say[s_say_count][i] = answer[i];
  s_say_count++;
}

static void refuse(const uint8_t command[HEADER], uint8_t error) {
  uint8_t answer[HEADER];
  ccid_busy_answer(FACE_USB, command, answer);
  wire_answer_t *w = (wire_answer_t *)answer;
  w->bStatus = (uint8_t)((w->bStatus & 3u) | COMMAND_FAILED << 6);
  w->bError = error;
  usb_pipe_say(answer);
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

static bool abort_pending_for(const uint8_t *command) {
  return s_abort_control && !(command[0] == PC_TO_RDR_ABORT && command[6] == s_abort_control_sequence);
}

/* The first packet of a message. True when its data is wanted. */
static bool header_wanted(const uint8_t *packet, size_t length) {
  /* An abort of another slot, or one with data, told or sent, is no abort: it is refused like any other message. */
  if (packet[0] == PC_TO_RDR_ABORT && packet[5] == 0 && s_total == HEADER && length == HEADER) {
    s_abort_bulk = true;
    s_abort_bulk_sequence = packet[6];
    return false;
  }
  if (abort_pending_for(packet)) {
    refuse(packet, CCID_ERROR_CMD_ABORTED);
    return false;
  }
  if (s_total > WIRE_MAX_CCID_MESSAGE) {
    refuse(packet, 1); /* offset of dwLength */
    return false;
  }
  if (s_ready != 0 || s_answer != 0 || !message_claim(FACE_USB)) {
    const bool disagrees = length > s_total || (length < PACKET && length < s_total); /* as far as one packet shows */
    if (disagrees) {
      refuse(packet, 1);
    } else {
      uint8_t answer[HEADER];
      ccid_busy_answer(FACE_USB, packet, answer);
      usb_pipe_say(answer);
    }
    return false;
  }
  if (s_total - HEADER > MESSAGE_MAX - ccid_data_at(FACE_USB)) { /* a chain longer than any APDU */
    forget(HEADER);
    refuse(packet, 1);
    return false;
  }
  return true;
}

static void receive(const uint8_t *packet, size_t length) {
  size_t at = 0;
  if (s_receive == IN_HEADER) {
    if (length < HEADER) return; /* an empty packet that ended the last message, or noise */
    s_total = HEADER + (packet[1] | (size_t)packet[2] << 8 | (size_t)packet[3] << 16 | (size_t)packet[4] << 24);
    if (s_total < HEADER) s_total = UINT32_MAX; /* 4 GiB and more */
    s_have = 0;
    s_receive = header_wanted(packet, length) ? IN_DATA : IN_DROP;
    if (s_receive == IN_DATA) {
      for (; at < HEADER; at++) g_message[at] = packet[at];
      s_have = HEADER;
    }
  }
  if (s_receive == IN_DROP) {
    s_have += length;
    if (length < PACKET || s_have >= s_total) s_receive = IN_HEADER;
    return;
  }
  uint8_t *to = g_message + ccid_data_at(FACE_USB) - HEADER;
  for (; at < length && s_have < s_total; at++) to[s_have++] = packet[at];
  const bool too_long = at < length;
  if (s_have < s_total && length == PACKET) return;
  s_receive = IN_HEADER;
  if (s_have < s_total || too_long) { /* the transfer and dwLength disagree */
    refuse(g_message, 1);
    forget(s_have);
    return;
  }
  s_ready = s_total;
}

bool usb_pipe_message(size_t *length) {
  *length = s_ready;
  s_ready = 0;
  s_awaited = *length != 0;
  return s_awaited;
}

/* ---- abort ------------------------------------------------------------------------------------------------------- */

static void aborts(void) {
  uint8_t slot, sequence;
  if (hal_usb_take_abort(&slot, &sequence)) {
    s_abort_control = true;
    s_abort_control_sequence = sequence;
    ccid_abort(FACE_USB);
    if (s_ready != 0 || s_receive == IN_DATA) { /* a command that has not begun never will */
      refuse(g_message, CCID_ERROR_CMD_ABORTED);
      forget(s_ready != 0 ? s_ready : s_have);
      s_ready = 0;
      if (s_receive == IN_DATA) s_receive = IN_DROP;
    } else if (ccid_chain_open(FACE_USB)) {
      forget(HEADER);
    }
  }
  if (!s_abort_control || !s_abort_bulk || s_abort_bulk_sequence != s_abort_control_sequence || s_answer != 0 || ccid_stopped()) return;
  /* Both are there and what they stop has ended: the slot takes commands again. */
  const uint8_t command[HEADER] = {PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, s_abort_bulk_sequence};
  uint8_t answer[HEADER];
  s_abort_control = s_abort_bulk = false;
  ccid_busy_answer(FACE_USB, command, answer);
  usb_pipe_say(answer);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

void usb_pipe_answer(size_t length) {
  if (!s_awaited) return; /* the bus was reset meanwhile: this host asked nothing */
  s_awaited = false;
  s_answer = length;
  s_sent = 0;
  s_since = hal_now_us();
}

static void send(void) {
  if (!hal_bulk_in_ready(HAL_FACE_CCID)) return;
  if (s_say_count != 0 && s_sent == 0) {
    hal_bulk_in(HAL_FACE_CCID, s_say[0], HEADER);
    s_say_count--;
    for (size_t row = 0; row < s_say_count; row++) {
      for (size_t i = 0; i < HEADER; i++) s_say[row][i] = s_say[row + 1][i];
    }
    return;
  }
  if (s_answer == 0) return;
  const size_t n = s_answer - s_sent < PACKET ? s_answer - s_sent : PACKET;
  hal_bulk_in(HAL_FACE_CCID, g_message + s_sent, n);
  s_since = hal_now_us();
  s_sent += n;
  if (s_sent < s_answer) return;
  if (n == PACKET) return; /* the empty packet that ends the transfer is the next turn's */
  s_answer = s_sent = 0;
  if (!ccid_chain_open(FACE_USB)) message_release(FACE_USB);
}

/* Nobody holds g_message for ever. */
static void deadlines(void) {
  const uint64_t quiet = hal_now_us() - s_since;
  if (s_receive != IN_HEADER && quiet >= TRANSFER_US) { /* the host took its transfer back: what comes next is a message */
    if (s_receive == IN_DATA) {
      refuse(g_message, 1);
      forget(s_have);
    }
    s_receive = IN_HEADER;
  }
  if (quiet < HOLD_US) return;
  if (s_answer == 0 && s_ready == 0 && ccid_chain_open(FACE_USB)) forget(HEADER);
  if (s_answer != 0 && message_wanted()) { /* what is out cannot be called back: an empty packet ends it, shorter than its dwLength says */
    s_answer = s_sent;
    ccid_chain_break(FACE_USB);
    message_release(FACE_USB);
  }
}

void usb_pipe_step(void) {
  if (hal_usb_epoch() != s_epoch) {
    s_epoch = hal_usb_epoch();
    reset();
  }
  if (!hal_usb_configured()) return;
  aborts();
  uint8_t packet[PACKET] __attribute__((aligned(4))), notice[NOTICE_MAX];
  for (;;) {
    if (s_ready != 0 || s_say_count > SAY_MAX - SAY_ROOM - 1u) break; /* the host waits until its answers have room */
    bool got;
    const size_t length = hal_bulk_out(HAL_FACE_CCID, packet, &got);
    if (!got) break;
    s_since = hal_now_us();
    receive(packet, length);
    secret_wipe(packet, length); /* it may have been part of a secret that the host typed */
  }
  deadlines();
  aborts();
  send();
  if (!hal_interrupt_in_ready()) return;
  const size_t news = ccid_notify(FACE_USB, notice);
#ifdef NEGATIVE_INTERRUPT_SILENT
  (void)news;
#else
  if (news != 0) hal_interrupt_in(notice, news);
#endif
}
