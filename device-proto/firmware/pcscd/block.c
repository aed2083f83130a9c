/* block.c - see block.h. */
#include "pcscd/block.h"
#include "hal/hal.h"

#define PCB_R 0x80u
#define PCB_S 0xc0u
#define I_MORE 0x20u
#define I_NS 0x40u
#define R_NR 0x10u
#define S_RESPONSE 0x20u
#define S_RESYNCH 0xc0u
#define S_IFS 0xc1u
#define S_ABORT 0xc2u
#define R_EDC 1u
#define R_OTHER 2u
#define IFSD_DEFAULT 32u /* 11.4.2 */
#define INF_MAX 254u
#define SW_WRONG_LENGTH 0x6700u
#define SW_LOST 0x6f00u

void block_reset(block_peer_t *p, uint8_t *buffer, size_t capacity, bool crc) {
  secret_wipe(p, sizeof *p);
  p->buffer = buffer;
  p->capacity = capacity;
  p->crc = crc;
  p->ifsd = IFSD_DEFAULT;
}

static size_t edc(const block_peer_t *p, const uint8_t *bytes, size_t length, uint8_t out[2]) {
  if (!p->crc) {
    out[0] = 0;
    for (size_t i = 0; i < length; i++) out[0] ^= bytes[i];
    return 1;
  }
  uint16_t crc = 0xffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (unsigned bit = 0; bit < 8; bit++) crc = crc & 1u ? (uint16_t)(crc >> 1 ^ 0x8408u) : (uint16_t)(crc >> 1);
  }
  out[0] = (uint8_t)(crc >> 8);
  out[1] = (uint8_t)crc;
  return 2;
}

static void again(const block_peer_t *p, uint8_t *out, size_t *out_length) {
  for (size_t i = 0; i < p->last_length; i++) out[i] = p->last[i];
  *out_length = p->last_length;
}

static void put(const block_peer_t *p, uint8_t pcb, const uint8_t *inf, size_t length, uint8_t *out, size_t *out_length) {
  out[0] = 0; /* NAD: nodes are not used */
  out[1] = pcb;
  out[2] = (uint8_t)length;
  for (size_t i = 0; i < length; i++) out[3 + i] = inf[i];
  *out_length = 3u + length;
  *out_length += edc(p, out, *out_length, out + *out_length);
}

static void say(block_peer_t *p, uint8_t pcb, const uint8_t *inf, size_t length, uint8_t *out, size_t *out_length) {
  put(p, pcb, inf, length, p->last, &p->last_length);
  again(p, out, out_length);
}

static uint8_t r_block(const block_peer_t *p) { return (uint8_t)(PCB_R | (p->nr ? R_NR : 0u)); }
/* A complaint is not kept: what the host may ask for again is what was said before it. */
static void complain(const block_peer_t *p, uint8_t error, uint8_t *out, size_t *out_length) { put(p, r_block(p) | error, NULL, 0, out, out_length); }

static void say_part(block_peer_t *p, uint8_t *out, size_t *out_length) {
  const size_t length = p->left < p->ifsd ? p->left : p->ifsd;
  const bool more = length < p->left;
  say(p, (uint8_t)((p->ns ? I_NS : 0u) | (more ? I_MORE : 0u)), p->answer, length, out, out_length);
  p->ns ^= 1u;
  p->answer += length;
  p->left -= length;
}

void block_answer(block_peer_t *p, const uint8_t *answer, size_t length, uint8_t out[BLOCK_MAX], size_t *out_length) {
  p->command = 0;
  p->answer = answer;
  p->left = length;
  say_part(p, out, out_length);
}

static void answer_sw(block_peer_t *p, uint16_t sw, uint8_t *out, size_t *out_length) {
  const uint8_t bytes[2] = {(uint8_t)(sw >> 8), (uint8_t)sw};
  block_answer(p, bytes, sizeof bytes, out, out_length); /* goes in one block: IFSD is at least 2 */
}

void block_skip(block_peer_t *p) { p->nr ^= 1u; }
bool block_holds(const block_peer_t *p) { return (p->chain && p->spoilt == 0) || p->left != 0; }

void block_spoil(block_peer_t *p) {
  if (p->chain) p->spoilt = SW_LOST;
  if (p->left != 0) {
    static const uint8_t k_lost[2] = {SW_LOST >> 8, SW_LOST & 0xffu};
    p->answer = k_lost;
    p->left = sizeof k_lost;
  }
  p->command = 0;
}

