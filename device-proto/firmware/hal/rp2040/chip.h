/* chip.h - what the files of hal/rp2040 share. */
#ifndef CHIP_H
#define CHIP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/board_gen.h"
#include "negative.h"
#include "regs.h"

#define CLK_SYS_HZ 125000000u
#define CLK_USB_HZ 48000000u

/* Levels of the NVIC (four, lowest number first). The card line must be served within 200 us at 223 kbaud; the presence switch within 1 ms. */
#define PRIORITY_CARD_LINE 0u
#define PRIORITY_PRESENCE 1u
#define PRIORITY_UART 1u /* 80 us at 3 Mbaud */
#define PRIORITY_REST 2u

static inline void irq_off(void) { __asm volatile("cpsid i" ::: "memory"); }
static inline void irq_on(void) { __asm volatile("cpsie i" ::: "memory"); }
static inline uint32_t irq_save(void) {
  uint32_t primask;
  __asm volatile("mrs %0, primask" : "=r"(primask));
  irq_off();
  return primask;
}
static inline void irq_restore(uint32_t primask) { __asm volatile("msr primask, %0" ::"r"(primask) : "memory"); }

/* The vectors in use. start.c has weak ones that fault; a file that defines one gets it. */
void irq_timer_0(void);
void irq_usbctrl(void);
void irq_pio0_0(void);
void irq_pio0_1(void);
void irq_dma_0(void);
void irq_io_bank0(void);
void irq_uart0(void);

/* start.c */
void irq_enable(uint32_t irq, uint32_t priority);
/* clocks.c */
void clocks_start(void);
/* Takes blocks out of reset and waits until RESET_DONE says so: touching a block before that is undefined. */
void unreset(uint32_t blocks);
/* time.c: an interrupt handler calls this when the loop has something to look at; hal_idle() then does not sleep. */
void event_raise(void);
void time_start(void);
void delay_us(uint32_t us);
/* gpio.c */
void gpio_start(void);
/* one file each */
void line_wipe_at_start(void);
void card_contacts_start(void);
void card_presence_irq(void);
void keypad_start(void);
void keypad_irq(void);
void display_start(void);
uint64_t display_poll(uint64_t now);
void buzzer_start(void);
uint64_t buzzer_poll(uint64_t now);
void uart_start(void);
void flash_start(void);
void reset_start(void);
_Noreturn void fault_end(const uint32_t *frame);
void usb_start(void);
#endif
