/* The link: bytes from a host that may be anything, and from one that knows the session. Frames are judged by a COBS and a CRC of this door's own;
 * messages are counted: each that was sent whole and in order is delivered once, as it was, and its answer comes back whole.
 * sources: link/frame.c link/session.c link/rate.c link/receive.c link/send.c link/service.c */
#include "ccid/ccid.h"
#include "front/front.h"
#include "fuzz/door.h"
#include "hal/hal.h"
#include "link/frame.h"
#include "link/link.h"

/* ---- the rooms around ------------------------------------------------------------------------------------------- */

uint8_t g_message[MESSAGE_MAX];
static uint64_t s_now;
static bool s_claimed, s_other_face, s_running, s_notice;
static unsigned s_lost;

uint64_t hal_now_us(void) { return s_now; }
uint32_t hal_entropy(void) { return (uint32_t)s_now; }
uint32_t hal_boot_count(void) { return 7; }
void hal_unique_id(uint8_t id[8]) { memset(id, 0xa0, 8); }
void hal_image_hash(uint8_t hash[8]) { memset(hash, 0xb0, 8); }
void front_blink(void) {}
bool message_claim(face_t face) {
  PROMISE(face == FACE_LINK);
  if (s_running || s_other_face) return false;
  return s_claimed = true;
}
void message_release(face_t face) {
  PROMISE(face == FACE_LINK);
  s_claimed = false;
}
void ccid_face_lost(face_t face) {
  s_lost++;
  message_release(face);
}
size_t ccid_notify(face_t face, uint8_t notice[NOTICE_MAX]) {
  PROMISE(face == FACE_LINK);
  notice[0] = 0x50;
  notice[1] = 3;
  const bool news = s_notice;
  s_notice = false;
  return news ? 2 : 0;
}
void ccid_busy_answer(face_t face, const uint8_t command[10], uint8_t answer[10]) {
  PROMISE(face == FACE_LINK);
  const uint8_t made[10] = {0x81, 0, 0, 0, 0, command[5], command[6], 0x40, 0xe0, 0};
  memcpy(answer, made, 10);
}

/* ---- frames, as the page says ------------------------------------------------------------------------------------ */

