/* pcscd's serial framing and its TPDU level: bytes in any order, and a host that runs T=1 itself, well or badly. Frames are looked for in what was sent
 * by a search of this door's own, and blocks followed by a card's end of T=1 written from ISO 7816-3 §11 alone.
 * sources: pcscd/frame.c pcscd/block.c pinpad/tpdu.c pinpad/template.c */
#include "fuzz/door.h"
static size_t judged_level_run(const uint8_t *message, size_t length, uint8_t *answer);
#define take pcscd_take /* the door's own take() stands in its place */
#define level_run judged_level_run
#include "pcscd/pcscd.c" /* its buffers are looked at: nothing stays */
#undef level_run
#undef take
#undef HEADER
#include "pcscd/level.c"

/* ---- the rooms around ------------------------------------------------------------------------------------------- */

uint8_t g_message[MESSAGE_MAX];
card_t g_card;
static uint64_t s_now;
static uint8_t s_icc;         /* ICC_*: the slot */
static bool s_other_owner, s_other_buffer, s_wanted, s_other_runs, s_claimed, s_begun;
static bool s_tpdu_started, s_aborted;
static bool s_begun_anew;     /* the model knows already */
static uint8_t s_luck;        /* how the card and the person take what comes next */
static unsigned s_lost;

static void model_reset(void);
uint64_t hal_now_us(void) { return s_now; }
uint8_t slot_status(void) { return s_icc; }
bool slot_taken(face_t face) {
  PROMISE(face == FACE_PCSCD);
  return s_other_owner;
}
static void off(void) {
  memset(&g_card, 0, sizeof g_card);
  s_tpdu_started = false;
  if (s_icc == ICC_ACTIVE) s_icc = ICC_INACTIVE;
  model_reset();
}
void slot_power_off(void) { off(); }
void slot_abandon(face_t face) {
  PROMISE(face == FACE_PCSCD);
  off();
}
card_result_t slot_power_on(face_t face, uint8_t voltage_class) {
  PROMISE(face == FACE_PCSCD && voltage_class <= 3 && !s_other_owner && s_icc != ICC_ABSENT && s_begun);
  off();
  if ((s_luck & 7u) == 7) return CARD_MUTE;
  g_card = (card_t){.atr = {0x3b, 0x80, 0x80, 0x01, 0x01}, .atr_length = 5, .protocol = s_luck >> 3 & 1u, .fidi = 0x11, .voltage_class = 1, .ifsc = 254, .ifsd = 32, .crc = (s_luck & 0x30u) == 0x30u};
  s_icc = ICC_ACTIVE;
  return CARD_OK;
}
bool message_claim(face_t face) {
  PROMISE(face == FACE_PCSCD);
  if (s_other_buffer) return false;
  return s_claimed = true;
}
static void all_zero(const void *at, size_t length) {
  const uint8_t *bytes = at;
  PROMISE(length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0));
}
void message_release(face_t face) {
  PROMISE(face == FACE_PCSCD);
  s_claimed = false;
  all_zero(g_message, 2048); /* what came of a host's VERIFY, or of the card's answer to it; the rest at the door's end */
}
bool message_wanted(void) { return s_wanted; }
bool ccid_running(void) { return s_other_runs || s_begun; }
void ccid_begin(face_t face, const uint8_t header[10]) {
  PROMISE(face == FACE_PCSCD && !s_begun && header[5] == 0);
  s_begun = true;
}
void ccid_end(void) {
  PROMISE(s_begun);
  s_begun = false;
}
void ccid_abort(face_t face) {
  PROMISE(face == FACE_PCSCD);
  s_aborted = true;
}
void ccid_face_lost(face_t face) {
  PROMISE(face == FACE_PCSCD);
  s_lost++;
  off();
}
uint8_t ccid_error(card_result_t result) { return (uint8_t)(0xfe - result); }
size_t ccid_parameters(uint8_t *at) {
  memset(at, 0x11, 7);
  return g_card.protocol == 0 ? 5 : 7;
}
void ccid_answer(uint8_t answer[10], const uint8_t command[10], uint32_t length, uint8_t outcome, uint8_t error) {
  PROMISE(outcome == COMMAND_OK ? error == 0 : outcome == COMMAND_FAILED && length == 0);
  const uint8_t head[10] = {(uint8_t)(command[0] ^ 0xf0u), (uint8_t)length, (uint8_t)(length >> 8), 0, 0, command[5], command[6], (uint8_t)(outcome << 6 | s_icc), error, 0};
  memcpy(answer, head, 10);
}
bool tpdu_started(void) { return s_tpdu_started; }
uint8_t tpdu_first(void) { return g_card.protocol; }
card_result_t tpdu_start(uint8_t protocol) {
  PROMISE(s_begun && g_card.voltage_class != 0 && protocol <= 1);
  if (s_tpdu_started || (s_luck & 0xe0u) == 0xe0u) return CARD_PROTOCOL;
  g_card.protocol = protocol;
  s_tpdu_started = true;
  if (!s_begun_anew) model_reset();
  return CARD_OK;
}
card_result_t tpdu_pps(uint8_t protocol, uint8_t fidi) {
  PROMISE(s_begun && g_card.voltage_class != 0);
  if (protocol > 1 || s_tpdu_started) return CARD_PROTOCOL;
  if ((s_luck & 1u) != 0) g_card.fidi = fidi;
  return CARD_OK;
}
void pinpad_ask_tries(bool ask) { (void)ask; }

