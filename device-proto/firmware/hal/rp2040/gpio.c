/* gpio.c - every pin's pad, set explicitly: nothing is left to the reset value (0x56: input on, Schmitt on, pull-down on, 4 mA). */
#include "chip.h"

typedef struct {
  uint8_t pin;
  uint8_t pad;
  uint8_t function;
  uint8_t out; /* SIO value and direction before the function is selected: no glitch on the wire */
} pin_row_t;

#define LOW 1u  /* drives 0 */
#define OFF 0u  /* lets go; the value latch is 0, so that driving means pulling low */
#define IN (PAD_INPUT | PAD_SCHMITT)

#ifdef NEGATIVE_NO_SCHMITT
#define CARD_IO_PAD (PAD_INPUT | PAD_DRIVE_4MA)
#elif defined NEGATIVE_CARD_IO_PULLED_DOWN
#define CARD_IO_PAD (IN | PAD_DRIVE_4MA | PAD_PULLDOWN)
#else
#define CARD_IO_PAD (IN | PAD_DRIVE_4MA)
#endif
#ifdef NEGATIVE_PAD_NO_INPUT
#define COLUMN_PAD (PAD_SCHMITT | PAD_PULLUP)
#else
#define COLUMN_PAD (IN | PAD_PULLUP)
#endif
#define ROW_PAD (IN | PAD_PULLUP | PAD_DRIVE_2MA)

/* The contacts to the card stay deactivated: RST, CLK, I/O low, VCC off (ISO 7816-3 §6.4). UART and I2C get their function where they start. */
static const pin_row_t k_pins[] = {
    {PIN_UART0TX, IN | PAD_PULLUP | PAD_DRIVE_4MA, FUNC_NONE, OFF},
    {PIN_UART0RX, IN | PAD_PULLUP, FUNC_NONE, OFF}, /* an open input must not look like a break */
    {PIN_CARD_IO, CARD_IO_PAD, FUNC_SIO, LOW},
    {PIN_CARD_RST, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_DISPLAY_SDA, IN | PAD_PULLUP | PAD_DRIVE_4MA, FUNC_NONE, OFF},
    {PIN_DISPLAY_SCL, IN | PAD_PULLUP | PAD_DRIVE_4MA, FUNC_NONE, OFF},
    {PIN_CARD_PRESENT, IN | PAD_PULLDOWN, FUNC_SIO, OFF},
    {PIN_CARD_OVER_CURRENT_N, IN | PAD_PULLUP, FUNC_SIO, OFF},
    {PIN_KEYPAD_ROW0, ROW_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_ROW1, ROW_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_ROW2, ROW_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_ROW3, ROW_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_COL0, COLUMN_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_COL1, COLUMN_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_COL2, COLUMN_PAD, FUNC_SIO, OFF},
    {PIN_KEYPAD_COL3, COLUMN_PAD, FUNC_SIO, OFF},
    {PIN_LAMP, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_BUZZER, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_CARD_CLK, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_CARD_VCC, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_CARD_VSEL0, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
    {PIN_CARD_VSEL1, IN | PAD_DRIVE_4MA, FUNC_SIO, LOW},
};

void gpio_start(void) {
  unreset(RESET_IO_BANK0 | RESET_PADS_BANK0);
  for (size_t i = 0; i < sizeof k_pins / sizeof *k_pins; i++) {
    const pin_row_t *row = &k_pins[i];
    SIO_GPIO_OUT_CLR = BIT(row->pin);
    if (row->out == LOW) {
      SIO_GPIO_OE_SET = BIT(row->pin);
    } else {
      SIO_GPIO_OE_CLR = BIT(row->pin);
    }
    PAD(row->pin) = row->pad;
    GPIO_CTRL(row->pin) = row->function;
  }
}

/* Presence switch, over-current and keypad share the bank's one interrupt. */
void irq_io_bank0(void) {
  card_presence_irq();
  keypad_irq();
  event_raise();
}
