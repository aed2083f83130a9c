/* The link: the vectors that TypeScript uses too, then what a host can do to a reader.
 * sources: link/frame.c link/session.c link/rate.c link/receive.c link/send.c link/service.c */
#include "ccid/ccid.h"
#include "front/front.h"
#include "hal/hal.h"
#include "link/frame.h"
#include "link/link.h"
#include "test/fakes/check.h"
#include <stdlib.h>

/* ---- the world ------------------------------------------------------------------------------------------------- */

uint8_t g_message[MESSAGE_MAX];
static uint64_t s_now = 1000000;
static uint32_t s_entropy, s_boot_count = 42;
static bool s_claimed, s_claimable = true, s_running, s_notice;
static unsigned s_lost, s_blinks, s_aborts;

uint64_t hal_now_us(void) { return s_now; }
uint32_t hal_entropy(void) { return s_entropy; }
uint32_t hal_boot_count(void) { return s_boot_count; }
void hal_unique_id(uint8_t id[8]) {
  for (uint8_t i = 0; i < 8; i++) id[i] = (uint8_t)(1 + i);
}
void hal_image_hash(uint8_t hash[8]) {
  for (uint8_t i = 0; i < 8; i++) hash[i] = (uint8_t)(0xa1 + i);
}
void front_blink(void) { s_blinks++; }
bool message_claim(face_t face) {
  (void)face;
  if (s_running || !s_claimable) return false;
  s_claimed = true;
  return true;
}
void message_release(face_t face) {
  (void)face;
  s_claimed = false;
}
void ccid_face_lost(face_t face) {
  s_lost++;
  message_release(face);
}
size_t ccid_notify(face_t face, uint8_t notice[NOTICE_MAX]) {
  (void)face;
  notice[0] = 0x50;
  notice[1] = 3;
  const bool news = s_notice;
  s_notice = false;
  return news ? 2 : 0;
}
void ccid_busy_answer(face_t face, const uint8_t header[10], uint8_t answer[10]) {
  (void)face;
  if (header[0] == 0x72) s_aborts++;
  const bool good = header[0] == 0x65 || header[0] == 0x72;
  const uint8_t made[10] = {0x81, 0, 0, 0, 0, header[5], header[6], good ? 0 : 0x40, good ? 0 : 0xe0, 0};
  memcpy(answer, made, 10);
}

/* ---- the host -------------------------------------------------------------------------------------------------- */

static uint8_t s_out[400000]; /* what the reader said */
static size_t s_out_length;
static uint8_t s_tag, s_seq, s_expected; /* the host's side of the session */

static bool s_port_full; /* the port takes nothing: the host reads nothing */
static void pump(void) {
  size_t n;
  (void)link_step();
  if (s_port_full) return;
  do {
    n = link_transmit(s_out + s_out_length, 64);
    s_out_length += n;
  } while (n != 0 && s_out_length < sizeof s_out - 64);
}
static void hear(const uint8_t *bytes, size_t length) {
  link_receive(bytes, length);
  pump();
}
static void wait_ms(uint64_t ms) {
  s_now += ms * 1000;
  pump();
}
static void say(uint8_t kind, uint8_t seq, uint8_t ack, uint8_t tag, const uint8_t *payload, size_t length) {
  uint8_t wire[FRAME_WIRE_MAX];
  hear(wire, frame_encode(wire, true, (wire_link_header_t){kind, seq, ack, tag}, payload, length));
}
static void say_data(uint8_t kind, const uint8_t *payload, size_t length) { say(kind, s_seq++, s_expected, s_tag, payload, length); }
static void say_ack(void) { say(LINK_ACK, 0, s_expected, s_tag, NULL, 0); }

