/* send.c - data frames out: a window of 8, go back to the oldest unacknowledged one after 200 ms, at most 8 times. */
#include "hal/hal.h"
#include "link/link.h"
#include "link/state.h"

#define RETRANSMIT_US ((uint64_t)LINK_LIMIT_RETRANSMIT_MS * MS)
_Static_assert((LINK_LIMIT_WINDOW & (LINK_LIMIT_WINDOW - 1)) == 0 && LINK_LIMIT_WINDOW < 256, "window");

static uint8_t s_wire[FRAME_WIRE_MAX];
static size_t s_wire_length, s_wire_sent;
static bool s_spoke;   /* the last thing on the wire was our 00 */
static bool s_is_data; /* what stands in s_wire is a data frame */

void link_drop_wire(void) {
  secret_wipe(s_wire, sizeof s_wire);
  s_wire_length = s_wire_sent = 0;
  s_spoke = false; /* half a frame may be out: a delimiter ends it */
}

bool link_pend(const item_t *item) {
  if (g_link.pending_count == PENDING_MAX) return false;
  g_link.pending[g_link.pending_count++] = *item;
  return true;
}

void link_time_extension(const uint8_t answer[CCID_HEADER]) {
  item_t item = {.kind = ITEM_SMALL};
  if (!g_link.open || !g_link_running || g_link_stale) return;
  for (size_t i = 0; i < CCID_HEADER; i++) item.is.small[i] = answer[i];
  (void)link_pend(&item); /* full: the host is not listening, and another follows */
}

/* `ack` is the number the host expects next. One that is not among those in flight is old: frames may be overtaken by an ack. */
void link_acknowledged(uint8_t ack, uint64_t now) {
  const uint8_t done = (uint8_t)(ack - g_link.base);
  if (done == 0 || done > g_link.count) return;
  for (uint8_t i = done; i < g_link.count; i++) g_link.ring[i - done] = g_link.ring[i];
  g_link.base = ack;
  g_link.count = (uint8_t)(g_link.count - done);
  g_link.next = g_link.next > done ? (uint8_t)(g_link.next - done) : 0;
  g_link.retries = 0;
  g_link.quiet_since = now;
  if (g_link.answer == 0 || g_link.cut < g_link.answer) return;
  for (uint8_t i = 0; i < g_link.count; i++) {
    if (g_link.ring[i].kind == ITEM_PART) return;
  }
  g_link.answer = g_link.cut = 0;
  message_release(FACE_LINK);
}

/* ---- what goes into the window ------------------------------------------------------------------------------- */

static bool next_item(item_t *item) {
  const bool begun = g_link.cut != 0;
  if (g_link.answer > g_link.cut && (begun || g_link.pending_count == 0)) {
    const size_t rest = g_link.answer - g_link.cut;
    const size_t length = rest < LINK_LIMIT_MAX_PAYLOAD ? rest : LINK_LIMIT_MAX_PAYLOAD;
    *item = (item_t){.kind = ITEM_PART, .is.part = {g_link.cut, length}, .more = rest > length};
    g_link.cut += length;
    return true;
  }
  if (g_link.pending_count != 0) {
    *item = g_link.pending[0];
    g_link.pending_count--;
    for (uint8_t i = 0; i < g_link.pending_count; i++) g_link.pending[i] = g_link.pending[i + 1];
    return true;
  }
  if (g_link.abort_held && !g_link_running) {
    g_link.abort_held = false;
    *item = (item_t){.kind = ITEM_SMALL};
    ccid_busy_answer(FACE_LINK, g_link.abort_head, item->is.small);
    return true;
  }
  return false;
}

static void fill_window(void) {
  while (g_link.count < LINK_LIMIT_WINDOW && next_item(&g_link.ring[g_link.count])) g_link.count++;
}

/* ---- onto the wire ------------------------------------------------------------------------------------------- */

static void encode(uint8_t kind, uint8_t seq, const uint8_t *payload, size_t length) {
  const bool tagless = kind == LINK_REFUSE;
  const wire_link_header_t header = {kind, seq, tagless ? 0 : g_link.expected, tagless ? 0 : g_link.tag};
  s_wire_length = frame_encode(s_wire, !s_spoke, header, payload, length);
  s_wire_sent = 0;
  s_spoke = true;
  s_is_data = kind >> 6 != LINK_CHANNEL_SESSION;
  if (tagless) return;
  g_link.owed = 0; /* every frame carries the acknowledgement */
  g_link.ack_now = false;
}