/* ---- what was sent ------------------------------------------------------------------------------------------------ */

#define SENT_MAX 65536u
static uint8_t s_sent[SENT_MAX];
static size_t s_sent_length, s_sent_used; /* behind the frame carried out last */
static bool s_left_inside;                /* its host went away meanwhile */
static bool s_superseded;                 /* a frame came while a command ran */

/* A good frame begins at `at`: its whole length, or 0. */
static size_t frame_at(size_t at, size_t end) {
  const uint8_t *b = s_sent + at;
  if (end - at < 13 || b[0] != 3 || b[1] != 6) return 0;
  const size_t length = 13 + (b[3] | (size_t)b[4] << 8) + ((size_t)b[5] << 16) + ((size_t)b[6] << 24);
  if (length > 274 || length > end - at) return 0;
  unsigned sum = 0;
  for (size_t i = 0; i < length; i++) sum ^= b[i];
  return sum == 0 && b[2] >= 0x61 && b[2] <= 0x73 ? length : 0;
}
static void send(const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length && s_sent_length < SENT_MAX; i++) {
    s_sent[s_sent_length++] = bytes[i];
    if (!pcscd_receive(bytes[i])) continue;
    s_superseded = true;
    PROMISE(pcscd_chosen());
    /* Never from bytes with a wrong check: a good frame ends within the last two frames' lengths. */
    bool any = false;
    for (size_t at = s_sent_length > 548 ? s_sent_length - 548 : 0; at < s_sent_length && !any; at++) any = frame_at(at, s_sent_length) != 0;
    PROMISE(any);
  }
}
static size_t make(uint8_t *frame, uint8_t type, uint8_t sequence, const uint8_t specific[3], const uint8_t *data, size_t length) {
  const uint8_t head[12] = {3, 6, type, (uint8_t)length, (uint8_t)(length >> 8), 0, 0, 0, sequence, specific[0], specific[1], specific[2]};
  memcpy(frame, head, 12);
  if (length > 0) memcpy(frame + 12, data, length);
  uint8_t sum = 0;
  for (size_t i = 0; i < 12 + length; i++) sum ^= frame[i];
  frame[12 + length] = sum;
  return 13 + length;
}

/* ---- the card's end of T=1, as the standard says ------------------------------------------------------------------- */

static struct {
  bool crc;
  unsigned due;           /* N(S) of the host's next */
  bool chain, unfetched;  /* the last one said there is more; so did ours */
  size_t length;
  bool spoilt;
  uint8_t bytes[70000];
} *s_model;
static bool s_whole;                       /* this block makes the command whole */
static unsigned s_exchanges, s_asked;      /* in this message */
static const uint8_t *s_due;               /* what the card must get */
static size_t s_due_length;
static bool s_guard_passed;