typedef struct {
  uint8_t kind, seq, ack, tag;
  uint8_t payload[LINK_LIMIT_MAX_PAYLOAD];
  size_t length;
} heard_t;
static heard_t s_heard[200];
/* What the reader said since the last call, as frames. */
static size_t listen(void) {
  static frame_receiver_t receiver;
  frame_t frame;
  size_t count = 0;
  for (size_t i = 0; i < s_out_length; i++) {
    if (!frame_push(&receiver, s_out[i], &frame) || count == 200) continue;
    heard_t *h = &s_heard[count++];
    *h = (heard_t){.kind = frame.header.kind, .seq = frame.header.seq, .ack = frame.header.ack, .tag = frame.header.tag, .length = frame.length};
    memcpy(h->payload, frame.payload, frame.length);
  }
  CHECK(receiver.discarded == 0);
  CHECK(receiver.length == 0);
  s_out_length = 0;
  return count;
}
static void open_session(uint8_t nonce) {
  uint8_t hello[10] = {1, 1, nonce};
  say(LINK_HELLO, 0, 0, 0, hello, sizeof hello);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_HELLO_ACK && s_heard[0].tag != 0);
  s_tag = s_heard[0].tag;
  s_seq = s_expected = 0;
}
/* Starts each story at the same place. */
static void begin(const char *story) {
  STORY(story);
  link_reset();
  s_out_length = 0;
  s_claimed = s_running = s_notice = false;
  s_claimable = true;
  s_lost = s_blinks = s_aborts = 0;
  (void)listen();
  open_session(1);
}
/* Takes the message for ccid, checks it and answers. */
static void run(const uint8_t *expected, size_t length, const uint8_t *answer, size_t answer_length) {
  size_t ready = 0;
  CHECK(link_message_ready(&ready));
  CHECK(ready == length);
  CHECK_BYTES(g_message, expected, length);
  memcpy(g_message, answer, answer_length);
  link_answer(answer_length);
  pump();
}

/* ---- vectors --------------------------------------------------------------------------------------------------- */

static char *s_text;
static void load(void) {
  char path[1024];
  snprintf(path, sizeof path, "%s", __FILE__);
  char *slash = strrchr(path, '/');
  snprintf(slash == NULL ? path : slash, sizeof path - (slash == NULL ? 0 : (size_t)(slash - path)), "/../../vectors/link.json");
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    printf("%s is missing\n", path);
    exit(1);
  }
  s_text = calloc(1, 1 << 20);
  const size_t length = fread(s_text, 1, (1 << 20) - 1, file);
  CHECK(length > 1000);
  fclose(file);
}
/* The value of "key" in this line, as bytes or number. */
static const char *find(const char *line, const char *key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\": ", key);
  const char *at = strstr(line, quoted);
  const char *end = strchr(line, '\n');
  return at != NULL && (end == NULL || at < end) ? at + strlen(quoted) : NULL;
}
static size_t unhex(const char *text, uint8_t *bytes) {
  size_t n = 0;
  unsigned byte;
  while (text[0] != '"' && sscanf(text, "%2x", &byte) == 1) {
    bytes[n++] = (uint8_t)byte;
    text += 2;
  }
  return n;
}
static uint8_t number(const char *line, const char *key) { return (uint8_t)strtoul(find(line, key), NULL, 10); }

static void frames(void) {
  static uint8_t payload[2048], wire[4096], made[FRAME_WIRE_MAX];
  size_t count = 0;
  for (char *line = strstr(s_text, "\"frames\": ["); strncmp(line = strchr(line, '\n') + 1, "  ]", 3) != 0;) {
    const size_t length = unhex(find(line, "payload") + 1, payload);
    const size_t wire_length = unhex(find(line, "wire") + 1, wire);
    const uint8_t more = strncmp(find(line, "more"), "true", 4) == 0 ? LINK_MORE : 0;
    const wire_link_header_t header = {(uint8_t)(number(line, "channel") << 6 | more | number(line, "session")), number(line, "seq"), number(line, "ack"), number(line, "tag")};
    CHECK(frame_encode(made, true, header, payload, length) == wire_length);
    CHECK_BYTES(made, wire, wire_length);
    frame_receiver_t receiver = {0};
    frame_t frame;
    size_t got = 0;
    for (size_t i = 0; i < wire_length; i++) {
      if (!frame_push(&receiver, wire[i], &frame)) continue;
      got++;
      CHECK(frame.length == length && i == wire_length - 1);
      CHECK(memcmp(frame.payload, payload, length) == 0 && memcmp(&frame.header, &header, 4) == 0);
    }
    CHECK(got == 1 && receiver.discarded == 0);
    count++;
  }
  CHECK(count >= 10);
}

