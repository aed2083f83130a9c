/* CCID messages through the real loop: app/, ccid/ and the USB pipe, with a card, a pad and a guard that do as told.
 * sources: app/main.c app/link_port.c ccid/ccid.c ccid/ppdu.c ccid/slot.c ccid/usb_pipe.c hal/host/host.c test/fakes/no_pcscd.c */
#include <stdlib.h>
#include "ccid/ccid.h"
#include "ccid/ppdu.h"
#include "front/front.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "hal/host/host.h"
#include "iso7816/card.h"
#include "link/link.h"
#include "pinpad/pinpad.h"
#include "test/fakes/check.h"

/* ---- the rooms around ---- */
card_t g_card;
static card_result_t s_power_result, s_exchange_result;
static unsigned s_powered_on, s_powered_off;
static uint64_t s_exchange_takes; /* us; waited for in app_wait */
static size_t s_answer_length;    /* of the card, SW included */
static uint8_t s_last_apdu[70000];
static size_t s_last_length;

static bool wait_for(uint64_t us) {
  const uint64_t end = hal_now_us() + us;
  while (hal_now_us() < end) {
    if (!app_wait(end)) return false;
  }
  return true;
}

card_result_t card_power_on(uint8_t voltage_class) {
  s_powered_on++;
  hal_card_vcc(voltage_class == 0 ? 1 : voltage_class);
  if (s_power_result != CARD_OK) return s_power_result;
  g_card = (card_t){.atr = {0x3b, 0x80, 0x80, 0x01, 0x01}, .atr_length = 5, .protocol = 1, .fidi = 0x18, .voltage_class = 1, .ifsc = 254, .ifsd = 254, .bwi = 4, .cwi = 13};
  return CARD_OK;
}
void card_power_off(void) {
  s_powered_off++;
  g_card.voltage_class = 0;
  hal_card_vcc(0);
}
card_result_t card_clock_stop(void) {
  if (g_card.clock_stop == 0) return CARD_PROTOCOL;
  g_card.clock_rests = 1;
  return CARD_OK;
}
card_result_t card_clock_start(void) {
  g_card.clock_rests = 0;
  return CARD_OK;
}
card_result_t card_exchange(const uint8_t *command, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length) {
  memcpy(s_last_apdu, command, length);
  s_last_length = length;
  if (s_exchange_takes != 0 && !wait_for(s_exchange_takes)) return CARD_ABORTED;
  if (s_exchange_result == CARD_MUTE || s_exchange_result == CARD_OVERCURRENT) card_power_off(); /* as iso7816/card.c */
  if (s_exchange_result != CARD_OK) return s_exchange_result;
  if (s_answer_length > capacity) return CARD_TOO_LONG;
  memset(answer, 0x5a, s_answer_length);
  answer[s_answer_length - 2] = 0x90;
  answer[s_answer_length - 1] = 0x00;
  *answer_length = s_answer_length;
  return CARD_OK;
}
static guard_verdict_t s_verdict;
static unsigned s_guard_resets;
static size_t s_after_length = SIZE_MAX; /* answer_length of the last guard_after */
void guard_reset(void) { s_guard_resets++; }
guard_verdict_t guard_before(const uint8_t *c, size_t l) {
  (void)c;
  (void)l;
  return s_verdict;
}
void guard_after(const uint8_t *c, size_t l, const uint8_t *a, size_t al) {
  (void)c;
  (void)l;
  (void)a;
  s_after_length = al;
}
static pin_outcome_t s_pin;
static unsigned s_pins;
pin_outcome_t pinpad_run(const uint8_t *block, size_t length, uint8_t *answer, size_t capacity, size_t *answer_length, size_t *bad_offset, card_result_t *card) {
  (void)block;
  (void)length;
  (void)capacity;
  s_pins++;
  if (!wait_for(3500000)) return PIN_ABORTED;
  answer[0] = 0x63;
  answer[1] = 0xc2;
  *answer_length = 2;
  *bad_offset = 7;
  *card = CARD_MUTE;
  return s_pin;
}
void front_start(void) {}
void front_step(uint64_t now) { (void)now; }
static bool s_link_ready;
static size_t s_link_length;
static unsigned s_link_extensions;
void link_reset(void) {}
bool link_listen(uint8_t byte) {
  (void)byte;
  return false;
}
void link_take_hello(void) {}
void link_receive(const uint8_t *bytes, size_t length) {
  (void)bytes;
  (void)length;
}
bool link_message_ready(size_t *length) {
  *length = s_link_length;
  const bool ready = s_link_ready;
  s_link_ready = false;
  return ready;
}
void link_answer(size_t length) {
  s_link_length = length;
  message_release(FACE_LINK);
}
size_t link_transmit(uint8_t *bytes, size_t capacity) {
  (void)bytes;
  (void)capacity;
  return 0;
}
uint64_t link_next_deadline(void) { return UINT64_MAX; }
uint64_t link_step(void) { return UINT64_MAX; }
bool link_session_open(void) { return false; }
void link_line(bool has_rate) { (void)has_rate; }
void link_lost(uint32_t characters) { (void)characters; }
uint32_t link_rate(void) { return LINK_LIMIT_DEFAULT_BAUD; }
void link_rate_is_set(void) {}
void link_time_extension(const uint8_t answer[10]) {
  (void)answer;
  s_link_extensions++;
}

