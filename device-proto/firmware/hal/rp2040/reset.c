/* reset.c - watchdog, resets, what survives them, identity of this boot. */
#include "chip.h"
#include "hal/hal.h"
#include "pinpad/pinpad.h"

#define NOINIT_MAGIC 0x4e6f496eu
#define WATCHDOG_US 4000000u

extern uint32_t __bss_start[], __bss_end[], __message_start[], __message_end[], __stack_bottom[], __stack_top[];

/* Kept over resets, lost with power. Holds no secret: program counters and counts only. */
static struct {
  uint32_t magic, check;
  uint32_t boot_count;
  uint32_t fault_pc, fault_lr, fault_cause; /* of the last fault; 0 = none */
} s_kept __attribute__((section(".noinit")));

static uint8_t s_reason;
static hal_fault_t s_fault;

static uint32_t kept_check(void) { return s_kept.magic ^ s_kept.boot_count * 0x9e3779b1u; }

void reset_start(void) {
  if (s_kept.magic == NOINIT_MAGIC && s_kept.check == kept_check()) {
    s_kept.boot_count++;
    const uint32_t reason = WATCHDOG_REASON;
    s_reason = s_kept.fault_cause != 0                  ? HAL_BOOT_FAULT
               : (reason & WATCHDOG_REASON_FORCE) != 0 ? HAL_BOOT_REQUEST
               : (reason & WATCHDOG_REASON_TIMER) != 0 ? HAL_BOOT_WATCHDOG
                                                       : HAL_BOOT_RUN_PIN;
    s_fault = (hal_fault_t){s_kept.fault_cause, s_kept.fault_pc, s_kept.fault_lr};
  } else {
    s_reason = HAL_BOOT_POWER;
    s_kept.magic = NOINIT_MAGIC;
    s_kept.boot_count = 1;
  }
  s_kept.fault_pc = s_kept.fault_lr = s_kept.fault_cause = 0; /* told once */
  s_kept.check = kept_check();
  /* The watchdog resets everything but the oscillators (4.7.4). RP2040-E1: it counts twice per tick. */
  PSM_WDSEL = 0x0001fffcu;
  WATCHDOG_LOAD = WATCHDOG_US * 2u;
  WATCHDOG_CTRL = WATCHDOG_CTRL_PAUSE | WATCHDOG_CTRL_ENABLE;
}

void hal_watchdog(void) {
#ifndef NEGATIVE_WATCHDOG_NOT_FED
  WATCHDOG_LOAD = WATCHDOG_US * 2u;
#endif
}

uint8_t hal_boot_reason(hal_fault_t *fault) {
  *fault = s_fault;
  return s_reason;
}

uint32_t hal_boot_count(void) { return s_kept.boot_count; }

/* SRAM and the line's FIFO keep their contents over a reset, and BOOTSEL held down then comes before our loader: so nothing but the image and the
 * no-init block outlives this. Inlined, for it overwrites the stack below its caller, and what lies above belongs to nobody any more. */
__attribute__((always_inline)) static inline void wipe_all(void) {
#ifndef NEGATIVE_NO_FAULT_WIPE
  pinpad_wipe();
  hal_line_wipe();
  uint32_t *sp;
  __asm volatile("mov %0, sp" : "=r"(sp));
  for (volatile uint32_t *p = __bss_start; p < __bss_end; p++) *p = 0;
  for (volatile uint32_t *p = __message_start; p < __message_end; p++) *p = 0;
  for (volatile uint32_t *p = __stack_bottom; p < sp; p++) *p = 0;
#endif
}

_Noreturn void hal_reset(void) {
  irq_off();
  hal_card_emergency_off();
  wipe_all();
  for (;;) SET(WATCHDOG_CTRL) = WATCHDOG_CTRL_TRIGGER;
}

/* `frame`: r0 r1 r2 r3 r12 lr pc xpsr, if the stack was still one. The record has addresses only, never stack contents. */
__attribute__((used)) _Noreturn void fault_end(const uint32_t *frame) {
  uint32_t cause;
  __asm volatile("mrs %0, ipsr" : "=r"(cause));
  if ((uintptr_t)frame >= 0x20040000u && (uintptr_t)frame <= RAM_STACK_TOP - 32u && ((uintptr_t)frame & 3u) == 0) {
    s_kept.fault_pc = frame[6];
    s_kept.fault_lr = frame[5];
  }
  s_kept.fault_cause = cause;
  /* The stack begins anew at its top: what was there, the frame included, is overwritten with the rest. */
  hal_reset();
}
