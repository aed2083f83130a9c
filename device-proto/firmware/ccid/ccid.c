/* ccid.c - CCID 1.1 messages: which exist, when they are allowed, and what each does. Names as in the standard.
 *
 *   g_message   │ header 10 │ abData … │     a command comes and its answer goes in the same place
 *                           │ part 1 │ part 2 …  chained XfrBlock: each part behind the last (ccid_data_at)
 */
#include "blackbox/blackbox.h"
#include "blackbox/hold.h"
#include "ccid/ccid.h"
#include "ccid/ppdu.h"
#include "ccid/slot.h"
#include "ccid/usb_pipe.h"
#include "gen/board_gen.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "guard/policy.h"
#include "hal/hal.h"
#include "link/link.h"
#include "pcscd/pcscd.h"
#include "pinpad/pinpad.h"

uint8_t g_message[MESSAGE_MAX] __attribute__((section(".message"), aligned(4)));

#define HEADER sizeof(wire_command_t)
#define NOBODY FACE_COUNT
/* Longest APDU: 4 + extended Lc 3 + 65 535 + extended Le 2. */
#define XFR_MAX (WIRE_MAX_CCID_MESSAGE - HEADER)
/* Longest PIN block: modify with three message indexes and a short APDU. */
#define PIN_BLOCK_MAX (sizeof(wire_pin_modify_t) + 5u + 261u)
#define PIN_ANSWER_MAX 258u
/* Offsets of header fields, for bError (table 6.2-2: the offset of the field that is wrong). */
#define CARD_CLOCK_HZ (CLOCK_SYS / CLOCK_CARD_DIVIDER)
#define AT_LENGTH 1u
#define AT_SLOT 5u
#define AT_SPECIFIC 7u
#define AT_LEVEL 8u
/* wLevelParameter and bChainParameter (§6.1.4, §6.2.1) */
enum { LEVEL_WHOLE = 0, LEVEL_BEGIN = 1, LEVEL_END = 2, LEVEL_MIDDLE = 3 };
#define CHAIN_GO_ON 0x10u
#define EXTENSION_PCSCD_US 250000u /* its driver waits by the byte, not by the answer, as little as a second */
#define EXTENSION_US 1000000u /* the first after this long, then at this pace: nothing of what a person does shows in it */

typedef struct {
  face_t face;
  uint8_t type, sequence;
  uint8_t specific[3];
  uint32_t length;     /* of data */
  const uint8_t *data; /* in g_message */
} command_t;

typedef enum { ALWAYS, OWN_SLOT, CARD_PRESENT, CARD_ACTIVE } needs_t;
typedef struct {
  uint8_t message;
  size_t (*handler)(const command_t *c); /* returns the answer's length */
  needs_t needs;                         /* all but ALWAYS: the slot is not another face's */
  uint32_t least, most;                  /* dwLength */
} ccid_row_t;

static face_t s_buffer = NOBODY;           /* message_claim */
static bool s_wanted;                      /* … and another face was turned away */
static face_t s_running = NOBODY;
static command_t s_command;                /* the one that runs */
static volatile bool s_abort;
static uint64_t s_extension_at;
static face_t s_chain_face = NOBODY;
static uint32_t s_chain_length;

/* ---- answers --------------------------------------------------------------------------------------------------- */

static uint8_t answer_type(uint8_t command) {
  switch (command) {
#define ROW(COMMAND, ANSWER) \
  case COMMAND: \
    return ANSWER;
    WIRE_ANSWERS(ROW)
#undef ROW
    default:
      return RDR_TO_PC_SLOTSTATUS;
  }
}

/* bSpecific of each answer: bClockStatus, bProtocolNum, or bChainParameter 0 (begins and ends here). */
static uint8_t specific_of(uint8_t type) {
  if (type == RDR_TO_PC_SLOTSTATUS) return slot_status() == ICC_ACTIVE ? g_card.clock_rests : 1; /* 00 runs, 01 stopped low, 02 stopped high */
  if (type == RDR_TO_PC_PARAMETERS) return slot_status() == ICC_ACTIVE ? g_card.protocol : 0;
  return 0;
}