static void model_reset(void) {
  s_model->crc = g_card.crc;
  s_model->due = 0;
  s_model->chain = s_model->unfetched = s_model->spoilt = false;
  s_model->length = 0;
}
static bool good_block(const uint8_t *b, size_t length) {
  const size_t tail = s_model->crc ? 2 : 1;
  if (length < 3 + tail || b[2] == 255 || length != 3u + b[2] + tail) return false;
  if (tail == 1) {
    unsigned sum = 0;
    for (size_t i = 0; i < length; i++) sum ^= b[i];
    return sum == 0;
  }
  unsigned crc = 0xffff;
  for (size_t i = 0; i < length - 2; i++) {
    crc ^= b[i];
    for (unsigned k = 0; k < 8; k++) crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0x8408u : 0u);
  }
  return b[length - 2] == crc >> 8 && b[length - 1] == (crc & 0xffu);
}
static void model_block(const uint8_t *b, size_t length) {
  s_whole = false;
  if (!good_block(b, length) || b[0] != 0) return;
  if ((b[1] & 0x80u) != 0) {
    if ((b[1] == 0xc0 || b[1] == 0xc2) && b[2] == 0) {
      s_model->chain = s_model->unfetched = s_model->spoilt = false;
      s_model->length = 0;
      if (b[1] == 0xc0) s_model->due = 0;
    }
    return;
  }
  if ((b[1] & 0x1fu) != 0 || (b[1] >> 6 & 1u) != s_model->due || s_model->unfetched) return;
  if (!s_model->chain) s_model->length = 0, s_model->spoilt = false;
  if (s_model->length + b[2] > MESSAGE_MAX) s_model->spoilt = true;
  if (!s_model->spoilt) memcpy(s_model->bytes + s_model->length, b + 3, b[2]), s_model->length += b[2];
  s_model->due ^= 1u;
  s_model->chain = (b[1] & 0x20u) != 0;
  s_whole = !s_model->chain && !s_model->spoilt && s_model->length >= 4;
}

guard_verdict_t guard_before(const uint8_t *command, size_t length) {
  PROMISE(s_begun && s_asked++ == 0 && s_due != NULL);
  PROMISE(length == s_due_length && memcmp(command, s_due, length) == 0); /* the guard judges what the card gets, whole */
  s_guard_passed = (s_luck & 0xc0u) != 0x40u;
  static const guard_verdict_t k_no[4] = {GUARD_REFUSE, GUARD_CANCELLED, GUARD_TIMEOUT, GUARD_ABORTED};
  return s_guard_passed ? GUARD_PASS : k_no[s_luck >> 4 & 3u];
}
void guard_after(const uint8_t *command, size_t length, const uint8_t *answer, size_t answer_length) {
  PROMISE(s_exchanges == 1 && length <= s_due_length && (answer_length == 0 || answer != NULL));
  PROMISE(memcmp(command, s_due, length) == 0); /* of the command, not of the answer that has taken its place */
}
static card_result_t card(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  PROMISE(s_begun && s_tpdu_started && g_card.voltage_class != 0 && s_asked == 1 && s_guard_passed);
  PROMISE(s_exchanges++ == 0); /* a whole command, once */
  PROMISE(length == s_due_length && memcmp(command, s_due, length) == 0);
  *answer_length = 0;
  for (unsigned i = s_luck & 3u; i > 0; i--) { /* it takes its time, and the host may lose its patience */
    const unsigned what = take();
    s_now += 1000000;
    pcscd_time_extension();
    bool frame;
    (void)pcscd_step(&frame);
    if ((what & 0xe0u) == 0xe0u) {
      uint8_t frame_bytes[274];
      static const uint8_t k_none[3];
      send(frame_bytes, make(frame_bytes, (what & 1u) != 0 ? 0x65 : 0x63, (uint8_t)what, k_none, NULL, 0));
    }
    if ((what & 0xf8u) == 0xd8u) pcscd_reset(), s_superseded = s_left_inside = true;
    if (s_aborted) return CARD_ABORTED;
  }
  if ((s_luck & 0x3cu) == 0x3cu) {
    off();
    return CARD_PARITY;
  }
  const size_t n = (s_luck & 4u) != 0 && capacity > 2000 ? 2u + 7u * s_luck : 2;
  for (size_t i = 0; i < n; i++) answer[i] = (uint8_t)(0x90u + i);
  *answer_length = n;
  return CARD_OK;
}
card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  PROMISE(g_card.protocol == 1 && s_whole && command == g_message && capacity == MESSAGE_MAX);
  return card(command, length, answer, capacity, answer_length);
}
card_result_t tpdu_t0(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  PROMISE(g_card.protocol == 0 && (length == 4 || length == 5 || length == 5u + command[4]));
  return card(command, length, answer, capacity, answer_length);
}
/* The secret goes into the block that begins where bTeoPrologue says: nothing may be open that it could become part of. */
pin_outcome_t pinpad_run(const uint8_t *block, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, size_t *bad_offset, card_result_t *result) {
  pin_template_t t;
  PROMISE(s_begun && s_tpdu_started && s_exchanges++ == 0 && capacity == 2 && template_parse(block, length, &t, bad_offset));
  if (g_card.protocol == 1) {
    PROMISE(!s_model->chain && !s_model->unfetched);
    PROMISE(t.apdu[-3] == 0 && t.apdu[-2] == (s_model->due != 0 ? 0x40 : 0));
  }
  const pin_outcome_t outcome = s_luck % 7u == 0 ? (pin_outcome_t)(s_luck / 7u % 6u) : PIN_DONE;
  *bad_offset = 1;
  *result = outcome == PIN_CARD_FAILED ? CARD_MUTE : CARD_OK;
  *answer_length = 0;
  if (outcome != PIN_DONE) return outcome;
  answer[0] = 0x90;
  answer[1] = 0x00;
  *answer_length = 2;
  if (g_card.protocol == 1) s_model->due ^= 1u, s_model->length = 0;
  return PIN_DONE;
}

