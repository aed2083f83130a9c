/* receive.c - data frames in, in order, each once: CCID messages into g_message, service requests to service.c. */
#include "hal/hal.h"
#include "link/state.h"

_Static_assert(WIRE_MAX_CCID_MESSAGE <= MESSAGE_MAX, "g_message");
#define AT_LENGTH 1u /* bError: the offset of dwLength */

static bool is_short(const frame_t *frame, uint8_t type) {
  return frame->length == CCID_HEADER && !(frame->header.kind & LINK_MORE) && frame->payload[0] == type;
}

static void answer_small(const uint8_t head[CCID_HEADER], uint8_t error) {
  item_t item = {.kind = ITEM_SMALL};
  ccid_busy_answer(FACE_LINK, head, item.is.small);
  if (error != 0) {
    wire_answer_t *w = (wire_answer_t *)item.is.small;
    w->bStatus = (uint8_t)((w->bStatus & 3u) | COMMAND_FAILED << 6);
    w->bError = error;
  }
  (void)link_pend(&item); /* there is room: link_take_frame made sure */
}

/* The link has no control pipe: PC_to_RDR_Abort alone stops the command, and is answered after it. */
static void on_abort(const frame_t *frame) {
  if (g_link.ready != 0) { /* whole but not begun: it never will */
    g_link.ready = 0;
    answer_small(g_message, CCID_ERROR_CMD_ABORTED);
    message_release(FACE_LINK);
  }
  if (!g_link_running) {
    answer_small(frame->payload, 0);
    return;
  }
  for (size_t i = 0; i < CCID_HEADER; i++) g_link.abort_head[i] = frame->payload[i];
  g_link.abort_held = true;
  uint8_t ignored[CCID_HEADER];
  ccid_busy_answer(FACE_LINK, frame->payload, ignored); /* stops it */
}

/* The first frame of a message. False: not now, the host shall send it again. */
static bool begin(const frame_t *frame) {
  if (g_link.answer != 0 && !is_short(frame, PC_TO_RDR_GETSLOTSTATUS)) return false; /* the last answer is not acknowledged */
  g_link.have = 0;
  g_link.drop_error = 0;
  const bool busy = g_link_running || g_link.ready != 0 || g_link.answer != 0;
  g_link.rx = !busy && message_claim(FACE_LINK) ? RX_STORE : RX_DROP;
  return true;
}

void link_drop_message(uint8_t error) {
  for (size_t i = 0; i < CCID_HEADER && i < g_link.have; i++) g_link.head[i] = g_message[i];
  secret_wipe(g_message, g_link.have);
  message_release(FACE_LINK);
  g_link.rx = RX_DROP;
  g_link.drop_error = error;
}

static bool take_ccid(const frame_t *frame, uint64_t now) {
  if (g_link.rx == RX_NONE) {
    /* Of this slot and without data: any other is a message like every other, and refused. */
    if (is_short(frame, PC_TO_RDR_ABORT) && (frame->payload[1] | frame->payload[2] | frame->payload[3] | frame->payload[4] | frame->payload[5]) == 0) {
      on_abort(frame);
      return true;
    }
    if (!begin(frame)) return false;
    g_link.progress = now;
  }
  if (g_link.rx == RX_STORE && frame->length > WIRE_MAX_CCID_MESSAGE - g_link.have) link_drop_message(AT_LENGTH);
  for (size_t i = 0; i < frame->length; i++) {
    const size_t at = g_link.have + i;
    if (g_link.rx == RX_STORE) {
      g_message[at] = frame->payload[i]; /* at < WIRE_MAX_CCID_MESSAGE <= MESSAGE_MAX: link_drop_message() above */
    } else if (at < CCID_HEADER) {
      g_link.head[at] = frame->payload[i];
    }
  }
  g_link.have += frame->length;
  if (frame->length != 0) g_link.progress = now; /* an empty one brings nothing nearer to its end */
  if (frame->header.kind & LINK_MORE) return true;
  if (g_link.have < CCID_HEADER) { /* has no sequence number to answer to */
    if (g_link.rx == RX_STORE) message_release(FACE_LINK);
  } else if (g_link.rx == RX_STORE) {
    g_link.ready = g_link.have;
  } else {
    const uint8_t *head = g_link.head;
    const uint32_t says = head[1] | (uint32_t)head[2] << 8 | (uint32_t)head[3] << 16 | (uint32_t)head[4] << 24;
    answer_small(head, g_link.drop_error != 0 ? g_link.drop_error : g_link.have - CCID_HEADER != says ? AT_LENGTH : 0);
  }
  g_link.rx = RX_NONE;
  return true;
}

static void take_service(const frame_t *frame) {
  for (size_t i = 0; i < frame->length; i++) {
    if (g_link.request_length < SERVICE_REQUEST_MAX) g_link.request[g_link.request_length] = frame->payload[i];
    if (g_link.request_length <= SERVICE_REQUEST_MAX) g_link.request_length++; /* MAX + 1 stands for "longer" */
  }
  if (frame->header.kind & LINK_MORE) return;
  item_t item = {.kind = ITEM_SERVICE};
  const bool whole = g_link.request_length <= SERVICE_REQUEST_MAX;
  if (service_run(g_link.request, whole ? g_link.request_length : SERVICE_REQUEST_MAX, whole, &item.is.service)) (void)link_pend(&item);
  g_link.request_length = 0;
}

void link_take_frame(const frame_t *frame, uint64_t now) {
  const uint8_t channel = frame->header.kind >> 6;
  if (frame->header.seq != g_link.expected) { /* a gap, or one we have: say again where we are */
    g_link.ack_now = true;
    return;
  }
  /* The end of a message may need two small answers (an abort, and the command it found unbegun). Without room it is not taken. */
  if (!(frame->header.kind & LINK_MORE) && g_link.pending_count + 2u > PENDING_MAX) return;
  if (channel == LINK_CHANNEL_CCID) {
    if (!take_ccid(frame, now)) return;
  } else if (channel == LINK_CHANNEL_SERVICE) {
    take_service(frame);
  } /* channel 3, update: not spoken yet; taken, so that the host's deadline tells it */
  g_link.expected++;
  if (g_link.owed++ == 0) g_link.ack_due = now + ACK_DELAY_US;
  if (g_link.owed >= LINK_LIMIT_WINDOW / 2u) g_link.ack_now = true;
}
