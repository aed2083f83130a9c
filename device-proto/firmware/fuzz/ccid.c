/* CCID over USB and over the link, the whole dispatcher: app/, ccid/, link/, guard/, pinpad/ and front/ on the host's board, with a card that answers
 * as the script says. Every answer is judged by what CCID 1.1 says of it, and every whole message gets one.
 * sources: app/main.c app/link_port.c ccid/ccid.c ccid/ppdu.c ccid/slot.c ccid/usb_pipe.c front/draw.c front/front.c front/keypad.c front/words.c guard/guard.c guard/consent.c guard/digestinfo.c hal/host/host.c test/fakes/no_pcscd.c link/frame.c link/session.c link/rate.c link/receive.c link/send.c link/service.c pinpad/pinpad.c pinpad/entry.c pinpad/prompt.c pinpad/template.c */
#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "fuzz/door.h"
#include "gen/board_gen.h"
#include "gen/wire_gen.h"
#include "guard/guard.h"
#include "hal/host/host.h"
#include "link/link.h"
#include "pinpad/secret.h"

#define ALL_US 3600000000ull /* no input lasts longer in the board's time */

void app_start(void);

/* ---- the card ---------------------------------------------------------------------------------------------------- */

card_t g_card;
static uint8_t s_luck[16]; /* how it takes each thing it is asked */
static unsigned s_asked;
static unsigned s_exchanges;

static uint8_t luck(void) { return s_luck[s_asked++ % sizeof s_luck]; }
static bool takes(unsigned ms) {
  const uint64_t end = hal_now_us() + (uint64_t)ms * 1000u;
  while (hal_now_us() < end) {
    if (!app_wait(end)) return false;
  }
  return true;
}
card_result_t card_power_on(uint8_t voltage_class) {
  const uint8_t how = luck();
  PROMISE(voltage_class <= 3);
  hal_card_vcc(voltage_class == 0 ? 1 : voltage_class);
  g_card = (card_t){.atr = {0x3b, 0x80, 0x80, 0x01, 0x01}, .atr_length = 5, .protocol = how >> 1 & 1u, .fidi = 0x18, .voltage_class = 1, .ifsc = 254, .ifsd = 254, .bwi = 4, .cwi = 13};
  if (!takes(20u + (how >> 5) * 400u)) {
    card_power_off();
    return CARD_ABORTED;
  }
  if ((how & 0x1du) == 0x1du) {
    card_power_off();
    return CARD_MUTE;
  }
  return CARD_OK;
}
void card_power_off(void) {
  memset(&g_card, 0, sizeof g_card);
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
  const uint8_t how = luck();
  PROMISE(length >= 4 && capacity >= 2);
  PROMISE(g_card.voltage_class != 0); /* no command to a card without power */
  s_exchanges++;
  unsigned sum = 0;
  for (size_t i = 0; i < length; i++) sum += command[i];
  *answer_length = 0;
  if (!takes(1u + (how >> 6) * 900u)) {
    card_power_off();
    return CARD_ABORTED;
  }
  if ((how & 0x3fu) == 0x3eu) return CARD_TOO_LONG;
  if ((how & 0x3fu) == 0x3fu) {
    card_power_off();
    return CARD_PARITY;
  }
  const size_t n = 2u + ((how & 8u) != 0 && capacity > 600 ? (how & 7u) * 70u : 0u);
  for (size_t i = 0; i < n; i++) answer[i] = (uint8_t)(sum + i);
  answer[n - 2] = (how & 0x30u) == 0x30u ? 0x63 : 0x90;
  answer[n - 1] = (how & 0x30u) == 0x30u ? 0xc2 : 0x00;
  *answer_length = n;
  return CARD_OK;
}
void hal_line_wipe(void) {}

/* ---- the host: what it waits for ---------------------------------------------------------------------------------- */

typedef struct {
  uint8_t type, slot, sequence;
  unsigned due;   /* times this (type, slot, sequence) was sent and not answered */
  unsigned whole; /* times it was sent with a transfer as long as its dwLength says */
} waiting_t;
static waiting_t s_waiting[64];
static unsigned s_waiting_count;
static bool s_doubt; /* a message was cut, aborted or reset away: how many answers are due is not known any more */
static bool s_spilled; /* what was sent may have run into the next message: which bytes make a message is not known any more */
static uint8_t s_sequence;