static void header(uint8_t at[10], uint8_t command, uint8_t slot, uint8_t sequence, uint32_t length, uint8_t outcome, uint8_t error) {
  const uint8_t type = answer_type(command);
  *(wire_answer_t *)at = (wire_answer_t){
      .bMessageType = type,
      .dwLength = length,
      .bSlot = slot,
      .bSeq = sequence,
      .bStatus = (uint8_t)(outcome << 6 | (slot == 0 ? slot_status() : ICC_ABSENT)), /* there is one slot */
      .bError = error,
      .bSpecific = slot == 0 ? specific_of(type) : type == RDR_TO_PC_SLOTSTATUS ? 1 : 0, /* nothing runs where nothing is */
  };
}

static size_t done(const command_t *c, uint32_t length) {
  header(g_message, c->type, 0, c->sequence, length, COMMAND_OK, 0);
  return HEADER + length;
}

static size_t failed(const command_t *c, uint8_t error) {
  header(g_message, c->type, 0, c->sequence, 0, COMMAND_FAILED, error);
  return HEADER;
}

uint8_t ccid_error(card_result_t result) {
  switch (result) {
    case CARD_PARITY: return CCID_ERROR_XFR_PARITY_ERROR;
    case CARD_BAD_ATR: return CCID_ERROR_BAD_ATR_TS;
    case CARD_BAD_TCK: return CCID_ERROR_BAD_ATR_TCK;
    case CARD_CLASS: return CCID_ERROR_ICC_CLASS_NOT_SUPPORTED;
    case CARD_PROTOCOL:
    case CARD_REFUSED_PPS: return CCID_ERROR_ICC_PROTOCOL_NOT_SUPPORTED;
    case CARD_OVERCURRENT: return CCID_ERROR_HW_ERROR;
    case CARD_TOO_LONG: return CCID_ERROR_XFR_OVERRUN;
    case CARD_PROCEDURE: return CCID_ERROR_PROCEDURE_BYTE_CONFLICT;
    case CARD_NO_ENVELOPE: return CCID_ERROR_NO_ENVELOPE;
    case CARD_ABORTED: return slot_status() == ICC_ABSENT ? CCID_ERROR_ICC_MUTE : CCID_ERROR_CMD_ABORTED;
    default: return CCID_ERROR_ICC_MUTE;
  }
}

static size_t card_failed(const command_t *c, card_result_t result) {
  if (result == CARD_OVERCURRENT) slot_hardware_error(c->sequence);
  return failed(c, ccid_error(result));
}

static size_t put_sw(const command_t *c, uint16_t sw) {
  g_message[HEADER] = (uint8_t)(sw >> 8);
  g_message[HEADER + 1] = (uint8_t)sw;
  return done(c, 2);
}

/* ---- handlers -------------------------------------------------------------------------------------------------- */

static size_t on_icc_power_on(const command_t *c) {
  if (c->specific[0] > 3) return failed(c, AT_SPECIFIC); /* bPowerSelect: automatic, 5 V, 3 V, 1.8 V */
  const card_result_t result = slot_power_on(c->face, c->specific[0]);
  if (result != CARD_OK) return card_failed(c, result);
  for (size_t i = 0; i < g_card.atr_length; i++) g_message[HEADER + i] = g_card.atr[i];
  return done(c, g_card.atr_length);
}

static size_t on_icc_power_off(const command_t *c) {
  slot_power_off();
  return done(c, 0);
}

static size_t on_get_slot_status(const command_t *c) { return done(c, 0); }

