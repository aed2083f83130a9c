import type { StrictChip } from "./chip.js";
import type { Flash } from "./flash.js";

/** boot2: 252 bytes of code and a CRC-32, at flash offset 0 (datasheet §2.8.1.3.1). */
const BOOT2_SIZE = 256;
/** Where the ROM copies it to and enters it. */
const BOOT2_AT = 0x20041f00;
/**
 * Time the mask ROM takes on the ring oscillator, in ns: the real ROM image (B1) executed 38 750 cycles from reset to boot2 in the
 * emulator, at 6.5 MHz.
 */
export const ROM_NS = 5_960_000;
/** Between two attempts of the ROM to load boot2, ns (2.7.2.3.1: about 4 ms). */
export const ROM_TRY_NS = 4_000_000;
/** Attempts before the ROM waits for USB (FLASH_MAX_ATTEMPTS in its published source): half a second, more than a 4 KiB erase may take, less than a 64 KiB one may. */
export const ROM_TRIES = 128;

/** CRC-32 as the ROM computes it: polynomial 04c11db7, initial ffffffff, not reflected, no final xor. */
export function romCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

/**
 * What the mask ROM does that firmware can tell: reads 256 bytes through the flash's own serial command, checks their CRC, copies them
 * to the end of SRAM and enters them with LR = 0. False: the CRC is wrong, and the real ROM would wait for USB (BOOTSEL).
 */
export function enterBoot2(chip: StrictChip, flash: Flash): boolean {
  flash.select();
  for (const byte of [0x03, 0, 0, 0]) flash.exchange(byte);
  const boot2 = Uint8Array.from({ length: BOOT2_SIZE }, () => flash.exchange(0));
  flash.deselect();
  const expected = new DataView(boot2.buffer).getUint32(BOOT2_SIZE - 4, true);
  if (romCrc32(boot2.subarray(0, BOOT2_SIZE - 4)) !== expected) return false;
  chip.sram.set(boot2, BOOT2_AT - 0x20000000);
  const { core } = chip;
  core.SP = BOOT2_AT;
  core.LR = 0;
  core.PC = BOOT2_AT;
  return true;
}