/* ---- the host ---- */
static uint8_t s_answer[70000];
static size_t s_length;
static uint8_t s_sequence;

static void turns(unsigned n) {
  while (n--) app_step();
}

static void say(uint8_t type, const uint8_t *data, size_t length, uint8_t a, uint8_t b, uint8_t c) {
  static uint8_t s_message[70000];
  const uint8_t header[10] = {type, (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), 0, 0, ++s_sequence, a, b, c};
  memcpy(s_message, header, 10);
  if (length > 0) memcpy(s_message + 10, data, length);
  host_bulk_out(HAL_FACE_CCID, s_message, 10 + length, true);
}
static bool hear(void) {
  for (unsigned i = 0; i < 4000; i++) {
    s_length = host_bulk_in(HAL_FACE_CCID, s_answer, sizeof s_answer);
    if (s_length != SIZE_MAX) return true;
    app_step();
  }
  return false;
}
static uint8_t icc(void) { return s_answer[7] & 3u; }
static uint8_t outcome(void) { return s_answer[7] >> 6; }
static uint8_t error(void) { return s_answer[8]; }
/* Asks and takes the final answer (time extensions are counted). */
static unsigned s_extensions;
static bool ask(uint8_t type, const uint8_t *data, size_t length, uint8_t a, uint8_t b, uint8_t c) {
  say(type, data, length, a, b, c);
  s_extensions = 0;
  for (;;) {
    if (!hear()) return false;
    if (outcome() != COMMAND_TIME_EXTENSION) break;
    s_extensions++;
  }
  return s_length >= 10 && s_answer[6] == s_sequence && s_length == 10u + (s_answer[1] | (size_t)s_answer[2] << 8 | (size_t)s_answer[3] << 16);
}
static bool failed_with(uint8_t code) { return outcome() == COMMAND_FAILED && error() == code; }

static void fresh(bool card, bool powered) {
  host_bus_reset();
  host_pull_card();
  turns(3);
  s_power_result = s_exchange_result = CARD_OK;
  s_exchange_takes = 0;
  s_answer_length = 2;
  s_verdict = GUARD_PASS;
  s_pin = PIN_DONE;
  g_host.turn = NULL;
  g_host.present = card;
  for (unsigned i = 0; i < 20; i++) turns(1);
  g_host.notices = 0;
  if (powered) CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
}