static uint8_t answer_of(uint8_t type) { /* CCID 1.1 §6.1, table 6.1-1 */
  switch (type) {
  case 0x62: case 0x6f: case 0x69: return 0x80;
  case 0x61: case 0x6c: case 0x6d: return 0x82;
  case 0x6b: return 0x83;
  case 0x73: return 0x84;
  default: return 0x81;
  }
}

static waiting_t *waiting_for(uint8_t answer, uint8_t slot, uint8_t sequence) {
  waiting_t *answered = NULL;
  for (unsigned i = 0; i < s_waiting_count; i++) {
    waiting_t *w = &s_waiting[i];
    if (answer_of(w->type) != answer || w->slot != slot || w->sequence != sequence) continue;
    if (w->due > 0) return w;
    answered = w;
  }
  return answered;
}

/* A message whose transfer is longer or shorter than its dwLength says is never carried out (bError 01). */
static bool may_succeed(uint8_t answer, uint8_t slot, uint8_t sequence) {
  if (s_spilled) return true;
  for (unsigned i = 0; i < s_waiting_count; i++) {
    const waiting_t *w = &s_waiting[i];
    if (answer_of(w->type) == answer && w->slot == slot && w->sequence == sequence && w->whole > 0) return true;
  }
  return false;
}

static void judge(const uint8_t *a, size_t length) {
  PROMISE(length >= 10 && length == 10u + (a[1] | (size_t)a[2] << 8 | (size_t)a[3] << 16 | (size_t)a[4] << 24));
  PROMISE(length <= WIRE_MAX_CCID_MESSAGE);
  const unsigned outcome = a[7] >> 6, icc = a[7] & 3u;
  PROMISE((a[7] & 0x3cu) == 0 && outcome <= 2 && icc <= 2);
  waiting_t *w = waiting_for(a[0], a[5], a[6]);
  PROMISE(w != NULL || s_doubt);
  if (outcome == 2) PROMISE(length == 10 && a[8] >= 1); /* a time extension says how long, and no more */
  if (outcome == 1) PROMISE(length == 10);              /* a failure brings no data */
  if (outcome == 0) PROMISE(a[8] == 0 && may_succeed(a[0], a[5], a[6]));
  if (a[5] != 0) PROMISE(icc == 2 && (outcome == 1 || outcome == 2)); /* there is one slot */
  if (a[0] == 0x80) PROMISE(a[9] == 0 || a[9] == 0x10);
  if (a[0] == 0x81) PROMISE(a[9] <= 3);
  if (a[0] == 0x80 && outcome == 0 && length == 12 && w != NULL && w->type == 0x69) PROMISE(a[10] == 0x90 || a[10] == 0x63 || a[10] == 0x69);
  if (outcome == 2 || w == NULL) return;
  PROMISE(w->due > 0 || s_doubt);
  if (w->due > 0) w->due--;
}

static void listen(void) {
  static uint8_t answer[70000];
  for (;;) {
    const size_t length = host_bulk_in(HAL_FACE_CCID, answer, sizeof answer);
    if (length == SIZE_MAX) break;
    PROMISE(length > 0);
    judge(answer, length);
  }
  host_pipe_t *cdc = &g_host.from_device[HAL_FACE_CDC];
  cdc->out = cdc->in; /* the link has a door of its own */
  g_host.uart_out_length = 0;
}

static void note(uint8_t type, uint8_t slot, uint8_t sequence, bool whole) {
  waiting_t *w = NULL;
  for (unsigned i = 0; i < s_waiting_count; i++) {
    if (s_waiting[i].type == type && s_waiting[i].slot == slot && s_waiting[i].sequence == sequence) w = &s_waiting[i];
  }
  if (w == NULL) {
    if (s_waiting_count == 64) s_waiting_count = 0, s_doubt = s_spilled = true;
    w = &s_waiting[s_waiting_count++];
    *w = (waiting_t){type, slot, sequence, 0, 0};
  }
  w->due++;
  if (whole) w->whole++;
}

/* ---- the world moves while the firmware sleeps ---------------------------------------------------------------------- */

static bool s_inside;
static uint64_t s_next; /* when it moves again */
static void send_message(unsigned what);

