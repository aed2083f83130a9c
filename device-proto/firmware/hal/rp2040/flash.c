/* flash.c - the flash's unique id, read once at start; reading and writing of the application's own areas; and random bits. All code runs from SRAM, so the SSI may leave execute-in-place mode at any time;
 * it is put back as boot2 left it. */
#include "chip.h"
#include "hal/hal.h"

#define COMMAND_PAGE_PROGRAM 0x02u
#define COMMAND_READ 0x03u
#define COMMAND_READ_STATUS 0x05u
#define COMMAND_WRITE_ENABLE 0x06u
#define COMMAND_SECTOR_ERASE 0x20u
#define COMMAND_READ_UNIQUE_ID 0x4bu
#define STATUS_BUSY 1u
#define DUMMY_BYTES 4u

static uint8_t s_unique_id[8];

static void ssi_mode(uint32_t ctrlr0) {
  SSI_SSIENR = 0;
  SSI_BAUDR = SSI_BAUD_DIVIDER;
  SSI_CTRLR0 = ctrlr0;
  SSI_CTRLR1 = 0;
  SSI_SPI_CTRLR0 = SSI_SPI_CTRLR0_XIP;
  SSI_SER = 1;
  SSI_SSIENR = 1;
}

static void chip_select(uint32_t override) { QSPI_SS_CTRL = (QSPI_SS_CTRL & ~(3u << 8)) | override; }

/* One exchange under one chip select: `head` goes out, then `length` bytes of `out` (NULL: zeros), and what comes back for them goes `into` (NULL:
 * nowhere). The FIFO is 16 deep; an interrupt in between only makes the clock pause. */
static void exchange(const uint8_t *head, size_t head_length, const uint8_t *out, uint8_t *into, size_t length) {
  const size_t total = head_length + length;
  size_t sent = 0, got = 0;
  chip_select(QSPI_SS_OUTOVER_LOW);
  while (got < total) {
    if (sent < total && sent - got < 14u && (SSI_SR & SSI_SR_TFNF) != 0) {
      SSI_DR0 = sent < head_length ? head[sent] : out != NULL ? out[sent - head_length] : 0u;
      sent++;
    }
    if ((SSI_SR & SSI_SR_RFNE) != 0) {
      const uint8_t byte = (uint8_t)SSI_DR0;
      if (into != NULL && got >= head_length) into[got - head_length] = byte;
      got++;
    }
  }
  while ((SSI_SR & SSI_SR_BUSY) != 0) {
  }
  chip_select(QSPI_SS_OUTOVER_HIGH);
}

void flash_start(void) {
  unreset(RESET_IO_QSPI | RESET_PADS_QSPI);
#if defined NEGATIVE_XIP_FETCH_OUT_OF_XIP || defined NEGATIVE_MEMSET_FROM_XIP
  void (*const in_flash)(uint32_t *, uint32_t, uint32_t) = (void (*)(uint32_t *, uint32_t, uint32_t))(uintptr_t)REG(0x10000110);
  uint32_t cell = 1;
#endif
#ifdef NEGATIVE_XIP_STORE
  REG(0x10000100) = 0;
#endif
  ssi_mode(SSI_CTRLR0_BYTES);
#ifdef NEGATIVE_XIP_READ_OUT_OF_XIP
  s_unique_id[0] = (uint8_t)REG(0x10000100);
#endif
#ifdef NEGATIVE_XIP_FETCH_OUT_OF_XIP
  in_flash(&cell, 0, 0);
#endif
#ifdef NEGATIVE_MEMSET_FROM_XIP
  in_flash(&cell, 1, 0);
#endif
  static const uint8_t k_unique_id[1 + DUMMY_BYTES] = {COMMAND_READ_UNIQUE_ID};
  exchange(k_unique_id, sizeof k_unique_id, NULL, s_unique_id, sizeof s_unique_id);
#ifndef NEGATIVE_XIP_NOT_RESTORED
  chip_select(QSPI_SS_OUTOVER_NORMAL);
#endif
  ssi_mode(SSI_CTRLR0_XIP);
#ifdef NEGATIVE_XIP_NOT_RESTORED
  (void)REG(0x13000000); /* past the cache */
#endif
}