/* Every message that is carried out goes by here. */
static size_t judged_level_run(const uint8_t *message, size_t length, uint8_t *answer) {
  /* It stood in a frame with a right check, behind the one carried out before. */
  size_t at = s_sent_used;
  for (;; at++) {
    PROMISE(at + length + 3 <= s_sent_length);
    const size_t whole = frame_at(at, s_sent_length);
    if (whole == length + 3 && memcmp(s_sent + at + 2, message, length) == 0) break;
  }
  s_sent_used = at + length + 3;
  s_exchanges = s_asked = 0;
  s_superseded = s_aborted = s_whole = false;
  s_due = NULL;
  if (s_peer.spoilt != 0 && s_model->chain) s_model->spoilt = true; /* the buffer was given to another face meanwhile */
  const uint8_t type = message[0];
  const bool block = type == 0x6f && s_icc == ICC_ACTIVE && message[5] == 0 && message[8] == 0 && message[9] == 0 && length > 10 && message[10] != 0xff;
  const bool runs = block && !s_other_owner && !s_other_buffer && !s_other_runs;
  s_begun_anew = runs && !s_tpdu_started; /* the protocol starts by itself, with this block */
  if (s_begun_anew) model_reset();
  const bool t1_runs = runs && g_card.protocol == 1 && (s_tpdu_started || (s_luck & 0xe0u) != 0xe0u);
  if (t1_runs) {
    model_block(message + 10, length - 10);
    s_due = s_model->bytes;
    s_due_length = s_model->length;
  } else if (runs) {
    s_due = message + 10;
    s_due_length = length - 10 > 5 ? 5u + message[14] : length - 10;
    if (s_due_length > length - 10) s_due = NULL;
  }
  const unsigned lost = s_lost;
  static uint8_t before[271];
  memcpy(before, message, length);
  uint8_t *exact = exactly(PCSCD_LIMIT_MAX_MESSAGE);
  const size_t n = level_run(message, length, exact);
  PROMISE(n >= 10 && n <= PCSCD_LIMIT_MAX_MESSAGE && !s_begun && memcmp(before, message, length) == 0);
  memcpy(answer, exact, n);
  free(exact);
  PROMISE(answer[5] == message[5] && answer[6] == message[6] && n == 10u + answer[1] + 256u * answer[2]);
  const bool failed_answer = answer[7] >> 6 != 0;
  if (s_whole && t1_runs && s_tpdu_started) PROMISE(s_asked == 1 && (s_exchanges == 1) == s_guard_passed); /* and no whole one is lost */
  s_begun_anew = false;
  /* The card's end of T=1 begins anew with every failure of the card. */
  if ((t1_runs && failed_answer) || lost != s_lost || !s_tpdu_started) model_reset();
  if (t1_runs && s_tpdu_started && !failed_answer && n > 13) {
    const uint8_t *b = answer + 10;
    PROMISE(good_block(b, n - 10) && b[0] == 0); /* whatever it got, it says a good block */
    if ((b[1] & 0x80u) == 0) s_model->unfetched = (b[1] & 0x20u) != 0;
  }
  if (type == 0x69 && s_exchanges == 1 && !failed_answer && g_card.protocol == 1) PROMISE(good_block(answer + 10, n - 10) && (answer[11] & 0x80u) == 0), s_model->unfetched = false;
  if (type == 0x6b && !failed_answer && n == 10 && length >= 11 && message[10] == 1) model_reset();
  return n;
}

