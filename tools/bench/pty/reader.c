/* reader.c - a reader that takes no time, on a pseudo-terminal of its own, with a T=1 card that takes none: what is left is the host's. It speaks
 * the framing it is told, `link` (the firmware's own frame.c) or `pcscd` (libccidtwin's; TPDU level), says the terminal's name on a line, and ends
 * with its standard input. The card answers READ BINARY with as many bytes as it is asked for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "link/frame.h"

enum { HEAD = 10, MESSAGE_MAX = 600 };
enum { POWER_ON = 0x62, POWER_OFF = 0x63, STATUS = 0x65, BLOCK = 0x6f, SET_PARAMETERS = 0x61, ESCAPE = 0x6b };
enum { DATA_BLOCK = 0x80, SLOT_STATUS = 0x81, PARAMETERS = 0x82, ESCAPED = 0x83 };

static const uint8_t ATR[] = {0x3b, 0xe0, 0x00, 0xff, 0x81, 0x31, 0xfe, 0x45, 0x14};
static int s_port;
static uint8_t s_ns;      /* N(S) of the card's next block */
static bool s_active;

static void put(const uint8_t *bytes, size_t length) {
  while (length) {
    const ssize_t n = write(s_port, bytes, length);
    if (n < 0 && errno != EINTR) exit(1);
    if (n > 0) bytes += n, length -= (size_t)n;
  }
}
static uint8_t lrc(const uint8_t *bytes, size_t length) {
  uint8_t sum = 0;
  while (length--) sum ^= *bytes++;
  return sum;
}
/* READ BINARY, short: byte i of the file is 31 i. */
static size_t card(const uint8_t *apdu, size_t length, uint8_t *out) {
  if (length != 5 || apdu[1] != 0xb0) {
    out[0] = 0x6d, out[1] = 0x00;
    return 2;
  }
  for (unsigned i = 0; i < apdu[4]; i++) out[i] = (uint8_t)(i * 31u);
  out[apdu[4]] = 0x90, out[apdu[4] + 1] = 0x00;
  return apdu[4] + 2u;
}
/* One T=1 block and its answer: I-blocks that are not chained, S(IFS) and S(RESYNCH) (ISO/IEC 7816-3 §11.6.2). */
static size_t t1(const uint8_t *block, size_t length, uint8_t *out) {
  if (length < 4 || length != block[2] + 4u || lrc(block, length)) return 0;
  out[0] = block[0];
  size_t inf = 0;
  if (!(block[1] & 0x80)) {
    out[1] = s_ns;
    s_ns ^= 0x40;
    inf = card(block + 3, block[2], out + 3);
  } else if ((block[1] & 0xe0) == 0xc0) {
    out[1] = block[1] | 0x20;
    inf = block[2];
    memcpy(out + 3, block + 3, inf);
    if ((block[1] & 0x1f) == 0) s_ns = 0;
  } else return 0;
  out[2] = (uint8_t)inf;
  out[3 + inf] = lrc(out, 3 + inf);
  return inf + 4;
}
/* One command; the answer's length. `apdus`: whole APDUs in XfrBlock, else what a TPDU level host sends. */
static size_t run(const uint8_t *in, size_t length, uint8_t *out, bool apdus) {
  const uint8_t *data = in + HEAD;
  const size_t size = length - HEAD;
  size_t n = 0;
  bool good = true;
  uint8_t type = SLOT_STATUS;
  switch (in[0]) {
    case POWER_ON:
      type = DATA_BLOCK, s_active = true, s_ns = 0;
      memcpy(out + HEAD, ATR, n = sizeof ATR);
      break;
    case POWER_OFF: s_active = false; break;
    case STATUS: break;
    case SET_PARAMETERS:
      type = PARAMETERS;
      memcpy(out + HEAD, data, n = size);
      break;
    case BLOCK:
      type = DATA_BLOCK;
      if (apdus) n = card(data, size, out + HEAD);
      else if (size && data[0] == 0xff) memcpy(out + HEAD, data, n = size);
      else n = t1(data, size, out + HEAD);
      good = n != 0;
      break;
    case ESCAPE:
      type = ESCAPED;
      if (size && data[0] == 0x02) memcpy(out + HEAD, "instant", n = 7);
      else good = size && data[0] == 0x01;
      break;
    default: good = false;
  }
  const uint8_t head[HEAD] = {type, (uint8_t)n, (uint8_t)(n >> 8), 0, 0, 0, in[6], (uint8_t)((s_active ? 0 : 1) | (good ? 0 : 0x40)), 0, 0};
  memcpy(out, head, HEAD);
  if (in[0] == SET_PARAMETERS) out[9] = in[7];
  return HEAD + n;
}

