/* pcscd's serial framing: the frames, who drops what, and the card's end of T=1 towards a host.
 * sources: pcscd/frame.c pcscd/block.c */
#include "ccid/ccid.h"
#include "hal/hal.h"
#include "pcscd/block.h"
#include "pcscd/frame.h"
#include "pcscd/level.h"
#include "pcscd/pcscd.c" /* its buffers: what stays in them */
#include "test/fakes/check.h"

/* ---- the world ------------------------------------------------------------------------------------------------- */

static uint64_t s_now = 1000000;
static unsigned s_aborts, s_lost, s_resets, s_runs, s_idles;
static bool s_other_runs;
static uint8_t s_last[300];
static size_t s_last_length;
static void (*s_during)(void); /* what happens while a command runs */

uint64_t hal_now_us(void) { return s_now; }
bool ccid_running(void) { return s_other_runs; }
void ccid_abort(face_t face) {
  CHECK(face == FACE_PCSCD);
  s_aborts++;
}
void ccid_face_lost(face_t face) {
  CHECK(face == FACE_PCSCD);
  s_lost++;
}
void level_reset(void) { s_resets++; }
void level_idle(uint64_t silent_us) {
  (void)silent_us;
  s_idles++;
}
size_t level_run(const uint8_t *message, size_t length, uint8_t *answer) {
  s_runs++;
  memcpy(s_last, message, length);
  s_last_length = length;
  if (s_during != NULL) s_during();
  memset(answer, 0, 10);
  answer[0] = (uint8_t)(message[0] + 0x10);
  answer[6] = message[6];
  return 10;
}

/* ---- the host -------------------------------------------------------------------------------------------------- */

static uint8_t s_told[2000];
static size_t s_heard_length;
static void listen(void) {
  size_t n;
  do {
    n = pcscd_transmit(s_told + s_heard_length, 64);
    s_heard_length += n;
  } while (n != 0 && s_heard_length < sizeof s_told - 64);
}
static bool hear(const uint8_t *bytes, size_t length) {
  bool frame = false;
  for (size_t i = 0; i < length; i++) frame |= pcscd_receive(bytes[i]);
  return frame;
}
static size_t make(uint8_t *frame, uint8_t type, uint8_t sequence, size_t data) {
  uint8_t message[271] = {type, (uint8_t)data, (uint8_t)(data >> 8), 0, 0, 0, sequence};
  for (size_t i = 0; i < data; i++) message[10 + i] = (uint8_t)(i * 7 + sequence);
  return pcscd_frame_encode(frame, message, 10 + data);
}
static bool say(uint8_t type, uint8_t sequence, size_t data) {
  uint8_t frame[274];
  return hear(frame, make(frame, type, sequence, data));
}
static bool quiet(uint64_t ms) {
  bool frame;
  s_now += ms * 1000;
  (void)pcscd_step(&frame);
  return frame;
}
/* What it heard is exactly the echo and the answer of this command. */
static void check_answered(uint8_t type, uint8_t sequence) {
  uint8_t echo[13], answer[13];
  const uint8_t head[10] = {type, 0, 0, 0, 0, 0, sequence}, said[10] = {(uint8_t)(type + 0x10), 0, 0, 0, 0, 0, sequence};
  (void)pcscd_frame_encode(echo, head, 10);
  (void)pcscd_frame_encode(answer, said, 10);
  listen();
  CHECK(s_heard_length == 26);
  CHECK_BYTES(s_told, echo, 13);
  CHECK_BYTES(s_told + 13, answer, 13);
  s_heard_length = 0;
}
static void begin(const char *story) {
  STORY(story);
  s_during = NULL;
  s_other_runs = false;
  pcscd_reset();
  s_heard_length = 0;
  s_aborts = s_lost = s_resets = s_runs = s_idles = 0;
}

/* ---- frames ---------------------------------------------------------------------------------------------------- */