static void garbage(void) {
  static uint8_t wire[8192];
  size_t count = 0;
  for (char *line = strstr(s_text, "\"garbage\": ["); strncmp(line = strchr(line, '\n') + 1, "  ]", 3) != 0;) {
    const size_t length = unhex(find(line, "wire") + 1, wire);
    frame_receiver_t receiver = {0};
    frame_t frame;
    size_t got = 0;
    for (size_t i = 0; i < length; i++) got += frame_push(&receiver, wire[i], &frame);
    CHECK(got == number(line, "frames"));
    CHECK(receiver.discarded == strtoul(find(line, "discarded"), NULL, 10));
    count++;
  }
  CHECK(count >= 8);
}

static void sessions(void) {
  static uint8_t bytes[70000], answer[70000];
  size_t count = 0;
  link_reset();
  s_out_length = 0;
  for (char *line = strstr(s_text, "\"steps\": ["); strncmp(line = strchr(line, '\n') + 1, "    ]", 5) != 0;) {
    const char *word = strchr(line, '"') + 1;
    const char *value = strstr(word, "\", \"") + 4;
    const size_t length = unhex(value, bytes);
    if (strncmp(word, "host\"", 5) == 0) hear(bytes, length);
    if (strncmp(word, "wait\"", 5) == 0) wait_ms(strtoul(value, NULL, 10));
    if (strncmp(word, "run\"", 4) == 0) run(bytes, length, answer, unhex(strstr(value, "\", \"") + 4, answer));
    if (strncmp(word, "reader\"", 7) == 0) {
      CHECK(s_out_length == length);
      CHECK_BYTES(s_out, bytes, length);
      s_out_length = 0;
    }
    count++;
  }
  CHECK(count > 15);
  CHECK(s_out_length == 0);
  CHECK(!link_session_open() && s_lost == 1);
}

/* ---- stories --------------------------------------------------------------------------------------------------- */

#define PENDING_AND_WINDOW 16u
static const uint8_t k_status[10] = {0x65, 0, 0, 0, 0, 0, 5};
static const uint8_t k_abort[10] = {0x72, 0, 0, 0, 0, 0, 6};
static const uint8_t k_answer[10] = {0x81, 0, 0, 0, 0, 0, 5};

static void speaks_only_when_spoken_to(void) {
  STORY("the reader never sends first");
  link_reset();
  s_out_length = 0;
  s_notice = true;
  wait_ms(60000);
  say(LINK_PING, 0, 0, 9, NULL, 0);
  say(LINK_CHANNEL_CCID << 6, 0, 0, 0, k_status, 10);
  const uint8_t newer[10] = {LINK_LIMIT_VERSION + 1, LINK_LIMIT_VERSION + 2};
  CHECK(s_out_length == 0);
  say(LINK_HELLO, 0, 0, 0, newer, 10);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_REFUSE && s_heard[0].tag == 0 && memcmp(s_heard[0].payload, (const uint8_t[]){1, LINK_LIMIT_VERSION_MIN, LINK_LIMIT_VERSION}, 3) == 0);
  CHECK(!link_session_open());
  CHECK(link_next_deadline() == UINT64_MAX);
  s_notice = false;
}

static void hello_again(void) {
  begin("a repeated hello keeps the session, a new one ends it");
  const uint8_t tag = s_tag;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  uint8_t hello[10] = {1, 1, 1};
  say(LINK_HELLO, 0, 0, 0, hello, 10);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_HELLO_ACK && s_heard[0].tag == tag);
  CHECK(s_lost == 0 && link_holds_buffer());
  hello[2] = 2;
  say(LINK_HELLO, 0, 0, 0, hello, 10);
  CHECK(listen() == 1 && s_heard[0].tag != tag && s_heard[0].tag != 0);
  CHECK(s_lost == 1 && !link_holds_buffer());
  size_t length;
  CHECK(!link_message_ready(&length));
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10); /* a frame of the old session */
  CHECK(!link_message_ready(&length));
  CHECK(listen() == 0);
}

static void tags_differ(void) {
  STORY("tags of one boot, and of two boots, differ");
  bool seen[256] = {false};
  for (unsigned i = 0; i < 100; i++) {
    s_entropy = i / 2 * 0x01000193u;
    begin("tags");
    CHECK(s_tag != 0);
    const uint8_t before = s_tag;
    open_session(2);
    CHECK(s_tag != before);
    seen[s_tag] = true;
  }
  unsigned different = 0;
  for (unsigned i = 0; i < 256; i++) different += seen[i];
  CHECK(different > 30);
  s_entropy = 0;
}

