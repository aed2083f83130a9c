/* buzzer.c - a square wave from PWM slice 2 A, counting microseconds. */
#include "chip.h"
#include "hal/hal.h"

#define SLICE 2u
static uint64_t s_until;

void buzzer_start(void) {
#ifndef NEGATIVE_USED_IN_RESET
  unreset(RESET_PWM);
#endif
  PWM_CSR(SLICE) = 0;
  PWM_DIV(SLICE) = (CLK_SYS_HZ / 1000000u) << 4;
}

static void quiet(void) {
  GPIO_CTRL(PIN_BUZZER) = FUNC_SIO; /* low, whatever level the slice stopped at */
  PWM_CSR(SLICE) = 0;
  s_until = 0;
}

void hal_beep(uint16_t hertz, uint16_t ms) {
  if (hertz < 20 || ms == 0) {
    quiet();
    return;
  }
  const uint32_t period = 1000000u / hertz;
  PWM_TOP(SLICE) = period - 1u;
  PWM_CC(SLICE) = period / 2u;
  PWM_CTR(SLICE) = 0;
  PWM_CSR(SLICE) = 1;
  GPIO_CTRL(PIN_BUZZER) = FUNC_PWM;
  s_until = hal_now_us() + ms * 1000u;
}

uint64_t buzzer_poll(uint64_t now) {
  if (s_until == 0) return UINT64_MAX;
  if (now < s_until) return s_until;
  quiet();
  return UINT64_MAX;
}
