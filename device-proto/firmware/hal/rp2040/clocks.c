/* clocks.c - XOSC 12 MHz → PLL_SYS 125 MHz → clk_sys, clk_peri; PLL_USB 48 MHz → clk_usb; clk_ref = XOSC; 1 us tick. In the loader and in the
 * application: each sets what it needs, whatever ran before. */
#include "chip.h"

void unreset(uint32_t blocks) {
  CLR(RESETS_RESET) = blocks;
#ifndef NEGATIVE_USED_IN_RESET
  while ((RESETS_RESET_DONE & blocks) != blocks) {
  }
#endif
}

static void reset(uint32_t blocks) { SET(RESETS_RESET) = blocks; }

/* VCO = 12 MHz / 1 * feedback (750..1600 MHz), out = VCO / post1 / post2 (2.18.2). */
static void pll_start(uint32_t base, uint32_t reset_bit, uint32_t feedback, uint32_t post1, uint32_t post2) {
  reset(reset_bit);
  unreset(reset_bit);
  PLL_CS(base) = 1; /* reference divider */
  PLL_FBDIV(base) = feedback;
  CLR(PLL_PWR(base)) = PLL_PWR_PD | PLL_PWR_VCOPD;
  while ((PLL_CS(base) & PLL_LOCK) == 0) {
  }
  PLL_PRIM(base) = post1 << 16 | post2 << 12;
  CLR(PLL_PWR(base)) = PLL_PWR_POSTDIVPD;
}

void clocks_start(void) {
  if ((XOSC_STATUS & XOSC_STABLE) == 0) {
    XOSC_STARTUP = 47; /* 1 ms at 12 MHz, in units of 256 cycles (2.16.7) */
    XOSC_CTRL = XOSC_ENABLE_1_15MHZ;
    while ((XOSC_STATUS & XOSC_STABLE) == 0) {
    }
  }
  CLK_REF_DIV = 1u << 8;
  CLK_REF_CTRL = CLK_REF_SRC_XOSC;
  while ((CLK_REF_SELECTED & BIT(CLK_REF_SRC_XOSC)) == 0) {
  }
  CLR(CLK_SYS_CTRL) = 1; /* SRC = clk_ref: the loader left clk_sys on a PLL, which is reset below */
  while ((CLK_SYS_SELECTED & 1u) == 0) {
  }

  pll_start(PLL_SYS_BASE, RESET_PLL_SYS, 125, 6, 2); /* 1500 MHz / 12 */
  pll_start(PLL_USB_BASE, RESET_PLL_USB, 100, 5, 5); /* 1200 MHz / 25 */

  CLK_SYS_DIV = 1u << 8;
  CLK_SYS_CTRL = CLK_AUXSRC(0);                    /* PLL_SYS, before switching to it */
  CLK_SYS_CTRL = CLK_AUXSRC(0) | CLK_SYS_SRC_AUX;
  while ((CLK_SYS_SELECTED & BIT(CLK_SYS_SRC_AUX)) == 0) {
  }
  /* clk_usb and clk_peri are not glitchless: off, wait three cycles of theirs, choose, on (2.15.3.2). */
  CLR(CLK_USB_CTRL) = CLK_ENABLE;
  CLR(CLK_PERI_CTRL) = CLK_ENABLE;
  for (volatile int i = 0; i < 16; i++) {
  }
  CLK_USB_DIV = 1u << 8;
  CLK_USB_CTRL = CLK_AUXSRC(0); /* PLL_USB */
  SET(CLK_USB_CTRL) = CLK_ENABLE;
  CLK_PERI_CTRL = CLK_AUXSRC(0); /* clk_sys */
  SET(CLK_PERI_CTRL) = CLK_ENABLE;
  WATCHDOG_TICK = WATCHDOG_TICK_ENABLE | CLOCK_XOSC / 1000000u; /* 1 us for TIMER and WATCHDOG */
}
