/* keypad.c - the 4×4 matrix. Rows are open drain: 0 is driven, 1 is let go, so two keys at once never short two drivers. Idle, all rows are low
 * and any key pulls its column low: that edge wakes the chip. Debouncing is front's. */
#include "chip.h"
#include "hal/hal.h"

#define ROWS (BIT(PIN_KEYPAD_ROW0) | BIT(PIN_KEYPAD_ROW1) | BIT(PIN_KEYPAD_ROW2) | BIT(PIN_KEYPAD_ROW3))
#define COLUMNS (BIT(PIN_KEYPAD_COL0) | BIT(PIN_KEYPAD_COL1) | BIT(PIN_KEYPAD_COL2) | BIT(PIN_KEYPAD_COL3))
#define SETTLE_US 3u /* 50 kohm pull-up, some 30 pF of wire: 1.5 us; the pull-up is the pad's */

static const uint8_t k_rows[4] = {PIN_KEYPAD_ROW0, PIN_KEYPAD_ROW1, PIN_KEYPAD_ROW2, PIN_KEYPAD_ROW3};
static const uint8_t k_columns[4] = {PIN_KEYPAD_COL0, PIN_KEYPAD_COL1, PIN_KEYPAD_COL2, PIN_KEYPAD_COL3};

static void rows_low(uint32_t rows) {
#ifdef NEGATIVE_ROW_DRIVEN_HIGH
  SIO_GPIO_OUT_SET = ROWS & ~rows;
  SIO_GPIO_OUT_CLR = rows;
  SIO_GPIO_OE_SET = ROWS;
#else
  SIO_GPIO_OE_CLR = ROWS & ~rows; /* let go before another is driven */
  SIO_GPIO_OE_SET = rows;
#endif
}

static uint32_t columns_low(void) { return ~SIO_GPIO_IN & COLUMNS; }

static void wake(bool on) {
  for (size_t i = 0; i < 4; i++) {
    const uint32_t pin = k_columns[i], edges = IO_EDGE_LOW(pin) | IO_EDGE_HIGH(pin);
    if (on) {
      IO_INTR(pin) = edges; /* those of our own scan */
      SET(IO_PROC0_INTE(pin)) = edges;
    } else {
      CLR(IO_PROC0_INTE(pin)) = edges;
    }
  }
}

void keypad_start(void) {
  rows_low(ROWS);
  delay_us(SETTLE_US);
  wake(true);
}

void keypad_irq(void) {
  for (size_t i = 0; i < 4; i++) {
    const uint32_t pin = k_columns[i], edges = IO_EDGE_LOW(pin) | IO_EDGE_HIGH(pin);
    IO_INTR(pin) = IO_PROC0_INTS(pin) & edges;
  }
}

bool hal_key_down(void) { return columns_low() != 0; }

uint16_t hal_keys(void) {
  if (columns_low() == 0) return 0;
  uint16_t keys = 0;
  wake(false);
  for (size_t row = 0; row < 4; row++) {
    rows_low(BIT(k_rows[row]));
    delay_us(SETTLE_US);
    const uint32_t low = columns_low();
    for (size_t column = 0; column < 4; column++) {
      /* No branch: how long a scan takes must not depend on which key is down. */
      keys |= (uint16_t)((low >> k_columns[column] & 1u) << (row * 4u + column));
    }
  }
  rows_low(ROWS);
  delay_us(SETTLE_US);
  wake(true);
  return keys;
}

void hal_lamp(bool lit) {
  if (lit) {
    SIO_GPIO_OUT_SET = BIT(PIN_LAMP);
  } else {
    SIO_GPIO_OUT_CLR = BIT(PIN_LAMP);
  }
}