static void turn(void) {
  step();
  listen();
  if (s_inside || s_left == 0) return;
  s_inside = true;
  /* A host that speaks while a command runs, a person at the pad, a hand at the slot. */
  if (g_host.now >= s_next) {
    s_next = g_host.now + 30000;
    const unsigned what = take();
    if ((what & 0xc0u) == 0x40u) g_host.keys = (what & 0x20u) != 0 ? 0 : (uint16_t)(1u << (what & 15u));
    else if ((what & 0xf8u) == 0x80u) send_message(what & 7u);
    else if (what == 0xc1) host_pull_card();
    else if (what == 0xc2) g_host.present = true;
    else if (what == 0xc3) g_host.overcurrent = g_host.voltage_class != 0;
    else if (what == 0xc4) s_next += 20000000;
  }
  s_inside = false;
}

/* ---- what the host sends ---------------------------------------------------------------------------------------------- */

static bool room(void) { return g_host.to_device[0].in - g_host.to_device[0].out < HOST_PACKETS / 2 && g_host.to_device[1].in - g_host.to_device[1].out < HOST_PACKETS / 2; }

static void send_message(unsigned what) {
  static const uint8_t k_types[16] = {0x65, 0x62, 0x6f, 0x6f, 0x6f, 0x69, 0x63, 0x61, 0x6c, 0x6d, 0x6e, 0x6a, 0x73, 0x6b, 0x71, 0x72};
  static uint8_t m[70000];
  if (!room()) return;
  memset(m, 0, 10);
  m[0] = k_types[take() & 15u];
  m[6] = s_sequence++;
  size_t n = 0;
  if ((what & 8u) != 0) { /* anything at all in the header, or a length that is not so */
    const unsigned at = take() % 10u;
    m[at] = take();
  }
  switch (m[0]) {
  case 0x6f:
    n = 4u + take();
    if ((what & 0x10u) != 0) n = (size_t)take() << 8 | take();
    if ((what & 0x20u) != 0) m[8] = take() & 7u; /* chaining */
    for (size_t i = 0; i < n && i < sizeof m - 10; i++) m[10 + i] = i < 24 ? take() : (uint8_t)i;
    break;
  case 0x69: {
    static const uint8_t k_verify[] = {0, 5, 0x82, 0, 0, 4, 4, 2, 1, 9, 4, 0, 0, 0, 0, 0, 0x20, 0, 0x80};
    static const uint8_t k_modify[] = {1, 5, 0x82, 0, 0, 0, 0, 6, 4, 1, 2, 1, 9, 4, 0, 0, 0, 0, 0, 0, 0x24, 1, 0x80};
    n = (what & 0x10u) != 0 ? sizeof k_modify : sizeof k_verify;
    memcpy(m + 10, (what & 0x10u) != 0 ? k_modify : k_verify, n);
    if ((what & 0x20u) != 0) m[10 + take() % n] = take();
    break;
  }
  case 0x61: n = m[7] == 0 ? 5 : 7; break;
  case 0x73: n = 8; take_bytes(m + 10, 8); break;
  default: n = (what & 0x10u) != 0 ? take() : 0; break;
  }
  if (n > 66000) n = 66000;
  if ((what & 8u) == 0 || (m[1] | m[2] | m[3] | m[4]) == 0) m[1] = (uint8_t)n, m[2] = (uint8_t)(n >> 8), m[3] = (uint8_t)(n >> 16);
  const size_t says = m[1] | (size_t)m[2] << 8 | (size_t)m[3] << 16 | (size_t)m[4] << 24;
  if (says != n) s_doubt = true;
  if (m[0] == 0x72) s_doubt = true; /* waits for its control request, which may never come */
  note(m[0], m[5], m[6], says == n);
  const bool zero = (what & 0x40u) == 0 || n % 64 != 54;
  /* Longer, and dwLength ends with a packet: the rest is the next message. Shorter, and no short packet ends it: the next message is the rest. */
  if ((says < n && says % 64 == 54) || (says > n && !zero)) s_spilled = true;
  host_bulk_out(HAL_FACE_CCID, m, 10 + n, zero);
}

/* The clean state from which any host can go on: reset, then a status that is answered. */
static void recovers(void) {
  host_bus_reset();
  g_host.suspended = false;
  g_host.configured = true;
  g_host.abort = false;
  g_host.unread[0] = g_host.unread[1] = 0;
  g_host.keys = 0;
  s_waiting_count = 0;
  for (unsigned i = 0; i < 8; i++) app_step();
  listen();
  s_doubt = false;
  s_waiting_count = 0;
  static const uint8_t k_status[10] = {0x65, 0, 0, 0, 0, 0, 0x77};
  note(0x65, 0, 0x77, true);
  host_bulk_out(HAL_FACE_CCID, k_status, 10, false);
  for (unsigned i = 0; i < 64 && s_waiting[0].due != 0; i++) {
    app_step();
    listen();
  }
  PROMISE(s_waiting[0].due == 0);
  PROMISE(g_card.voltage_class == 0 && g_host.voltage_class == 0); /* nobody inherits a powered card */
}

