/** One COMPACT-TLV data object of the historical bytes: tag 4X is written as X. */
export interface CompactTlv {
  /** 0..15: 3 service data, 4 initial access, 5 card issuer's data, 6 pre-issuing data, 7 capabilities, 8 status, 15 AID. */
  readonly tag: number;
  readonly value: Uint8Array;
}

/** Historical bytes (ISO/IEC 7816-4:2005 §8.1.1) in words. */
export interface HistoricalBytes {
  /** At most 15 bytes. */
  readonly bytes: Uint8Array;
  /** The first byte: 00 status at the end, 10 DIR data reference, 80 COMPACT-TLV; others are proprietary. */
  readonly category?: number;
  /** COMPACT-TLV objects; empty for proprietary bytes and where the objects do not fit together. */
  readonly objects: readonly CompactTlv[];
  /** Life cycle status and status word, when given. */
  readonly status?: { readonly lifeCycle: number; readonly sw: number };
  /** From the third software function table of tag 7 (§8.1.1.2.7): may lengths be extended, is command chaining understood. */
  readonly extendedLength?: boolean;
  readonly commandChaining?: boolean;
  /** False when the category says COMPACT-TLV but an object is cut off. */
  readonly wellFormed: boolean;
}

/** Reads historical bytes; never throws, since a card may put anything there. */
export function readHistorical(bytes: Uint8Array): HistoricalBytes {
  const category = bytes[0];
  if (category === undefined) return { bytes, objects: [], wellFormed: true };
  if (category !== 0x00 && category !== 0x80) return { bytes, category, objects: [], wellFormed: true };
  // category 00: the last three bytes are the status, without a tag
  const end = category === 0x00 ? bytes.length - 3 : bytes.length;
  if (end < 1) return { bytes, category, objects: [], wellFormed: false };
  const objects: CompactTlv[] = [];
  let at = 1;
  while (at < end) {
    const head = bytes[at]!;
    const length = head & 15;
    if (at + 1 + length > end) return { bytes, category, objects: [], wellFormed: false };
    objects.push({ tag: head >> 4, value: bytes.slice(at + 1, at + 1 + length) });
    at += 1 + length;
  }
  const third = objects.find((object) => object.tag === 7)?.value[2];
  const last = category === 0x00 ? bytes.subarray(end) : objects.find((object) => object.tag === 8)?.value;
  return {
    bytes,
    category,
    objects,
    ...(last?.length === 3 && { status: { lifeCycle: last[0]!, sw: (last[1]! << 8) | last[2]! } }),
    ...(last?.length === 2 && { status: { lifeCycle: 0, sw: (last[0]! << 8) | last[1]! } }),
    ...(third !== undefined && { extendedLength: (third & 0x40) !== 0, commandChaining: (third & 0x80) !== 0 }),
    wellFormed: true,
  };
}