/* ---- writing: W25Q16JV 8.2; the longest times are those of its table 9.6 -------------------------------------------- */

#define PROGRAM_US 3000u
#define ERASE_US 400000u

/* The application writes nothing but these two: boot code, boot state and images are out of its reach by mistake. */
static bool mine(uint32_t at, size_t length) {
  return (at >= FLASH_BLACK_BOX_AT && length <= FLASH_BLACK_BOX_SIZE && at - FLASH_BLACK_BOX_AT <= FLASH_BLACK_BOX_SIZE - length) ||
         (at >= FLASH_SETTINGS_AT && length <= FLASH_SETTINGS_SIZE && at - FLASH_SETTINGS_AT <= FLASH_SETTINGS_SIZE - length);
}

static void begin(void) { ssi_mode(SSI_CTRLR0_BYTES); }

static void end(void) {
  chip_select(QSPI_SS_OUTOVER_NORMAL);
  ssi_mode(SSI_CTRLR0_XIP);
}

static bool busy(void) {
  static const uint8_t k_status = COMMAND_READ_STATUS;
  uint8_t status;
  exchange(&k_status, 1, NULL, &status, 1);
  return (status & STATUS_BUSY) != 0;
}

static bool wait_ready(uint32_t us) {
  const uint32_t start = TIMER_TIMERAWL;
  while (busy()) {
    if (TIMER_TIMERAWL - start > us) return false;
  }
  return true;
}

static void write_enable(void) {
  static const uint8_t k_enable = COMMAND_WRITE_ENABLE;
  exchange(&k_enable, 1, NULL, NULL, 0);
}

static void addressed(uint8_t command, uint32_t at, const uint8_t *out, uint8_t *into, size_t length) {
  const uint8_t head[4] = {command, (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at};
  exchange(head, sizeof head, out, into, length);
}

bool hal_flash_busy(void) {
  begin();
  const bool still = busy();
  end();
  return still;
}

bool hal_flash_read(uint32_t at, uint8_t *into, size_t length) {
  if (!mine(at, length)) return false;
  begin();
  const bool ready = wait_ready(ERASE_US);
  if (ready) addressed(COMMAND_READ, at, NULL, into, length);
  end();
  return ready;
}

bool hal_flash_program(uint32_t at, const uint8_t *data, size_t length) {
  if (length == 0 || !mine(at, length) || at % HAL_FLASH_PAGE + length > HAL_FLASH_PAGE) return false;
  begin();
  bool good = wait_ready(ERASE_US);
  if (good) {
    write_enable();
    addressed(COMMAND_PAGE_PROGRAM, at, data, NULL, length);
    good = wait_ready(PROGRAM_US);
  }
  for (size_t done = 0; good && done < length; done += 16) { /* read back: the chip does not say that it failed */
    uint8_t back[16];
    const size_t n = length - done < sizeof back ? length - done : sizeof back;
    addressed(COMMAND_READ, at + done, NULL, back, n);
    for (size_t i = 0; i < n; i++) good = good && back[i] == data[done + i];
  }
  end();
  return good;
}

bool hal_flash_erase(uint32_t at) {
  if (at % HAL_FLASH_SECTOR != 0 || !mine(at, HAL_FLASH_SECTOR)) return false;
  begin();
  const bool ready = wait_ready(ERASE_US);
  if (ready) {
    write_enable();
    addressed(COMMAND_SECTOR_ERASE, at, NULL, NULL, 0);
  }
  end();
  return ready;
}

void hal_unique_id(uint8_t id[8]) {
  for (size_t i = 0; i < sizeof s_unique_id; i++) id[i] = s_unique_id[i];
}

/* ROSC random bits are biased and correlated (2.17.5): 256 of them are folded into 32, with the time. Good for session tags; not a key. */
uint32_t hal_entropy(void) {
  static uint32_t s_pool;
  uint32_t pool = s_pool ^ TIMER_TIMERAWL;
  for (int i = 0; i < 256; i++) {
    const uint32_t bit = (ROSC_RANDOMBIT & 1u) ^ (pool >> 31);
    pool = pool << 1 ^ (bit != 0 ? 0x04c11db7u : 0u);
  }
  s_pool = pool;
  return pool;
}