static void encode_item(const item_t *item, uint8_t seq) {
  const uint8_t more = item->more ? LINK_MORE : 0;
  switch (item->kind) {
  case ITEM_SMALL:
    encode(LINK_CHANNEL_CCID << 6, seq, item->is.small, CCID_HEADER);
    return;
  case ITEM_PART:
    encode((uint8_t)(LINK_CHANNEL_CCID << 6 | more), seq, (g_link.answer == CCID_HEADER ? g_link.short_answer : g_message) + item->is.part.at, item->is.part.length);
    return;
  case ITEM_SERVICE: {
    uint8_t answer[SERVICE_ANSWER_MAX];
    const size_t length = service_answer(&item->is.service, answer);
    encode(LINK_CHANNEL_SERVICE << 6, seq, answer, length);
    return;
  }
  }
}

static void encode_hello_ack(void) {
  uint8_t payload[sizeof(wire_link_hello_ack_t)];
  const uint32_t boots = hal_boot_count();
  payload[0] = g_link.version;
  for (size_t i = 0; i < sizeof g_link.nonce; i++) payload[1 + i] = g_link.nonce[i];
  payload[9] = g_link.tag;
  payload[10] = LINK_LIMIT_WINDOW;
  payload[11] = (uint8_t)LINK_LIMIT_MAX_PAYLOAD;
  payload[12] = (uint8_t)(LINK_LIMIT_MAX_PAYLOAD >> 8);
  for (size_t i = 0; i < 4; i++) payload[13 + i] = (uint8_t)(boots >> 8 * i);
  encode(LINK_HELLO_ACK, 0, payload, sizeof payload);
}

static bool in_flight(void) { return g_link.count != 0 && g_link.next == g_link.count; }
static bool ack_is_due(uint64_t now) { return g_link.ack_now || (g_link.owed != 0 && now >= g_link.ack_due); }

/* Time is up for what is in flight: go back, or give up. */
static void watch(uint64_t now) {
  if (!in_flight() || now < g_link.quiet_since + RETRANSMIT_US) return;
  if (g_link.retries == LINK_LIMIT_RETRANSMISSIONS) {
    link_end_session();
    return;
  }
  g_link.retries++;
  g_link.next = 0;
}

static bool build(uint64_t now) {
  static const uint8_t k_refuse[sizeof(wire_link_refuse_t)] = {1, LINK_LIMIT_VERSION_MIN, LINK_LIMIT_VERSION};
  uint8_t notice[NOTICE_MAX], rate[sizeof(wire_link_rate_t)];
  if (g_link.refuse) {
    g_link.refuse = false;
    encode(LINK_REFUSE, 0, k_refuse, sizeof k_refuse);
    return true;
  }
  if (!g_link.open || link_rate_holds()) return false;
  if (g_link.hello_ack) {
    g_link.hello_ack = false;
    encode_hello_ack();
    return true;
  }
  if (g_link.pong) {
    g_link.pong = false;
    encode(LINK_PONG, 0, NULL, 0);
    return true;
  }
  if (link_rate_answer(rate)) {
    encode(LINK_RATE_ACK, 0, rate, sizeof rate);
    return true;
  }
  fill_window();
  if (g_link.next < g_link.count) {
    const uint8_t at = g_link.next++;
    encode_item(&g_link.ring[at], (uint8_t)(g_link.base + at));
    return true;
  }
  const size_t news = ccid_notify(FACE_LINK, notice);
  if (news != 0) {
    encode(LINK_NOTICE, 0, notice, news);
    return true;
  }
  if (ack_is_due(now)) {
    encode(LINK_ACK, 0, NULL, 0);
    return true;
  }
  return false;
}

bool link_wire_empty(void) { return s_wire_sent == s_wire_length; }

size_t link_transmit(uint8_t *bytes, size_t capacity) {
  const uint64_t now = hal_now_us();
  if (s_wire_sent == s_wire_length) {
    watch(now);
    if (!build(now)) {
      s_spoke = false; /* silence: the next frame begins with a delimiter of its own */
      return 0;
    }
  }
  size_t length = s_wire_length - s_wire_sent;
  if (length > capacity) length = capacity;
  for (size_t i = 0; i < length; i++) bytes[i] = s_wire[s_wire_sent + i];
  s_wire_sent += length;
  if (s_is_data) g_link.quiet_since = now; /* a slow port is no lost frame */
  return length;
}

uint64_t link_next_deadline(void) {
  if (!g_link.open) return UINT64_MAX;
  uint64_t next = UINT64_MAX;
  if (g_link.owed != 0 && g_link.ack_due < next) next = g_link.ack_due;
  if (in_flight() && g_link.quiet_since + RETRANSMIT_US < next) next = g_link.quiet_since + RETRANSMIT_US;
  return next;
}
