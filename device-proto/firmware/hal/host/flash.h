/* flash.h - what a test sees of the flash on a PC. */
#ifndef HOST_FLASH_H
#define HOST_FLASH_H
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t bits_left; /* power fails when so many bits have changed; UINT64_MAX = never */
  uint64_t busy_until;
  uint32_t programs, erases;
  bool broken; /* bit 0 of every byte no longer becomes 0 */
} host_flash_t;
extern host_flash_t g_flash;

/* The whole array, FLASH_SIZE bytes; erased at first. */
uint8_t *host_flash(void);
#endif
