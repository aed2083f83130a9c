/* level.c - see level.h. Seven messages: what pcscd's serial driver sends; every other one is refused by name. */
#include "pcscd/level.h"
#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "gen/product_gen.h"
#include "guard/guard.h"
#include "hal/hal.h"
#include "iso7816/tpdu.h"
#include "pcscd/block.h"
#include "pinpad/template.h"
#include "pinpad/tpdu.h"

#define HEADER 10u
#define DATA_MAX (PCSCD_LIMIT_MAX_MESSAGE - HEADER)
#define PPSS 0xffu
#define PPS1_PRESENT 0x10u
#define CHAIN_US 3000000u /* a host in the middle of a chain may be silent so long while another face wants the buffer */
/* Offsets of header fields, for bError (CCID 1.1 table 6.2-2). */
enum { AT_LENGTH = 1, AT_SLOT = 5, AT_SPECIFIC = 7, AT_LEVEL = 8 };

typedef struct {
  const uint8_t *data;
  size_t length;
  const uint8_t *specific;
  uint8_t *answer; /* abData: DATA_MAX bytes */
  size_t answer_length;
  uint8_t error;
} command_t;

typedef enum { ALWAYS, OWN_SLOT, CARD_PRESENT, CARD_ACTIVE } needs_t;
typedef struct {
  uint8_t message;
  bool (*handler)(command_t *c); /* false: c->error */
  needs_t needs;
  uint16_t least, most;
} row_t;

static block_peer_t s_peer;
static size_t s_used; /* of g_message */

static bool failed(command_t *c, uint8_t error) {
  c->error = error;
  return false;
}
static bool done(command_t *c, const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) c->answer[i] = ((const uint8_t *)bytes)[i];
  c->answer_length = length;
  return true;
}

/* What stands in g_message may be a secret that the host typed, or a card's answer to it. */
static void give_back(void) {
  secret_wipe(g_message, s_used);
  s_used = 0;
  message_release(FACE_PCSCD);
}

static void peer_reset(void) { block_reset(&s_peer, g_message, MESSAGE_MAX, g_card.crc); }

void level_reset(void) {
  peer_reset();
  give_back();
}

void level_idle(uint64_t silent_us) {
  if (!block_holds(&s_peer) || silent_us < CHAIN_US || !message_wanted()) return;
  block_spoil(&s_peer);
  give_back();
}

/* ---- power and parameters ------------------------------------------------------------------------------------ */

static bool on_icc_power_on(command_t *c) {
  if (c->specific[0] > 3) return failed(c, AT_SPECIFIC);
  level_reset();
  const card_result_t result = slot_power_on(FACE_PCSCD, c->specific[0]);
  return result == CARD_OK ? done(c, g_card.atr, g_card.atr_length) : failed(c, ccid_error(result));
}

static bool on_icc_power_off(command_t *c) {
  level_reset();
  slot_power_off();
  return done(c, NULL, 0);
}

static bool on_get_slot_status(command_t *c) { return done(c, NULL, 0); }

static bool start(command_t *c, uint8_t protocol) {
  if (tpdu_started() && protocol == g_card.protocol) return true;
  const card_result_t result = tpdu_start(protocol);
  if (result != CARD_OK) return failed(c, ccid_error(result));
  peer_reset();
  return true;
}

/* The rate is what the card took in its PPS, or what its ATR prescribes: another one would only be noise to it. */
static bool on_set_parameters(command_t *c) {
  const uint8_t protocol = c->specific[0];
  if (protocol > 1) return failed(c, AT_SPECIFIC);
  if (c->length != (protocol == 0 ? 5u : 7u)) return failed(c, AT_LENGTH);
  if (c->data[0] != g_card.fidi) return failed(c, HEADER);
  if (!start(c, protocol)) return false;
  c->answer_length = ccid_parameters(c->answer);
  return true;
}

/* FF PPS0 PPS1 PCK from a host that negotiates by itself. The answer is the card's: without PPS1 it stays at 372/1. */
static bool on_pps(command_t *c) {
  uint8_t check = 0;
  for (size_t i = 0; i < c->length; i++) check ^= c->data[i];
  const bool rate = c->length > 1 && (c->data[1] & PPS1_PRESENT) != 0;
  if (check != 0 || c->length != (rate ? 4u : 3u) || (c->data[1] & 0xe0u) != 0) return failed(c, HEADER);
  const uint8_t protocol = c->data[1] & 15u, wanted = rate ? c->data[2] : 0x11;
  const card_result_t result = tpdu_pps(protocol, wanted);
  if (result != CARD_OK) return failed(c, ccid_error(result));
  if (g_card.fidi == wanted) return done(c, c->data, c->length);
  const uint8_t declined[3] = {PPSS, protocol, (uint8_t)(PPSS ^ protocol)};
  return done(c, declined, sizeof declined);
}

/* ---- commands to the card ------------------------------------------------------------------------------------ */

typedef card_result_t exchange_t(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length);