/* The APDU in g_message goes to the card, the answer comes back in its place. */
static size_t exchange(const command_t *c, uint8_t *apdu, size_t length) {
  switch (guard_before(apdu, length)) { /* ccid_run() overwrites what was refused, like all else that stays behind */
    case GUARD_REFUSE: return put_sw(c, 0x6982);
    case GUARD_CANCELLED: return put_sw(c, 0x6401);
    case GUARD_TIMEOUT: return put_sw(c, 0x6400);
    case GUARD_ABORTED: return card_failed(c, CARD_ABORTED);
    default: break;
  }
  uint8_t command[64]; /* what guard_after judges by: the answer overwrites the rest */
  const size_t kept = length < sizeof command ? length : sizeof command;
  for (size_t i = 0; i < kept; i++) command[i] = apdu[i];
  size_t answer_length = 0;
  const card_result_t result = card_exchange(apdu, length, apdu, XFR_MAX, &answer_length);
  guard_after(command, kept, apdu, result == CARD_OK ? answer_length : 0);
  secret_wipe(command, sizeof command);
  return result == CARD_OK ? done(c, (uint32_t)answer_length) : card_failed(c, result);
}

/* A pseudo APDU is the reader's: the same dialog as PC_to_RDR_Secure, but its ends are status words (part 10 §2.5). False: it is an APDU for the card. */
static bool take_ppdu(const command_t *c, const uint8_t *apdu, size_t length, size_t *answer) {
  static uint8_t s_out[PPDU_BLOCK_MAX];
  size_t out = 0, bad_offset = 0, sw_length = 0;
  uint8_t sw[2];
  card_result_t card = CARD_OK;
  const ppdu_t what = ppdu_take(apdu, length, s_out, &out);
  if (what == PPDU_NONE) return false;
  if (what == PPDU_ANSWERED) {
    for (size_t i = 0; i < out; i++) g_message[HEADER + i] = s_out[i];
    *answer = done(c, (uint32_t)out);
    return true;
  }
  if (slot_taken(c->face)) {
    *answer = failed(c, CCID_ERROR_CMD_SLOT_BUSY);
    return true;
  }
  if (slot_status() != ICC_ACTIVE) {
    *answer = failed(c, CCID_ERROR_ICC_MUTE);
    return true;
  }
  switch (pinpad_run(s_out, out, sw, sizeof sw, &sw_length, &bad_offset, &card)) {
    case PIN_DONE: *answer = put_sw(c, (uint16_t)(sw[0] << 8 | sw[1])); break;
    case PIN_CANCELLED: *answer = put_sw(c, PPDU_SW_CANCELLED); break;
    case PIN_TIMEOUT: *answer = put_sw(c, PPDU_SW_TIMEOUT); break;
    case PIN_REFUSED: *answer = put_sw(c, PPDU_SW_INVALID_PARAMETER); break;
    case PIN_CARD_FAILED: *answer = card_failed(c, card); break;
    default: *answer = card_failed(c, CARD_ABORTED); break;
  }
  return true;
}

/* Extended APDU level (§6.1.4): wLevelParameter says which part of the APDU this is. bBWI has no meaning at this level. */
static size_t on_xfr_block(const command_t *c) {
  const uint32_t level = c->specific[1] | (uint32_t)c->specific[2] << 8;
  const bool first = level == LEVEL_WHOLE || level == LEVEL_BEGIN, last = level == LEVEL_WHOLE || level == LEVEL_END;
  if (level > LEVEL_MIDDLE || first != (s_chain_face == NOBODY) || (level != LEVEL_WHOLE && c->face != FACE_USB)) {
    s_chain_face = NOBODY;
    return failed(c, AT_LEVEL);
  }
  const uint32_t length = (first ? 0 : s_chain_length) + c->length;
  if (length > XFR_MAX) {
    s_chain_face = NOBODY;
    return failed(c, AT_LENGTH);
  }
  if (!last) {
    s_chain_face = c->face;
    s_chain_length = length;
    header(g_message, c->type, 0, c->sequence, 0, COMMAND_OK, 0);
    ((wire_answer_t *)g_message)->bSpecific = CHAIN_GO_ON;
    return HEADER;
  }
  s_chain_face = NOBODY;
  if (length < 4) return failed(c, AT_LENGTH); /* no APDU is shorter than its CLA INS P1 P2 */
  size_t answer = 0;
  return take_ppdu(c, g_message + HEADER, length, &answer) ? answer : exchange(c, g_message + HEADER, length);
}

