/* image.c - what the running image says of itself: its MCUboot TLVs, which the loader left behind it in RAM. */
#include "gen/wire_gen.h"
#include "chip.h"
#include "hal/hal.h"

#define TLV_ROOM 256u /* app.ld */

static uint32_t u16(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8; }

void hal_image_hash(uint8_t hash[8]) {
  const wire_image_header_t *h = (const wire_image_header_t *)(uintptr_t)RAM_IMAGE_LOAD;
  const uint8_t *tlv = (const uint8_t *)(uintptr_t)(RAM_IMAGE_LOAD + RAM_IMAGE_HEADER + h->ih_img_size + h->ih_protect_tlv_size);
  for (size_t i = 0; i < 8; i++) hash[i] = 0;
  if (u16(tlv) != IMAGE_TLV_INFO_MAGIC) return;
  const uint32_t end = u16(tlv + 2);
  for (uint32_t at = 4; at + 4 <= end && end + h->ih_protect_tlv_size <= TLV_ROOM; at += 4 + u16(tlv + at + 2)) {
    if (u16(tlv + at) != IMAGE_TLV_SHA256 || u16(tlv + at + 2) != 32 || at + 36 > end) continue;
    for (size_t i = 0; i < 8; i++) hash[i] = tlv[at + 4 + i];
    return;
  }
}
