/* usb_e5.c - RP2040-E5, revisions B0 and B1 only (B2 is cured): after a bus reset the controller waits for 800 us of idle bus before it counts itself
 * connected, and behind a hub with traffic for other devices that never comes. Work-around of the errata sheet: as soon as the reset ends, the controller's
 * input is taken from GPIO15 instead of the PHY, and GPIO15's input is forced high: an idle bus, until CONNECTED. GPIO15 is a keypad column; for that
 * millisecond its level is not looked at, and its settings come back afterwards. */
#include "usb.h"

#define DP_PIN 15u /* the only pin that carries D+ as function 8 (2.19.2) */
#define FUNC_USB_DEBUG 8u
#define PHY_DP_PULLUP BIT(2)
#define PHY_DP_PULLUP_OVERRIDE BIT(2)
#define SIE_STATUS_CONNECTED BIT(16)
#define RESET_ENDS_US 100000u /* hosts hold a reset for 10 to 50 ms */
#define CONNECTS_US 5000u

static bool wait_for(uint32_t mask, bool set, uint32_t us) {
  const uint32_t start = TIMER_TIMERAWL;
  while (((USB_SIE_STATUS & mask) != 0) != set) {
    if (TIMER_TIMERAWL - start > us) return false;
  }
  return true;
}

/* In the USB interrupt, right after BUS_RESET: the loop stands still meanwhile, the card line's interrupt does not. */
void usb_e5_after_reset(void) {
  if (g_usb_revision_b2) return;
  if (!wait_for(SIE_STATUS_LINE_STATE, true, RESET_ENDS_US)) return; /* still SE0: not a reset but a pulled cable */
  const uint32_t control = GPIO_CTRL(DP_PIN), pad = PAD(DP_PIN);
  PAD(DP_PIN) = pad | PAD_PULLUP | PAD_PULLDOWN; /* bus keeper */
  GPIO_CTRL(DP_PIN) = FUNC_USB_DEBUG | GPIO_OEOVER_DISABLE | GPIO_INOVER_HIGH;
  SET(USB_PHY_DIRECT) = PHY_DP_PULLUP;
  SET(USB_PHY_DIRECT_OVERRIDE) = PHY_DP_PULLUP_OVERRIDE;
  USB_MUXING = USB_MUXING_TO_DIGITAL_PAD | USB_MUXING_SOFTCON;
  (void)wait_for(SIE_STATUS_CONNECTED, true, CONNECTS_US);
  USB_MUXING = USB_MUXING_TO_PHY | USB_MUXING_SOFTCON;
  CLR(USB_PHY_DIRECT_OVERRIDE) = PHY_DP_PULLUP_OVERRIDE;
  GPIO_CTRL(DP_PIN) = control;
  PAD(DP_PIN) = pad;
}
