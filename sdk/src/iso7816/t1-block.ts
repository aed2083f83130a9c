/** The error detection code in a block's epilogue (ISO/IEC 7816-3 §11.4.4). */
export type Edc = "lrc" | "crc";

/** A block as it came, taken apart. `inf` is a view of the bytes given. */
export interface T1Block {
  readonly nad: number;
  readonly pcb: number;
  readonly inf: Uint8Array;
}

/** Prologue: NAD, PCB, LEN. */
const PROLOGUE = 3;

/** Bytes of the epilogue. */
export const edcLength = (edc: Edc): number => (edc === "crc" ? 2 : 1);

/**
 * The check over `bytes[0 … end − 1]` as a number. The CRC is the one readers and cards in the field compute: x¹⁶+x¹²+x⁵+1 reflected, start
 * FFFF, no complement, high byte first on the line (§11.3.4 names ISO/IEC 13239 only).
 */
function check(bytes: Uint8Array, end: number, edc: Edc): number {
  if (edc === "lrc") {
    let sum = 0;
    for (let at = 0; at < end; at++) sum ^= bytes[at]!;
    return sum;
  }
  let crc = 0xffff;
  for (let at = 0; at < end; at++) {
    crc ^= bytes[at]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1;
  }
  return crc;
}

/** The bytes of a block with NAD 00; `inf` has 0 to 254 bytes. A new array: whoever sends a secret in it wipes it. */
export function encodeT1(pcb: number, inf: Uint8Array, edc: Edc): Uint8Array<ArrayBuffer> {
  if (inf.length > 254) throw new RangeError(`INF has at most 254 bytes, not ${inf.length}`);
  const end = PROLOGUE + inf.length;
  const bytes = new Uint8Array(end + edcLength(edc));
  bytes[1] = pcb;
  bytes[2] = inf.length;
  bytes.set(inf, PROLOGUE);
  const sum = check(bytes, end, edc);
  if (edc === "crc") bytes[end] = sum >> 8;
  bytes[bytes.length - 1] = sum & 255;
  return bytes;
}

/** Takes a block apart: "garbled" when length and check disagree with the bytes (§11.6.2: a transmission error), "invalid" for LEN FF. */
export function decodeT1(bytes: Uint8Array, edc: Edc): T1Block | "garbled" | "invalid" {
  const tail = edcLength(edc);
  if (bytes[2] === 255) return "invalid";
  const end = PROLOGUE + (bytes[2] ?? 0);
  if (bytes.length < PROLOGUE + tail || bytes.length !== end + tail) return "garbled";
  const said = edc === "crc" ? (bytes[end]! << 8) | bytes[end + 1]! : bytes[end]!;
  if (said !== check(bytes, end, edc)) return "garbled";
  return { nad: bytes[0]!, pcb: bytes[1]!, inf: bytes.subarray(PROLOGUE, end) };
}
