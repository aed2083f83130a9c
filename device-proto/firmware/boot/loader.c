/* loader.c - finds an image in flash, copies it to SRAM and hands it over: what was checked is what runs.
 *
 *   flash slot   │ MCUboot header 0x100 │ image ih_img_size │ TLVs … │
 *                     ▼ copied as it stands, to ih_load_addr
 *   0x20000000   │ header 0x100 │ vector table at 0x20000100, code, data │ TLVs │
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/board_gen.h"
#include "gen/wire_gen.h"
#include "hal/rp2040/regs.h"

void clocks_start(void);
uint32_t loader_main(void);
void loader_fill(uint32_t *to, uint32_t words, uint32_t value);

#define XIP_BASE 0x10000000u
#define TLV_INFO_SIZE 4u

/* Everything of the header that decides where bytes go is fixed: an image that asks for anything else is not ours. */
static bool header_good(const wire_image_header_t *h) {
  return h->ih_magic == IMAGE_MAGIC && h->ih_flags == IMAGE_F_RAM_LOAD && h->ih_load_addr == RAM_IMAGE_LOAD && h->ih_hdr_size == RAM_IMAGE_HEADER &&
         h->ih_img_size >= 192 && h->ih_img_size <= RAM_IMAGE_MAX - RAM_IMAGE_HEADER && (h->ih_protect_tlv_size & 3u) == 0;
}

/* The TLV area follows the image (word by word here: sizes are made multiples of four by the build). Its length, or 0 when it is not one or does
 * not fit with the image into the room that RAM has. */
static uint32_t tlv_length(uint32_t at, uint32_t room) {
  const uint16_t *info = (const uint16_t *)(uintptr_t)at;
  if (room < TLV_INFO_SIZE || info[0] != IMAGE_TLV_INFO_MAGIC || info[1] < TLV_INFO_SIZE || info[1] > room) return 0;
  return info[1];
}

static void copy_to_ram(uint32_t from, uint32_t length) {
  const volatile uint32_t *source = (const volatile uint32_t *)(uintptr_t)from;
  volatile uint32_t *target = (volatile uint32_t *)(uintptr_t)RAM_IMAGE_LOAD;
  for (uint32_t i = 0; i < (length + 3u) / 4u; i++) target[i] = source[i];
}

/* The copy in RAM is looked at, never the flash again. SHA-256, signature, product and counter are checked here when the update arrives. */
static bool copy_good(uint32_t length) {
  const wire_image_header_t *h = (const wire_image_header_t *)(uintptr_t)RAM_IMAGE_LOAD;
  const uint32_t *vectors = (const uint32_t *)(uintptr_t)(RAM_IMAGE_LOAD + RAM_IMAGE_HEADER);
  const uint32_t first = RAM_IMAGE_LOAD + RAM_IMAGE_HEADER, last = first + h->ih_img_size;
  return header_good(h) && RAM_IMAGE_HEADER + h->ih_img_size <= length && vectors[0] == RAM_STACK_TOP && (vectors[1] & 1u) == 1u && vectors[1] > first &&
         vectors[1] < last;
}

/* Loads the image of one slot. The address of its vector table, or 0. */
static uint32_t load_slot(uint32_t slot) {
  const wire_image_header_t *h = (const wire_image_header_t *)(uintptr_t)(XIP_BASE + slot);
  if (!header_good(h)) return 0;
  uint32_t length = h->ih_hdr_size + h->ih_img_size;
  if ((length & 3u) != 0) return 0;
  uint32_t tlv = tlv_length(XIP_BASE + slot + length, RAM_IMAGE_MAX - length);
  if (tlv == 0) return 0;
  copy_to_ram(XIP_BASE + slot, length + tlv);
  return copy_good(length) ? RAM_IMAGE_LOAD + RAM_IMAGE_HEADER : 0;
}

/* Called from loader_start.S with RAM wiped. The best slot is chosen here once there is a second one and a boot state to choose by. */
uint32_t loader_main(void) {
  clocks_start(); /* at the ring oscillator's 6 MHz the copy alone would take a second */
  return load_slot(FLASH_SLOT_A_AT);
}

/* Not used by the loader: see loader_start.S. */
__attribute__((used)) void loader_fill(uint32_t *to, uint32_t words, uint32_t value) {
  volatile uint32_t *p = to;
  while (words--) *p++ = value;
}
