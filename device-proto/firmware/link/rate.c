/* rate.c - the rate of a line that has one (UART0). See docs/reference/link.md, "Rate".
 *
 *   host  rate(baud) ────────▶                       DEFAULT or a rate agreed before
 *                    ◀──────── rate-ack(baud)        LEAVING: nothing else is sent until this one has left
 *   ping  ═══ at the new rate ═══▶                   TRIAL, 300 ms: a good frame of this session keeps the rate, silence takes it back */
#include "hal/hal.h"
#include "link/link.h"
#include "link/state.h"

#define TRIAL_US ((uint64_t)LINK_LIMIT_RATE_TRIAL_MS * MS)

static enum { STEADY, LEAVING, TRIAL } s_phase;
static bool s_has_rate;
static uint32_t s_rate = LINK_LIMIT_DEFAULT_BAUD; /* agreed */
static uint32_t s_next, s_said;
static uint64_t s_until;
static uint32_t s_marks; /* damaged characters since the last good frame */

void link_line(bool has_rate) { s_has_rate = has_rate; }

/* A session is over, and with it the rate it agreed on: the next host begins as after power-up. */
void link_rate_clear(void) {
  s_phase = STEADY;
  s_rate = LINK_LIMIT_DEFAULT_BAUD;
  s_marks = 0;
}

void link_on_rate(const frame_t *frame) {
  if (frame->length < sizeof(wire_link_rate_t) || s_phase != STEADY) return;
  uint32_t baud = 0;
  for (size_t i = 0; i < 4; i++) baud |= (uint32_t)frame->payload[i] << 8 * i;
  const bool can = s_has_rate && baud >= LINK_LIMIT_LEAST_BAUD && baud <= LINK_LIMIT_MOST_BAUD;
  s_said = can ? baud : 0;
  g_link.rate_ack = true;
}

bool link_rate_answer(uint8_t payload[sizeof(wire_link_rate_t)]) {
  if (!g_link.rate_ack) return false;
  g_link.rate_ack = false;
  for (size_t i = 0; i < 4; i++) payload[i] = (uint8_t)(s_said >> 8 * i);
  if (s_said != 0) {
    s_next = s_said;
    s_phase = LEAVING;
  }
  return true;
}

bool link_rate_holds(void) { return s_phase == LEAVING; }

uint32_t link_rate(void) {
  if (s_phase == LEAVING && !link_wire_empty()) return s_rate;
  return s_phase == STEADY ? s_rate : s_next;
}

void link_rate_is_set(void) {
  link_forget_frame();
  if (s_phase != LEAVING) return;
  s_phase = TRIAL;
  s_until = hal_now_us() + TRIAL_US;
}

void link_rate_heard(void) {
  if (s_phase != TRIAL) return;
  s_phase = STEADY;
  s_rate = s_next;
}

void link_rate_good(void) { s_marks = 0; }

/* A host that does not know of the rate, because it has just begun: what it says is damage here. The session stays; it is the new host's hello that ends it. */
void link_rate_lost(uint32_t characters) {
  s_marks += characters;
  if (s_phase != STEADY || s_marks < LINK_LIMIT_RATE_MARKS) return;
  s_rate = LINK_LIMIT_DEFAULT_BAUD;
  s_marks = 0;
}

uint64_t link_rate_step(uint64_t now) {
  if (s_phase != TRIAL) return UINT64_MAX;
  if (now < s_until) return s_until;
  s_phase = STEADY; /* at s_rate again */
  return UINT64_MAX;
}
