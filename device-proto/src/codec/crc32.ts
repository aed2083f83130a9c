/** Slice-by-4 tables of the reflected polynomial EDB88320. */
const tables = ((): readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array] => {
  const t0 = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    t0[n] = c;
  }
  const next = (t: Uint32Array): Uint32Array => t.map((c) => t0[c & 255]! ^ (c >>> 8));
  const t1 = next(t0);
  const t2 = next(t1);
  return [t0, t1, t2, next(t2)];
})();

/** CRC-32 (IEEE 802.3: reflected, init and final xor FFFFFFFF) of `input[start..end)`; the link's check. */
export function crc32(input: Uint8Array, start = 0, end = input.length): number {
  const [t0, t1, t2, t3] = tables;
  let c = 0xffffffff;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    c ^= input[i]! | (input[i + 1]! << 8) | (input[i + 2]! << 16) | (input[i + 3]! << 24);
    c = t3[c & 255]! ^ t2[(c >>> 8) & 255]! ^ t1[(c >>> 16) & 255]! ^ t0[c >>> 24]!;
  }
  for (; i < end; i++) c = t0[(c ^ input[i]!) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
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
