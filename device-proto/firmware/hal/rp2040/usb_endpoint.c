/* usb_endpoint.c - bulk and interrupt endpoints: buffers, toggles, halts. */
#include "gen/wire_gen.h"
#include "hal/hal.h"
#include "usb.h"

#define INDEX(address) (2u * ((address) & 15u) + (((address) & 0x80u) != 0 ? 0u : 1u))
#define ROW(address, kind, slot) {.index = INDEX(address), .type = (kind), .buffer = DATA_BUFFERS + PACKET * (slot)}

endpoint_t g_endpoint[EP_TABLE_COUNT] = {
    [EP_CCID_OUT] = ROW(WIRE_EP_CCID_OUT, EP_BULK, 0),       [EP_CCID_IN] = ROW(WIRE_EP_CCID_IN, EP_BULK, 1),
    [EP_CCID_NOTIFY] = ROW(WIRE_EP_CCID_INTERRUPT, EP_INTERRUPT, 2), [EP_CDC_OUT] = ROW(WIRE_EP_CDC_OUT, EP_BULK, 3),
    [EP_CDC_IN] = ROW(WIRE_EP_CDC_IN, EP_BULK, 4),           [EP_CDC_NOTIFY] = ROW(WIRE_EP_CDC_NOTIFY, EP_INTERRUPT, 5),
};

/* RP2040-E15: the controller can hang when a bulk-IN transaction meets a bus error near the end of a frame. The work-around is to hand buffers over only in
 * the first part of a frame. Its phase is known from the last SOF and stays known for a while: host and device clocks differ by less than 600 ppm. */
#define FRAME_US 1000u
#define FRAME_SAFE_US 790u
#define FRAME_KNOWN_US 20000u
static uint32_t s_frame_at;
static bool s_frame_seen;

void dpram_write(uint32_t offset, const uint8_t *data, size_t length) {
  volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)(USB_DPRAM + offset);
  for (size_t i = 0; i < length; i++) to[i] = data[i];
}

void dpram_read(uint32_t offset, uint8_t *data, size_t length) {
  const volatile uint8_t *from = (const volatile uint8_t *)(uintptr_t)(USB_DPRAM + offset);
  for (size_t i = 0; i < length; i++) data[i] = from[i];
}

/* The controller runs on clk_usb and sees this word bit by bit: AVAILABLE may follow the rest only after two of its cycles, 12 of ours are safe
 * (4.1.2.5.1). */
void buffer_arm(uint32_t index, uint32_t control) {
#ifdef NEGATIVE_NO_FULL_BIT
  control &= ~BUFFER_FULL;
#endif
#ifndef NEGATIVE_AVAILABLE_AT_ONCE
  EP_BUFFER_CONTROL(index) = control;
  __asm volatile("b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1: b 1f\n1:" ::: "memory"); /* two cycles each */
#endif
  EP_BUFFER_CONTROL(index) = control | BUFFER_AVAILABLE;
}

/* Takes a buffer back from the controller. RP2040-E2: before revision B2 an abort never ends; there the word is simply rewritten, which is safe
 * while the host, busy with the control transfer or the reset that brought us here, sends no token to this endpoint. */
void buffer_take_back(uint32_t index) {
  const bool abort = g_usb_revision_b2 && (EP_BUFFER_CONTROL(index) & BUFFER_AVAILABLE) != 0;
  if (abort) {
    SET(USB_EP_ABORT) = BIT(index);
    const uint32_t start = TIMER_TIMERAWL; /* a packet on the wire ends within 60 us */
    while ((USB_EP_ABORT_DONE & BIT(index)) == 0 && TIMER_TIMERAWL - start < 100u) {
    }
  }
  EP_BUFFER_CONTROL(index) &= BUFFER_LENGTH; /* an OUT packet that came in the last moment keeps its length */
  if (abort) {
    CLR(USB_EP_ABORT_DONE) = BIT(index);
    CLR(USB_EP_ABORT) = BIT(index);
  }
}

static void arm(endpoint_t *e) {
  const uint32_t in = endpoint_is_out(e) ? PACKET : BUFFER_FULL | e->length;
  e->armed = true;
  e->waiting = false;
  buffer_arm(e->index, in | BUFFER_LAST | (e->toggle != 0 ? BUFFER_DATA1 : 0u));
}

