/* display.c - SSD1306, 128×64, on I2C0 at 400 kHz. Never waits: each turn of the loop fills the controller's FIFO with what it takes (16 bytes,
 * 0.36 ms on the wire), and only pages that changed are sent. An empty FIFO holds the bus until the next turn (4.3.10.3), so a page may take its time. */
#include "chip.h"
#include "hal/hal.h"

#define ADDRESS 0x3cu
#define PAGES 8u
#define COLUMNS 128u
#define CONTROL_COMMAND 0x00u /* what follows are commands */
#define CONTROL_DATA 0x40u
#define SLICE_US 300u /* a little less than 16 bytes take */
#define RETRY_US 100000u

/* SSD1306 datasheet, application note: multiplex 64, offset 0, start line 0, segments and rows as mounted, alternative COM pins, contrast, follow RAM,
 * not inverted, oscillator, charge pump on, page addressing, on. */
static const uint8_t k_init[] = {CONTROL_COMMAND, 0xae, 0xd5, 0x80, 0xa8, 0x3f, 0xd3, 0x00, 0x40, 0x8d, 0x14, 0x20, 0x02, 0xa1,
                                 0xc8,            0xda, 0x12, 0x81, 0xcf, 0xd9, 0xf1, 0xdb, 0x40, 0xa4, 0xa6, 0x2e, 0xaf};

static uint8_t s_frame[PAGES * COLUMNS]; /* what the display shall show */
static uint8_t s_dirty;                  /* one bit per page */
static bool s_initialised;               /* the display has had its commands, and every page since */
static uint64_t s_retry_at;

/* What is on the wire: a transfer of `s_length` bytes, the first `s_at` of which are in the FIFO or sent. */
static enum { IDLE, INIT, PAGE_ADDRESS, PAGE_DATA } s_phase;
static uint8_t s_page, s_at, s_length;
static uint8_t s_command[4];

void display_start(void) {
  unreset(RESET_I2C0);
  I2C_CON = BIT(0) | 2u << 1 | BIT(5) | BIT(6) | BIT(8); /* master, fast mode, restarts, no slave, TX_EMPTY only when the shifter is done too */
  I2C_TAR = ADDRESS;
  /* 125 MHz / 400 kHz = 313 counts; low 60 % (UM10204: >= 1.3 us low, >= 0.6 us high); spikes up to 50 ns; SDA held 300 ns. */
  I2C_FS_SCL_LCNT = 188;
  I2C_FS_SCL_HCNT = 125;
  I2C_FS_SPKLEN = 7;
  I2C_SDA_HOLD = 38;
  I2C_INTR_MASK = 0; /* polled */
  I2C_ENABLE = 1;
#ifndef NEGATIVE_PIN_NOT_MUXED
  GPIO_CTRL(PIN_DISPLAY_SDA) = FUNC_I2C;
#endif
  GPIO_CTRL(PIN_DISPLAY_SCL) = FUNC_I2C;
  s_dirty = 0xff;
}

void hal_display(const uint8_t frame[1024]) {
  for (size_t page = 0; page < PAGES; page++) {
    bool changed = false;
    for (size_t i = page * COLUMNS; i < (page + 1) * COLUMNS; i++) {
      changed |= s_frame[i] != frame[i];
      s_frame[i] = frame[i];
    }
    if (changed) s_dirty |= (uint8_t)BIT(page);
  }
}

/* The next byte of the running transfer. Pixels are read when they leave: a page overwritten meanwhile is marked and goes again. */
static uint8_t transfer_byte(void) {
  if (s_phase == INIT) return k_init[s_at];
  if (s_phase == PAGE_ADDRESS) return s_command[s_at];
  return s_at == 0 ? CONTROL_DATA : s_frame[s_page * COLUMNS + s_at - 1u];
}

static bool begin_next(void) {
  s_at = 0;
  if (s_phase == PAGE_ADDRESS) {
    s_phase = PAGE_DATA;
    s_length = COLUMNS + 1u;
    return true;
  }
  if (s_phase == INIT) s_initialised = true;
  s_phase = IDLE;
  if (!s_initialised) {
    s_phase = INIT;
    s_length = sizeof k_init;
    return true;
  }
  if (s_dirty == 0) {
    s_length = 0; /* or the next poll would send the last page again, and again */
    return false;
  }
  s_page = 0;
  while ((s_dirty & BIT(s_page)) == 0) s_page++;
  s_dirty &= (uint8_t)~BIT(s_page);
  s_command[0] = CONTROL_COMMAND;
  s_command[1] = 0xb0u | s_page;
  s_command[2] = 0x00; /* column 0 */
  s_command[3] = 0x10;
  s_phase = PAGE_ADDRESS;
  s_length = sizeof s_command;
  return true;
}

/* No acknowledge: no display, or it lost power. The controller has flushed its FIFO; everything is sent again later. */
static bool lost(uint64_t now) {
  if ((I2C_RAW_INTR_STAT & I2C_INTR_TX_ABRT) == 0) return false;
  (void)I2C_CLR_TX_ABRT;
  s_phase = IDLE;
  s_at = s_length = 0;
  s_initialised = false;
  s_dirty = 0xff;
  s_retry_at = now + RETRY_US;
  return true;
}

/* Returns when to be called again; UINT64_MAX = nothing to send. */
uint64_t display_poll(uint64_t now) {
  if (now < s_retry_at) return s_retry_at;
  if (lost(now)) return s_retry_at;
  for (;;) {
    while (s_at < s_length && (I2C_STATUS & I2C_STATUS_TFNF) != 0) {
      const uint32_t stop = s_at + 1u == s_length ? I2C_DATA_STOP : 0u;
      I2C_DATA_CMD = transfer_byte() | stop;
      s_at++;
    }
    if (s_at < s_length) return now + SLICE_US;
    /* The last byte must be acknowledged before the next transfer may count on it. */
    if (s_phase != IDLE && ((I2C_STATUS & (I2C_STATUS_TFE | I2C_STATUS_MST_ACTIVITY)) != I2C_STATUS_TFE)) return now + SLICE_US;
    if (lost(now)) return s_retry_at;
    if (!begin_next()) return UINT64_MAX;
  }
}
