/* The link on its ports: versions, UART0's rate, and who listens to whom.
 * sources: app/link_port.c hal/host/host.c test/fakes/no_pcscd.c link/frame.c link/session.c link/rate.c link/receive.c link/send.c link/service.c */
#include "app/link_port.h"
#include "ccid/ccid.h"
#include "front/front.h"
#include "hal/host/host.h"
#include "link/frame.h"
#include "link/link.h"
#include "test/fakes/check.h"

/* ---- the world ------------------------------------------------------------------------------------------------- */

uint8_t g_message[MESSAGE_MAX];
static unsigned s_lost;

void front_blink(void) {}
void app_card_pulled(void) {}
bool message_claim(face_t face) { return face == FACE_LINK; }
void message_release(face_t face) { (void)face; }
void ccid_face_lost(face_t face) {
  (void)face;
  s_lost++;
}
size_t ccid_notify(face_t face, uint8_t notice[NOTICE_MAX]) {
  (void)face;
  (void)notice;
  return 0;
}
void ccid_busy_answer(face_t face, const uint8_t header[10], uint8_t answer[10]) {
  (void)face;
  memset(answer, 0, 10);
  answer[0] = 0x81;
  answer[6] = header[6];
}

/* ---- a host on UART0 -------------------------------------------------------------------------------------------- */

static uint8_t s_tag;
static frame_t s_frame;
static frame_receiver_t s_receiver;

static void turn(uint64_t us) {
  for (uint64_t at = 0; at <= us; at += 100) {
    g_host.now += us == 0 ? 0 : 100;
    (void)link_port_step();
  }
}
/* The first frame the reader said since the last call; false: nothing. */
static bool heard(void) {
  bool any = false;
  for (size_t i = 0; i < g_host.uart_out_length && !any; i++) any = frame_push(&s_receiver, g_host.uart_out[i], &s_frame);
  g_host.uart_out_length = 0;
  return any;
}
static void say(uint8_t kind, uint8_t tag, const uint8_t *payload, size_t length) {
  uint8_t wire[FRAME_WIRE_MAX];
  const size_t n = frame_encode(wire, true, (wire_link_header_t){kind, 0, 0, tag}, payload, length);
  memcpy(g_host.uart_in, wire, n);
  g_host.uart_in_at = 0;
  g_host.uart_in_length = n;
  turn(0);
}
static void ask(uint32_t baud) {
  const uint8_t payload[4] = {(uint8_t)baud, (uint8_t)(baud >> 8), (uint8_t)(baud >> 16), (uint8_t)(baud >> 24)};
  say(LINK_RATE, s_tag, payload, sizeof payload);
}
static uint32_t said_rate(void) {
  return (uint32_t)(s_frame.payload[0] | s_frame.payload[1] << 8 | s_frame.payload[2] << 16) | (uint32_t)s_frame.payload[3] << 24;
}
/* Opens a session that may speak `least` to `most`. Returns the version agreed on, 0 for a refusal. */
static uint8_t greet(uint8_t least, uint8_t most, uint8_t nonce) {
  const uint8_t hello[10] = {least, most, nonce};
  say(LINK_HELLO, 0, hello, sizeof hello);
  CHECK(heard());
  if (s_frame.header.kind == LINK_REFUSE) {
    CHECK(s_frame.payload[0] == 1 && s_frame.payload[1] == LINK_LIMIT_VERSION_MIN && s_frame.payload[2] == LINK_LIMIT_VERSION);
    return 0;
  }
  CHECK(s_frame.header.kind == LINK_HELLO_ACK);
  s_tag = s_frame.header.tag;
  return s_frame.payload[0];
}
static void begin(const char *story) {
  STORY(story);
  host_bus_reset(); /* a session on USB is over */
  turn(100);
  say(LINK_BYE, s_tag, NULL, 0);
  turn(1000);
  host_reset();
  g_host.uart_baud = LINK_LIMIT_DEFAULT_BAUD;
  s_lost = 0;
  (void)heard();
  CHECK(greet(1, LINK_LIMIT_VERSION, 7) == LINK_LIMIT_VERSION);
}
static void raise_to(uint32_t baud) {
  ask(baud);
  CHECK(heard() && s_frame.header.kind == LINK_RATE_ACK && said_rate() == baud);
  turn(0);
  CHECK(g_host.uart_baud == baud);
  say(LINK_PING, s_tag, NULL, 0);
  CHECK(heard() && s_frame.header.kind == LINK_PONG);
}