static void no_secret_left(void) {
  static const secret_t k_zero;
  PROMISE(memcmp(&g_secret, &k_zero, sizeof k_zero) == 0 && !g_host.lamp);
}

static void door(void) {
  static bool s_started;
  if (!s_started) {
    host_reset();
    app_start();
    s_started = true;
  }
  /* The board goes on where the last input left it, after a bus reset without a card: as in life. */
  const uint64_t from = g_host.now;
  const unsigned how = take();
  take_bytes(s_luck, sizeof s_luck);
  s_asked = 0;
  s_sequence = 0;
  s_next = 0;
  g_host.turn = turn;
  g_host.present = (how & 1u) == 0;
  s_inside = true;
  for (unsigned i = 0; i < 8; i++) app_step();
  if (g_host.present) {
    g_host.now += 60000;
    for (unsigned i = 0; i < 4; i++) app_step();
  }
  s_inside = false;
  s_waiting_count = 0;
  s_doubt = s_spilled = false;
  if ((how & 2u) != 0) { /* most doors are behind a powered card */
    static const uint8_t k_on[10] = {0x62, 0, 0, 0, 0, 0, 0xff};
    note(0x62, 0, 0xff, true);
    host_bulk_out(HAL_FACE_CCID, k_on, 10, false);
  }
  for (unsigned i = 0; i < 300 && s_left > 0 && g_host.now - from < ALL_US; i++) {
    const unsigned what = take();
    switch (what & 15u) {
    case 0: { /* packets of anything */
      uint8_t raw[64];
      const size_t n = take() & 63u;
      take_bytes(raw, n);
      s_doubt = s_spilled = true;
      if (room()) host_bulk_out(HAL_FACE_CCID, raw, n, false);
      break;
    }
    case 1: /* the control half of an abort */
      g_host.abort = true;
      g_host.abort_slot = 0;
      g_host.abort_sequence = (uint8_t)(s_sequence - (what >> 4));
      s_doubt = true;
      break;
    case 2: g_host.now += (uint64_t)(what >> 4) * 400000u; break;
    case 3: /* the person and the slot */
      if ((what & 0x10u) != 0 && g_host.present) host_pull_card();
      else g_host.present = true;
      break;
    case 4: /* the bus */
      if ((what & 0x30u) == 0) host_bus_reset();
      if ((what & 0x30u) == 0x10u) {
        g_host.suspended = !g_host.suspended;
        g_host.epoch++;
        g_host.from_device[HAL_FACE_CCID].out = g_host.from_device[HAL_FACE_CCID].in; /* a host that sleeps takes its transfers back */
      }
      if ((what & 0x30u) == 0x20u) g_host.unread[0] = what >> 6;
      s_doubt = true;
      break;
    case 5: { /* bytes of the link, on either port */
      uint8_t raw[64];
      const size_t n = take() & 63u;
      take_bytes(raw, n);
      if ((what & 0x10u) != 0 && room()) host_bulk_out(HAL_FACE_CDC, raw, n, false);
      if ((what & 0x10u) == 0) {
        memcpy(g_host.uart_in, raw, g_host.uart_in_length = n);
        g_host.uart_in_at = 0;
      }
      break;
    }
    case 6: g_host.dtr = !g_host.dtr; break;
    default: send_message(what); break;
    }
    for (unsigned k = 0; k < 1u + (what >> 6); k++) app_step();
    listen();
    no_secret_left();
  }
  /* Who asked by the rules has his answer, once the reader has had the time. */
  if (!s_doubt) {
    g_host.unread[0] = 0;
    for (unsigned i = 0; i < 3000; i++) {
      const host_pipe_t *p = &g_host.to_device[0];
      if (p->in == p->out && i > 20) break;
      app_step();
      listen();
    }
    for (unsigned i = 0; i < s_waiting_count && !s_doubt; i++) PROMISE(s_waiting[i].due == 0);
  }
  s_inside = true;
  recovers();
  no_secret_left();
  g_host.present = true;
  host_pull_card();
  for (unsigned i = 0; i < 4; i++) app_step();
  g_host.overcurrent = false;
}