/* abProtocolDataStructure in use (§6.2.3). */
size_t ccid_parameters(uint8_t *at) {
  uint8_t *p = at;
  *p++ = g_card.fidi;
  if (g_card.protocol == 0) {
    *p++ = 0x00; /* bmTCCKST0: direct convention or inverse is the line's own business */
    *p++ = g_card.guard;
    *p++ = 10; /* bWaitingIntegerT0: the reader itself keeps the card's */
    *p++ = g_card.clock_stop;
  } else {
    *p++ = 0x10 | (g_card.crc ? 1u : 0u);
    *p++ = g_card.guard;
    *p++ = (uint8_t)(g_card.bwi << 4 | g_card.cwi);
    *p++ = g_card.clock_stop;
    *p++ = g_card.ifsc;
    *p++ = 0; /* NAD */
  }
  return (size_t)(p - at);
}

static size_t put_parameters(const command_t *c) { return done(c, (uint32_t)ccid_parameters(g_message + HEADER)); }

/* The offset of the first field of abProtocolDataStructure that holds no value the standard knows (§6.1.7); 0 = none. */
static uint8_t bad_parameter(const uint8_t *p, bool t1) {
  if (WIRE_F[p[0] >> 4] == 0 || WIRE_D[p[0] & 15u] == 0) return HEADER; /* bmFindexDindex: reserved for future use */
  if ((p[1] & ~(t1 ? 3u : 2u)) != (t1 ? 0x10u : 0u)) return HEADER + 1; /* bmTCCKST: convention and, for T=1, CRC; all else is fixed */
  if (t1 ? p[3] >> 4 > 9u : p[3] == 0) return HEADER + 3;               /* bWaitingIntegers: BWI 0..9; WI 0 is reserved */
  if (p[4] > 3u) return HEADER + 4;                                      /* bClockStop */
  if (t1 && (p[5] == 0 || p[5] == 0xff)) return HEADER + 5;              /* bIFSC 01..FE */
  if (t1 && p[6] != 0) return HEADER + 6;                                /* bNadValue: this reader speaks to node 0 only */
  return 0;
}

/* dwFeatures 40h: the reader has negotiated, and alone chooses the protocol. A host may say what it thinks was negotiated, as long as each field holds
 * a value; it is told what was. */
static size_t on_set_parameters(const command_t *c) {
  if (c->specific[0] != g_card.protocol) return failed(c, AT_SPECIFIC);
  if (c->length != (c->specific[0] == 0 ? 5u : 7u)) return failed(c, AT_LENGTH);
  const uint8_t bad = bad_parameter(c->data, c->specific[0] == 1);
  return bad != 0 ? failed(c, bad) : put_parameters(c);
}

static size_t on_set_data_rate(const command_t *c) {
  uint32_t clock = 0, rate = 0;
  for (int i = 3; i >= 0; i--) {
    clock = clock << 8 | c->data[i];
    rate = rate << 8 | c->data[4 + i];
  }
  if (clock == 0) return failed(c, HEADER); /* reserved (§6.1.14) */
  if (rate == 0) return failed(c, HEADER + 4);
  /* One clock, and a rate the card chose: the nearest the reader can give is what is in use. */
  const uint32_t f = WIRE_F[g_card.fidi >> 4] != 0 ? WIRE_F[g_card.fidi >> 4] : 372u;
  const uint32_t in_use[2] = {WIRE_CLOCK_KHZ, CARD_CLOCK_HZ * WIRE_D[g_card.fidi & 15u] / f};
  for (size_t i = 0; i < 8; i++) g_message[HEADER + i] = (uint8_t)(in_use[i / 4] >> 8 * (i % 4));
  return done(c, 8);
}