/* ---- stories ---- */
static void slot(void) {
  STORY("an empty slot says so, and a card is announced once the switch stands still");
  fresh(false, false);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && s_answer[0] == RDR_TO_PC_SLOTSTATUS && icc() == ICC_ABSENT && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && s_answer[0] == RDR_TO_PC_DATABLOCK && failed_with(CCID_ERROR_ICC_MUTE) && icc() == ICC_ABSENT);
  g_host.present = true;
  const uint64_t in = g_host.now;
  while (g_host.notices == 0 && g_host.now < in + 1000000) turns(1);
  CHECK(g_host.now - in >= 50000 && g_host.notice[0] == RDR_TO_PC_NOTIFYSLOTCHANGE && g_host.notice[1] == 3);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE && s_answer[9] == 1);

  STORY("power on, parameters, power off");
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 1, 0, 0) && icc() == ICC_ACTIVE && s_length == 15 && s_answer[10] == 0x3b);
  CHECK(ask(PC_TO_RDR_GETPARAMETERS, NULL, 0, 0, 0, 0) && s_answer[0] == RDR_TO_PC_PARAMETERS && s_length == 17 && s_answer[9] == 1);
  CHECK_BYTES(s_answer + 10, ((const uint8_t[]){0x18, 0x10, 0x00, 0x4d, 0x00, 254, 0x00}), 7);
  CHECK(ask(PC_TO_RDR_SETPARAMETERS, s_answer + 10, 7, 1, 0, 0) && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_SETPARAMETERS, (const uint8_t[5]){0x11}, 5, 0, 0, 0) && failed_with(7));
  CHECK(ask(PC_TO_RDR_SETPARAMETERS, (const uint8_t[7]){0x11}, 5, 1, 0, 0) && failed_with(1));
  CHECK(ask(PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY, (const uint8_t[8]){0xf3, 0x0d, 0, 0, 0x80, 0x25}, 8, 0, 0, 0) && s_length == 18 && s_answer[10] == 0xf3);
  CHECK(s_answer[0] == RDR_TO_PC_DATARATEANDCLOCKFREQUENCY && (s_answer[14] | s_answer[15] << 8 | s_answer[16] << 16) == 115207);
  CHECK(ask(PC_TO_RDR_SETDATARATEANDCLOCKFREQUENCY, (const uint8_t[8]){0}, 8, 0, 0, 0) && failed_with(10));
  CHECK(ask(PC_TO_RDR_ICCPOWEROFF, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE && outcome() == COMMAND_OK && g_host.voltage_class == 0);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, (const uint8_t[4]){0}, 4, 0, 0, 0) && failed_with(CCID_ERROR_ICC_MUTE) && icc() == ICC_INACTIVE);

  STORY("what is not there is refused cleanly");
  fresh(true, true);
  CHECK(ask(PC_TO_RDR_ESCAPE, (const uint8_t[2]){1, 2}, 2, 0, 0, 0) && s_answer[0] == RDR_TO_PC_ESCAPE && failed_with(0));
  CHECK(ask(PC_TO_RDR_MECHANICAL, NULL, 0, 1, 0, 0) && s_answer[0] == RDR_TO_PC_SLOTSTATUS && failed_with(0));
  CHECK(ask(0x42, NULL, 0, 0, 0, 0) && failed_with(0));
  CHECK(ask(PC_TO_RDR_ICCCLOCK, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_ICCCLOCK, NULL, 0, 1, 0, 0) && failed_with(7));
  CHECK(ask(PC_TO_RDR_T0APDU, NULL, 0, 3, 0xff, 0xff) && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_T0APDU, NULL, 0, 2, 0xff, 0xc2) && failed_with(9));
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 4, 0, 0) && failed_with(7));
  CHECK(ask(PC_TO_RDR_ICCPOWERON, (const uint8_t[1]){0}, 1, 0, 0, 0) && failed_with(1));
  const uint8_t other_slot[10] = {PC_TO_RDR_GETSLOTSTATUS, 0, 0, 0, 0, 1, 99};
  host_bulk_out(HAL_FACE_CCID, other_slot, 10, true);
  CHECK(hear() && failed_with(5) && icc() == ICC_ABSENT && s_answer[5] == 1 && s_answer[6] == 99);

  STORY("a card that does not answer");
  fresh(true, false);
  static const struct { card_result_t result; uint8_t error; } k_cases[] = {
      {CARD_MUTE, CCID_ERROR_ICC_MUTE}, {CARD_PARITY, CCID_ERROR_XFR_PARITY_ERROR}, {CARD_BAD_ATR, CCID_ERROR_BAD_ATR_TS},
      {CARD_PROTOCOL, CCID_ERROR_ICC_PROTOCOL_NOT_SUPPORTED}, {CARD_OVERCURRENT, CCID_ERROR_HW_ERROR}};
  for (size_t i = 0; i < sizeof k_cases / sizeof *k_cases; i++) {
    s_power_result = k_cases[i].result;
    CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && failed_with(k_cases[i].error) && icc() == ICC_INACTIVE && g_host.voltage_class == 0);
  }
}

/* No byte of 0xee from there on: what the tests below send as data. */
static bool nothing_from(size_t at) {
  for (; at < MESSAGE_MAX; at++) {
    if (g_message[at] == 0xee) return false;
  }
  return true;
}