static void at_most_once(void) {
  begin("a command that comes twice is run once");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  say(LINK_CHANNEL_CCID << 6, 0, 0, s_tag, k_status, 10); /* the host heard nothing */
  CHECK(listen() == 1 && s_heard[0].kind == LINK_ACK && s_heard[0].ack == 1);
  run(k_status, 10, k_answer, 10);
  CHECK(listen() == 1 && s_heard[0].length == 10 && s_heard[0].ack == 1);
  say(LINK_CHANNEL_CCID << 6, 0, 0, s_tag, k_status, 10);
  size_t length;
  CHECK(!link_message_ready(&length));
  CHECK(link_holds_buffer());
  say(LINK_CHANNEL_CCID << 6, 2, 0, s_tag, k_status, 10); /* a gap */
  CHECK(listen() == 2 && s_heard[0].ack == 1 && s_heard[1].ack == 1);
  const uint8_t power_on[10] = {0x62, 0, 0, 0, 0, 0, 9};
  say(LINK_CHANNEL_CCID << 6, 1, 0, s_tag, power_on, 10); /* while the answer is not acknowledged: not taken, to be sent again */
  wait_ms(20);
  CHECK(listen() == 0 && link_holds_buffer());
  say(LINK_CHANNEL_CCID << 6, 1, 1, s_tag, power_on, 10);
  run(power_on, 10, k_answer, 10);
  CHECK(listen() == 1 && s_heard[0].ack == 2);
  s_expected = 2;
  say_ack();
  CHECK(!link_holds_buffer() && !s_claimed);
}

static void short_answers(void) {
  begin("an answer without data leaves the buffer to the other faces, and is said again all the same");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  CHECK(!s_claimed);
  CHECK(listen() == 1 && s_heard[0].length == 10);
  memset(g_message, 0xee, 64); /* another face's */
  const uint8_t power_on[10] = {0x62, 0, 0, 0, 0, 0, 9};
  say(LINK_CHANNEL_CCID << 6, 1, 0, s_tag, power_on, 10);
  CHECK(!s_claimed); /* not acknowledged: no command is taken */
  wait_ms(200);
  CHECK(listen() == 1 && s_heard[0].length == 10);
  CHECK_BYTES(s_heard[0].payload, k_answer, 10);
  say(LINK_CHANNEL_CCID << 6, 1, 1, s_tag, power_on, 10);
  CHECK(s_claimed);
}

static void listens(void) {
  STORY("a hello is heard out of another framing in every version that a session can have");
  for (unsigned most = 0; most <= LINK_LIMIT_VERSION + 1u; most++) {
    for (unsigned least = 0; least <= most; least++) {
      link_reset();
      uint8_t hello[10] = {(uint8_t)least, (uint8_t)most, 5}, wire[FRAME_WIRE_MAX];
      const size_t length = frame_encode(wire, true, (wire_link_header_t){LINK_HELLO, 0, 0, 0}, hello, sizeof hello);
      bool heard = false;
      for (size_t i = 0; i < length; i++) heard |= link_listen(wire[i]);
      CHECK(heard == (least <= LINK_LIMIT_VERSION && most >= LINK_LIMIT_VERSION_MIN));
      if (heard) link_take_hello();
      CHECK(link_session_open() == heard);
    }
  }
  link_reset();
}