/* ---- the host ------------------------------------------------------------------------------------------------------ */

static uint8_t s_sequence;
static unsigned s_ns; /* of its next I-block */

/* The echo, working bytes, the answer: nothing else, and nothing of a command that was given up. */
static void listen(const uint8_t *command, bool ran) {
  static uint8_t out[1024];
  size_t n = 0;
  for (size_t got; (got = pcscd_transmit(out + n, 64)) != 0; n += got) PROMISE(got <= 64 && n + 64 < sizeof out);
  if (!ran || s_superseded) return;
  PROMISE(n >= 26 && out[0] == 3 && out[1] == 6 && out[2] == command[0] && out[7] == command[5] && out[8] == command[6]);
  uint8_t sum = 0;
  for (size_t i = 0; i < 13; i++) sum ^= out[i];
  PROMISE(sum == 0 && out[3] == 0);
  PROMISE(out[13] == 3 && out[14] == 6 && n == 13u + 13u + out[16] + 256u * out[17] && out[21] == command[6]);
  for (size_t i = 13; i < n; i++) sum ^= out[i];
  PROMISE(sum == 0);
}
static void nothing_stays(void) {
  PROMISE(s_receiver.length <= sizeof s_receiver.bytes);
  all_zero(s_receiver.bytes + s_receiver.length, sizeof s_receiver.bytes - s_receiver.length);
  if (s_next_length == 0) all_zero(s_next, sizeof s_next);
  if (!s_running) all_zero(s_command, sizeof s_command);
  if (s_out_length == 0) all_zero(s_out, sizeof s_out);
  if (!s_claimed) all_zero(g_message, 256);
}
static void run_one(void) {
  if (s_next_length == 0) return;
  uint8_t head[10];
  memcpy(head, s_next, 10);
  s_luck = take();
  s_left_inside = false;
  const bool ran = pcscd_run();
  PROMISE(ran);
  if (s_left_inside) model_reset();
  listen(head, true);
  nothing_stays();
}
/* The loop, as long as it wants another turn at once. */
static void turns(void) {
  bool heard;
  for (unsigned i = 0; pcscd_step(&heard) <= s_now; i++) PROMISE(i < 2 * PCSCD_FRAME_MAX);
}
/* A frame by the rules. After silence nothing may keep it from being heard. */
static void say(uint8_t type, const uint8_t specific[3], const uint8_t *data, size_t length, bool silence) {
  uint8_t frame[274];
  if (silence) {
    s_now += 100000;
    turns();
    PROMISE(s_receiver.length == 0);
  }
  const size_t n = make(frame, type, s_sequence++, specific, data, length), from = s_sent_length;
  if (from + n > SENT_MAX) return;
  send(frame, n);
  s_now += 100000;
  turns();
  /* Unless another good frame reaches into it, which no receiver can tell apart. */
  bool overlapped = false;
  for (size_t at = from > 274 ? from - 274 : 0; at < from; at++) overlapped |= at + frame_at(at, s_sent_length) > from;
  const bool told = s_other_runs && s_sent_used == s_sent_length; /* that the slot is busy, at once */
  if (told) listen(frame + 2, true);
  else if (silence || !overlapped) PROMISE(s_next_length == n - 3 && memcmp(s_next, frame + 2, n - 3) == 0);
}
static void say_block(unsigned how) {
  static const uint8_t k_none[3];
  uint8_t b[261];
  const bool crc = g_card.crc;
  size_t inf = (how & 0x40u) != 0 ? 254u : take() % 40u;
  if ((how & 0x80u) != 0) inf = take() % 255u;
  if (inf > 261u - 13u - crc) inf = 261u - 13u - crc;
  b[0] = 0;
  b[1] = (uint8_t)(s_ns << 6 | ((how & 0x10u) != 0 ? 0x20u : 0u));
  switch (how & 15u) {
  case 0: b[1] = (uint8_t)(0x80u | (take() & 0x13u)), inf = 0; break; /* R */
  case 1: b[1] = (uint8_t)(0xc0u | (take() & 3u)), inf = b[1] == 0xc1; if (b[1] == 0xc0) s_ns = 0; break;
  case 2: b[1] = take(); break;
  case 3: b[0] = take(); break;
  case 4: b[1] ^= 0x40; break; /* out of turn */
  case 5: b[1] = (uint8_t)(0x80u | s_model->due << 4), inf = 0; break;
  default: s_ns ^= 1u; break;
  }
  b[2] = (uint8_t)inf;
  for (size_t i = 0; i < inf; i++) b[3 + i] = i < 5 ? take() : (uint8_t)(0xd0u + i);
  size_t n = 3 + inf;
  uint16_t check = crc ? 0xffff : 0;
  for (size_t i = 0; i < n; i++) {
    check ^= b[i];
    for (unsigned k = 0; k < 8 && crc; k++) check = (uint16_t)((check & 1u) != 0 ? check >> 1 ^ 0x8408u : check >> 1);
  }
  if (crc) b[n++] = (uint8_t)(check >> 8);
  b[n++] = (uint8_t)check;
  if ((how & 0x2fu) == 0x26u) b[take() % n] ^= take();
  say(0x6f, k_none, b, n, true);
}

