/* uart.c - UART0, 8N1, through rings.
 *
 * At 3 Mbaud a character comes every 3.3 us, 417 cycles. The receive FIFO speaks up at 8 of 32, so an interrupt may wait 80 us: everything that masks
 * interrupts is shorter (the longest is hal_line_wipe), and of the handlers only the card line's, 2 us a character, goes first. */
#include "chip.h"
#include "gen/wire_gen.h"
#include "hal/hal.h"

#define RX_SIZE 2048u /* 6.8 ms at 3 Mbaud: longer than any turn of the loop */
#define TX_SIZE 1024u

/* An index says "there is a byte" or "there is room" to the interrupt: it moves after the byte did, never before. */
#define BYTE_THEN_INDEX() __asm volatile("" ::: "memory")

static uint8_t s_rx[RX_SIZE], s_tx[TX_SIZE];
static volatile uint32_t s_rx_in, s_rx_out, s_tx_in, s_tx_out; /* free-running; the index is taken modulo the size */

static volatile uint32_t s_lost;

/* The divider and line control are written only while the UART is off and has nothing on its way (PL011 TRM 3.3.6). */
static void set_line(uint32_t baud) {
  const uint32_t divider = (CLK_SYS_HZ * 8u / baud + 1u) / 2u; /* 1/64ths: 4 * clk / baud, rounded; at 3 Mbaud 0.2 % off */
  UART_CR = 0;
  UART_LCR_H = 0; /* both FIFOs empty */
#ifdef NEGATIVE_UART_DIVIDER
  UART_LCR_H = 3u << 5 | BIT(4);
#endif
  UART_IBRD = divider >> 6;
  UART_FBRD = divider & 63u;
#ifndef NEGATIVE_UART_DIVIDER
  UART_LCR_H = 3u << 5 | BIT(4); /* 8N1, FIFOs; this write also takes the divider over (4.2.7.1) */
#endif
  UART_CR = BIT(0) | BIT(8) | BIT(9);
}

void uart_start(void) {
  unreset(RESET_UART0);
  set_line(LINK_LIMIT_DEFAULT_BAUD);
  UART_IFLS = 1u << 3 | 2u; /* receive at a quarter full, send at half: 53 us at 3 Mbaud before the line falls idle */
  UART_ICR = 0x7ffu;
  UART_IMSC = UART_INT_RX | UART_INT_RT;
  GPIO_CTRL(PIN_UART0TX) = FUNC_UART;
  GPIO_CTRL(PIN_UART0RX) = FUNC_UART;
  irq_enable(IRQ_UART0, PRIORITY_UART);
}

bool hal_uart_sent(void) { return s_tx_out == s_tx_in && (UART_FR & UART_FR_BUSY) == 0; }

void hal_uart_rate(uint32_t baud) {
  const uint32_t primask = irq_save();
  set_line(baud);
  irq_restore(primask);
}

uint32_t hal_uart_lost(void) {
  const uint32_t primask = irq_save();
  const uint32_t lost = s_lost;
  s_lost = 0;
  irq_restore(primask);
  return lost;
}

static void fill_fifo(void) {
  while (s_tx_out != s_tx_in && (UART_FR & UART_FR_TXFF) == 0) UART_DR = s_tx[s_tx_out++ % TX_SIZE];
  if (s_tx_out == s_tx_in) {
    UART_IMSC = UART_INT_RX | UART_INT_RT;
  } else {
    UART_IMSC = UART_INT_RX | UART_INT_RT | UART_INT_TX;
  }
}

void irq_uart0(void) {
  UART_ICR = UART_MIS;
  while ((UART_FR & UART_FR_RXFE) == 0) {
    const uint32_t data = UART_DR;
    /* A character with a framing, parity, break or overrun mark is no character. The frame it was in fails its CRC and is repeated. */
    if ((data & 0xf00u) != 0 || s_rx_in - s_rx_out == RX_SIZE) {
      s_lost++;
      continue;
    }
    s_rx[s_rx_in % RX_SIZE] = (uint8_t)data;
    s_rx_in++;
  }
  fill_fifo();
  event_raise();
}

size_t hal_uart_read(uint8_t *data, size_t capacity) {
  size_t n = 0;
  while (n < capacity && s_rx_out != s_rx_in) {
    data[n++] = s_rx[s_rx_out % RX_SIZE];
    BYTE_THEN_INDEX();
    s_rx_out++;
  }
  return n;
}

size_t hal_uart_write(const uint8_t *data, size_t length) {
  size_t n = 0;
  while (n < length && s_tx_in - s_tx_out < TX_SIZE) {
    s_tx[s_tx_in % TX_SIZE] = data[n++];
    BYTE_THEN_INDEX();
    s_tx_in++;
  }
  const uint32_t primask = irq_save();
  fill_fifo(); /* the interrupt comes on the way down past 1/8, so the first bytes are put in by hand */
  irq_restore(primask);
  return n;
}