/* dwFeatures 100h. The state it stops in is the card's own wish; where the card does not allow it the command cannot be honoured. */
static size_t on_icc_clock(const command_t *c) {
  if (c->specific[0] > 1 || (c->specific[0] == 1 && g_card.clock_stop == 0)) return failed(c, AT_SPECIFIC);
  const card_result_t result = c->specific[0] == 1 ? card_clock_stop() : card_clock_start();
  return result == CARD_OK ? done(c, 0) : card_failed(c, result);
}

/* GET RESPONSE and ENVELOPE take the class of the command (FFh in the descriptor): anything else cannot be honoured. */
static size_t on_t0_apdu(const command_t *c) {
  if (c->specific[0] > 3) return failed(c, AT_SPECIFIC);
  if ((c->specific[0] & 1u) != 0 && c->specific[1] != 0xff) return failed(c, AT_SPECIFIC + 1);
  if ((c->specific[0] & 2u) != 0 && c->specific[2] != 0xff) return failed(c, AT_SPECIFIC + 2);
  return done(c, 0);
}

/* The answer is put together beside g_message: pinpad/ reads its block there to the end. */
static size_t on_secure(const command_t *c) {
  if (c->specific[1] != 0 || c->specific[2] != 0) return failed(c, AT_LEVEL); /* a block in one piece only (§6.1.11) */
  static uint8_t answer[PIN_ANSWER_MAX];
  size_t length = 0, bad_offset = 0;
  card_result_t card = CARD_OK;
  switch (pinpad_run(c->data, c->length, answer, sizeof answer, &length, &bad_offset, &card)) {
    case PIN_DONE:
      for (size_t i = 0; i < length; i++) g_message[HEADER + i] = answer[i];
      return done(c, (uint32_t)length);
    case PIN_CANCELLED: return failed(c, CCID_ERROR_PIN_CANCELLED);
    case PIN_TIMEOUT: return failed(c, CCID_ERROR_PIN_TIMEOUT);
    case PIN_REFUSED: return failed(c, (uint8_t)(HEADER + bad_offset));
    case PIN_CARD_FAILED: return card_failed(c, card);
    default: return card_failed(c, CARD_ABORTED);
  }
}

/* Part 10's other way to the same features, for drivers that pass PC_to_RDR_Escape. */
static size_t on_escape(const command_t *c) {
  size_t answer = 0;
  return take_ppdu(c, c->data, c->length, &answer) ? answer : failed(c, CCID_ERROR_CMD_NOT_SUPPORTED);
}

static size_t on_unsupported(const command_t *c) { return failed(c, CCID_ERROR_CMD_NOT_SUPPORTED); }

/* message                                 handler             card must be  dwLength least..most  */
static const ccid_row_t k_rows[] = {
    {PC_TO_RDR_ICCPOWERON,                   on_icc_power_on,    CARD_PRESENT, 0, 0},
    {PC_TO_RDR_ICCPOWEROFF,                  on_icc_power_off,   OWN_SLOT,     0, 0},
    {PC_TO_RDR_GETSLOTSTATUS,                on_get_slot_status, ALWAYS,       0, 0},
    {PC_TO_RDR_XFRBLOCK,                     on_xfr_block,       CARD_ACTIVE,  0, XFR_MAX},
    {PC_TO_RDR_GETPARAMETERS,                put_parameters,     CARD_ACTIVE,  0, 0},
    {PC_TO_RDR_RESETPARAMETERS,              put_parameters,     CARD_ACTIVE,  0, 0},
    {PC_TO_RDR_SETPARAMETERS,                on_set_parameters,  CARD_ACTIVE,  5, 7},
    {PC_TO_RDR_ICCCLOCK,                     on_icc_clock,       CARD_ACTIVE,  0, 0},
    {PC_TO_RDR_T0APDU,                       on_t0_apdu,         CARD_PRESENT, 0, 0},
    {PC_TO_RDR_SECURE,                       on_secure,          CARD_ACTIVE,  1, PIN_BLOCK_MAX},
    {PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY, on_set_data_rate,   CARD_ACTIVE,  8, 8},
    {PC_TO_RDR_ABORT,                        on_get_slot_status, ALWAYS,       0, 0}, /* nothing runs: there is nothing to abort */
    {PC_TO_RDR_ESCAPE,                       on_escape,          ALWAYS,       0, XFR_MAX},
    {PC_TO_RDR_MECHANICAL,                   on_unsupported,     ALWAYS,       0, 0},
};