/* Through the guard, as at APDU level (ccid/ccid.c). `answer` may be the same memory. */
static bool guarded(command_t *c, exchange_t *exchange, const uint8_t *apdu, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  uint16_t sw = 0;
  switch (guard_before(apdu, length)) {
  case GUARD_REFUSE: sw = 0x6982; break;
  case GUARD_CANCELLED: sw = 0x6401; break;
  case GUARD_TIMEOUT: sw = 0x6400; break;
  case GUARD_ABORTED: return failed(c, ccid_error(CARD_ABORTED));
  default: break;
  }
  if (sw != 0) {
    answer[0] = (uint8_t)(sw >> 8);
    answer[1] = (uint8_t)sw;
    *answer_length = 2;
    return true;
  }
  uint8_t command[64]; /* what guard_after judges by: the answer overwrites the rest */
  const size_t kept = length < sizeof command ? length : sizeof command;
  for (size_t i = 0; i < kept; i++) command[i] = apdu[i];
  const card_result_t result = exchange(apdu, length, answer, capacity, answer_length);
  guard_after(command, kept, answer, result == CARD_OK ? *answer_length : 0);
  secret_wipe(command, sizeof command);
  return result == CARD_OK || failed(c, ccid_error(result));
}

/* P3 is added where the command has none, and an Le behind the data dropped: what is left is the TPDU (ISO 7816-3 §12.2). */
static bool t0(command_t *c) {
  size_t length = c->length;
  if (length < 4) return failed(c, AT_LENGTH);
  if (length > 5) {
    const size_t data = c->data[4];
    if (data == 0 || (length != 5 + data && length != 6 + data)) return failed(c, AT_LENGTH);
    length = 5 + data;
  }
  return guarded(c, tpdu_t0, c->data, length, c->answer, DATA_MAX, &c->answer_length);
}

static bool t1(command_t *c) {
  uint8_t out[BLOCK_MAX];
  size_t out_length = 0;
  const size_t reach = s_peer.command + c->length; /* so far its bytes may come to stand, also those that are too few for a command */
  const block_event_t event = block_take(&s_peer, c->data, c->length, out, &out_length);
  if (reach > s_used) s_used = reach < MESSAGE_MAX ? reach : MESSAGE_MAX;
  if (event == BLOCK_COMMAND) {
    size_t length = 0;
    const bool good = guarded(c, card_exchange, g_message, s_peer.command, g_message, MESSAGE_MAX, &length);
    if (length > s_used) s_used = length;
    if (!good) { /* the driver begins anew after a failure, and the card with it */
      peer_reset();
      return false;
    }
    block_answer(&s_peer, g_message, length, out, &out_length);
  }
  return done(c, out, out_length);
}

static bool on_xfr_block(command_t *c) {
  if (c->specific[1] != 0 || c->specific[2] != 0) return failed(c, AT_LEVEL); /* wLevelParameter: blocks come whole */
  if (c->data[0] == PPSS) return on_pps(c);
  if (!tpdu_started() && !start(c, tpdu_first())) return false;
  return g_card.protocol == 0 ? t0(c) : t1(c);
}

/* The pad puts the secret into the command, the block's length and check are the answer's own. */
static bool on_secure(command_t *c) {
  if (c->specific[1] != 0 || c->specific[2] != 0) return failed(c, AT_LEVEL);
  if (!tpdu_started() && !start(c, tpdu_first())) return false;
  uint8_t sw[2];
  size_t length = 0, bad_offset = 0;
  card_result_t card = CARD_OK;
  const pinpad_block_t expected = {.t1 = g_card.protocol == 1, .ns = s_peer.nr, .chain_open = s_peer.chain || block_holds(&s_peer)}; /* also one that is lost */
  switch (pinpad_run_block(&expected, c->data, c->length, sw, &length, &bad_offset, &card)) {
  case PIN_DONE: break;
  case PIN_CANCELLED: return failed(c, CCID_ERROR_PIN_CANCELLED);
  case PIN_TIMEOUT: return failed(c, CCID_ERROR_PIN_TIMEOUT);
  case PIN_REFUSED: return failed(c, (uint8_t)(HEADER + bad_offset));
  case PIN_CARD_FAILED: return failed(c, ccid_error(card));
  default: return failed(c, ccid_error(CARD_ABORTED));
  }
  if (g_card.protocol == 0) return done(c, sw, length);
  block_skip(&s_peer);
  uint8_t out[BLOCK_MAX];
  size_t out_length = 0;
  block_answer(&s_peer, sw, length, out, &out_length);
  return done(c, out, out_length);
}

/* ---- escapes ------------------------------------------------------------------------------------------------- */

static bool is(const command_t *c, const uint8_t *begins, size_t length, bool more) {
  if (c->length < length || (!more && c->length != length)) return false;
  for (size_t i = 0; i < length; i++) {
    if (c->data[i] != begins[i]) return false;
  }
  return true;
}