/* ---- stories --------------------------------------------------------------------------------------------------- */

static void versions(void) {
  begin("an old host gets the old version, a newer one ours; where nothing is shared both are named");
  CHECK(greet(1, 1, 1) == 1);
  CHECK(greet(1, 2, 2) == 2);
  CHECK(greet(2, 2, 3) == 2);
  CHECK(greet(1, 200, 4) == LINK_LIMIT_VERSION);
  say(LINK_BYE, s_tag, NULL, 0);
  CHECK(greet(3, 9, 5) == 0);
  CHECK(greet(0, 0, 6) == 0);
  CHECK(greet(2, 1, 7) == 0); /* no range at all */
  CHECK(!link_session_open());
  CHECK(greet(1, 1, 8) == 1);
  ask(921600); /* version 1 has no such message: no answer, and the line stays */
  CHECK(!heard() && g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD);
}

static void agreed(void) {
  begin("rate-ack leaves at the old rate, what follows at the new one, and a ping there keeps it");
  g_host.uart_sending = true;
  ask(3000000);
  CHECK(heard() && s_frame.header.kind == LINK_RATE_ACK && said_rate() == 3000000);
  const uint8_t status[10] = {0x65, 0, 0, 0, 0, 0, 1};
  say(LINK_CHANNEL_CCID << 6, s_tag, status, 10); /* acknowledged in 20 ms, if at all */
  turn(50000);
  CHECK(!heard() && g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD); /* the last character is still on its way */
  g_host.uart_sending = false;
  turn(100);
  CHECK(g_host.uart_baud == 3000000);
  CHECK(heard() && s_frame.header.kind == LINK_ACK && s_frame.header.ack == 1); /* it was only held back */
  say(LINK_PING, s_tag, NULL, 0);
  CHECK(heard() && s_frame.header.kind == LINK_PONG);
  turn(1000000);
  CHECK(g_host.uart_baud == 3000000 && link_session_open() && s_lost == 0);
}

static void given_up(void) {
  begin("a rate that does not work is given up in 300 ms, and the session goes on at the one before");
  raise_to(921600);
  ask(3000000);
  CHECK(heard());
  turn(100);
  CHECK(g_host.uart_baud == 3000000);
  const uint8_t damage[] = {0x80, 0xf8, 0x00, 0x55, 0x00};
  memcpy(g_host.uart_in, damage, sizeof damage);
  g_host.uart_in_at = 0;
  g_host.uart_in_length = sizeof damage;
  g_host.uart_lost = 100; /* in a trial damage decides nothing: adapters switch at their leisure */
  turn(290000);
  CHECK(g_host.uart_baud == 3000000);
  turn(20000);
  CHECK(g_host.uart_baud == 921600);
  say(LINK_PING, s_tag, NULL, 0);
  CHECK(heard() && s_frame.header.kind == LINK_PONG && s_lost == 0);
}

static void refused(void) {
  begin("a rate the line cannot have is answered 0, and nothing changes");
  const uint32_t k_no[] = {0, 1, LINK_LIMIT_LEAST_BAUD - 1, LINK_LIMIT_MOST_BAUD + 1, 0xffffffffu};
  for (size_t i = 0; i < sizeof k_no / sizeof k_no[0]; i++) {
    ask(k_no[i]);
    CHECK(heard() && s_frame.header.kind == LINK_RATE_ACK && said_rate() == 0);
    turn(1000000);
    CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD);
  }
  const uint8_t half[3] = {0};
  say(LINK_RATE, s_tag, half, sizeof half);
  CHECK(!heard());
  say(LINK_RATE, (uint8_t)(s_tag + 1), (const uint8_t *)"\0\20\16\0", 4);
  CHECK(!heard());
}

