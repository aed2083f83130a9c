/* hal.h - what the board gives, and what the portable code gives back.
 *
 * Everything above the line is implemented in hal/rp2040 (the chip) and in hal/host (a PC: unit tests and fuzzing).
 * Portable code (ccid link iso7816 pinpad front guard app) includes nothing else of the board. */
#ifndef HAL_H
#define HAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- time ------------------------------------------------------------------------------------------------- */
uint64_t hal_now_us(void);              /* microseconds since reset, never goes back */
void hal_idle(uint64_t until_us);       /* WFI until an interrupt, or until this time; may return early */

uint64_t hal_poll(uint64_t now_us);     /* what the board does between interrupts (display, buzzer): once per turn; returns when it wants the next */

/* ---- USB device: endpoints only; the meaning is in ccid/ and link/ ------------------------------------------ */
/* Called from the loop, never from an interrupt. Packets are <= 64 bytes. */
bool hal_usb_configured(void);          /* a configuration is set, and the bus is not suspended */
bool hal_usb_suspended(void);
uint32_t hal_usb_epoch(void);           /* changes with everything that ends what a host had: bus reset, suspend, SET_CONFIGURATION */
bool hal_usb_take_abort(uint8_t *slot, uint8_t *sequence); /* the CCID control request ABORT, once */
bool hal_cdc_dtr(void);                 /* a program holds the CDC port open (a hint: transmission is never gated on it) */
bool hal_bulk_in_ready(uint8_t face);   /* face: HAL_FACE_* ; may a packet be queued now? */
void hal_bulk_in(uint8_t face, const uint8_t *data, size_t length); /* 0..64 bytes, copied; 0 = ZLP */
size_t hal_bulk_out(uint8_t face, uint8_t packet[64], bool *got);   /* takes one received packet, re-arms the endpoint */
bool hal_interrupt_in_ready(void);
void hal_interrupt_in(const uint8_t *data, size_t length);          /* CCID interrupt pipe */
#define HAL_FACE_CCID 0
#define HAL_FACE_CDC 1

/* ---- UART0: raw bytes of the link --------------------------------------------------------------------------- */
size_t hal_uart_read(uint8_t *data, size_t capacity);
size_t hal_uart_write(const uint8_t *data, size_t length); /* returns how many were taken */
bool hal_uart_sent(void);               /* everything written has left, the last stop bit too */
void hal_uart_rate(uint32_t baud);      /* LINK_LIMIT_LEAST_BAUD … MOST_BAUD; only when hal_uart_sent(): what is half received is dropped */
uint32_t hal_uart_lost(void);           /* characters since the last call that came damaged (framing, break, overrun) or found no room */

/* ---- card contacts (order and timing are iso7816/activation's business) -------------------------------------- */
bool hal_card_present(void);
bool hal_card_overcurrent(void);
void hal_card_vcc(uint8_t voltage_class);     /* 0 off, 1 = 5 V, 2 = 3 V, 3 = 1.8 V */
void hal_card_clk(bool on);                   /* 3.571 MHz */
void hal_card_clk_hold(bool high);            /* stops CLK at this level, after a whole period; the card stays active */
void hal_card_rst(bool high);
void hal_card_emergency_off(void);            /* RST, CLK, I/O, VCC in this order, at once; safe in an interrupt */
/* ---- card line, character level (PIO; see hal/rp2040/line.c) ------------------------------------------------- */
void hal_line_start(void);                    /* I/O released, receiver on, 372/1, direct, no error signal */
void hal_line_stop(void);                     /* I/O low for deactivation */
void hal_line_rate(uint16_t f, uint8_t d);    /* etu = f/d card clocks; takes effect at once: the caller counted the wait */
void hal_line_convention(bool inverse);
void hal_line_error_signal(bool on);          /* T=0 */
void hal_line_extra_guard(uint8_t etu);       /* 0..254 whole etu over 12; 255 = 11 etu per character (T=1) */
bool hal_line_get(uint8_t *byte, bool *parity_error); /* one received character, oldest first */
/* Sends `head` then `body` back to back without copying them anywhere but the FIFO; `turn_etu` = least gap after the last received
 * character, leading edge to leading edge (16 for T=0, 22 for T=1). Returns when the last character is in the FIFO's hands. The
 * body may be a secret: nothing of it may stay in RAM or FIFO afterwards (hal_line_wipe). */
typedef struct { const uint8_t *data; size_t length; } hal_span_t;
bool hal_line_put(const hal_span_t *spans, size_t count, uint8_t turn_etu);
bool hal_line_sending(void);
void hal_line_wipe(void);

/* ---- front ----------------------------------------------------------------------------------------------------- */
bool hal_key_down(void);                      /* any of them; does not find out which */
uint16_t hal_keys(void);                      /* debounced by front/keypad.c: raw matrix, bit = row*4 + column, 1 = pressed */
void hal_display(const uint8_t frame[1024]);  /* SSD1306 page format, 8 pages x 128 columns, LSB on top */
void hal_lamp(bool lit);                      /* only pinpad/ calls this */
void hal_beep(uint16_t hertz, uint16_t ms);

/* ---- flash: only the areas that are the application's, FLASH_BLACK_BOX and FLASH_SETTINGS; any other address is refused (false) -------------------- */
#define HAL_FLASH_PAGE 256u
#define HAL_FLASH_SECTOR 4096u
bool hal_flash_busy(void);                    /* an erase is under way */
bool hal_flash_read(uint32_t at, uint8_t *into, size_t length);           /* waits for an erase */
/* 1..256 bytes within one page; ones become zeros. Takes 0.4 to 3 ms, and waits for an erase. False: what was read back is not what was written. */
bool hal_flash_program(uint32_t at, const uint8_t *data, size_t length);
bool hal_flash_erase(uint32_t at);            /* begins to erase one sector (45 to 400 ms) and returns */

/* ---- identity, entropy, resets ---------------------------------------------------------------------------------- */
void hal_unique_id(uint8_t id[8]);            /* the flash's */
void hal_image_hash(uint8_t hash[8]);         /* first bytes of the SHA-256 TLV of the image that runs; zero when there is none */
uint32_t hal_entropy(void);
uint32_t hal_boot_count(void);
/* Why this boot happened, and for HAL_BOOT_FAULT where: exception number, program counter, link register. Never stack contents. */
#define HAL_BOOT_POWER 1
#define HAL_BOOT_WATCHDOG 2
#define HAL_BOOT_FAULT 3
#define HAL_BOOT_REQUEST 4
#define HAL_BOOT_RUN_PIN 5
typedef struct { uint32_t cause, pc, lr; } hal_fault_t;
uint8_t hal_boot_reason(hal_fault_t *fault);
uint32_t hal_stack_used(void);                /* bytes of the main stack that were ever used */
_Noreturn void hal_reset(void);
void hal_watchdog(void);                      /* fed by the loop */

/* ================================================================================================================= */
/* the portable code gives: */
void app_start(void);
void app_step(void);                          /* one turn of the loop */
/* Blocking code (T=1, PIN entry, consent) waits only here: sleeps until an event or `until_us`, serves faces in the meantime
 * (status and abort only), sends time extensions. False: the current command was aborted, its face vanished or the card was pulled. */
bool app_wait(uint64_t until_us);
/* Called by the HAL from the interrupt of the presence switch, after hal_card_emergency_off(). */
void app_card_pulled(void);

static inline void secret_wipe(void *p, size_t n) { volatile uint8_t *b = p; while (n--) *b++ = 0; }
#endif