/* 1F 02 would bring short APDUs in place of blocks, which end where an answer is longer than the driver's buffer: at TPDU level extended lengths work. It
 * is refused, and everything unknown with it. */
static bool on_driver_escape(command_t *c) {
  static const char k_text[] = PRODUCT_NAME " " PRODUCT_VERSION;
  static const uint8_t k_version[] = {0x02}, k_start[] = {0x01, 0x01, 0x01}, k_texts[] = {0xb2, 0xa0, 0x00, 0x4d, 0x4c}, k_features[] = {0x6a};
  /* What the driver reads of it: no display for its own texts, OK ends an entry, verify and modify in one step, lengths. */
  static const uint8_t k_table[21] = {[3] = 0x02, [4] = 0x60, [13] = 4, [14] = PIN_MAX};
  const size_t length = sizeof k_text - 1 < PCSCD_LIMIT_VERSION_TEXT ? sizeof k_text - 1 : PCSCD_LIMIT_VERSION_TEXT;
  if (is(c, k_version, sizeof k_version, false)) return done(c, k_text, length);
  if (is(c, k_features, sizeof k_features, false)) return done(c, k_table, sizeof k_table);
  if (is(c, k_start, sizeof k_start, false)) {
    /* A driver opens its port with this, and nothing tells when it closed it: what another one left powered is not for this one. */
    level_reset();
    slot_abandon(FACE_PCSCD);
    return done(c, NULL, 0);
  }
  if (is(c, k_texts, sizeof k_texts, true)) return done(c, NULL, 0); /* ten lines for a display: ours says what the reader saw, not what a host wants */
  return failed(c, CCID_ERROR_CMD_NOT_SUPPORTED);
}

/* ---- the table ----------------------------------------------------------------------------------------------- */

static const row_t k_rows[] = {
    {PC_TO_RDR_ICCPOWERON,    on_icc_power_on,    CARD_PRESENT, 0, 0},
    {PC_TO_RDR_ICCPOWEROFF,   on_icc_power_off,   OWN_SLOT,     0, 0},
    {PC_TO_RDR_GETSLOTSTATUS, on_get_slot_status, ALWAYS,       0, 0},
    {PC_TO_RDR_XFRBLOCK,      on_xfr_block,       CARD_ACTIVE,  1, DATA_MAX},
    {PC_TO_RDR_SETPARAMETERS, on_set_parameters,  CARD_ACTIVE,  5, 7},
    {PC_TO_RDR_SECURE,        on_secure,          CARD_ACTIVE,  1, DATA_MAX},
    {PC_TO_RDR_ESCAPE,        on_driver_escape,   ALWAYS,       0, DATA_MAX},
};

bool level_is_light(uint8_t type) { return type == PC_TO_RDR_GETSLOTSTATUS || type == PC_TO_RDR_ESCAPE; }

static bool dispatch(command_t *c, const wire_command_t *w, size_t length) {
  const row_t *row = NULL;
  for (size_t i = 0; i < sizeof k_rows / sizeof *k_rows; i++) {
    if (k_rows[i].message == w->bMessageType) row = &k_rows[i];
  }
  if (w->bSlot != 0) return failed(c, AT_SLOT);
  if (row == NULL) return failed(c, CCID_ERROR_CMD_NOT_SUPPORTED);
  if (w->dwLength != length - HEADER || c->length < row->least || c->length > row->most) return failed(c, AT_LENGTH);
  if (row->needs != ALWAYS && slot_taken(FACE_PCSCD)) return failed(c, CCID_ERROR_CMD_SLOT_BUSY);
  if (row->needs >= CARD_PRESENT && slot_status() == ICC_ABSENT) return failed(c, CCID_ERROR_ICC_MUTE);
  if (row->needs == CARD_ACTIVE && slot_status() != ICC_ACTIVE) return failed(c, CCID_ERROR_ICC_MUTE);
  if (level_is_light(w->bMessageType)) return row->handler(c);
  /* Claimed before the command runs: blocks of a T=1 chain are put together in g_message. */
  if (ccid_running() || (row->message == PC_TO_RDR_XFRBLOCK && !message_claim(FACE_PCSCD))) return failed(c, CCID_ERROR_CMD_SLOT_BUSY);
  ccid_begin(FACE_PCSCD, (const uint8_t *)w);
  const bool good = row->handler(c);
  ccid_end();
  if (!block_holds(&s_peer)) give_back();
  return good;
}

size_t level_run(const uint8_t *message, size_t length, uint8_t *answer) {
  const wire_command_t *w = (const wire_command_t *)message;
  command_t c = {.data = message + HEADER, .length = length - HEADER, .specific = w->abSpecific, .answer = answer + HEADER};
  const bool good = dispatch(&c, w, length);
  if (!good) c.answer_length = 0;
  ccid_answer(answer, message, (uint32_t)c.answer_length, good ? COMMAND_OK : COMMAND_FAILED, c.error);
  return HEADER + c.answer_length;
}
