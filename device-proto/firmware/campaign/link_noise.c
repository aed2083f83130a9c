/* link_noise SEED FROM TO - corrupted frames against the link's deframer: none may be accepted, and the good frame behind one is the next that is heard.
 *
 *   garbage, up to 64 KiB │ 00 frame with at least one wrong, lost or added byte 00 │ 00 good frame 00
 *
 * Case N of a seed is the same everywhere. Prints "fail N why" for each case that went wrong; says nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hal/hal.h"
#include "link/frame.h"

static uint64_t s_random;
/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(void) {
  uint64_t z = s_random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static size_t below(size_t n) { return (size_t)(next_random() % n); }

static size_t random_frame(uint8_t wire[FRAME_WIRE_MAX], wire_link_header_t *header, uint8_t *payload, size_t *length) {
  *length = below(8) == 0 ? below(LINK_LIMIT_MAX_PAYLOAD + 1) : below(80);
  const uint8_t zeros = (uint8_t)below(4); /* 0: noise; else every 2nd, 3rd, 4th byte may be zero, as in real messages */
  for (size_t i = 0; i < *length; i++) payload[i] = zeros != 0 && below(1u + zeros) == 0 ? 0 : (uint8_t)next_random();
  const uint8_t channel = (uint8_t)below(4);
  *header = (wire_link_header_t){(uint8_t)(channel << 6 | below(2) << 5 | (channel == 0 ? 1 + below(10) : 0)), (uint8_t)next_random(), (uint8_t)next_random(), (uint8_t)next_random()};
  return frame_encode(wire, true, *header, payload, *length);
}

/* Spoils what stands between the delimiters, so that it differs in at least one byte. Returns the new length. */
static size_t spoil(uint8_t *wire, size_t length) {
  uint8_t before[FRAME_WIRE_MAX];
  const size_t had = length;
  memcpy(before, wire, length);
  do {
    const size_t inner = length - 2;
    const size_t at = 1 + below(inner);
    switch (below(6)) {
    case 0: /* one bit */
      wire[at] ^= (uint8_t)(1u << below(8));
      break;
    case 1: /* a few bits */
      for (size_t i = 2 + below(7); i-- > 0;) wire[1 + below(inner)] ^= (uint8_t)(1u << below(8));
      break;
    case 2: /* a burst */
      for (size_t i = at; i < length - 1 && i < at + 32; i++) wire[i] = (uint8_t)next_random();
      break;
    case 3: { /* bytes that got lost */
      const size_t behind = inner - (at - 1), lost = 1 + below(behind < 8 ? behind : 8); /* a frame has nine bytes at least */
      memmove(wire + at, wire + at + lost, length - at - lost);
      length -= lost;
      break;
    }
    case 4: /* a byte too many; a zero before the first would be one more delimiter, and no damage */
      memmove(wire + at + 1, wire + at, length - at);
      wire[at] = (uint8_t)(1 + below(255));
      length++;
      break;
    default: /* two bytes change places */
      if (at + 1 < length - 1) {
        const uint8_t byte = wire[at];
        wire[at] = wire[at + 1];
        wire[at + 1] = byte;
      }
    }
  } while (length < 3 || (length == had && memcmp(before, wire, length) == 0));
  return length;
}

static frame_receiver_t s_receiver;
static unsigned s_frames;
static frame_t s_frame;
static size_t s_fed;
static void feed(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    s_fed += bytes[i] != 0;
    s_frames += frame_push(&s_receiver, bytes[i], &s_frame);
  }
}

static const char *play(void) {
  static uint8_t bad[FRAME_WIRE_MAX + 1], good[FRAME_WIRE_MAX], payload[LINK_LIMIT_MAX_PAYLOAD], garbage[65536];
  wire_link_header_t header;
  size_t length;
  memset(&s_receiver, 0, sizeof s_receiver);
  s_frames = 0;
  s_fed = 0;
  const size_t noise = below(1024) == 0 ? below(sizeof garbage) + 1 : below(32);
  for (size_t i = 0; i < noise; i++) garbage[i] = (uint8_t)next_random();
  feed(garbage, noise);
  feed(bad, spoil(bad, random_frame(bad, &header, payload, &length)));
  const size_t wire = random_frame(good, &header, payload, &length);
  feed(good, 1); /* its opening delimiter ends what came before */
  if (s_frames != 0) return "a corrupted frame was accepted";
  if (s_receiver.discarded != s_fed) return "discarded bytes are not counted";
  feed(good + 1, wire - 1);
  if (s_frames != 1) return "the good frame behind it was not received";
  if (memcmp(&s_frame.header, &header, sizeof header) != 0 || s_frame.length != length || memcmp(s_frame.payload, payload, length) != 0) return "the good frame was altered";
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  const uint64_t seed = strtoull(argv[1], NULL, 10), from = strtoull(argv[2], NULL, 10), to = strtoull(argv[3], NULL, 10);
  for (uint64_t n = from; n < to; n++) {
    s_random = seed * 0xd1342543de82ef95u + n * 0xaf251af3b0f025b5u;
    const char *why = play();
    if (why != NULL) printf("fail %llu %s\n", (unsigned long long)n, why);
  }
  return 0;
}
