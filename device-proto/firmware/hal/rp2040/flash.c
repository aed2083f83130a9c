/* flash.c - the flash's unique id, read once at start; and random bits. All code runs from SRAM, so the SSI may leave execute-in-place mode at any time;
 * it is put back as boot2 left it. */
#include "chip.h"
#include "hal/hal.h"

#define COMMAND_READ_UNIQUE_ID 0x4bu
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

/* One command: sends `length` bytes, the first from `first`, the rest zero, and keeps the last `keep` bytes that came back. The FIFO is 16 deep. */
static void command(uint8_t first, size_t length, uint8_t *into, size_t keep) {
  size_t sent = 0, got = 0;
  chip_select(QSPI_SS_OUTOVER_LOW);
  while (got < length) {
    if (sent < length && sent - got < 14u && (SSI_SR & SSI_SR_TFNF) != 0) SSI_DR0 = sent++ == 0 ? first : 0u;
    if ((SSI_SR & SSI_SR_RFNE) != 0) {
      const uint8_t byte = (uint8_t)SSI_DR0;
      if (got >= length - keep) into[got - (length - keep)] = byte;
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
  command(COMMAND_READ_UNIQUE_ID, 1 + DUMMY_BYTES + sizeof s_unique_id, s_unique_id, sizeof s_unique_id);
#ifndef NEGATIVE_XIP_NOT_RESTORED
  chip_select(QSPI_SS_OUTOVER_NORMAL);
#endif
  ssi_mode(SSI_CTRLR0_XIP);
#ifdef NEGATIVE_XIP_NOT_RESTORED
  (void)REG(0x13000000); /* past the cache */
#endif
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
