/* main.c - start-up and the loop. The board has started its clocks and blocks (hal/rp2040/start.c); from here on everything is the same on a PC. */
#include "app/link_port.h"
#include "blackbox/blackbox.h"
#include "blackbox/hold.h"
#include "ccid/ccid.h"
#include "ccid/slot.h"
#include "ccid/usb_pipe.h"
#include "front/front.h"
#include "guard/policy.h"
#include "guard/settings.h"
#include "hal/hal.h"
#include "link/link.h"
#include "negative.h"
#include "pcscd/pcscd.h"

#define IDLE_US 250000u /* the front may want to change what it shows; the watchdog wants food */

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* What goes on in every turn, whether a command runs or not. Returns when the next turn is due. */
static uint64_t serve(bool idle) {
  const uint64_t now = hal_now_us();
  hal_watchdog();
  usb_pipe_step();
  uint64_t next = link_port_step();
  next = earlier(next, slot_step(now));
  next = earlier(next, ccid_step(now));
  next = earlier(next, blackbox_step(now, idle));
  next = earlier(next, hal_poll(now));
  return earlier(next, now + IDLE_US);
}

bool app_wait(uint64_t until_us) {
  uint64_t next = serve(false);
  if (ccid_stopped()) return false;
  hal_idle(earlier(until_us, next));
  serve(false);
  return !ccid_stopped();
}

void app_start(void) {
  blackbox_start();
  settings_start();
  policy_start();
  link_reset();
  front_start();
#ifdef NEGATIVE_UNALIGNED
  static const uint8_t k_bytes[8] = {0};
  (void)*(const volatile uint32_t *)(uintptr_t)((uintptr_t)k_bytes | 1u);
#endif
#ifdef NEGATIVE_STACK_OVERFLOW
  volatile uint8_t much[9000];
  for (size_t i = sizeof much; i-- > 0;) much[i] = 0;
#endif
}

void app_step(void) {
  uint64_t next = serve(true);
  size_t length;
  if (usb_pipe_message(&length)) {
    usb_pipe_answer(ccid_run(FACE_USB, length));
    next = 0;
  }
  if (link_message_ready(&length)) {
    link_answer(ccid_run(FACE_LINK, length));
    next = 0;
  }
  if (pcscd_run()) next = 0;
  slot_settle();
  next = earlier(next, hold_step(hal_now_us()));
  next = earlier(next, policy_step(hal_now_us()));
  front_step(hal_now_us());
  hal_idle(next);
}