static void goes_back(void) {
  begin("the answer stays until acknowledged; the reader goes back, and gives up in the end");
  static uint8_t answer[20000];
  for (size_t i = 0; i < sizeof answer; i++) answer[i] = (uint8_t)(i * 7);
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, answer, sizeof answer);
  CHECK(listen() == 8);
  CHECK(s_heard[7].seq == 7 && s_heard[7].length == 1024 && s_heard[7].kind == (LINK_CHANNEL_CCID << 6 | LINK_MORE));
  say_data(LINK_CHANNEL_CCID << 6, k_abort, 10); /* no command is taken before the answer is acknowledged, but an abort is answered */
  s_expected = 3;
  say_ack();
  CHECK(listen() == 3 && s_heard[0].seq == 8 && s_heard[2].seq == 10);
  wait_ms(199);
  CHECK(listen() == 0 || (s_heard[0].kind == LINK_ACK && listen() == 0));
  wait_ms(1);
  CHECK(listen() == 8 && s_heard[0].seq == 3 && s_heard[7].seq == 10);
  CHECK_BYTES(s_heard[0].payload, answer + 3 * 1024, 1024);
  s_expected = 11;
  say_ack();
  CHECK(listen() == 8);
  s_expected = 19;
  say_ack();
  CHECK(listen() == 2 && s_heard[0].length == sizeof answer - 19 * 1024 && s_heard[0].kind == LINK_CHANNEL_CCID << 6);
  CHECK(s_heard[1].length == 10 && s_heard[1].payload[6] == 6); /* the abort's answer, after the answer */
  CHECK(s_claimed);
  for (unsigned i = 0; i < LINK_LIMIT_RETRANSMISSIONS; i++) {
    CHECK(link_session_open());
    wait_ms(200);
    CHECK(listen() == 2);
  }
  wait_ms(200);
  CHECK(listen() == 0 && !link_session_open() && s_lost == 1 && !s_claimed);
}

static void old_acknowledgements(void) {
  begin("acknowledgements of what was never sent, or long ago, change nothing");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  CHECK(listen() == 1);
  for (unsigned ack = 2; ack < 256; ack++) say(LINK_ACK, 0, (uint8_t)ack, s_tag, NULL, 0);
  CHECK(link_holds_buffer());
  say(LINK_ACK, 0, 1, s_tag, NULL, 0);
  CHECK(!link_holds_buffer());
}

static void while_it_runs(void) {
  begin("while a command runs: status, busy, extensions, pings; abort is answered last");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  size_t length;
  CHECK(link_message_ready(&length));
  s_running = true;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  const uint8_t power_on[10] = {0x62, 0, 0, 0, 0, 0, 9};
  say_data(LINK_CHANNEL_CCID << 6, power_on, 10);
  CHECK(listen() == 2 && s_heard[0].payload[7] == 0 && s_heard[1].payload[8] == 0xe0 && s_heard[1].payload[6] == 9);
  s_expected = 2;
  const uint8_t extension[10] = {0x80, 0, 0, 0, 0, 0, 5, 0x80, 1};
  link_time_extension(extension);
  pump();
  CHECK(listen() == 1 && s_heard[0].seq == 2 && s_heard[0].payload[7] == 0x80);
  s_expected = 3;
  say(LINK_PING, 0, s_expected, s_tag, NULL, 0);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_PONG);
  static uint8_t large[3000];
  large[0] = 0x6f;
  large[1] = (sizeof large - 10) & 255;
  large[2] = (sizeof large - 10) >> 8;
  large[6] = 11;
  memcpy(g_message, "untouched", 9);
  say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, large, 1024);
  say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, large + 1024, 1024);
  say_data(LINK_CHANNEL_CCID << 6, large + 2048, 952);
  CHECK(memcmp(g_message, "untouched", 9) == 0);
  const size_t said = listen();
  CHECK(said >= 1 && s_heard[said - 1].payload[6] == 11 && s_heard[said - 1].payload[8] == 0xe0);
  s_expected = 4;
  say_data(LINK_CHANNEL_CCID << 6, k_abort, 10);
  CHECK(s_aborts == 1);
  wait_ms(20);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_ACK);
  s_running = false;
  memcpy(g_message, k_answer, 10);
  link_answer(10);
  pump();
  CHECK(listen() == 2 && s_heard[0].payload[6] == 5 && s_heard[1].payload[6] == 6);
  s_expected = 6;
  say_ack();
  CHECK(!s_claimed);
}

static void abort_before_it_begins(void) {
  begin("an abort finds its command whole but not begun: it never runs");
  uint8_t wire[2 * FRAME_WIRE_MAX];
  size_t n = frame_encode(wire, true, (wire_link_header_t){LINK_CHANNEL_CCID << 6, 0, 0, s_tag}, k_status, 10);
  n += frame_encode(wire + n, false, (wire_link_header_t){LINK_CHANNEL_CCID << 6, 1, 0, s_tag}, k_abort, 10);
  hear(wire, n);
  size_t length;
  CHECK(!link_message_ready(&length));
  CHECK(!s_claimed);
  CHECK(listen() == 2 && s_heard[0].payload[8] == 0xff && s_heard[0].payload[6] == 5 && s_heard[1].payload[6] == 6 && s_heard[1].payload[7] == 0);
}