static void forget(block_peer_t *p) {
  p->command = p->left = 0;
  p->chain = false;
  p->spoilt = 0;
}

static block_event_t information(block_peer_t *p, const uint8_t *b, uint8_t *out, size_t *out_length) {
  const uint8_t pcb = b[1];
  const size_t length = b[2];
  /* A block out of turn, while our answer is not all fetched, or one that we have already: we say which one is due (rule 7.1). */
  if ((pcb & 0x1fu) != 0 || ((pcb & I_NS) != 0) != (p->nr != 0) || p->left != 0) {
    complain(p, R_OTHER, out, out_length);
    return BLOCK_ANSWERED;
  }
  if (!p->chain) {
    p->command = 0;
    p->spoilt = 0;
  }
  if (p->spoilt == 0 && length > p->capacity - p->command) p->spoilt = SW_WRONG_LENGTH;
  if (p->spoilt == 0) {
    for (size_t i = 0; i < length; i++) p->buffer[p->command++] = b[3 + i];
  }
  p->nr ^= 1u;
  p->chain = (pcb & I_MORE) != 0;
  if (p->chain) {
    say(p, r_block(p), NULL, 0, out, out_length);
    return BLOCK_ANSWERED;
  }
  if (p->spoilt == 0 && p->command >= 4) return BLOCK_COMMAND;
  answer_sw(p, p->spoilt != 0 ? p->spoilt : SW_WRONG_LENGTH, out, out_length); /* no APDU is shorter than its CLA INS P1 P2 */
  return BLOCK_ANSWERED;
}

static void ready(block_peer_t *p, const uint8_t *b, uint8_t *out, size_t *out_length) {
  const bool ours_next = ((b[1] & R_NR) != 0) == (p->ns != 0);
  if (p->last_length == 0 || (p->last[1] & 0x80u) != 0) { /* we spoke of no I-block: the same again */
    if (p->last_length == 0) say(p, r_block(p), NULL, 0, out, out_length);
    else again(p, out, out_length);
  } else if (!ours_next) {
    again(p, out, out_length);
  } else if (p->left != 0) {
    say_part(p, out, out_length);
  } else {
    complain(p, R_OTHER, out, out_length); /* there is nothing more */
  }
}

static void supervise(block_peer_t *p, const uint8_t *b, uint8_t *out, size_t *out_length) {
  const uint8_t response = (uint8_t)(b[1] | S_RESPONSE);
  switch (b[1]) {
  case S_RESYNCH:
    if (b[2] != 0) break;
    forget(p);
    p->ns = p->nr = 0;
    say(p, response, NULL, 0, out, out_length);
    return;
  case S_IFS:
    if (b[2] != 1 || b[3] < 2 || b[3] > INF_MAX) break; /* one byte would cut SW1SW2 */
    p->ifsd = b[3];
    say(p, response, b + 3, 1, out, out_length);
    return;
  case S_ABORT:
    if (b[2] != 0) break;
    forget(p);
    say(p, response, NULL, 0, out, out_length);
    return;
  default:
    break;
  }
  complain(p, R_OTHER, out, out_length);
}

block_event_t block_take(block_peer_t *p, const uint8_t *b, size_t length, uint8_t out[BLOCK_MAX], size_t *out_length) {
  uint8_t check[2];
  const size_t tail = p->crc ? 2 : 1;
  *out_length = 0;
  const bool shaped = length >= 3u + tail && b[2] <= INF_MAX && length == 3u + b[2] + tail;
  bool good = shaped;
  if (shaped) {
    edc(p, b, length - tail, check);
    for (size_t i = 0; i < tail; i++) good = good && check[i] == b[length - tail + i];
  }
  if (!good) {
    complain(p, R_EDC, out, out_length);
    return BLOCK_ANSWERED;
  }
  if (b[0] != 0) {
    complain(p, R_OTHER, out, out_length);
    return BLOCK_ANSWERED;
  }
  if ((b[1] & 0x80u) == 0) return information(p, b, out, out_length);
  if ((b[1] & 0xc0u) == PCB_R && (b[1] & 0x2cu) == 0 && b[2] == 0) ready(p, b, out, out_length);
  else if ((b[1] & 0xc0u) == PCB_S) supervise(p, b, out, out_length);
  else complain(p, R_OTHER, out, out_length);
  return BLOCK_ANSWERED;
}
