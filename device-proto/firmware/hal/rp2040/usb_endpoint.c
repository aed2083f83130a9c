/* usb_endpoint.c - bulk and interrupt endpoints: buffers, toggles, halts. */
#include "gen/wire_gen.h"
#include "hal/hal.h"
#include "usb.h"

#define INDEX(address) (2u * ((address) & 15u) + (((address) & 0x80u) != 0 ? 0u : 1u))
#define ROW(address, kind, slot) \
  {.index = INDEX(address), .type = (kind), .halves = (kind) == EP_BULK ? 2 : 1, .buffer = DATA_BUFFERS + PACKET * (slot)}

/* Bulk endpoints are double-buffered (4.1.2.5.6): one half is on the wire while the loop copies the other. */
endpoint_t g_endpoint[EP_TABLE_COUNT] = {
    [EP_CCID_OUT] = ROW(WIRE_EP_CCID_OUT, EP_BULK, 0),       [EP_CCID_IN] = ROW(WIRE_EP_CCID_IN, EP_BULK, 2),
    [EP_CCID_NOTIFY] = ROW(WIRE_EP_CCID_INTERRUPT, EP_INTERRUPT, 4), [EP_CDC_OUT] = ROW(WIRE_EP_CDC_OUT, EP_BULK, 5),
    [EP_CDC_IN] = ROW(WIRE_EP_CDC_IN, EP_BULK, 7),           [EP_CDC_NOTIFY] = ROW(WIRE_EP_CDC_NOTIFY, EP_INTERRUPT, 9),
};

/* RP2040-E15: the controller can hang when a bulk-IN transaction meets a bus error near the end of a frame. The work-around is to hand buffers over only in
 * the first part of a frame. Its phase is known from the last SOF and stays known for a while: host and device clocks differ by less than 600 ppm. */
#define FRAME_US 1000u
#define FRAME_SAFE_US 790u
#define FRAME_KNOWN_US 20000u
#define PACKET_US 53u /* of bus time: what is armed behind another packet goes out so much later */
static uint32_t s_frame_at;
static bool s_frame_seen;

static bool aligned(const void *data) { return ((uintptr_t)data & 3u) == 0; }

void dpram_write(uint32_t offset, const uint8_t *data, size_t length) {
  volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)(USB_DPRAM + offset);
  size_t i = 0;
  if (aligned(data)) {
    for (; i + 4 <= length; i += 4) REG(USB_DPRAM + offset + i) = *(const uint32_t *)(const void *)(data + i);
  }
  for (; i < length; i++) to[i] = data[i];
}

void dpram_read(uint32_t offset, uint8_t *data, size_t length) {
  const volatile uint8_t *from = (const volatile uint8_t *)(uintptr_t)(USB_DPRAM + offset);
  size_t i = 0;
  if (aligned(data)) {
    for (; i + 4 <= length; i += 4) *(uint32_t *)(void *)(data + i) = REG(USB_DPRAM + offset + i);
  }
  for (; i < length; i++) data[i] = from[i];
}

/* The controller runs on clk_usb and sees this word bit by bit: AVAILABLE may follow the rest only after two of its cycles, 12 of ours are safe
 * (4.1.2.5.1). */
void buffer_arm(uint32_t index, uint32_t half, uint32_t control) {
#ifdef NEGATIVE_NO_FULL_BIT
  control &= ~BUFFER_FULL;
#endif
#ifndef NEGATIVE_AVAILABLE_AT_ONCE
  EP_HALF_CONTROL(index, half) = (uint16_t)control;
  __asm volatile("b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1:" ::: "memory"); /* two cycles each */
#endif
  EP_HALF_CONTROL(index, half) = (uint16_t)(control | BUFFER_AVAILABLE);
}

/* Takes an endpoint's buffers back from the controller: after stop() it touches them no more. RP2040-E2: before revision B2 an abort never ends; there
 * the word is simply rewritten, which is safe while the host, busy with the control transfer or the reset that brought us here, sends no token to this
 * endpoint. */
static bool stop(uint32_t index) {
  const bool abort = g_usb_revision_b2 && (EP_BUFFER_CONTROL(index) & (BUFFER_AVAILABLE | BUFFER_AVAILABLE << 16)) != 0;
  if (!abort) return false;
  SET(USB_EP_ABORT) = BIT(index);
  const uint32_t start = TIMER_TIMERAWL; /* a packet on the wire ends within 60 us */
  while ((USB_EP_ABORT_DONE & BIT(index)) == 0 && TIMER_TIMERAWL - start < 100u) {
  }
  return true;
}