static void exchanges(void) {
  static uint8_t s_apdu[65544];
  STORY("APDUs of every length round the packet size, answers too");
  fresh(true, true);
  for (size_t length = 4; length < 200; length++) {
    s_answer_length = length - 2;
    for (size_t i = 0; i < length; i++) s_apdu[i] = (uint8_t)(i * 7 + length);
    CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, length, 0, 0, 0) && s_length == 10 + s_answer_length && s_answer[9] == 0);
    CHECK(s_last_length == length);
    CHECK_BYTES(s_last_apdu, s_apdu, length);
  }
  STORY("the longest APDU and the longest answer");
  s_answer_length = 65538;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 65544, 0, 0, 0) && s_length == 65548 && s_last_length == 65544);
  STORY("no answer is longer than dwMaxCCIDMessageLength allows");
  s_answer_length = 65544;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 4, 0, 0, 0) && s_length == WIRE_MAX_CCID_MESSAGE);
  s_answer_length = 65545;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 4, 0, 0, 0) && failed_with(CCID_ERROR_XFR_OVERRUN));
  s_answer_length = 2;
  STORY("no APDU is shorter than four bytes");
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 3, 0, 0, 0) && failed_with(1));

  STORY("the guard's verdicts");
  s_verdict = GUARD_REFUSE;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 5, 0, 0, 0) && s_length == 12 && s_answer[10] == 0x69 && s_answer[11] == 0x82);
  s_verdict = GUARD_CANCELLED;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 5, 0, 0, 0) && s_answer[10] == 0x64 && s_answer[11] == 0x01);
  s_verdict = GUARD_PASS;

  STORY("a chain of 271-byte messages is one APDU, with a status question in the middle");
  for (size_t i = 0; i < sizeof s_apdu; i++) s_apdu[i] = (uint8_t)(i >> 3 ^ i);
  s_answer_length = 2;
  size_t at = 0;
  for (uint8_t level = 1; at < 65544; level = at + 261 < 65544 ? 3 : 2) {
    const size_t n = 65544 - at < 261 ? 65544 - at : 261;
    CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu + at, n, 0, level, 0) && outcome() == COMMAND_OK && (level == 2 || (s_answer[9] == 0x10 && s_length == 10)));
    at += n;
    if (at == 522) CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  }
  CHECK(s_last_length == 65544);
  CHECK_BYTES(s_last_apdu, s_apdu, 65544);
  CHECK(s_length == 12);

  STORY("a chain that goes on without having begun, or too far, or is broken off");
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 3, 0) && failed_with(8));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 0x10, 0) && failed_with(8));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 65000, 0, 1, 0) && s_answer[9] == 0x10);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 600, 0, 3, 0) && failed_with(1));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 1, 0) && s_answer[9] == 0x10);
  CHECK(ask(PC_TO_RDR_GETPARAMETERS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 2, 0) && failed_with(8));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 1, 0) && s_answer[9] == 0x10);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 0, 0) && failed_with(8));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 10, 0, 0, 0) && outcome() == COMMAND_OK && s_last_length == 10);

  STORY("nothing of a command stays behind");
  s_answer_length = 2;
  memset(s_apdu, 0xee, 300);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 300, 0, 0, 0));
  for (size_t i = 12; i < 310; i++) CHECK(g_message[i] == 0);

  STORY("… nor when the guard refuses it, the card fails, its header is wrong, or its chain breaks");
  s_verdict = GUARD_REFUSE;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 300, 0, 0, 0) && nothing_from(12));
  s_verdict = GUARD_PASS;
  s_exchange_result = CARD_PROTOCOL;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 300, 0, 0, 0) && nothing_from(10) && s_after_length == 0);
  s_exchange_result = CARD_OK;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 300, 0, 9, 0) && failed_with(8) && nothing_from(10));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_apdu, 300, 0, 1, 0) && !nothing_from(10));
  CHECK(ask(PC_TO_RDR_GETPARAMETERS, NULL, 0, 0, 0, 0) && nothing_from(17));
  STORY("… and a half message, when the bus is reset or the transfer is wrong");
  uint8_t half[128] = {PC_TO_RDR_XFRBLOCK, 200, 0, 0, 0, 0, 9};
  memset(half + 10, 0xee, sizeof half - 10);
  host_bulk_out(HAL_FACE_CCID, half, 128, false);
  turns(3);
  CHECK(!nothing_from(10));
  host_bus_reset();
  turns(3);
  CHECK(nothing_from(10));
  host_bulk_out(HAL_FACE_CCID, half, 100, false);
  CHECK(hear() && failed_with(1) && nothing_from(10));
}

