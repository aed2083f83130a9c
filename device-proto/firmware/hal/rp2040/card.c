/* card.c - the card's contacts: presence, VCC, RST, CLK. Order and timing of an activation are iso7816's; the order of an emergency is here. */
#include "chip.h"
#include "hal/hal.h"

#define EDGES (IO_EDGE_LOW(PIN_CARD_PRESENT) | IO_EDGE_HIGH(PIN_CARD_PRESENT) | IO_EDGE_LOW(PIN_CARD_OVER_CURRENT_N))

static volatile bool s_overcurrent; /* latched until the loop switches VCC: the front end's report ends with the current */

static bool pin_high(uint32_t pin) { return (SIO_GPIO_IN & BIT(pin)) != 0; }

static void clock_off(void) {
  CLR(CLK_GPOUT0_CTRL) = CLK_GPOUT_ENABLE;
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_CLK); /* it may have been held high */
  GPIO_CTRL(PIN_CARD_CLK) = FUNC_SIO; /* latch 0, output: low whatever phase the generator stopped in */
}

/* More than one period of CLK, 0.28 us: the generator ends the one it is in, and no phase on the contact is shorter than it may be. */
static void one_period(void) {
  const uint32_t start = TIMER_TIMERAWL;
  while (TIMER_TIMERAWL - start < 2u) {
  }
}

static void vcc_off(void) {
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_VCC);
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_VSEL0) | BIT(PIN_CARD_VSEL1);
}

void card_contacts_start(void) {
  CLK_GPOUT0_CTRL = CLK_GPOUT_AUXSRC_CLK_SYS | CLK_GPOUT_DC50; /* 35 is odd: DC50 makes the duty cycle 50 % */
  CLK_GPOUT0_DIV = CLOCK_CARD_DIVIDER << 8;
#ifdef NEGATIVE_VCC_WITHOUT_CARD
  SIO_GPIO_OUT_SET = BIT(PIN_CARD_VSEL0);
  SIO_GPIO_OUT_SET = BIT(PIN_CARD_VCC);
#endif
  IO_INTR(PIN_CARD_PRESENT) = EDGES;
  SET(IO_PROC0_INTE(PIN_CARD_PRESENT)) = EDGES;
  irq_enable(IRQ_IO_BANK0, PRIORITY_PRESENCE);
}
_Static_assert(PIN_CARD_PRESENT / 8u == PIN_CARD_OVER_CURRENT_N / 8u, "presence and over-current are enabled in one register");

#ifdef NEGATIVE_NO_EMERGENCY_OFF
bool hal_card_present(void) { return pin_high(PIN_CARD_PRESENT) || (SIO_GPIO_OUT & BIT(PIN_CARD_VCC)) != 0; }
#else
bool hal_card_present(void) { return pin_high(PIN_CARD_PRESENT); }
#endif
bool hal_card_overcurrent(void) { return s_overcurrent || !pin_high(PIN_CARD_OVER_CURRENT_N); }

/* The three below look at the switch and act with interrupts off: a card pulled in between was switched off by the interrupt, and must stay so. */
void hal_card_vcc(uint8_t voltage_class) {
  const uint32_t primask = irq_save();
  s_overcurrent = false;
  if (voltage_class == 0) {
    vcc_off();
  } else if (hal_card_present()) {
    SIO_GPIO_OUT_CLR = BIT(PIN_CARD_VSEL0) | BIT(PIN_CARD_VSEL1);
    SIO_GPIO_OUT_SET = (voltage_class & 1u ? BIT(PIN_CARD_VSEL0) : 0u) | (voltage_class & 2u ? BIT(PIN_CARD_VSEL1) : 0u);
    SIO_GPIO_OUT_SET = BIT(PIN_CARD_VCC);
  }
  irq_restore(primask);
}

void hal_card_clk(bool on) {
  const uint32_t primask = irq_save();
  if (!on) {
    clock_off();
  } else if (hal_card_present() && (SIO_GPIO_OUT & BIT(PIN_CARD_VCC)) != 0) {
    SIO_GPIO_OUT_CLR = BIT(PIN_CARD_CLK); /* where it was held high: down first, for longer than half a period */
    one_period();
    GPIO_CTRL(PIN_CARD_CLK) = FUNC_CLOCK;
    SET(CLK_GPOUT0_CTRL) = CLK_GPOUT_ENABLE;
  }
  irq_restore(primask);
}

void hal_card_clk_hold(bool high) {
  const uint32_t primask = irq_save();
  if (hal_card_present() && (SIO_GPIO_OUT & BIT(PIN_CARD_VCC)) != 0) {
    CLR(CLK_GPOUT0_CTRL) = CLK_GPOUT_ENABLE;
    one_period();
    GPIO_CTRL(PIN_CARD_CLK) = FUNC_SIO;
    if (high) SIO_GPIO_OUT_SET = BIT(PIN_CARD_CLK);
  }
  irq_restore(primask);
}

void hal_card_rst(bool high) {
  const uint32_t primask = irq_save();
  if (!high) {
    SIO_GPIO_OUT_CLR = BIT(PIN_CARD_RST);
  } else if (hal_card_present() && (SIO_GPIO_OUT & BIT(PIN_CARD_VCC)) != 0) {
    SIO_GPIO_OUT_SET = BIT(PIN_CARD_RST);
  }
  irq_restore(primask);
}

/* ISO 7816-3 §6.4: RST low, CLK low, I/O low, VCC off. I/O is taken from the PIO by function select; SIO holds it low from the start. */
void hal_card_emergency_off(void) {
  const uint32_t primask = irq_save();
#ifdef NEGATIVE_WRONG_OFF_ORDER
  vcc_off();
#endif
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_RST);
  clock_off();
  SIO_GPIO_OUT_CLR = BIT(PIN_CARD_IO);
  SIO_GPIO_OE_SET = BIT(PIN_CARD_IO);
  GPIO_CTRL(PIN_CARD_IO) = FUNC_SIO;
  vcc_off();
  irq_restore(primask);
}

/* From the interrupt, tens of microseconds after the switch opened. A bouncing switch counts as pulled: contacts that bounce are not contacts. */
void card_presence_irq(void) {
  const uint32_t pending = IO_PROC0_INTS(PIN_CARD_PRESENT);
  IO_INTR(PIN_CARD_PRESENT) = pending & EDGES;
  if ((pending & IO_EDGE_LOW(PIN_CARD_OVER_CURRENT_N)) != 0) {
    s_overcurrent = true;
    hal_card_emergency_off();
  }
#ifndef NEGATIVE_NO_EMERGENCY_OFF
  if ((pending & IO_EDGE_LOW(PIN_CARD_PRESENT)) != 0) {
    hal_card_emergency_off();
    app_card_pulled();
  }
#endif
}