static void release(uint32_t index, bool aborted) {
  EP_BUFFER_CONTROL(index) &= BUFFER_LENGTH | BUFFER_LENGTH << 16; /* an OUT packet that came in the last moment keeps its length */
  if (!aborted) return;
  CLR(USB_EP_ABORT_DONE) = BIT(index);
  CLR(USB_EP_ABORT) = BIT(index);
}

void buffer_take_back(uint32_t index) { release(index, stop(index)); }

/* The half that comes `n` behind the oldest one in use. */
static uint8_t half_of(const endpoint_t *e, uint32_t n) { return (uint8_t)((e->first + n) % e->halves); }

/* Gives the next half to the controller: for IN the first that is held back, for OUT the first that is free. */
static void arm(endpoint_t *e) {
  const bool out = endpoint_is_out(e);
  const uint8_t half = half_of(e, out ? (uint32_t)e->waiting + e->armed : e->armed);
  uint32_t control = BUFFER_LAST | (out ? PACKET : BUFFER_FULL | e->length[half]) | (e->toggle != 0 ? BUFFER_DATA1 : 0u);
#ifndef NEGATIVE_BUFFER_SELECT_KEPT
  if (half == 0 && e->halves == 2 && !e->selected) control |= BUFFER_RESET_SELECT; /* it may stand where the last host left it */
#endif
#ifndef NEGATIVE_WRONG_TOGGLE
  e->toggle ^= 1u;
#endif
  e->armed++;
  if (!out) e->waiting--;
  buffer_arm(e->index, half, control);
}

/* A packet armed now can be on the wire, behind those armed before it, in the safe part of the frame. */
static bool frame_is_young(const endpoint_t *e) {
  if (!s_frame_seen) return false;
  const uint32_t age = TIMER_TIMERAWL - s_frame_at;
  return age < FRAME_KNOWN_US && age % FRAME_US + PACKET_US * e->armed < FRAME_SAFE_US;
}

static void arm_in_time(endpoint_t *e) {
  while (e->waiting != 0 && !e->halted) {
    if (e->type == EP_BULK && !frame_is_young(e)) {
      if (e->armed != 0) return; /* its end looks again */
      (void)USB_SOF_RD;          /* a frame that began earlier says nothing about this one */
      SET(USB_INTE) = USB_INT_SOF;
      return;
    }
    arm(e);
  }
}

static void arm_all(endpoint_t *e) {
  while (!e->halted && e->waiting + e->armed < e->halves) arm(e);
}

/* From the interrupt, which is asked for only while something waits: the chip need not wake every millisecond. */
void endpoint_frame_started(void) {
  s_frame_at = TIMER_TIMERAWL;
  s_frame_seen = true;
  CLR(USB_INTE) = USB_INT_SOF;
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    if (!endpoint_is_out(&g_endpoint[i])) arm_in_time(&g_endpoint[i]);
  }
}

/* What a host sent may hold a secret that was typed there: it is not left in the controller's memory. */
static void out_buffer_wipe(const endpoint_t *e, uint8_t half) {
#ifdef NEGATIVE_OUT_BUFFER_STAYS
  (void)e, (void)half;
#else
  for (uint32_t at = 0; at < PACKET; at += 4) REG(USB_DPRAM + e->buffer + PACKET * half + at) = 0;
#endif
}

void endpoints_close(void) {
  CLR(USB_INTE) = USB_INT_SOF;
  s_frame_seen = false;
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    buffer_take_back(e->index);
    EP_CONTROL(e->index) = 0;
    e->first = e->armed = e->waiting = e->toggle = 0;
    e->selected = e->halted = false;
    /* A packet that nobody took any more. */
    for (uint8_t half = 0; half < e->halves && endpoint_is_out(e); half++) out_buffer_wipe(e, half);
  }
}

void endpoints_open(void) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    EP_CONTROL(e->index) = EP_ENABLE | (e->halves == 2 ? EP_DOUBLE_BUFFERED : 0u) | EP_INTERRUPT_EACH | EP_TYPE(e->type) | e->buffer;
    if (endpoint_is_out(e)) arm_all(e);
  }
}

endpoint_t *endpoint_of(uint8_t address) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    if ((address & 0x70u) == 0 && g_endpoint[i].index == INDEX(address)) return &g_endpoint[i];
  }
  return NULL;
}