static void transfers(void) {
  STORY("a transfer and its dwLength disagree");
  fresh(true, true);
  const uint8_t shorter[20] = {PC_TO_RDR_XFRBLOCK, 30, 0, 0, 0, 0, 5};
  host_bulk_out(HAL_FACE_CCID, shorter, 20, true);
  CHECK(hear() && failed_with(1) && s_answer[6] == 5);
  host_bulk_out(HAL_FACE_CCID, (const uint8_t[20]){PC_TO_RDR_XFRBLOCK, 4, 0, 0, 0, 0, 6}, 20, true);
  CHECK(hear() && failed_with(1) && s_answer[6] == 6);
  const uint8_t huge[64] = {PC_TO_RDR_XFRBLOCK, 0xff, 0xff, 0xff, 0xff, 0, 7};
  host_bulk_out(HAL_FACE_CCID, huge, 64, true);
  CHECK(hear() && failed_with(1) && s_answer[6] == 7);
  host_bulk_out(HAL_FACE_CCID, (const uint8_t[64]){PC_TO_RDR_XFRBLOCK, 0x09, 0x00, 0x01, 0, 0, 8}, 20, true); /* 65 545 */
  CHECK(hear() && failed_with(1) && s_answer[6] == 8);
  STORY("… and the next message is taken");
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);
  STORY("noise shorter than a header is no message");
  host_bulk_out(HAL_FACE_CCID, (const uint8_t[9]){0x65}, 9, true);
  turns(5);
  CHECK(host_bulk_in(HAL_FACE_CCID, s_answer, sizeof s_answer) == SIZE_MAX);

  STORY("whatever comes, the reader goes on answering");
  srand(1);
  for (unsigned round = 0; round < 20000; round++) {
    uint8_t packet[64];
    for (size_t i = 0; i < sizeof packet; i++) packet[i] = (uint8_t)rand();
    if (rand() % 4 != 0) { /* mostly nearly right */
      static const uint8_t k_types[] = {0x61, 0x62, 0x63, 0x65, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x71, 0x72, 0x73};
      packet[0] = k_types[(size_t)rand() % sizeof k_types];
      packet[1] = (uint8_t)(rand() % 80);
      packet[2] = packet[3] = packet[4] = 0;
      packet[5] = rand() % 10 == 0;
      packet[7] = (uint8_t)(rand() % 5);
      packet[8] = (uint8_t)(rand() % 4);
      packet[9] = 0;
    }
    host_bulk_out(HAL_FACE_CCID, packet, (size_t)(rand() % 65), false);
    if (rand() % 50 == 0) g_host.abort = true;
    if (rand() % 50 == 0) host_pull_card();
    if (rand() % 20 == 0) g_host.present = true;
    if (rand() % 100 == 0) host_bus_reset();
    turns(2);
    while (host_bulk_in(HAL_FACE_CCID, s_answer, sizeof s_answer) != SIZE_MAX) {
    }
  }
  fresh(true, true);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);
}

static unsigned s_moment;
static uint8_t s_running_sequence;
static void abort_while_running(void) {
  if (++s_moment == 3) {
    g_host.abort = true;
    g_host.abort_sequence = 200;
  }
  if (s_moment == 6) host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, 200}, 10, true);
}
static void abort_bulk_first(void) {
  if (++s_moment == 3) host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, 201}, 10, true);
  if (s_moment == 6) {
    g_host.abort = true;
    g_host.abort_sequence = 201;
  }
}
static void status_while_running(void) {
  if (++s_moment == 3) host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_GETSLOTSTATUS, 0, 0, 0, 0, 0, 210}, 10, true);
  if (s_moment == 5) {
    uint8_t long_command[200] = {PC_TO_RDR_XFRBLOCK, 190, 0, 0, 0, 0, 211};
    host_bulk_out(HAL_FACE_CCID, long_command, 200, true);
  }
}
static void pull_while_running(void) {
  if (++s_moment == 3) host_pull_card();
}
static void reset_while_running(void) {
  if (++s_moment == 3) host_bus_reset();
}

static void running(void) {
  static const uint8_t k_apdu[5] = {0, 0xb0, 0, 0, 0};
  STORY("a long command asks for time every second, at a fixed pace");
  fresh(true, true);
  s_exchange_takes = 5500000;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && s_extensions == 5 && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_SECURE, (const uint8_t[20]){0}, 20, 0, 0, 0) && s_extensions == 3 && s_length == 12 && s_answer[10] == 0x63);

  STORY("abort: control request, then message; the command fails, then the abort is answered");
  for (unsigned order = 0; order < 2; order++) {
    s_moment = 0;
    g_host.turn = order == 0 ? abort_while_running : abort_bulk_first;
    CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && failed_with(CCID_ERROR_CMD_ABORTED));
    s_running_sequence = s_sequence;
    CHECK(hear() && s_answer[0] == RDR_TO_PC_SLOTSTATUS && s_answer[6] == 200 + order && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);
  }
  g_host.turn = NULL;
  STORY("between the two, every command fails");
  s_exchange_takes = 0;
  g_host.abort = true;
  g_host.abort_sequence = 77;
  turns(2);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && failed_with(CCID_ERROR_CMD_ABORTED));
  host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, 77}, 10, true);
  CHECK(hear() && s_answer[6] == 77 && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && outcome() == COMMAND_OK);

  STORY("while a command runs, status is answered and another command finds the slot busy");
  s_exchange_takes = 5500000;
  s_moment = 0;
  g_host.turn = status_while_running;
  say(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0);
  CHECK(hear() && s_answer[6] == 210 && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);
  while (hear() && outcome() == COMMAND_TIME_EXTENSION) {
  }
  CHECK(s_answer[6] == 211 && failed_with(CCID_ERROR_CMD_SLOT_BUSY));
  while (hear() && outcome() == COMMAND_TIME_EXTENSION) {
  }
  CHECK(s_answer[6] == s_sequence && outcome() == COMMAND_OK);

  STORY("the card is pulled: the contacts went off at once, the command ends, the host hears of it");
  s_moment = 0;
  g_host.turn = pull_while_running;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && failed_with(CCID_ERROR_ICC_MUTE) && icc() == ICC_ABSENT);
  turns(3);
  CHECK(g_host.notice[1] == 2 && g_host.voltage_class == 0);

  STORY("the bus is reset while a command runs: it ends, and the card goes off");
  fresh(true, true);
  s_exchange_takes = 5500000;
  s_moment = 0;
  g_host.turn = reset_while_running;
  say(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0);
  turns(20);
  CHECK(host_bulk_in(HAL_FACE_CCID, s_answer, sizeof s_answer) == SIZE_MAX);
  g_host.turn = NULL;
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE && g_host.voltage_class == 0);

  STORY("suspend switches the card off");
  fresh(true, true);
  g_host.suspended = true;
  g_host.epoch++;
  turns(3);
  CHECK(g_host.voltage_class == 0);
  g_host.suspended = false;
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE);

  STORY("a host that reads nothing gets no more than there is room for, and nothing stands still");
  fresh(true, true);
  s_exchange_takes = 20000000;
  g_host.unread[HAL_FACE_CCID] = 1;
  say(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0);
  turns(5);
  g_host.unread[HAL_FACE_CCID] = 0;
  CHECK(hear() && outcome() == COMMAND_TIME_EXTENSION);
  s_exchange_takes = 0;
}