static void frames(void) {
  begin("the frame of the fact sheet");
  static const uint8_t k_escape[] = {0x03, 0x06, 0x6b, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x6d};
  CHECK(!hear(k_escape, sizeof k_escape - 1));
  CHECK(!pcscd_chosen() && pcscd_in_frame());
  CHECK(pcscd_receive(k_escape[13]));
  CHECK(pcscd_chosen() && !pcscd_in_frame());
  CHECK(pcscd_run() && s_last_length == 11 && s_last[10] == 2);
  check_answered(0x6b, 0);

  begin("a wrong check chooses nothing, and is not answered");
  uint8_t frame[300];
  size_t n = make(frame, 0x6b, 1, 3);
  frame[n - 1] ^= 1;
  CHECK(!hear(frame, n) && !pcscd_chosen() && !pcscd_run());
  listen();
  CHECK(s_heard_length == 0);

  begin("another slot chooses nothing");
  n = make(frame, 0x65, 1, 0);
  frame[2 + 5] = 1;
  frame[n - 1] ^= 1;
  CHECK(!hear(frame, n) && !pcscd_chosen());

  begin("NAK: to an Escape, and to nothing else");
  CHECK(say(0x65, 1, 0) && pcscd_run());
  check_answered(0x65, 1);
  for (unsigned type = 0x61; type <= 0x73; type++) {
    n = make(frame, (uint8_t)type, 1, 4);
    frame[n - 3] ^= 0x40;
    CHECK(!hear(frame, n));
    listen();
    CHECK(s_heard_length == (type == 0x6b ? 3u : 0u));
    if (type == 0x6b) CHECK(s_told[0] == 0x03 && s_told[1] == 0x15 && s_told[2] == 0x16);
    s_heard_length = 0;
  }

  begin("garbage of every kind before a frame: the frame is heard");
  static const uint8_t k_before[][14] = {
      {1, 0x03}, {2, 0x03, 0x06}, {2, 0x03, 0x03}, {3, 0x03, 0x06, 0x6f}, {3, 0x03, 0x06, 0x03}, {1, 0x00}, {1, 0xff}, {4, 0x03, 0x15, 0x16, 0x00},
      {5, 0x03, 0x06, 0x6f, 0xff, 0x00}, {6, 0x03, 0x06, 0x6f, 0x05, 0x02, 0x00}, {8, 0x03, 0x06, 0x6f, 0x05, 0x00, 0x00, 0x00, 0x01}, {1, 0x06},
      {12, 0x03, 0x06, 0x6b, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
  };
  for (size_t i = 0; i < sizeof k_before / sizeof *k_before; i++) {
    pcscd_reset();
    bool frame_heard = hear(k_before[i] + 1, k_before[i][0]);
    CHECK(!frame_heard);
    frame_heard = say(0x65, (uint8_t)i, 0);
    /* A beginning whose end could still come keeps it waiting for as long as bytes may be apart. */
    for (unsigned ms = 0; !frame_heard && ms < 101; ms += 10) frame_heard = quiet(10);
    CHECK(frame_heard);
    CHECK(pcscd_run() && s_last[0] == 0x65 && s_last[6] == i);
    check_answered(0x65, (uint8_t)i);
  }

  begin("every length up to 271 bytes of message; not one more");
  for (size_t data = 0; data <= 261; data++) {
    CHECK(say(0x6f, (uint8_t)data, data) && pcscd_run() && s_last_length == 10 + data);
    check_answered(0x6f, (uint8_t)data);
  }
  uint8_t longer[280];
  uint8_t message[272] = {0x6f, 6, 1};
  n = pcscd_frame_encode(longer, message, sizeof message);
  CHECK(!hear(longer, n) && !pcscd_in_frame() && !pcscd_run());

  begin("a frame in two halves 100 ms apart is none, 99 ms apart it is one");
  n = make(frame, 0x65, 1, 0);
  CHECK(!hear(frame, 7) && !quiet(99));
  CHECK(hear(frame + 7, n - 7));
  CHECK(!hear(frame, 7) && !quiet(100) && !pcscd_in_frame());
  CHECK(!hear(frame + 7, n - 7));

  begin("ten thousand noises, each followed by a frame");
  uint32_t state = 20261122;
  for (unsigned round = 0; round < 10000; round++) {
    pcscd_reset();
    bool heard = false;
    for (unsigned i = 0; i < round % 40; i++) {
      state = state * 1664525u + 1013904223u;
      static const uint8_t k_likely[] = {0x03, 0x06, 0x6b, 0x6f, 0x00, 0x01, 0x15, 0x65};
      heard |= pcscd_receive(state >> 31 ? (uint8_t)(state >> 16) : k_likely[state >> 24 & 7u]);
    }
    (void)pcscd_run();
    heard = say(0x65, (uint8_t)round, 0);
    for (unsigned ms = 0; !heard && ms < 101; ms += 20) heard = quiet(20);
    CHECK(heard && pcscd_run() && s_last[0] == 0x65 && s_last[6] == (uint8_t)round);
  }
}

extern const uint8_t __bss_start[], _end[]; /* of the linker: all that is not constant, on no heap and on no stack */
static bool __attribute__((no_sanitize("address", "undefined"), noinline)) in_static_memory(const uint8_t *what, size_t length) {
  for (const volatile uint8_t *at = __bss_start; at + length <= _end; at++) {
    size_t same = 0;
    while (same < length && at[same] == what[same]) same++;
    if (same == length) return true;
  }
  return false;
}

/* ---- one command in flight --------------------------------------------------------------------------------------- */

static void in_half(void) {
  pcscd_time_extension();
  listen();
  s_now += 1000000;
  pcscd_time_extension();
  listen();
}
static void listen_once(void) { listen(); }
static void another(void) {
  s_during = NULL;
  listen();
  CHECK(say(0x65, 9, 0));
  CHECK(s_aborts == 1);
}
static void leaves(void) { pcscd_reset(); }

static void commands(void) {
  begin("one byte a second while it takes longer, and only between frames");
  CHECK(say(0x6f, 4, 2));
  s_during = in_half;
  CHECK(pcscd_run());
  listen();
  CHECK(s_heard_length == 13 + 1 + 13 && s_told[13] == 0x80 && s_told[0] == 3 && s_told[14] == 3);
  s_heard_length = 0;

  begin("nothing is said twice while the host does not read");
  CHECK(say(0x6f, 4, 2));
  s_during = pcscd_time_extension;
  CHECK(pcscd_run());
  check_answered(0x6f, 4);

  begin("an answer that was not fetched is never heard after the next command");
  CHECK(say(0x6f, 1, 2) && pcscd_run());
  CHECK(say(0x65, 2, 0));
  listen();
  CHECK(s_heard_length == 0);
  CHECK(pcscd_run());
  check_answered(0x65, 2);

  begin("a command that another one overtakes before it began leaves nothing, however much longer it was");
  CHECK(say(0x6f, 1, 60) && say(0x65, 2, 0) && pcscd_run());
  check_answered(0x65, 2);
  for (size_t i = 0; i < sizeof s_next; i++) CHECK(s_next[i] == 0);

  begin("half an answer: its rest is dropped with the next command");
  CHECK(say(0x6f, 1, 2) && pcscd_run());
  uint8_t part[20];
  CHECK(pcscd_transmit(part, sizeof part) == 20);
  CHECK(say(0x65, 2, 0) && pcscd_run());
  check_answered(0x65, 2);

  begin("a command while one runs: that one ends, unanswered");
  CHECK(say(0x6f, 1, 2));
  s_during = listen_once;
  CHECK(pcscd_run());
  listen();
  s_heard_length = 0;
  CHECK(say(0x6f, 3, 2));
  s_during = another;
  s_runs = 0;
  CHECK(pcscd_run());
  s_heard_length = 0;
  listen();
  CHECK(s_heard_length == 0);
  CHECK(pcscd_run());
  check_answered(0x65, 9);

  begin("a command that was replaced before it began leaves nothing behind: it may have been a VERIFY typed on the host");
  uint8_t verify[10 + 40] = {0x6f, 40}, frame[sizeof verify + 3];
  for (size_t i = 0; i < 40; i++) verify[10 + i] = (uint8_t)(0x80 + i * i);
  CHECK(hear(frame, pcscd_frame_encode(frame, verify, sizeof verify)) && in_static_memory(verify + 20, 30));
  CHECK(say(0x65, 2, 0) && pcscd_run());
  check_answered(0x65, 2);
  CHECK(!in_static_memory(verify + 20, 30));

  begin("the other framing takes over while a command runs: nothing of it is said");
  CHECK(say(0x6f, 3, 2));
  s_during = leaves;
  CHECK(pcscd_run());
  listen();
  CHECK(s_heard_length == 0 && !pcscd_chosen() && s_resets == 1);

  begin("a host that is silent for 20 s has its card switched off, once; it may go on");
  CHECK(say(0x65, 3, 0) && pcscd_run());
  check_answered(0x65, 3);
  CHECK(pcscd_alive());
  (void)quiet(19999);
  CHECK(s_lost == 0 && pcscd_alive());
  (void)quiet(1);
  CHECK(s_lost == 1 && pcscd_chosen() && !pcscd_alive());
  (void)quiet(60000);
  CHECK(s_lost == 1);
  CHECK(say(0x65, 4, 0) && pcscd_run() && pcscd_alive());
  check_answered(0x65, 4);

  begin("while another face's command runs it is answered in the same turn");
  CHECK(say(0x65, 3, 0));
  s_other_runs = true;
  CHECK(!quiet(0) && s_runs == 1);
  check_answered(0x65, 3);
}

/* ---- the card's end of T=1 --------------------------------------------------------------------------------------- */

static uint8_t s_buffer[600];
static block_peer_t s_peer;
static uint8_t s_block[BLOCK_MAX], s_reply[BLOCK_MAX];
static size_t s_reply_length;

static size_t block(uint8_t nad, uint8_t pcb, const uint8_t *inf, size_t length) {
  s_block[0] = nad;
  s_block[1] = pcb;
  s_block[2] = (uint8_t)length;
  if (length > 0) memcpy(s_block + 3, inf, length);
  s_block[3 + length] = 0;
  for (size_t i = 0; i < 3 + length; i++) s_block[3 + length] ^= s_block[i];
  return 4 + length;
}
static block_event_t give(uint8_t pcb, const void *inf, size_t length) {
  const size_t n = block(0, pcb, inf, length);
  return block_take(&s_peer, s_block, n, s_reply, &s_reply_length);
}
/* The reader's block is this one. */
static bool said(uint8_t pcb, const void *inf, size_t length) {
  uint8_t expected[BLOCK_MAX];
  const size_t n = block(0, pcb, inf, length);
  memcpy(expected, s_block, n);
  return s_reply_length == n && memcmp(s_reply, expected, n) == 0;
}
static void fresh(const char *story) {
  STORY(story);
  block_reset(&s_peer, s_buffer, sizeof s_buffer, false);
}

static void blocks(void) {
  static const uint8_t k_apdu[] = {0x00, 0xa4, 0x04, 0x0c, 0x02, 0x3f, 0x00};
  uint8_t answer[600];
  for (size_t i = 0; i < sizeof answer; i++) answer[i] = (uint8_t)i;

  fresh("S(IFS), a command, its answer");
  CHECK(give(0xc1, "\xfe", 1) == BLOCK_ANSWERED && said(0xe1, "\xfe", 1));
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND && s_peer.command == 7);
  CHECK_BYTES(s_buffer, k_apdu, 7);
  block_answer(&s_peer, answer, 2, s_reply, &s_reply_length);
  CHECK(said(0x00, answer, 2) && !block_holds(&s_peer));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_COMMAND);
  block_answer(&s_peer, answer, 254, s_reply, &s_reply_length);
  CHECK(said(0x40, answer, 254));

  fresh("the fact sheet's IFS block");
  static const uint8_t k_ifs[] = {0x00, 0xc1, 0x01, 0xfe, 0x3e};
  static const uint8_t k_ifs_answer[] = {0x00, 0xe1, 0x01, 0xfe, 0x1e};
  CHECK(block_take(&s_peer, k_ifs, sizeof k_ifs, s_reply, &s_reply_length) == BLOCK_ANSWERED && s_reply_length == 5);
  CHECK_BYTES(s_reply, k_ifs_answer, 5);

  fresh("an answer in parts, a part asked for again, the wrong thing asked for");
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND);
  block_answer(&s_peer, answer, 70, s_reply, &s_reply_length);
  CHECK(said(0x20, answer, 32) && block_holds(&s_peer));
  CHECK(give(0x81, NULL, 0) == BLOCK_ANSWERED && said(0x20, answer, 32)); /* R(0), error: again */
  CHECK(give(0x90, NULL, 0) == BLOCK_ANSWERED && said(0x60, answer + 32, 32));
  CHECK(give(0x90, NULL, 0) == BLOCK_ANSWERED && said(0x60, answer + 32, 32));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_ANSWERED && said(0x92, NULL, 0)); /* a command before the end of the answer */
  CHECK(give(0x80, NULL, 0) == BLOCK_ANSWERED && said(0x00, answer + 64, 6) && !block_holds(&s_peer));
  CHECK(give(0x80, NULL, 0) == BLOCK_ANSWERED && said(0x00, answer + 64, 6));
  CHECK(give(0x90, NULL, 0) == BLOCK_ANSWERED && said(0x92, NULL, 0)); /* there is nothing more */

  fresh("a command in parts; a part sent twice counts once");
  CHECK(give(0x20, k_apdu, 3) == BLOCK_ANSWERED && said(0x90, NULL, 0) && block_holds(&s_peer));
  CHECK(give(0x20, k_apdu, 3) == BLOCK_ANSWERED && said(0x92, NULL, 0));
  CHECK(give(0x60, k_apdu + 3, 2) == BLOCK_ANSWERED && said(0x80, NULL, 0));
  CHECK(give(0x81, NULL, 0) == BLOCK_ANSWERED && said(0x80, NULL, 0));
  CHECK(give(0x00, k_apdu + 5, 2) == BLOCK_COMMAND && s_peer.command == 7);
  CHECK_BYTES(s_buffer, k_apdu, 7);

  fresh("the last block of a command sent twice: not carried out twice");
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND);
  block_answer(&s_peer, answer, 2, s_reply, &s_reply_length);
  CHECK(give(0x00, k_apdu, 7) == BLOCK_ANSWERED && said(0x92, NULL, 0));
  CHECK(give(0x82, NULL, 0) == BLOCK_ANSWERED && said(0x00, answer, 2));

  fresh("check, length, NAD, kinds that do not exist");
  size_t n = block(0, 0x00, k_apdu, 7);
  s_block[n - 1] ^= 1;
  CHECK(block_take(&s_peer, s_block, n, s_reply, &s_reply_length) == BLOCK_ANSWERED && said(0x81, NULL, 0));
  n = block(0, 0x00, k_apdu, 7);
  CHECK(block_take(&s_peer, s_block, n - 1, s_reply, &s_reply_length) == BLOCK_ANSWERED && said(0x81, NULL, 0));
  n = block(0x12, 0x00, k_apdu, 7);
  CHECK(block_take(&s_peer, s_block, n, s_reply, &s_reply_length) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  for (size_t i = 0; i < 4; i++) {
    n = block(0, 0, NULL, 0);
    CHECK(block_take(&s_peer, s_block, i, s_reply, &s_reply_length) == BLOCK_ANSWERED && said(0x81, NULL, 0));
  }
  CHECK(give(0x01, k_apdu, 7) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0xc3, "\x01", 1) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0xc1, "\x01", 1) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0xc1, "\xff", 1) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0xe0, NULL, 0) == BLOCK_ANSWERED && said(0x82, NULL, 0));
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND);

  fresh("S(RESYNCH) and S(ABORT) drop what was begun");
  CHECK(give(0x20, k_apdu, 4) == BLOCK_ANSWERED && block_holds(&s_peer));
  CHECK(give(0xc2, NULL, 0) == BLOCK_ANSWERED && said(0xe2, NULL, 0) && !block_holds(&s_peer));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_COMMAND && s_peer.command == 7);
  block_answer(&s_peer, answer, 70, s_reply, &s_reply_length);
  CHECK(give(0xc0, NULL, 0) == BLOCK_ANSWERED && said(0xe0, NULL, 0) && !block_holds(&s_peer));
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND);

  fresh("shorter than an APDU, longer than the buffer: 6700, and nothing is carried out");
  CHECK(give(0x00, k_apdu, 3) == BLOCK_ANSWERED && said(0x00, "\x67\x00", 2));
  block_reset(&s_peer, s_buffer, 300, false);
  CHECK(give(0x20, answer, 254) == BLOCK_ANSWERED && said(0x90, NULL, 0));
  CHECK(give(0x60, answer, 254) == BLOCK_ANSWERED && said(0x80, NULL, 0));
  CHECK(give(0x00, answer, 20) == BLOCK_ANSWERED && said(0x00, "\x67\x00", 2));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_COMMAND && s_peer.command == 7);

  fresh("given up in the middle: the rest of the command is never taken for a command");
  CHECK(give(0x20, k_apdu, 3) == BLOCK_ANSWERED);
  block_spoil(&s_peer);
  CHECK(!block_holds(&s_peer));
  CHECK(give(0x40, k_apdu, 7) == BLOCK_ANSWERED && said(0x00, "\x6f\x00", 2));
  CHECK(give(0x00, k_apdu, 7) == BLOCK_COMMAND);
  block_answer(&s_peer, answer, 40, s_reply, &s_reply_length);
  block_spoil(&s_peer);
  CHECK(give(0x80, NULL, 0) == BLOCK_ANSWERED && said(0x00, "\x6f\x00", 2));

  STORY("a CRC instead of an LRC");
  block_reset(&s_peer, s_buffer, sizeof s_buffer, true);
  static const uint8_t k_crc[] = {0x00, 0xc1, 0x01, 0xfe};
  uint8_t with[6];
  memcpy(with, k_crc, 4);
  uint16_t crc = 0xffff;
  for (size_t i = 0; i < 4; i++) {
    crc ^= with[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc & 1u ? (uint16_t)(crc >> 1 ^ 0x8408u) : (uint16_t)(crc >> 1);
  }
  with[4] = (uint8_t)(crc >> 8);
  with[5] = (uint8_t)crc;
  CHECK(block_take(&s_peer, with, 6, s_reply, &s_reply_length) == BLOCK_ANSWERED && s_reply_length == 6 && s_reply[1] == 0xe1);
  with[5] ^= 1;
  CHECK(block_take(&s_peer, with, 6, s_reply, &s_reply_length) == BLOCK_ANSWERED && s_reply_length == 5 && s_reply[1] == 0x81);
}

int main(void) {
  frames();
  commands();
  blocks();
  return check_end("pcscd");
}