/* pcscd: 03 06, message, LRC; first an echo of the header, as the driver wants it. */
static void hear_pcscd(const uint8_t *bytes, size_t length) {
  static uint8_t heard[MESSAGE_MAX];
  static size_t count;
  for (size_t i = 0; i < length; i++) {
    if (count == MESSAGE_MAX) count = 0;
    heard[count++] = bytes[i];
    if (count == 1 && heard[0] != 0x03) count = 0;
    if (count < 3 + HEAD) continue;
    const size_t whole = 3u + HEAD + heard[3] + 256u * heard[4];
    if (count < whole) continue;
    count = 0;
    if (lrc(heard, whole)) continue;
    uint8_t out[2 * MESSAGE_MAX] = {0x03, 0x06};
    memcpy(out + 2, heard + 2, HEAD);
    memset(out + 3, 0, 4);
    out[9] = out[10] = out[11] = 0;
    out[12] = lrc(out, 12);
    uint8_t *answer = out + 13;
    answer[0] = 0x03, answer[1] = 0x06;
    const size_t n = run(heard + 2, whole - 3, answer + 2, false);
    answer[2 + n] = lrc(answer, 2 + n);
    put(out, 13 + 3 + n);
  }
}

/* The link, on a terminal that loses nothing: sessions, numbers and acknowledgements, but no repetitions of its own. */
static void hear_link(const uint8_t *bytes, size_t length) {
  static frame_receiver_t receiver;
  static uint8_t tag, expected, seq;
  uint8_t wire[FRAME_WIRE_MAX];
  frame_t frame;
  for (size_t i = 0; i < length; i++) {
    if (!frame_push(&receiver, bytes[i], &frame)) continue;
    const uint8_t channel = frame.header.kind >> 6, session = frame.header.kind & 0x1f;
    if (channel == LINK_CHANNEL_SESSION && session == LINK_HELLO && frame.length == sizeof(wire_link_hello_t)) {
      wire_link_hello_ack_t ack = {.version = 1, .tag = tag = 1, .window = LINK_LIMIT_WINDOW, .maxPayload = LINK_LIMIT_MAX_PAYLOAD};
      memcpy(ack.nonce, frame.payload + 2, sizeof ack.nonce);
      expected = seq = 0;
      s_active = false;
      const wire_link_header_t header = {.kind = LINK_HELLO_ACK, .tag = tag};
      put(wire, frame_encode(wire, true, header, (const uint8_t *)&ack, sizeof ack));
      continue;
    }
    if (!tag || frame.header.tag != tag) continue;
    if (channel == LINK_CHANNEL_SESSION) {
      if (session == LINK_BYE) tag = 0;
      if (session != LINK_PING) continue;
      const wire_link_header_t header = {.kind = LINK_PONG, .ack = expected, .tag = tag};
      put(wire, frame_encode(wire, true, header, 0, 0));
      continue;
    }
    if (channel != LINK_CHANNEL_CCID || frame.header.seq != expected || frame.length < HEAD || frame.length > MESSAGE_MAX) exit(1);
    expected++;
    uint8_t answer[MESSAGE_MAX];
    const size_t n = run(frame.payload, frame.length, answer, true);
    const wire_link_header_t header = {.kind = LINK_CHANNEL_CCID << 6, .seq = seq++, .ack = expected, .tag = tag};
    put(wire, frame_encode(wire, true, header, answer, n));
  }
}

int main(int argc, char **argv) {
  if (argc != 2 || (strcmp(argv[1], "link") && strcmp(argv[1], "pcscd"))) return 2;
  const bool link = !strcmp(argv[1], "link");
  s_port = posix_openpt(O_RDWR | O_NOCTTY);
  if (s_port < 0 || grantpt(s_port) || unlockpt(s_port)) return 1;
  /* Held open on our side, so that programs may come and go. */
  const int held = open(ptsname(s_port), O_RDWR | O_NOCTTY);
  struct termios raw;
  if (held < 0 || tcgetattr(held, &raw)) return 1;
  cfmakeraw(&raw);
  if (tcsetattr(held, TCSANOW, &raw)) return 1;
  printf("%s\n", ptsname(s_port));
  fflush(stdout);
  struct pollfd from[] = {{.fd = s_port, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  for (;;) {
    if (poll(from, 2, -1) < 0 && errno != EINTR) return 1;
    uint8_t bytes[4096];
    if (from[1].revents && read(0, bytes, sizeof bytes) <= 0) return 0;
    if (!(from[0].revents & POLLIN)) continue;
    const ssize_t n = read(s_port, bytes, sizeof bytes);
    if (n > 0) (link ? hear_link : hear_pcscd)(bytes, (size_t)n);
  }
}
