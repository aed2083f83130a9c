/* negative.h - deliberately wrong images, one line each. `tools/dev/firmware.mjs build --define NAME --out DIR` makes one; the strict
 * board must stop each with its own named rule. A released image defines none of them (`check` compares bytes).
 *
 *   NEGATIVE_NO_FULL_BIT             hal/rp2040/usb_endpoint.c  a bulk-IN buffer is armed without FULL: the controller NAKs for ever
 *   NEGATIVE_WRONG_TOGGLE            hal/rp2040/usb_endpoint.c  the data toggle stands still
 *   NEGATIVE_BUFFER_SELECT_KEPT      hal/rp2040/usb_endpoint.c  a new host begins with whichever half the last one ended
 *   NEGATIVE_ARMED_BEFORE_COPY       hal/rp2040/usb_endpoint.c  a half is the controller's again before its packet was read
 *   NEGATIVE_AVAILABLE_AT_ONCE       hal/rp2040/usb_endpoint.c  AVAILABLE is written together with length and PID (4.1.2.5.1)
 *   NEGATIVE_EP0_NOT_CLAMPED         hal/rp2040/usb_control.c   an answer is as long as the descriptor, whatever wLength asked
 *   NEGATIVE_NO_STALL                hal/rp2040/usb_control.c   an unknown request is left unanswered instead of stalled
 *   NEGATIVE_DESCRIPTOR_LIES         hal/rp2040/usb_control.c   dwMaxIFSD of the descriptor is one less (named by the Linux guest, like the next two)
 *   NEGATIVE_INTERRUPT_SILENT        ccid/usb_pipe.c            the interrupt endpoint never speaks
 *   NEGATIVE_STATUS_STALLED          hal/rp2040/usb_control.c   GET_STATUS of the device is stalled
 *   NEGATIVE_USED_IN_RESET           hal/rp2040/clocks.c        RESET_DONE is not waited for, and PWM is left in reset
 *   NEGATIVE_PIN_NOT_MUXED           hal/rp2040/display.c       the display's SDA keeps function "none"
 *   NEGATIVE_PAD_NO_INPUT            hal/rp2040/gpio.c          the keypad columns' input buffers stay off
 *   NEGATIVE_NO_SCHMITT              hal/rp2040/gpio.c          the card's I/O pad has no Schmitt trigger
 *   NEGATIVE_CARD_IO_PULLED_DOWN     hal/rp2040/gpio.c          the card's I/O pad keeps its reset pull-down against the card's pull-up
 *   NEGATIVE_XIP_READ_OUT_OF_XIP     hal/rp2040/flash.c         flash is read as memory while SSI is in command mode
 *   NEGATIVE_XIP_FETCH_OUT_OF_XIP    hal/rp2040/flash.c         a function in flash is called while SSI is in command mode
 *   NEGATIVE_MEMSET_FROM_XIP         hal/rp2040/flash.c         … and the function is the loader's fill, as when gcc makes a memset of a loop
 *   NEGATIVE_XIP_STORE               hal/rp2040/flash.c         a store to flash as if it were memory
 *   NEGATIVE_XIP_NOT_RESTORED        hal/rp2040/flash.c         chip select stays forced after the command: the flash never sees a new one
 *   NEGATIVE_WFI_RACE                hal/rp2040/time.c          events are looked at with interrupts on, then WFI
 *   NEGATIVE_WFI_FOREVER             hal/rp2040/time.c          the alarm is not set before WFI
 *   NEGATIVE_VCC_WITHOUT_CARD        hal/rp2040/card.c          VCC goes on at start, card or none
 *   NEGATIVE_WRONG_OFF_ORDER         hal/rp2040/card.c          VCC falls before RST and CLK
 *   NEGATIVE_NO_EMERGENCY_OFF        hal/rp2040/card.c          the presence switch is not believed while VCC is on
 *   NEGATIVE_GUARD_TIME              hal/rp2040/line.c          11 etu from character to character before T=1 allows it: card-line/guard-time
 *   NEGATIVE_TURN_ROUND              hal/rp2040/line.c          11 etu instead of 12, 16 or 22 after the card's last character: card-line/turnaround
 *   NEGATIVE_LINE_NOT_WIPED          hal/rp2040/line.c          the last characters of a command stay in FIFO cells and shift registers
 *   NEGATIVE_RST_EARLY               iso7816/card.c             RST rises right after CLK: slot/rst-early
 *   NEGATIVE_CLOCK_STOPS_AT_ONCE     iso7816/card.c  CLK stops without the 1 860 clocks of rest
 *   NEGATIVE_CLOCK_NOT_AWAITED       iso7816/card.c  I/O is used before CLK has run for 700 clocks again
 *   NEGATIVE_VCC_OFF_FIRST           iso7816/card.c             power-off begins with VCC: slot/deactivation-order
 *   NEGATIVE_TCK_NOT_AWAITED         iso7816/card.c             TCK is computed instead of awaited, the PPS goes out over it: card-line/while-sending
 *   NEGATIVE_NS_NOT_CHECKED          iso7816/t1.c               any N(S) is taken for the one expected: a block said twice is counted twice
 *   NEGATIVE_EDC_NOT_CHECKED         iso7816/t1.c               the check of a block is not compared: a flipped bit reaches the host
 *   NEGATIVE_PPS_RATE_AT_ONCE        iso7816/pps.c              the wait after the PPS answer counts in new etu: card-line/pps-turnaround
 *   NEGATIVE_ROW_DRIVEN_HIGH         hal/rp2040/keypad.c        keypad rows are driven high instead of let go: two keys short two drivers
 *   NEGATIVE_WATCHDOG_NOT_FED        hal/rp2040/reset.c         the loop does not feed the watchdog
 *   NEGATIVE_UNALIGNED               app/main.c                 an unaligned word read
 *   NEGATIVE_STACK_OVERFLOW          app/main.c                 the stack runs out of its banks
 *   NEGATIVE_NO_WIPE                 pinpad/pinpad.c            the block with the secret is not wiped (named by non-interference, like the next three)
 *   NEGATIVE_NO_SCRUB                pinpad/pinpad.c            the stack below the dialog is left as it was
 *   NEGATIVE_KEY_STAYS               front/keypad.c             the last digit pressed stays in the keypad's state
 *   NEGATIVE_DIGITS_DRAWN            pinpad/entry.c             digits are drawn over the place-holders
 *   NEGATIVE_PCSCD_LATE_ANSWER       pcscd/pcscd.c              an answer is sent although its host has given up and asked something else
 *   NEGATIVE_PCSCD_STRAY_BYTE        pcscd/pcscd.c              one byte outside of frames, before the answer
 *   NEGATIVE_TPDU_PROLOGUE           pinpad/tpdu.c              the pad takes a block out of turn, or in the middle of a chain
 *   NEGATIVE_OUT_BUFFER_STAYS        hal/rp2040/usb_endpoint.c  what a host sent stays in the controller's memory, a secret typed there included
 *   NEGATIVE_NO_FAULT_WIPE           hal/rp2040/reset.c         a fault resets the chip with RAM as it is
 *   NEGATIVE_NO_LOADER_WIPE          boot/loader_start.S        the loader goes on with what RAM holds after a watchdog's or the RUN pin's reset
 *   NEGATIVE_UART_DIVIDER            hal/rp2040/uart.c          the baud rate is written after LCR_H, which would have taken it over: uart/divider
 *   NEGATIVE_BOOT2_CRC               tools/dev/firmware.mjs     one bit of boot2's check is wrong
 */
#ifndef NEGATIVE_H
#define NEGATIVE_H
#endif
