/* time.c - the microsecond clock, and sleeping without a race. */
#include "chip.h"
#include "hal/hal.h"

static volatile bool s_event;

void event_raise(void) { s_event = true; }

void time_start(void) {
  unreset(RESET_TIMER);
  TIMER_INTE = BIT(0);
  irq_enable(IRQ_TIMER_0, PRIORITY_REST);
}

void irq_timer_0(void) {
  TIMER_INTR = BIT(0);
  event_raise();
}

uint64_t hal_now_us(void) {
  uint32_t high = TIMER_TIMERAWH;
  for (;;) { /* the raw registers are not latched against each other: read until high stood still */
    const uint32_t low = TIMER_TIMERAWL, again = TIMER_TIMERAWH;
    if (again == high) return (uint64_t)high << 32 | low;
    high = again;
  }
}

void delay_us(uint32_t us) {
  const uint32_t start = TIMER_TIMERAWL;
  while (TIMER_TIMERAWL - start < us + 1u) {
  }
}

/* Sleeps until an interrupt, or until `until_us`. With PRIMASK set an interrupt that comes after the look at s_event stays pending, and WFI falls
 * through on a pending interrupt (ARMv6-M B1.5.18): nothing can slip in between. */
void hal_idle(uint64_t until_us) {
  irq_off();
  const uint64_t now = hal_now_us();
  if (!s_event && now < until_us) {
    const uint64_t wait = until_us - now;
    /* The alarm compares 32 bits; a quarter of its range is as far as it may lie ahead. Waking early is allowed. */
    const uint32_t target = (uint32_t)now + (uint32_t)(wait < 0x40000000u ? wait : 0x40000000u);
#ifndef NEGATIVE_WFI_FOREVER
    TIMER_ALARM0 = target;
#endif
#ifdef NEGATIVE_WFI_RACE
    irq_on();
#endif
    /* A target that went by while it was written would fire in 71 minutes. */
    if ((int32_t)(TIMER_TIMERAWL - target) < 0) __asm volatile("dsb\n wfi" ::: "memory");
    TIMER_ARMED = BIT(0);
  }
  irq_on();
  __asm volatile("isb" ::: "memory"); /* what is pending is taken here … */
  s_event = false;                    /* … and looked at in the turn of the loop that follows, like everything that came before this line */
}