static bool frame_is_young(void) {
  if (!s_frame_seen) return false;
  const uint32_t age = TIMER_TIMERAWL - s_frame_at;
  return age < FRAME_KNOWN_US && age % FRAME_US < FRAME_SAFE_US;
}

static void arm_in_time(endpoint_t *e) {
  if (e->type != EP_BULK || frame_is_young()) {
    arm(e);
  } else {
    e->waiting = true;
    (void)USB_SOF_RD; /* a frame that began earlier says nothing about this one */
    SET(USB_INTE) = USB_INT_SOF;
  }
}

/* From the interrupt, which is asked for only while something waits: the chip need not wake every millisecond. */
void endpoint_frame_started(void) {
  s_frame_at = TIMER_TIMERAWL;
  s_frame_seen = true;
  CLR(USB_INTE) = USB_INT_SOF;
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    if (g_endpoint[i].waiting && !g_endpoint[i].halted) arm(&g_endpoint[i]);
  }
}

void endpoints_close(void) {
  CLR(USB_INTE) = USB_INT_SOF;
  s_frame_seen = false;
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    buffer_take_back(e->index);
    EP_CONTROL(e->index) = 0;
    e->toggle = 0;
    e->armed = e->waiting = e->received = e->halted = false;
  }
}

void endpoints_open(void) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    EP_CONTROL(e->index) = EP_ENABLE | EP_INTERRUPT_EACH | EP_TYPE(e->type) | e->buffer;
    if (endpoint_is_out(e)) arm(e);
  }
}

endpoint_t *endpoint_of(uint8_t address) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    if ((address & 0x70u) == 0 && g_endpoint[i].index == INDEX(address)) return &g_endpoint[i];
  }
  return NULL;
}

void endpoint_done(uint32_t index) {
  for (size_t i = 0; i < EP_TABLE_COUNT; i++) {
    endpoint_t *e = &g_endpoint[i];
    if (e->index != index || !e->armed) continue; /* not armed: closed meanwhile */
    e->armed = false;
#ifndef NEGATIVE_WRONG_TOGGLE
    e->toggle ^= 1u;
#endif
    e->received = endpoint_is_out(e);
  }
}

static void take_back(endpoint_t *e) {
  if (!e->armed || e->halted) return;
  buffer_take_back(e->index);
  if ((USB_BUFF_STATUS & BIT(e->index)) != 0) { /* it was done in the last moment */
    CLR(USB_BUFF_STATUS) = BIT(e->index);
    endpoint_done(e->index);
  }
}

void endpoint_halt(endpoint_t *e) {
  take_back(e);
  e->halted = true;
  EP_BUFFER_CONTROL(e->index) = BUFFER_STALL | (EP_BUFFER_CONTROL(e->index) & BUFFER_LENGTH); /* a packet not yet taken keeps its length */
}

/* A packet that was on offer is offered again, as DATA0. */
void endpoint_clear(endpoint_t *e) {
  take_back(e);
  e->halted = false;
  e->toggle = 0;
  EP_BUFFER_CONTROL(e->index) &= BUFFER_LENGTH;
  if (endpoint_is_out(e)) {
    if (!e->received) arm(e);
  } else if (e->armed || e->waiting) {
    arm_in_time(e);
  }
}

/* ---- hal.h ---------------------------------------------------------------------------------------------------- */

static bool in_ready(const endpoint_t *e) { return hal_usb_configured() && !e->armed && !e->waiting && !e->halted; }

static void in(endpoint_t *e, const uint8_t *data, size_t length) {
  const uint32_t primask = irq_save();
  if (in_ready(e)) {
    e->length = (uint8_t)(length < PACKET ? length : PACKET);
    dpram_write(e->buffer, data, e->length);
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
  *got = e->received && g_usb_configuration != 0;
  if (*got) {
    length = EP_BUFFER_CONTROL(e->index) & BUFFER_LENGTH;
    if (length > PACKET) length = PACKET;
    dpram_read(e->buffer, packet, length);
    e->received = false;
    if (!e->halted) arm(e);
  }
  irq_restore(primask);
  return length;
}