static const ccid_row_t *row_of(uint8_t message) {
  for (size_t i = 0; i < sizeof k_rows / sizeof *k_rows; i++) {
    if (k_rows[i].message == message) return &k_rows[i];
  }
  return NULL;
}

/* ---- the door -------------------------------------------------------------------------------------------------- */

static size_t dispatch(const command_t *c, uint8_t slot) {
  if (slot != 0) {
    header(g_message, c->type, slot, c->sequence, 0, COMMAND_FAILED, AT_SLOT);
    return HEADER;
  }
  const ccid_row_t *row = row_of(c->type);
  if (row == NULL) return failed(c, CCID_ERROR_CMD_NOT_SUPPORTED);
  if (c->length < row->least || c->length > row->most) return failed(c, AT_LENGTH);
  if (row->needs != ALWAYS && slot_taken(c->face)) return failed(c, CCID_ERROR_CMD_SLOT_BUSY);
  if (row->needs >= CARD_PRESENT && slot_status() == ICC_ABSENT) return failed(c, CCID_ERROR_ICC_MUTE);
  if (row->needs == CARD_ACTIVE && slot_status() != ICC_ACTIVE) return failed(c, CCID_ERROR_ICC_MUTE);
  return row->handler(c);
}

size_t ccid_run(face_t face, size_t length) {
  const wire_command_t *w = (const wire_command_t *)g_message;
  hold_stop();
  policy_stop();
  slot_settle();
  s_command = (command_t){face, w->bMessageType, w->bSeq, {w->abSpecific[0], w->abSpecific[1], w->abSpecific[2]}, w->dwLength, g_message + ccid_data_at(face)};
  const uint8_t slot = w->bSlot;
  const size_t end = ccid_data_at(face) + (length < HEADER ? 0 : length - HEADER); /* of all that this message and its chain brought */
  /* Anything but the next part ends a chain; status may be asked in between, for it touches only the header. */
  if (s_command.type != PC_TO_RDR_XFRBLOCK && s_command.type != PC_TO_RDR_GETSLOTSTATUS) s_chain_face = NOBODY;
  s_abort = false;
  s_running = face;
  s_extension_at = hal_now_us() + EXTENSION_US;
  const size_t answer = length < HEADER || s_command.length != length - HEADER ? failed(&s_command, AT_LENGTH) : dispatch(&s_command, slot);
  s_running = NOBODY;
  /* Hosts ask for the slot's state many times a second: that it was told is no news. */
  if (s_command.type != PC_TO_RDR_GETSLOTSTATUS || g_message[8] != 0) blackbox_event(BLACKBOX_COMMAND, s_command.type, (uint16_t)(g_message[7] << 8 | g_message[8]));
  if (s_command.type == PC_TO_RDR_XFRBLOCK && g_message[7] >> 6 == COMMAND_FAILED) s_chain_face = NOBODY; /* a part that failed ends its chain */
  /* Secrets typed on a host pass here too: nothing of a command stays behind, whatever became of it. */
  if (s_chain_face == NOBODY && end > answer) secret_wipe(g_message + answer, end - answer);
  return answer;
}

