/* flash.c - the flash on a PC: real enough to be torn. */
#include "hal/host/flash.h"
#include <stdlib.h>
#include <string.h>
#include "gen/board_gen.h"
#include "hal/hal.h"

host_flash_t g_flash = {.bits_left = UINT64_MAX};

static uint8_t s_bytes[FLASH_SIZE];
static bool s_made;

uint8_t *host_flash(void) {
  if (!s_made) memset(s_bytes, 0xff, sizeof s_bytes);
  s_made = true;
  return s_bytes;
}

static bool mine(uint32_t at, size_t length) {
  return (at >= FLASH_BLACK_BOX_AT && at + length <= FLASH_BLACK_BOX_AT + FLASH_BLACK_BOX_SIZE) ||
         (at >= FLASH_SETTINGS_AT && at + length <= FLASH_SETTINGS_AT + FLASH_SETTINGS_SIZE);
}

/* Changes one byte bit by bit until power fails. */
static void change(uint8_t *byte, uint8_t to) {
  for (unsigned bit = 0; bit < 8; bit++) {
    const uint8_t mask = (uint8_t)(1u << bit);
    if (((*byte ^ to) & mask) == 0) continue;
    if (g_flash.bits_left == 0) return;
    g_flash.bits_left--;
    *byte ^= mask;
  }
}

bool hal_flash_busy(void) { return hal_now_us() < g_flash.busy_until; }

bool hal_flash_read(uint32_t at, uint8_t *into, size_t length) {
  if (!mine(at, length)) return false;
  memcpy(into, host_flash() + at, length);
  return true;
}

bool hal_flash_program(uint32_t at, const uint8_t *data, size_t length) {
  if (length == 0 || !mine(at, length) || at % HAL_FLASH_PAGE + length > HAL_FLASH_PAGE) return false;
  uint8_t *bytes = host_flash() + at;
  for (size_t i = 0; i < length; i++) change(&bytes[i], (uint8_t)(bytes[i] & (g_flash.broken ? data[i] | 1u : data[i])));
  g_flash.programs++;
  return memcmp(bytes, data, length) == 0;
}

bool hal_flash_erase(uint32_t at) {
  if (at % HAL_FLASH_SECTOR != 0 || !mine(at, HAL_FLASH_SECTOR)) return false;
  for (size_t i = 0; i < HAL_FLASH_SECTOR; i++) change(&host_flash()[at + i], 0xff);
  g_flash.erases++;
  g_flash.busy_until = hal_now_us() + 45000;
  return true;
}