static void host_goes(void) {
  begin("a host that goes while its command runs gets no other's answer");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  size_t length;
  CHECK(link_message_ready(&length));
  s_running = true;
  uint8_t hello[10] = {1, 1, 77};
  say(LINK_HELLO, 0, 0, 0, hello, 10);
  CHECK(listen() == 1 && s_lost == 1);
  s_tag = s_heard[0].tag;
  s_seq = s_expected = 0;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10); /* the new host's, while the old command still ends */
  CHECK(listen() == 1 && s_heard[0].length == 10 && s_heard[0].seq == 0);
  s_running = false;
  link_answer(10);
  pump();
  CHECK(listen() == 0 && !link_holds_buffer());
  s_expected = 1;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  CHECK(listen() == 1 && s_heard[0].seq == 1);

  begin("a silent host is gone after 20 s, its card goes off");
  CHECK(link_step() == s_now + 20000000 && link_next_deadline() == UINT64_MAX);
  wait_ms(19999);
  CHECK(link_session_open());
  say(LINK_PING, 0, 0, s_tag, NULL, 0);
  wait_ms(19999);
  CHECK(link_session_open());
  wait_ms(1);
  CHECK(!link_session_open() && s_lost == 1);
  (void)listen();

  begin("… also when the port takes nothing from us any more: a host that is stopped with its port open");
  s_port_full = true;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  wait_ms(19999);
  CHECK(link_session_open());
  wait_ms(1);
  CHECK(!link_session_open() && s_lost == 1 && !s_claimed);
  s_port_full = false;
  (void)listen();

  begin("a host that pings and never takes its answer does not hold the buffer for ever");
  s_port_full = true;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  static const uint8_t k_parameters[15] = {0x82, 5, 0, 0, 0, 0, 5};
  run(k_status, 10, k_parameters, sizeof k_parameters);
  for (unsigned i = 0; i < 4; i++) {
    CHECK(link_session_open() && s_claimed);
    wait_ms(5000);
    say(LINK_PING, 0, 0, s_tag, NULL, 0);
  }
  CHECK(!link_session_open() && s_lost == 1 && !s_claimed);
  s_port_full = false;
  (void)listen();

  begin("the extension of a command whose session is over is no one's");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  CHECK(link_message_ready(&length));
  s_running = true;
  hello[2] = 78;
  say(LINK_HELLO, 0, 0, 0, hello, 10);
  CHECK(listen() == 1);
  link_time_extension(k_answer);
  pump();
  CHECK(listen() == 0);
  s_running = false;
  link_answer(10);

  begin("bye");
  say(LINK_BYE, 0, 0, s_tag, NULL, 0);
  CHECK(!link_session_open() && s_lost == 1 && listen() == 0);
}

static void too_much(void) {
  begin("a message beyond dwMaxCCIDMessageLength is refused at dwLength and written nowhere");
  static uint8_t part[1024];
  part[0] = 0x6f;
  part[6] = 3;
  for (unsigned i = 0; i < 70; i++) {
    say_data(LINK_CHANNEL_CCID << 6 | (i < 69 ? LINK_MORE : 0), part, sizeof part);
    wait_ms(20);
  }
  const size_t said = listen();
  CHECK(said > 1 && s_heard[said - 1].length == 10 && s_heard[said - 1].payload[8] == 1 && s_heard[said - 1].payload[7] >> 6 == 1 && s_heard[said - 1].payload[6] == 3);
  CHECK(!s_claimed && !link_holds_buffer());
  s_expected = 1;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  CHECK(listen() == 1);

  begin("less than a header has nobody to answer to");
  say_data(LINK_CHANNEL_CCID << 6, k_status, 9);
  size_t length;
  CHECK(!link_message_ready(&length) && !s_claimed);
  wait_ms(20);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_ACK);

  begin("when another face has the buffer, a header is enough for `busy`");
  s_claimable = false;
  const uint8_t power_on[10] = {0x62, 0, 0, 0, 0, 0, 9};
  say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, power_on, 4);
  say_data(LINK_CHANNEL_CCID << 6, power_on + 4, 6);
  CHECK(listen() == 1 && s_heard[0].payload[6] == 9 && s_heard[0].payload[8] == 0xe0);
}