size_t ccid_data_at(face_t face) { return HEADER + (ccid_chain_open(face) ? s_chain_length : 0); }
bool ccid_chain_open(face_t face) { return s_chain_face == face; }
void ccid_chain_break(face_t face) {
  if (s_chain_face != face) return;
  s_chain_face = NOBODY;
  secret_wipe(g_message + HEADER, s_chain_length);
}

/* ---- while a command runs, or the buffer is another's ------------------------------------------------------------ */

bool ccid_stopped(void) { return s_running != NOBODY && (s_abort || slot_lost()); }

uint8_t ccid_last_sequence(void) { return s_command.sequence; }

void ccid_abort(face_t face) {
  if (s_running == face) s_abort = true;
}

void ccid_begin(face_t face, const uint8_t command[10]) {
  hold_stop();
  policy_stop();
  slot_settle();
  s_command = (command_t){.face = face, .type = command[0], .sequence = command[6]};
  s_abort = false;
  s_running = face;
  s_extension_at = hal_now_us() + EXTENSION_PCSCD_US;
}

void ccid_end(void) { s_running = NOBODY; }
bool ccid_running(void) { return s_running != NOBODY; }

void ccid_answer(uint8_t answer[10], const uint8_t command[10], uint32_t length, uint8_t outcome, uint8_t error) {
  header(answer, command[0], command[5], command[6], length, outcome, error);
}

void ccid_busy_answer(face_t face, const uint8_t command[10], uint8_t answer[10]) {
  const wire_command_t *w = (const wire_command_t *)command;
  const bool small = w->bMessageType == PC_TO_RDR_GETSLOTSTATUS || w->bMessageType == PC_TO_RDR_ABORT;
  const bool bare = small && w->bSlot == 0 && w->dwLength == 0;
  const bool status = bare && w->bMessageType == PC_TO_RDR_GETSLOTSTATUS, abort = bare && w->bMessageType == PC_TO_RDR_ABORT;
  if (abort) ccid_abort(face);
  header(answer, w->bMessageType, w->bSlot, w->bSeq, 0, status || abort ? COMMAND_OK : COMMAND_FAILED,
         bare ? 0 : w->bSlot != 0 ? AT_SLOT : small ? AT_LENGTH : CCID_ERROR_CMD_SLOT_BUSY);
}

void ccid_time_extension(uint8_t answer[10], uint8_t multiplier) {
  header(answer, s_command.type, 0, s_command.sequence, 0, COMMAND_TIME_EXTENSION, multiplier);
}

uint64_t ccid_step(uint64_t now) {
  if (s_running == NOBODY) return UINT64_MAX;
  if (now >= s_extension_at) {
    uint8_t answer[10];
    ccid_time_extension(answer, 1);
    if (s_running == FACE_USB) {
      usb_pipe_say(answer);
    } else if (s_running == FACE_PCSCD) {
      pcscd_time_extension();
    } else {
      link_time_extension(answer);
    }
    while (s_extension_at <= now) s_extension_at += s_running == FACE_PCSCD ? EXTENSION_PCSCD_US : EXTENSION_US;
  }
  return s_extension_at;
}

void ccid_face_lost(face_t face) {
  if (s_running == face) s_abort = true;
  ccid_chain_break(face);
  slot_abandon(face);
  message_release(face);
}

/* A command that runs reads and writes g_message to its end, also for a face that has gone. */
bool message_claim(face_t face) {
  if (s_running != NOBODY || (s_buffer != NOBODY && s_buffer != face)) {
    if (s_buffer != face) s_wanted = true;
    return false;
  }
  s_buffer = face;
  return true;
}

bool message_wanted(void) { return s_wanted; }

void message_release(face_t face) {
  if (s_buffer != face) return;
  s_buffer = NOBODY;
  s_wanted = false;
}