static void door(void) {
  static bool s_made;
  if (!s_made) s_model = (void *)exactly(sizeof *s_model);
  s_made = true;
  s_now += 60000000;
  s_other_owner = s_other_buffer = s_wanted = s_other_runs = s_begun = s_claimed = false;
  s_running = false;
  s_sent_length = s_sent_used = 0;
  s_sequence = 0;
  s_ns = 0;
  s_icc = ICC_INACTIVE;
  off();
  pcscd_reset();
  model_reset();
  const unsigned how = take();
  static const uint8_t k_none[3];
  if ((how & 1u) != 0) { /* most of it is behind a powered card */
    say(0x62, k_none, NULL, 0, false);
    s_luck = (uint8_t)(how & 0x38u);
    if (s_next_length != 0) {
      uint8_t head[10];
      memcpy(head, s_next, 10);
      (void)pcscd_run();
      listen(head, true);
    }
    model_reset();
  }
  for (unsigned turn = 0; turn < 120 && s_left > 0; turn++) {
    step();
    const unsigned what = take();
    uint8_t data[261];
    uint8_t specific[3] = {0, 0, 0};
    switch (what & 15u) {
    case 0: { /* anything */
      uint8_t raw[16];
      const size_t n = 1u + (what >> 4);
      take_bytes(raw, n);
      send(raw, n);
      break;
    }
    case 1: { /* the beginning of a frame, cut, or with a wrong check, or too long */
      static const uint8_t k_begin[12] = {3, 6, 0x6f, 20, 0, 0, 0, 0, 1, 0, 0, 0};
      uint8_t frame[12];
      memcpy(frame, k_begin, 12);
      frame[take() % 12u] = take();
      send(frame, 1u + (what >> 4) % 12u);
      break;
    }
    case 2: /* a frame whose check is wrong */
    case 3: {
      uint8_t frame[274];
      const size_t n = make(frame, (what & 1u) != 0 ? 0x6b : 0x65, take(), specific, k_none, (what >> 4) % 3u);
      frame[take() % n] ^= take();
      send(frame, n);
      break;
    }
    case 4: s_now += (uint64_t)(what >> 4) * 40000u, turns(); break;
    case 5: s_now += (uint64_t)(what >> 4) * 2000000u, turns(); if (s_off) model_reset(), s_ns = 0; break;
    case 6: /* any message, any lengths */
      specific[0] = take(), specific[1] = (what & 0x10u) != 0 ? take() : 0, specific[2] = (what & 0x20u) != 0 ? take() : 0;
      for (size_t i = 0; i < 8; i++) data[i] = take();
      say((uint8_t)(0x61u + take() % 19u), specific, data, (what >> 6) * 3u, (what & 0x10u) == 0);
      break;
    case 7: /* power, parameters, PPS, escapes, by the rules */
      switch (what >> 4) {
      case 0: say(0x62, specific, NULL, 0, false); break;
      case 1: say(0x63, specific, NULL, 0, false); break;
      case 2: case 3: {
        specific[0] = (uint8_t)(what >> 4 & 1u);
        memset(data, 0, 7);
        data[0] = 0x11;
        say(0x61, specific, data, specific[0] != 0 ? 7 : 5, false);
        break;
      }
      case 4: case 5: {
        const uint8_t pps[4] = {0xff, (uint8_t)(0x10u | (what >> 4 & 1u)), take(), (uint8_t)(0xef ^ (what >> 4 & 1u))};
        memcpy(data, pps, 4);
        data[3] ^= data[2];
        say(0x6f, specific, data, 4, false);
        break;
      }
      case 6: {
        const uint8_t pps[3] = {0xff, 1, 0xfe};
        say(0x6f, specific, pps, 3, false);
        break;
      }
      default: {
        static const uint8_t k_escapes[5][5] = {{2}, {1, 1, 1}, {0xb2, 0xa0, 0x00, 0x4d, 0x4c}, {0x6a}, {0x1f, 0x02}};
        static const uint8_t k_lengths[5] = {1, 3, 5, 1, 2};
        const unsigned which = (what >> 4) % 5u;
        say(0x6b, specific, k_escapes[which], k_lengths[which] + (unsigned)((what & 0x80u) != 0 && which == 2), false);
      }
      }
      break;
    case 8: { /* a T=0 TPDU */
      const size_t n = (what & 0x10u) != 0 ? 4 : (what & 0x20u) != 0 ? 5 : 5u + (what >> 6) * 40u + ((what & 0x80u) != 0);
      for (size_t i = 0; i < n; i++) data[i] = i < 5 ? take() : (uint8_t)i;
      if (n > 5 && (what & 0x40u) == 0) data[4] = (uint8_t)(n - 5);
      if (data[0] == 0xff) data[0] = 0;
      say(0x6f, specific, data, n, false);
      break;
    }
    case 9: { /* the pad */
      static const uint8_t k_verify[] = {0, 5, 0x82, 0, 0, 4, 4, 2, 1, 9, 4, 0, 0, 0, 0, 0, 0x20, 0, 0x80};
      memcpy(data, k_verify, sizeof k_verify);
      data[13] = (uint8_t)(s_ns << 6);
      if ((what & 0x30u) == 0x30u) data[12 + take() % 3u] = take();
      if ((what & 0xc0u) == 0xc0u) data[take() % sizeof k_verify] = take();
      say(0x69, specific, data, sizeof k_verify, false);
      if (s_next_length != 0 && s_model->due == s_ns) s_ns ^= 1u;
      break;
    }
    case 10: /* the rooms around */
      s_other_owner = (what & 0x30u) == 0x30u && s_icc != ICC_ACTIVE;
      s_other_buffer = (what & 0x40u) != 0 && !s_claimed;
      s_other_runs = (what & 0x80u) != 0;
      s_wanted = (what & 0x10u) != 0;
      break;
    case 11: /* the slot */
      if ((what & 0x30u) == 0) s_icc = ICC_ABSENT, off();
      else if (s_icc == ICC_ABSENT) s_icc = ICC_INACTIVE;
      break;
    case 12:
      if ((what & 0xf0u) != 0) break;
      pcscd_reset();
      all_zero(g_message, 1024);
      PROMISE(!pcscd_chosen() && !pcscd_alive());
      model_reset();
      break;
    default: say_block(take()); break;
    }
    if ((what & 0xfu) > 0xdu || (what & 0x10u) == 0 || s_next_length == 0) run_one();
    /* Half a command or half an answer stands in the buffer only while it is ours; "lost" stands in no buffer. */
    const bool inside = s_peer.answer >= g_message && s_peer.answer < g_message + sizeof g_message;
    PROMISE(s_claimed || !((s_peer.chain && s_peer.spoilt == 0) || (s_peer.left != 0 && inside)));
    nothing_stays();
  }
  /* Whatever happened: after a silence a frame is heard, and the host's end leaves nothing. */
  s_other_owner = s_other_buffer = s_other_runs = false;
  s_sent_length = s_sent_used = 0;
  say(0x65, k_none, NULL, 0, true);
  run_one();
  pcscd_reset();
  all_zero(g_message, sizeof g_message);
  all_zero(s_peer.last, sizeof s_peer.last);
  nothing_stays();
}
