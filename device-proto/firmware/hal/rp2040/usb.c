/* usb.c - the controller: start-up, its interrupt, bus reset, suspend. */
#include "hal/hal.h"
#include "usb.h"

bool g_usb_revision_b2; /* cured of RP2040-E2 and E5 */
volatile uint8_t g_usb_configuration;
volatile bool g_usb_suspended;
volatile uint32_t g_usb_epoch; /* counts everything that ends what a host had: reset, suspend, new configuration */

void usb_start(void) {
  control_start();
  unreset(RESET_USBCTRL | RESET_SYSINFO);
  g_usb_revision_b2 = SYSINFO_CHIP_ID >> 28 >= 2;
  for (uint32_t at = 0; at < DPRAM_SIZE; at += 4) REG(USB_DPRAM + at) = 0; /* undefined after power-up */
  USB_MUXING = USB_MUXING_TO_PHY | USB_MUXING_SOFTCON;
  USB_PWR = USB_PWR_VBUS_DETECT | USB_PWR_VBUS_DETECT_OVERRIDE; /* no VBUS pin: bus-powered, so VBUS is there */
  USB_MAIN_CTRL = 1;
  USB_SIE_CTRL = SIE_CTRL_EP0_INT_1BUF;
  USB_INTE = USB_INT_BUFF_STATUS | USB_INT_BUS_RESET | USB_INT_SUSPEND | USB_INT_RESUME | USB_INT_SETUP;
  irq_enable(IRQ_USBCTRL, PRIORITY_REST);
  SET(USB_SIE_CTRL) = SIE_CTRL_PULLUP;
}

static void bus_reset(void) {
  CLR(USB_SIE_STATUS) = SIE_STATUS_BUS_RESET;
  USB_ADDR_ENDP = 0;
  g_usb_configuration = 0;
  g_usb_suspended = false;
  g_usb_epoch++;
  endpoints_close();
  control_reset();
  usb_e5_after_reset();
}

static void buffers_done(void) {
  for (;;) {
    const uint32_t done = USB_BUFF_STATUS;
    if (done == 0) return;
    const uint32_t index = (uint32_t)__builtin_ctz(done);
    CLR(USB_BUFF_STATUS) = BIT(index);
    if (index < 2) {
      control_done(index);
    } else {
      endpoint_done(index);
    }
  }
}

/* Completed buffers come before SETUP: a status stage that ended and the request that followed it may both be waiting here, in that order. */
void irq_usbctrl(void) {
  const uint32_t status = USB_INTS;
  if ((status & USB_INT_BUS_RESET) != 0) bus_reset();
  if ((status & USB_INT_BUFF_STATUS) != 0) buffers_done();
  if ((status & USB_INT_SETUP) != 0) {
    CLR(USB_SIE_STATUS) = SIE_STATUS_SETUP;
    control_setup();
  }
  if ((status & USB_INT_SOF) != 0) {
    (void)USB_SOF_RD; /* reading clears */
    endpoint_frame_started();
  }
  if ((status & USB_INT_SUSPEND) != 0) {
    CLR(USB_SIE_STATUS) = SIE_STATUS_SUSPENDED; /* clears the change, not the state: it comes on both edges */
    const bool suspended = (USB_SIE_STATUS & SIE_STATUS_SUSPENDED) != 0;
    if (suspended && !g_usb_suspended) g_usb_epoch++;
    g_usb_suspended = suspended;
  }
  if ((status & USB_INT_RESUME) != 0) {
    CLR(USB_SIE_STATUS) = SIE_STATUS_RESUME;
    g_usb_suspended = false;
  }
  event_raise();
}

bool hal_usb_configured(void) { return g_usb_configuration != 0 && !g_usb_suspended; }
bool hal_usb_suspended(void) { return g_usb_suspended; }
uint32_t hal_usb_epoch(void) { return g_usb_epoch; }