static void over(void) {
  begin("with the session its rate ends: bye, silence, and another host");
  raise_to(3000000);
  say(LINK_BYE, s_tag, NULL, 0);
  turn(100);
  CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD);

  begin("… 20 s of silence");
  raise_to(3000000);
  turn(21000000);
  CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD && s_lost == 1);

  begin("… a host that died, and one that begins at the usual rate: its first words are damage, its next hello is heard");
  raise_to(3000000);
  g_host.uart_lost = LINK_LIMIT_RATE_MARKS - 1;
  turn(100);
  CHECK(g_host.uart_baud == 3000000);
  say(LINK_PING, s_tag, NULL, 0); /* a good frame: it was only noise */
  CHECK(heard());
  g_host.uart_lost = LINK_LIMIT_RATE_MARKS - 1;
  turn(100);
  CHECK(g_host.uart_baud == 3000000);
  g_host.uart_lost = 1;
  turn(200);
  CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD && link_session_open() && s_lost == 0);
  CHECK(greet(1, 2, 99) == 2 && s_lost == 1);
}

static void other_port(void) {
  begin("USB has no rate; bytes on it do not reach a session of UART0, and the other way round");
  raise_to(3000000);
  uint8_t wire[FRAME_WIRE_MAX];
  const uint8_t hello[10] = {1, 2, 55};
  size_t n = frame_encode(wire, true, (wire_link_header_t){LINK_HELLO, 0, 0, 0}, hello, sizeof hello);
  host_bulk_out(HAL_FACE_CDC, wire, n, false);
  turn(1000);
  uint8_t in[256];
  CHECK(host_bulk_in(HAL_FACE_CDC, in, sizeof in) == SIZE_MAX && !heard());
  say(LINK_BYE, s_tag, NULL, 0);
  turn(1000);
  host_bulk_out(HAL_FACE_CDC, wire, n, false);
  turn(1000);
  n = host_bulk_in(HAL_FACE_CDC, in, sizeof in);
  CHECK(n != SIZE_MAX);
  bool any = false;
  for (size_t i = 0; i < n; i++) any = frame_push(&s_receiver, in[i], &s_frame) || any;
  CHECK(any && s_frame.header.kind == LINK_HELLO_ACK && s_frame.payload[0] == 2);
  CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD);
  n = frame_encode(wire, true, (wire_link_header_t){LINK_RATE, 0, 0, s_frame.header.tag}, (const uint8_t *)"\0\20\16\0", 4);
  host_bulk_out(HAL_FACE_CDC, wire, n, false);
  turn(1000);
  n = host_bulk_in(HAL_FACE_CDC, in, sizeof in);
  CHECK(n != SIZE_MAX);
  any = false;
  for (size_t i = 0; i < n; i++) any = frame_push(&s_receiver, in[i], &s_frame) || any;
  CHECK(any && s_frame.header.kind == LINK_RATE_ACK && said_rate() == 0);
  g_host.uart_lost = 3;
  const uint32_t before = link_discarded();
  turn(1000);
  CHECK(link_discarded() == before); /* what happens on a port nobody listens to is nothing of this session's */
}

static void counted(void) {
  begin("every byte that was no good frame is counted, and every character that came damaged");
  const uint32_t before = link_discarded();
  const uint8_t bad[] = {0, 5, 1, 2, 3, 0, 9, 9, 0};
  memcpy(g_host.uart_in, bad, sizeof bad);
  g_host.uart_in_at = 0;
  g_host.uart_in_length = sizeof bad;
  g_host.uart_lost = 4;
  turn(0);
  CHECK(link_discarded() == before + 6 + 4);
  CHECK(g_host.uart_baud == LINK_LIMIT_DEFAULT_BAUD);
}

int main(void) {
  host_reset();
  link_reset();
  versions();
  agreed();
  given_up();
  refused();
  over();
  other_port();
  counted();
  return check_end("link rate");
}