/* The oldest armed half of the endpoint has gone. */
static void packet_done(endpoint_t *e) {
  e->selected = true;
  e->armed--;
  if (endpoint_is_out(e)) {
    e->waiting++;
  } else {
    e->first = half_of(e, 1);
  }
}

/* Both halves may be done by now. The datasheet lets BUFF_STATUS rise again for the second (4.1.4), but not how often: AVAILABLE, which the
 * controller takes away with each packet, says which are. A rise that finds nothing is harmless. */
static void packets_done(endpoint_t *e) {
  while (e->armed != 0 && (EP_HALF_CONTROL(e->index, half_of(e, endpoint_is_out(e) ? e->waiting : 0)) & BUFFER_AVAILABLE) == 0) packet_done(e);
}

void endpoint_done(uint32_t index) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    if (e->index != index) continue;
    packets_done(e);
    if (!endpoint_is_out(e)) arm_in_time(e);
  }
}

/* What went in the last moment counts as gone; what did not is ours again: IN packets are held, in their order. */
static void take_back(endpoint_t *e) {
  if (e->armed == 0) return;
  const bool aborted = stop(e->index);
  packets_done(e);
  release(e->index, aborted);
  if (!endpoint_is_out(e)) e->waiting = (uint8_t)(e->waiting + e->armed);
  e->armed = 0;
}

void endpoint_halt(endpoint_t *e) {
  take_back(e);
  e->halted = true;
  EP_HALF_CONTROL(e->index, 0) = (uint16_t)(BUFFER_STALL | (EP_HALF_CONTROL(e->index, 0) & BUFFER_LENGTH)); /* a packet not yet taken keeps its length */
}

/* Packets that were on offer are offered again, from DATA0 on. */
void endpoint_clear(endpoint_t *e) {
  take_back(e);
  e->halted = false;
  e->toggle = 0;
  EP_HALF_CONTROL(e->index, 0) &= BUFFER_LENGTH;
  if (endpoint_is_out(e)) {
    arm_all(e);
  } else {
    arm_in_time(e);
  }
}

/* ---- hal.h ---------------------------------------------------------------------------------------------------- */

static bool in_ready(const endpoint_t *e) { return hal_usb_configured() && e->armed + e->waiting < e->halves && !e->halted; }

static void in(endpoint_t *e, const uint8_t *data, size_t length) {
  const uint32_t primask = irq_save();
  if (in_ready(e)) {
    const uint8_t half = half_of(e, (uint32_t)e->armed + e->waiting);
    e->length[half] = (uint8_t)(length < PACKET ? length : PACKET);
    dpram_write(e->buffer + PACKET * half, data, e->length[half]);
    e->waiting++;
    arm_in_time(e);
  }
  irq_restore(primask);
}

bool hal_bulk_in_ready(uint8_t face) { return in_ready(&g_endpoint[face == HAL_FACE_CCID ? EP_CCID_IN : EP_CDC_IN]); }
void hal_bulk_in(uint8_t face, const uint8_t *data, size_t length) { in(&g_endpoint[face == HAL_FACE_CCID ? EP_CCID_IN : EP_CDC_IN], data, length); }
bool hal_interrupt_in_ready(void) { return in_ready(&g_endpoint[EP_CCID_NOTIFY]); }
void hal_interrupt_in(const uint8_t *data, size_t length) { in(&g_endpoint[EP_CCID_NOTIFY], data, length); }

size_t hal_bulk_out(uint8_t face, uint8_t packet[64], bool *got) {
  endpoint_t *e = &g_endpoint[face == HAL_FACE_CCID ? EP_CCID_OUT : EP_CDC_OUT];
  size_t length = 0;
  const uint32_t primask = irq_save();
  *got = e->waiting != 0 && g_usb_configuration != 0;
  if (*got) {
    const uint8_t half = e->first;
    length = EP_HALF_CONTROL(e->index, half) & BUFFER_LENGTH;
    if (length > PACKET) length = PACKET;
    e->first = half_of(e, 1);
    e->waiting--;
#ifdef NEGATIVE_ARMED_BEFORE_COPY
    arm_all(e);
#endif
    dpram_read(e->buffer + PACKET * half, packet, length);
    out_buffer_wipe(e, half);
    arm_all(e);
  }
  irq_restore(primask);
  return length;
}