/* A command of the link's, as link/ would bring it. */
static uint8_t link_ask(uint8_t type, size_t length) {
  const uint8_t header[10] = {type, (uint8_t)length, 0, 0, 0, 0, 1};
  CHECK(message_claim(FACE_LINK));
  memset(g_message, 0, 300);
  memcpy(g_message, header, 10);
  s_link_length = 10 + length;
  s_link_ready = true;
  turns(1);
  return g_message[7] >> 6 == COMMAND_FAILED ? g_message[8] : 0x01;
}

static void owners(void) {
  STORY("one face owns the slot; the other sees its state and finds it busy");
  fresh(true, true);
  CHECK(link_ask(PC_TO_RDR_GETSLOTSTATUS, 0) == 1 && (g_message[7] & 3u) == ICC_ACTIVE);
  CHECK(link_ask(PC_TO_RDR_XFRBLOCK, 5) == CCID_ERROR_CMD_SLOT_BUSY);
  CHECK(link_ask(PC_TO_RDR_ICCPOWERON, 0) == CCID_ERROR_CMD_SLOT_BUSY);
  CHECK(link_ask(PC_TO_RDR_ICCPOWEROFF, 0) == CCID_ERROR_CMD_SLOT_BUSY);
  STORY("after power-off the other may have it, with a cold reset");
  CHECK(ask(PC_TO_RDR_ICCPOWEROFF, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  const unsigned before = s_powered_on;
  CHECK(link_ask(PC_TO_RDR_ICCPOWERON, 0) == 1 && s_powered_on == before + 1);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, (const uint8_t[5]){0}, 5, 0, 0, 0) && failed_with(CCID_ERROR_CMD_SLOT_BUSY));
  STORY("the pad is the owner's, by Escape and by pseudo APDU too");
  uint8_t verify[5 + 19 + 5] = {0xff, 0xc2, 0x01, PPDU_VERIFY_PIN_DIRECT, 19 + 5, [5 + 15] = 5, [5 + 19] = 0x00, 0x20, 0x00, 0x80, 0x00};
  const unsigned asked = s_pins;
  CHECK(ask(PC_TO_RDR_ESCAPE, verify, sizeof verify, 0, 0, 0) && failed_with(CCID_ERROR_CMD_SLOT_BUSY) && s_pins == asked);
  CHECK(link_ask(PC_TO_RDR_ICCPOWEROFF, 0) == 1);
  CHECK(ask(PC_TO_RDR_ESCAPE, verify, sizeof verify, 0, 0, 0) && failed_with(CCID_ERROR_ICC_MUTE) && s_pins == asked);
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  CHECK(ask(PC_TO_RDR_ESCAPE, verify, sizeof verify, 0, 0, 0) && outcome() == COMMAND_OK && s_pins == asked + 1);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, verify, sizeof verify, 0, 0, 0) && outcome() == COMMAND_OK && s_pins == asked + 2 && s_answer[10] == 0x63);
  CHECK(ask(PC_TO_RDR_ICCPOWEROFF, NULL, 0, 0, 0, 0) && link_ask(PC_TO_RDR_ICCPOWERON, 0) == 1);
  STORY("chaining is for hosts with short messages, not for the link");
  message_claim(FACE_LINK);
  memcpy(g_message, (const uint8_t[14]){PC_TO_RDR_XFRBLOCK, 4, 0, 0, 0, 0, 1, 0, 1, 0}, 14);
  s_link_length = 14;
  s_link_ready = true;
  turns(1);
  CHECK(g_message[7] >> 6 == COMMAND_FAILED && g_message[8] == 8);
  STORY("the owner vanishes: the card goes off");
  const unsigned resets = s_guard_resets;
  ccid_face_lost(FACE_LINK);
  turns(1);
  CHECK(g_host.voltage_class == 0 && s_guard_resets > resets);
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);
  STORY("the buffer is the link's for now: the other face is told so at once");
  CHECK(message_claim(FACE_LINK) && !message_claim(FACE_USB));
  CHECK(ask(PC_TO_RDR_XFRBLOCK, (const uint8_t[100]){0}, 100, 0, 0, 0) && failed_with(CCID_ERROR_CMD_SLOT_BUSY));
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);
  message_release(FACE_LINK);
}