static void half_messages(void) {
  begin("a message that stays half gives the buffer back after 3 s; its end is answered with CMD_ABORTED");
  static uint8_t part[1024];
  memset(part, 0xee, sizeof part);
  part[0] = 0x6f;
  part[6] = 3;
  say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, part, sizeof part);
  CHECK(link_step() == s_now + 3000000);
  for (unsigned i = 0; i < 4; i++) { /* nothing is not more of it */
    wait_ms(700);
    CHECK(s_claimed);
    say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, part, 0);
  }
  wait_ms(200);
  CHECK(!s_claimed && !link_holds_buffer() && link_session_open());
  bool left = false;
  for (size_t i = 0; i < 1024; i++) left |= g_message[i] == 0xee;
  CHECK(!left);
  (void)listen();
  say_data(LINK_CHANNEL_CCID << 6, part, 100);
  CHECK(listen() == 1 && s_heard[0].payload[6] == 3 && s_heard[0].payload[7] == 0x40 && s_heard[0].payload[8] == 0xff);
  s_expected = 1;
  say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
  run(k_status, 10, k_answer, 10);
  CHECK(listen() == 1);

  begin("… one of less than a header, too, and nobody is answered");
  say_data(LINK_CHANNEL_CCID << 6 | LINK_MORE, part, 4);
  wait_ms(3000);
  CHECK(!s_claimed);
  (void)listen();
  say_data(LINK_CHANNEL_CCID << 6, part, 5);
  wait_ms(20);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_ACK);
}

static void nothing_stays(void) {
  STORY("nothing of a frame stays in the receiver, good or bad, nor its check");
  uint8_t wire[FRAME_WIRE_MAX], payload[600];
  memset(payload, 0xee, sizeof payload);
  for (unsigned bad = 0; bad < 2; bad++) {
    frame_receiver_t receiver = {0};
    frame_t frame;
    const size_t n = frame_encode(wire, true, (wire_link_header_t){LINK_CHANNEL_CCID << 6, 1, 2, 3}, payload, sizeof payload);
    wire[100] ^= (uint8_t)(bad << 2);
    for (size_t i = 0; i < n; i++) {
      if (frame_push(&receiver, wire[i], &frame)) {
        CHECK(bad == 0 && receiver.ended == n - 2);
        memset(receiver.bytes, 0, receiver.ended); /* as link_receive does */
      }
    }
    unsigned left = 0;
    for (size_t i = 0; i < sizeof receiver.bytes; i++) left += receiver.bytes[i] != 0;
    CHECK(left == 0);
  }
}

static void services(void) {
  begin("services");
  const uint8_t blink[4] = {2, 7, 0, 0};
  say_data(LINK_CHANNEL_SERVICE << 6, blink, 4);
  CHECK(s_blinks == 1 && listen() == 1 && memcmp(s_heard[0].payload, "\x82\x07\x01\x00\x00", 5) == 0 && s_heard[0].length == 5);
  wait_ms(200);
  CHECK(s_blinks == 1 && listen() == 1); /* said again, done once */
  s_expected = 1;
  const uint8_t unknown[4] = {99, 8, 0, 0};
  say_data(LINK_CHANNEL_SERVICE << 6, unknown, 4);
  CHECK(listen() == 1 && memcmp(s_heard[0].payload, "\xe3\x08\x01\x00\x01", 5) == 0);
  s_expected = 2;
  static uint8_t large[700];
  large[0] = 1;
  large[1] = 9;
  say_data(LINK_CHANNEL_SERVICE << 6, large, sizeof large);
  CHECK(listen() == 1 && memcmp(s_heard[0].payload, "\x81\x09\x01\x00\x02", 5) == 0);
  s_expected = 3;
  say_data(LINK_CHANNEL_SERVICE << 6, blink, 3);
  wait_ms(20);
  CHECK(listen() == 1 && s_heard[0].kind == LINK_ACK);
}

static void notices(void) {
  begin("a notice is said once, inside a session");
  s_notice = true;
  pump();
  CHECK(listen() == 1 && s_heard[0].kind == LINK_NOTICE && s_heard[0].length == 2 && s_heard[0].payload[0] == 0x50);
}

