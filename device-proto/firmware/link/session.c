/* session.c - who speaks: hello, tags, the end of a session, and the doors of link.h that belong to neither direction.
 *
 *   host   hello(nonce) ─────────▶                                            the reader never sends first
 *                        ◀──────── hello-ack(nonce, tag, window, boot count)
 *   data frames, acks, pings; every frame carries the tag
 *   bye ─────────────────▶          or 20 s of silence, or 8 retransmissions without an acknowledgement: the card goes off */
#include "guard/policy.h"
#include "hal/hal.h"
#include "link/link.h"
#include "link/state.h"

session_t g_link;
bool g_link_running;
bool g_link_stale;
static uint8_t s_tag;
static frame_receiver_t s_receiver;

static void clear(void) {
  policy_stop(); /* who asked is gone */
  secret_wipe(&g_link, sizeof g_link);
  link_drop_wire();
  link_rate_clear();
  g_link_stale = g_link_running;
}

void link_reset(void) {
  clear();
  frame_wipe(&s_receiver);
}

void link_end_session(void) {
  clear();
  ccid_face_lost(FACE_LINK);
}

/* The port may take nothing from us, so this does not wait for link_transmit: a host that is stopped with its port open keeps no card powered. */
uint64_t link_step(void) {
  const uint64_t now = hal_now_us();
  const uint64_t trial = link_rate_step(now);
  if (!g_link.open) return UINT64_MAX;
  if (now - g_link.heard >= SILENCE_US || (g_link.answer != 0 && now - g_link.quiet_since >= SILENCE_US)) {
    link_end_session();
    return UINT64_MAX;
  }
  uint64_t next = g_link.heard + SILENCE_US;
  if (trial < next) next = trial;
  if (g_link.answer != 0 && g_link.quiet_since + SILENCE_US < next) next = g_link.quiet_since + SILENCE_US;
  if (g_link.rx != RX_STORE) return next;
  if (now - g_link.progress >= HALF_MESSAGE_US) {
    link_drop_message(CCID_ERROR_CMD_ABORTED);
    return next;
  }
  return g_link.progress + HALF_MESSAGE_US < next ? g_link.progress + HALF_MESSAGE_US : next;
}

bool link_session_open(void) { return g_link.open; }
uint32_t link_discarded(void) { return s_receiver.discarded; }
bool link_holds_buffer(void) { return g_link.rx == RX_STORE || g_link.ready != 0 || g_link.answer != 0 || g_link_running; }

/* Not 0, and not the last one: frames from before a reset, or of the session before, must not fit. */
static uint8_t new_tag(void) {
  const uint32_t mix = (hal_entropy() ^ hal_boot_count() * 0x9e3779b1u) * 0x85ebca6bu;
  uint8_t tag = (uint8_t)(mix >> 24);
  while (tag == 0 || tag == s_tag) tag++;
  return s_tag = tag;
}

/* Is there a version that both ends speak? */
static bool agrees(uint8_t least, uint8_t most) { return least <= LINK_LIMIT_VERSION && most >= LINK_LIMIT_VERSION_MIN && least <= most; }

static void on_hello(const frame_t *frame, uint64_t now) {
  if (frame->length < sizeof(wire_link_hello_t)) return;
  const uint8_t least = frame->payload[0];
  const uint8_t most = frame->payload[1];
  const uint8_t *nonce = frame->payload + 2;
  if (!agrees(least, most)) {
    if (!g_link.open) g_link.refuse = true; /* a stranger does not disturb a session */
    return;
  }
  bool same = g_link.open;
  for (size_t i = 0; i < sizeof g_link.nonce; i++) same = same && g_link.nonce[i] == nonce[i];
  if (!same) { /* the same nonce is our hello-ack that got lost */
    if (g_link.open) {
      link_end_session();
    } else {
      clear();
    }
    g_link.open = true;
    g_link.tag = new_tag();
    g_link.version = most < LINK_LIMIT_VERSION ? most : LINK_LIMIT_VERSION;
    for (size_t i = 0; i < sizeof g_link.nonce; i++) g_link.nonce[i] = nonce[i];
  }
  g_link.heard = now;
  g_link.hello_ack = true;
}

static void on_frame(const frame_t *frame, uint64_t now) {
  const uint8_t channel = frame->header.kind >> 6;
  const uint8_t session = frame->header.kind & 0x1fu;
  if (channel == LINK_CHANNEL_SESSION && session == LINK_HELLO && frame->header.tag == 0) {
    on_hello(frame, now);
    return;
  }
  if (!g_link.open || frame->header.tag != g_link.tag) return;
  g_link.heard = now;
  link_rate_heard();
  link_acknowledged(frame->header.ack, now);
  if (channel != LINK_CHANNEL_SESSION) {
    link_take_frame(frame, now);
  } else if (session == LINK_PING) {
    g_link.pong = true;
  } else if (session == LINK_RATE && g_link.version >= RATE_SINCE) {
    link_on_rate(frame);
  } else if (session == LINK_BYE) {
    link_end_session();
  }
}

void link_forget_frame(void) { frame_wipe(&s_receiver); }

void link_lost(uint32_t characters) {
  s_receiver.discarded += characters;
  link_rate_lost(characters);
}

void link_receive(const uint8_t *bytes, size_t length) {
  const uint64_t now = hal_now_us();
  frame_t frame;
  for (size_t i = 0; i < length; i++) {
    if (!frame_push(&s_receiver, bytes[i], &frame)) continue;
    link_rate_good();
    on_frame(&frame, now);
    /* The payload may have been a secret that the host typed; the CRC tells a short one, too. */
    secret_wipe(s_receiver.bytes, s_receiver.ended);
  }
}

static uint8_t s_hello[sizeof(wire_link_hello_t)];

bool link_listen(uint8_t byte) {
  frame_t frame;
  if (!frame_push(&s_receiver, byte, &frame)) return false;
  const bool hello = frame.header.kind == LINK_HELLO && frame.header.tag == 0 && frame.length >= sizeof s_hello &&
                     agrees(frame.payload[0], frame.payload[1]);
  for (size_t i = 0; hello && i < sizeof s_hello; i++) s_hello[i] = frame.payload[i];
  secret_wipe(s_receiver.bytes, s_receiver.ended);
  return hello;
}

void link_take_hello(void) {
  const frame_t frame = {.header = {.kind = LINK_HELLO}, .payload = s_hello, .length = sizeof s_hello};
  on_hello(&frame, hal_now_us());
}

bool link_message_ready(size_t *length) {
  *length = g_link.ready;
  if (g_link.ready == 0) return false;
  g_link.ready = 0;
  g_link_running = true;
  g_link_stale = false;
  return true;
}

void link_answer(size_t length) {
  g_link_running = false;
  if (g_link_stale || length == 0) { /* who asked is gone */
    message_release(FACE_LINK);
  } else {
    g_link.answer = length;
    g_link.cut = 0;
    if (length == CCID_HEADER) { /* needs no buffer: a stranger's "busy" keeps nobody from the slot */
      for (size_t i = 0; i < CCID_HEADER; i++) g_link.short_answer[i] = g_message[i];
      message_release(FACE_LINK);
    }
    g_link.quiet_since = hal_now_us();
  }
  g_link_stale = false;
}