static uint64_t s_late;
static void too_much_current(void) {
  if (++s_moment == 10) g_host.overcurrent = true;
}
static void abort_late(void) {
  if (g_host.now < s_late) return;
  if (++s_moment == 3) {
    g_host.abort = true;
    g_host.abort_sequence = 200;
    host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, 200}, 10, true);
  }
}

static void mutes(void) {
  static const uint8_t k_apdu[5] = {0, 0xb0, 0, 0, 0};
  STORY("a card that broke off is off, and every status says so; its face may power it on again, and another may, too");
  fresh(true, true);
  s_exchange_result = CARD_MUTE;
  const unsigned resets = s_guard_resets;
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && failed_with(CCID_ERROR_ICC_MUTE) && icc() == ICC_INACTIVE);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE && s_answer[9] == 1);
  s_exchange_result = CARD_OK;
  CHECK(s_guard_resets > resets);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0) && failed_with(CCID_ERROR_ICC_MUTE));
  CHECK(link_ask(PC_TO_RDR_ICCPOWERON, 0) == 1);
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && failed_with(CCID_ERROR_CMD_SLOT_BUSY));
  CHECK(link_ask(PC_TO_RDR_ICCPOWEROFF, 0) == 1);

  STORY("a card whose current was too high is off, at rest and in a long command");
  fresh(true, true);
  g_host.overcurrent = true; /* the interrupt has switched the contacts off */
  turns(2);
  CHECK(!g_host.overcurrent && g_host.voltage_class == 0);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && icc() == ICC_INACTIVE);
  CHECK(ask(PC_TO_RDR_ICCPOWERON, NULL, 0, 0, 0, 0) && icc() == ICC_ACTIVE);
  s_exchange_takes = 20000000;
  say(PC_TO_RDR_XFRBLOCK, k_apdu, 5, 0, 0, 0);
  g_host.turn = too_much_current;
  s_moment = 0;
  const uint64_t from = g_host.now;
  while (hear() && outcome() == COMMAND_TIME_EXTENSION) {
  }
  g_host.turn = NULL;
  CHECK(outcome() == COMMAND_FAILED && g_host.now - from < 5000000 && s_answer[6] == s_sequence);
  s_exchange_takes = 0;
}

/* Time goes by while the host does nothing. */
static void pause_ms(uint64_t ms) {
  const uint64_t end = g_host.now + ms * 1000;
  while (g_host.now < end) turns(1);
}