static void efficiency(void) {
  begin("payload over all bytes the reader says: 98 % at 1 KiB, 85 % at 64 bytes");
  static uint8_t answer[65546];
  const size_t sizes[] = {64, 1024, sizeof answer};
  for (size_t k = 0; k < 3; k++) {
    begin("payload over all bytes the reader says: 98 % at 1 KiB, 85 % at 64 bytes");
    size_t useful = 0;
    size_t said = 0;
    for (unsigned i = 0; i < 40; i++) {
      say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
      run(k_status, 10, answer, sizes[k]);
      useful += sizes[k];
      for (size_t left = sizes[k];;) {
        said += s_out_length;
        const size_t n = listen();
        s_expected = (uint8_t)(s_expected + n);
        left -= n * 1024 < left ? n * 1024 : left;
        if (left == 0) break; /* the last acknowledgement rides on the next command */
        say_ack();
      }
    }
    CHECK(useful * 100 >= said * (k == 0 ? 85 : 98));
  }
}

/* A host that listens to nothing: more requests than the reader can keep answers for. */
static void flood(void) {
  begin("a host that sends without listening is held back, and nothing is lost");
  uint8_t taken = 0;
  uint8_t answered = 0;
  for (unsigned turn = 0; turn < 40 && answered < 100; turn++) {
    /* everything from the first not taken on, without an acknowledgement */
    for (uint8_t seq = taken; seq < 100; seq++) {
      const uint8_t blink[4] = {2, seq, 0, 0};
      say(LINK_CHANNEL_SERVICE << 6, seq, answered, s_tag, blink, 4);
    }
    wait_ms(20);
    const size_t n = listen();
    for (size_t i = 0; i < n; i++) {
      taken = s_heard[i].ack;
      if (s_heard[i].kind >> 6 != LINK_CHANNEL_SERVICE || s_heard[i].seq != answered) continue;
      CHECK(s_heard[i].payload[1] == answered);
      answered++;
    }
    CHECK((uint8_t)(taken - answered) <= PENDING_AND_WINDOW);
    if (taken == 100) say(LINK_ACK, 0, answered, s_tag, NULL, 0);
  }
  CHECK(answered == 100 && taken == 100);
  CHECK(s_blinks == 100);
}

static uint32_t next_random(void) {
  static uint32_t state = 7816;
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

/* Arbitrary bytes and arbitrary good frames, under the sanitizers: nothing is read or written outside, and every good exchange still works after it. */
static void fuzz(void) {
  STORY("fuzz");
  begin("fuzz");
  for (unsigned round = 0; round < 60000; round++) {
    uint8_t bytes[300];
    const size_t length = next_random() % sizeof bytes;
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(next_random() >> 11);
    switch (next_random() % 4) {
    case 0:
      hear(bytes, length);
      break;
    case 1:
      say((uint8_t)(next_random() >> 9), (uint8_t)(next_random() % 3 ? s_seq : next_random()), (uint8_t)next_random(), next_random() % 8 ? s_tag : (uint8_t)next_random(), bytes, length);
      break;
    case 2:
      say_data((uint8_t)((1 + next_random() % 3) << 6 | (next_random() & LINK_MORE)), bytes, length);
      break;
    default:
      wait_ms(next_random() % 300);
    }
    size_t ready;
    if (link_message_ready(&ready)) {
      CHECK(ready >= 10 && ready <= WIRE_MAX_CCID_MESSAGE);
      s_running = next_random() % 2;
      if (s_running) hear(bytes, length);
      s_running = false;
      link_answer(next_random() % 3 ? 10 + next_random() % 3000 : 0);
    }
    s_out_length = 0;
    if (link_session_open() && round % 50 != 0) continue;
    begin("fuzz");
    say_data(LINK_CHANNEL_CCID << 6, k_status, 10);
    run(k_status, 10, k_answer, 10);
    CHECK(listen() == 1 && s_heard[0].length == 10);
  }
}

int main(void) {
  load();
  STORY("frames");
  frames();
  STORY("garbage");
  garbage();
  STORY("sessions");
  sessions();
  speaks_only_when_spoken_to();
  hello_again();
  tags_differ();
  at_most_once();
  short_answers();
  listens();
  goes_back();
  old_acknowledgements();
  while_it_runs();
  abort_before_it_begins();
  host_goes();
  too_much();
  half_messages();
  nothing_stays();
  services();
  notices();
  efficiency();
  flood();
  fuzz();
  free(s_text);
  return check_end("link");
}