static uint32_t crc32(const uint8_t *bytes, size_t length) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (unsigned k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

/* Decoded bytes, or 0 for what is no frame. */
static size_t unstuff(const uint8_t *wire, size_t length, uint8_t *plain) {
  size_t n = 0;
  for (size_t at = 0; at < length;) {
    const size_t code = wire[at];
    if (at + code > length) return 0;
    for (size_t k = 1; k < code; k++) plain[n++] = wire[at + k];
    at += code;
    if (code != 255 && at < length) plain[n++] = 0;
  }
  if (n < 8 || n > 4 + 1024 + 4) return 0;
  const uint32_t crc = crc32(plain, n - 4);
  for (unsigned k = 0; k < 4; k++) {
    if (plain[n - 4 + k] != (uint8_t)(crc >> 8 * k)) return 0;
  }
  return n - 4;
}

static size_t stuff(const uint8_t *plain, size_t length, uint8_t *wire) {
  size_t n = 0;
  for (size_t at = 0;;) {
    size_t run = 0;
    while (run < 254 && at + run < length && plain[at + run] != 0) run++;
    wire[n++] = (uint8_t)(run + 1);
    memcpy(wire + n, plain + at, run);
    n += run;
    at += run;
    if (run == 254) {
      if (at == length) break;
      continue;
    }
    if (at == length) break;
    at++; /* the zero that the code stands for */
  }
  wire[n++] = 0;
  return n;
}

/* ---- what this host knows of the session -------------------------------------------------------------------------- */

static bool s_open, s_heard_any;
static uint8_t s_tag, s_seq, s_expected; /* the reader's next number, as this host has it */
static uint8_t s_ack;                    /* this host's next one, as the reader has it */
static uint8_t s_wire[4096];             /* what the reader says, up to a 00 */
static size_t s_wire_length;
static uint8_t s_sent[4096];             /* the message being sent in frames that the reader must take */
static size_t s_sent_length;
static uint8_t s_answer[4096], s_back[4096];
static size_t s_answer_length, s_back_length;
static bool s_answering;                 /* an answer is on its way */

static void heard_frame(const uint8_t *plain, size_t length) {
  const unsigned channel = plain[0] >> 6, session = plain[0] & 0x1fu;
  PROMISE((channel == 0) == (session != 0) && channel <= 2);
  if (session != LINK_REFUSE) s_ack = plain[2];
  const uint8_t *payload = plain + 4;
  const size_t n = length - 4;
  if (channel == 0) {
    PROMISE(plain[1] == 0 && (session == LINK_HELLO_ACK ? n == 17 : session == LINK_REFUSE ? n == 3 : session == LINK_NOTICE ? n == 2 : session == LINK_RATE_ACK ? n == 4 : n == 0));
    PROMISE(session == LINK_HELLO_ACK || session == LINK_ACK || session == LINK_REFUSE || session == LINK_PONG || session == LINK_NOTICE || session == LINK_RATE_ACK);
    if (session == LINK_HELLO_ACK) {
      PROMISE(payload[9] == plain[3] && payload[9] != 0);
      if (!s_open || payload[9] != s_tag) s_seq = s_expected = 0, s_back_length = 0, s_answering = false, s_sent_length = 0;
      s_open = true;
      s_tag = payload[9];
    } else if (session != LINK_REFUSE) {
      PROMISE(s_open && plain[3] == s_tag);
    }
    return;
  }
  PROMISE(s_open && plain[3] == s_tag);
  if (plain[1] != s_expected) return; /* said again */
  s_expected++;
  if (channel == 2) {
    PROMISE(n >= 5 && (payload[0] & 0x80u) != 0 && n == 4u + payload[2] + 256u * payload[3]);
    return;
  }
  if (n == 10 && (payload[7] == 0x40 || payload[7] == 0x41) && s_back_length == 0 && (plain[0] & LINK_MORE) == 0) return; /* busy, or dropped */
  PROMISE(s_answering && s_back_length + n <= s_answer_length);
  memcpy(s_back + s_back_length, payload, n);
  s_back_length += n;
  if ((plain[0] & LINK_MORE) != 0) return;
  PROMISE(s_back_length == s_answer_length && memcmp(s_back, s_answer, s_answer_length) == 0);
  s_back_length = 0;
  s_answering = false;
}

static void listen(unsigned turns) {
  uint8_t out[64], plain[4096];
  while (turns-- > 0) {
    step();
    const size_t n = link_transmit(out, sizeof out);
    PROMISE(n <= sizeof out);
    if (n == 0) return;
    PROMISE(s_heard_any); /* the reader never sends first */
    for (size_t i = 0; i < n; i++) {
      if (out[i] != 0) {
        PROMISE(s_wire_length < sizeof s_wire);
        s_wire[s_wire_length++] = out[i];
        continue;
      }
      /* What a session's end cut off is no frame; everything else is one. */
      const size_t length = s_wire_length == 0 ? 0 : unstuff(s_wire, s_wire_length, plain);
      s_wire_length = 0;
      if (length != 0) heard_frame(plain, length);
    }
  }
}

static void say(unsigned kind, unsigned seq, unsigned ack, unsigned tag, const uint8_t *payload, size_t n) {
  static uint8_t plain[1100], wire[1200];
  plain[0] = (uint8_t)kind;
  plain[1] = (uint8_t)seq;
  plain[2] = (uint8_t)ack;
  plain[3] = (uint8_t)tag;
  if (n > 0) memcpy(plain + 4, payload, n);
  const uint32_t crc = crc32(plain, 4 + n);
  for (unsigned k = 0; k < 4; k++) plain[4 + n + k] = (uint8_t)(crc >> 8 * k);
  const size_t length = stuff(plain, 8 + n, wire);
  uint8_t *exact = exactly(length);
  memcpy(exact, wire, length);
  const uint8_t delimiter = 0;
  link_receive(&delimiter, 1); /* whatever came before: this frame is the next good one */
  link_receive(exact, length);
  free(exact);
}

static void run_message(unsigned how) {
  size_t length = 0;
  if (!link_message_ready(&length)) return;
  PROMISE(s_claimed && length >= 10 && length <= WIRE_MAX_CCID_MESSAGE && link_session_open());
  if (s_sent_length != 0) { /* this host sent it by the rules: it is what it was, once */
    PROMISE(length == s_sent_length && memcmp(g_message, s_sent, length) == 0);
    s_sent_length = 0;
  }
  size_t again;
  PROMISE(!link_message_ready(&again));
  s_running = true;
  for (unsigned i = how & 3u; i > 0; i--) { /* a command that takes its time */
    s_now += 1000000;
    (void)link_step();
    if ((how & 4u) != 0) listen(400);
  }
  s_answer_length = 10u + (how >> 2) * 60u;
  for (size_t i = 0; i < s_answer_length; i++) g_message[i] = s_answer[i] = (uint8_t)(i * 5u + how);
  g_message[7] = s_answer[7] = 0;
  s_running = false;
  const bool still = link_session_open();
  link_answer(s_answer_length);
  s_answering = still;
  s_back_length = 0;
}

static void door(void) {
  static const uint8_t k_hello[10] = {1, 1, 1, 2, 3, 4, 5, 6, 7, 8};
  s_now += 60000000;
  link_reset();
  link_line(true); /* UART0: the only one with a rate */
  s_claimed = s_other_face = s_running = s_notice = s_open = s_heard_any = s_answering = false;
  s_seq = s_expected = s_tag = 0;
  s_wire_length = s_sent_length = s_back_length = s_answer_length = 0;
  uint8_t payload[1024];
  for (unsigned turn = 0; turn < 200 && s_left > 0; turn++) {
    const unsigned what = take();
    const bool was_open = link_session_open();
    switch (what & 15u) {
    case 0: { /* raw bytes */
      const size_t n = 1u + (what >> 4);
      uint8_t *raw = exactly(n);
      take_bytes(raw, n);
      s_heard_any = true; /* a frame could be among them */
      s_sent_length = 0;
      link_receive(raw, n);
      free(raw);
      break;
    }
    case 1:
    case 2: {
      uint8_t hello[10];
      memcpy(hello, k_hello, 10);
      hello[2] = (uint8_t)(what >> 6);
      if ((what & 0x30u) == 0x30u) hello[0] = take(), hello[1] = take();
      s_heard_any = true;
      say(LINK_HELLO, 0, 0, 0, hello, (what & 0x30u) == 0x20u ? take() % 11u : 10);
      break;
    }
    case 3: say(LINK_PING, 0, s_expected, s_tag, NULL, 0); break;
    case 4: say(LINK_ACK, 0, (what & 0x10u) != 0 ? take() : s_expected, s_tag, NULL, 0); break;
    case 5:
    case 6:
    case 7: { /* a CCID message by the rules, in one or more frames */
      if (!s_open || !was_open || link_holds_buffer() || s_sent_length != 0 || s_other_face || s_claimed) break;
      s_now += 30000; /* what is owed is acknowledged: the host goes on from there */
      listen(400);
      if (!link_session_open() || link_holds_buffer()) break;
      s_seq = s_ack;
      const size_t length = 10u + (what >> 4) * 7u;
      s_sent_length = length;
      for (size_t i = 0; i < length; i++) s_sent[i] = take();
      s_sent[0] = (uint8_t)(s_sent[0] == 0x72 ? 0x6f : s_sent[0]);
      const size_t part = (what & 1u) != 0 ? length : 1u + take() % length;
      for (size_t at = 0; at < length; at += part) {
        const size_t n = length - at < part ? length - at : part;
        const unsigned twice = n < length ? 1 : 1 + (what >> 7);
        for (unsigned k = 0; k < twice; k++) say(LINK_CHANNEL_CCID << 6 | (at + n < length ? LINK_MORE : 0u), s_seq, s_expected, s_tag, s_sent + at, n);
        s_seq++;
      }
      s_now += 30000;
      listen(400);
      PROMISE(!link_session_open() || (uint8_t)(s_seq - s_ack) < 128); /* nothing is acknowledged that was not sent */
      break;
    }
    case 8: { /* a frame that may be anything, with a right check */
      const unsigned kind = take(), seq = (what & 0x10u) != 0 ? take() : s_seq, ack = (what & 0x20u) != 0 ? take() : s_expected;
      const size_t n = (what & 0x80u) != 0 ? (size_t)take() * 4u : take() % 24u;
      for (size_t i = 0; i < n; i++) payload[i] = i < 12 ? take() : (uint8_t)i;
      s_heard_any = true;
      s_sent_length = 0; /* it may be taken for the host's next: from here on the host has lost count */
      say(kind, seq, ack, (what & 0x40u) != 0 ? take() : s_tag, payload, n);
      break;
    }
    case 9: s_now += (uint64_t)(what >> 4) * (what >> 4) * 100000u; break;
    case 10: run_message(take()); break;
    case 11: s_other_face = (what & 0x10u) != 0 && !s_claimed; break;
    case 12: { /* a service */
      const uint8_t request[4] = {take(), 9, (uint8_t)(what >> 7), 0};
      if (s_open) say(LINK_CHANNEL_SERVICE << 6, s_seq++, s_expected, s_tag, request, sizeof request);
      break;
    }
    case 13: s_notice = true; break;
    case 14:
      if ((what & 0x10u) != 0) { /* another rate; the port follows, or hears damage */
        const uint32_t bauds[4] = {921600, 3000000, 1200, 4000000};
        const uint32_t baud = bauds[what >> 6];
        const uint8_t rate[4] = {(uint8_t)baud, (uint8_t)(baud >> 8), (uint8_t)(baud >> 16), (uint8_t)(baud >> 24)};
        link_line((what & 0x20u) == 0);
        if (s_open) say(LINK_RATE, 0, s_expected, s_tag, rate, sizeof rate);
        listen(400);
        PROMISE(link_rate() >= LINK_LIMIT_LEAST_BAUD && link_rate() <= LINK_LIMIT_MOST_BAUD);
        if ((what & 0x20u) == 0) link_rate_is_set();
        else link_lost(take());
        break;
      }
      say(LINK_BYE, 0, s_expected, s_tag, NULL, 0); break;
    default:
      if (what == 0xff) {
        link_reset();
        s_claimed = false; /* the caller tells ccid */
        s_open = s_heard_any = s_answering = false;
        s_sent_length = 0;
      }
      break;
    }
    (void)link_step();
    if ((what & 15u) != 9 || (what & 0x10u) == 0) listen(400);
    if (!link_session_open()) s_sent_length = 0, s_answering = false, s_back_length = 0;
    /* The buffer is held when there is something to hold, and not longer; an answer without data is kept elsewhere. */
    PROMISE(!link_holds_buffer() || s_claimed || s_answer_length == 10u);
    const uint64_t next = link_next_deadline();
    PROMISE(next == UINT64_MAX || next < s_now + 60000000ull);
  }
  /* Whatever happened, a new host is heard. */
  s_other_face = s_running = false;
  const uint8_t fresh[10] = {1, 1, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, (uint8_t)(s_now >> 20)};
  s_heard_any = true;
  s_open = false;
  s_answering = false;
  s_back_length = 0;
  say(LINK_HELLO, 0, 0, 0, fresh, sizeof fresh);
  listen(400);
  PROMISE(s_open && link_session_open());
  static const uint8_t k_status[10] = {0x65, 0, 0, 0, 0, 0, 1};
  say(LINK_CHANNEL_CCID << 6, 0, 0, s_tag, k_status, sizeof k_status);
  size_t length = 0;
  PROMISE(link_message_ready(&length) && length == 10 && memcmp(g_message, k_status, 10) == 0);
  link_answer(0);
}