static void holding(void) {
  static uint8_t s_long[4000];
  memset(s_long, 0xee, sizeof s_long);
  s_long[0] = PC_TO_RDR_XFRBLOCK;
  s_long[1] = (uint8_t)(sizeof s_long - 10);
  s_long[2] = (uint8_t)((sizeof s_long - 10) >> 8);
  s_long[3] = s_long[4] = s_long[5] = s_long[7] = s_long[8] = s_long[9] = 0;
  STORY("a half message holds the buffer for 2 s, and is told what was wrong with it");
  fresh(true, true);
  s_long[6] = 40;
  host_bulk_out(HAL_FACE_CCID, s_long, 640, false);
  pause_ms(1500);
  CHECK(!message_claim(FACE_LINK));
  pause_ms(1000);
  CHECK(message_claim(FACE_LINK));
  message_release(FACE_LINK);
  CHECK(hear() && s_answer[6] == 40 && failed_with(1) && nothing_from(10));
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK && icc() == ICC_ACTIVE);

  STORY("… and one that nobody wanted does not swallow what comes after it");
  CHECK(message_claim(FACE_LINK));
  s_long[6] = 41;
  host_bulk_out(HAL_FACE_CCID, s_long, 640, false);
  CHECK(hear() && s_answer[6] == 41 && failed_with(CCID_ERROR_CMD_SLOT_BUSY));
  message_release(FACE_LINK);
  pause_ms(2500);
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);

  STORY("a chain without its next part ends after 20 s");
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_long, 100, 0, 1, 0) && s_answer[9] == 0x10);
  pause_ms(19000);
  CHECK(!message_claim(FACE_LINK) && !nothing_from(10));
  pause_ms(2000);
  CHECK(message_claim(FACE_LINK) && nothing_from(10));
  message_release(FACE_LINK);
  CHECK(ask(PC_TO_RDR_XFRBLOCK, s_long, 100, 0, 2, 0) && failed_with(8));

  STORY("an answer nobody reads is kept, unless the other face has work: then it ends short after 20 s");
  s_answer_length = 1000;
  g_host.unread[HAL_FACE_CCID] = 1;
  say(PC_TO_RDR_XFRBLOCK, s_long + 10, 5, 0, 0, 0);
  pause_ms(60000);
  CHECK(!message_claim(FACE_LINK));
  pause_ms(1000);
  CHECK(message_claim(FACE_LINK));
  message_release(FACE_LINK);
  g_host.unread[HAL_FACE_CCID] = 0;
  CHECK(hear() && s_length == 64 && s_answer[6] == s_sequence);
  s_answer_length = 2;
  CHECK(ask(PC_TO_RDR_GETSLOTSTATUS, NULL, 0, 0, 0, 0) && outcome() == COMMAND_OK);

  STORY("an abort ends the chain: what another face writes meanwhile is never taken for a part of it");
  for (unsigned half = 0; half < 2; half++) {
    CHECK(ask(PC_TO_RDR_XFRBLOCK, s_long, 100, 0, 1, 0) && s_answer[9] == 0x10);
    if (half != 0) {
      s_long[6] = 42;
      host_bulk_out(HAL_FACE_CCID, s_long, 640, false);
      turns(2);
    }
    g_host.abort = true;
    g_host.abort_sequence = 43;
    turns(2);
    if (half != 0) {
      CHECK(hear() && s_answer[6] == 42 && failed_with(CCID_ERROR_CMD_ABORTED));
      host_bulk_out(HAL_FACE_CCID, s_long, 1, false); /* the transfer ends */
    }
    host_bulk_out(HAL_FACE_CCID, (const uint8_t[10]){PC_TO_RDR_ABORT, 0, 0, 0, 0, 0, 43}, 10, true);
    CHECK(hear() && s_answer[6] == 43 && outcome() == COMMAND_OK);
    CHECK(nothing_from(10) && message_claim(FACE_LINK));
    message_release(FACE_LINK);
    CHECK(ask(PC_TO_RDR_XFRBLOCK, s_long, 100, 0, 2, 0) && failed_with(8));
  }

  STORY("a host that reads nothing for long still gets the answer to its abort");
  s_exchange_takes = 60000000;
  g_host.unread[HAL_FACE_CCID] = 1;
  say(PC_TO_RDR_XFRBLOCK, s_long + 10, 5, 0, 0, 0);
  s_moment = 0;
  s_late = g_host.now + 10000000;
  g_host.turn = abort_late;
  turns(300);
  g_host.turn = NULL;
  s_exchange_takes = 0;
  g_host.unread[HAL_FACE_CCID] = 0;
  unsigned extensions = 0;
  while (hear() && outcome() == COMMAND_TIME_EXTENSION) extensions++;
  CHECK(s_answer[6] == s_sequence && failed_with(CCID_ERROR_CMD_ABORTED) && extensions <= 2);
  CHECK(hear() && s_answer[6] == 200 && outcome() == COMMAND_OK);
}

static void pins(void) {
  static const struct { pin_outcome_t pin; uint8_t error; } k_cases[] = {
      {PIN_CANCELLED, CCID_ERROR_PIN_CANCELLED}, {PIN_TIMEOUT, CCID_ERROR_PIN_TIMEOUT}, {PIN_REFUSED, 17}, {PIN_CARD_FAILED, CCID_ERROR_ICC_MUTE}, {PIN_ABORTED, CCID_ERROR_CMD_ABORTED}};
  STORY("the outcomes of a PIN entry");
  fresh(true, true);
  for (size_t i = 0; i < sizeof k_cases / sizeof *k_cases; i++) {
    s_pin = k_cases[i].pin;
    CHECK(ask(PC_TO_RDR_SECURE, (const uint8_t[20]){0}, 20, 0, 0, 0) && s_answer[0] == RDR_TO_PC_DATABLOCK && failed_with(k_cases[i].error));
  }
  CHECK(ask(PC_TO_RDR_SECURE, (const uint8_t[20]){0}, 20, 0, 1, 0) && failed_with(8));
  CHECK(ask(PC_TO_RDR_SECURE, NULL, 0, 0, 0, 0) && failed_with(1));
}

int main(void) {
  host_reset();
  app_start();
  slot();
  exchanges();
  transfers();
  running();
  owners();
  mutes();
  holding();
  pins();
  return check_end("ccid");
}
