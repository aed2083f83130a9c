/** Slice-by-8 tables of the reflected polynomial EDB88320, one after the other. Signed: an Int32Array's values need no wider register. */
const table = ((): Int32Array => {
  const t = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    t[n] = c;
  }
  for (let n = 256; n < t.length; n++) t[n] = t[t[n - 256]! & 255]! ^ (t[n - 256]! >>> 8);
  return t;
})();

/** CRC-32 (IEEE 802.3: reflected, init and final xor FFFFFFFF) of `input[start..end)`; the link's check. */
export function crc32(input: Uint8Array, start = 0, end = input.length): number {
  let c = -1;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const low = c ^ (input[i]! | (input[i + 1]! << 8) | (input[i + 2]! << 16) | (input[i + 3]! << 24));
    c =
      table[0x700 + (low & 255)]! ^
      table[0x600 + ((low >>> 8) & 255)]! ^
      table[0x500 + ((low >>> 16) & 255)]! ^
      table[0x400 + (low >>> 24)]! ^
      table[0x300 + input[i + 4]!]! ^
      table[0x200 + input[i + 5]!]! ^
      table[0x100 + input[i + 6]!]! ^
      table[input[i + 7]!]!;
  }
  for (; i < end; i++) c = table[(c ^ input[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** CRC-32/MPEG-2 (poly 04C11DB7, init FFFFFFFF, not reflected, no final xor): what the RP2040's mask ROM wants over boot2's first 252 bytes (datasheet §2.8.1.3.1). */
export function crc32Mpeg2(input: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of input) {
    c ^= byte << 24;
    for (let k = 0; k < 8; k++) c = c & 0x80000000 ? (c << 1) ^ 0x04c11db7 : c << 1;
  }
  return c >>> 0;
}
