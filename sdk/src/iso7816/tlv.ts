import { Iso7816Error } from "./error.js";

/** One BER-TLV data object (ISO/IEC 7816-4:2005 §5.2.2). */
export interface Tlv {
  /** The tag's bytes as one number, e.g. 0x7F49. */
  readonly tag: number;
  readonly constructed: boolean;
  readonly value: Uint8Array;
  /** Offset of the tag in the input. */
  readonly at: number;
  /** Offset after the value. */
  readonly end: number;
}

/**
 * Reads one data object at `offset`. Strict: tags of at most 3 bytes in their shortest form, lengths definite, at most 4 bytes and
 * minimal; nothing past the end is touched. Throws {@link Iso7816Error}.
 */
export function readTlv(bytes: Uint8Array, offset = 0): Tlv {
  const fail = (at: number, rule: string): never => {
    throw new Iso7816Error("tlv", at, rule);
  };
  if (offset >= bytes.length) fail(offset, "no tag: the input ends here");
  let at = offset;
  const first = bytes[at++]!;
  let tag = first;
  if ((first & 0x1f) === 0x1f) {
    for (let i = 0; ; i++) {
      if (at >= bytes.length) fail(at, "the tag is cut off");
      const next = bytes[at++]!;
      if (i === 0 && (next & 0x7f) === 0) fail(at - 1, "the tag's first number byte must not be 0");
      tag = tag * 256 + next;
      if (next < 0x80) {
        if (i === 0 && next < 0x1f) fail(at - 1, "a tag number below 31 has one byte");
        break;
      }
      if (i === 1) fail(at, "the tag has more than 3 bytes");
    }
  }
  if (at >= bytes.length) fail(at, "no length: the input ends here");
  let length = bytes[at++]!;
  if (length === 0x80) fail(at - 1, "indefinite length");
  if (length > 0x80) {
    const count = length & 0x7f;
    if (count > 4) fail(at - 1, "the length has more than 4 bytes");
    if (at + count > bytes.length) fail(at, "the length is cut off");
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[at++]!;
    if (length < 0x80 || length < 256 ** (count - 1)) fail(at - count, "the length is not minimal");
  }
  if (length > bytes.length - at) fail(at, `the value has ${length} bytes, ${bytes.length - at} follow`);
  return { tag, constructed: (first & 0x20) !== 0, value: bytes.subarray(at, at + length), at: offset, end: at + length };
}

/** All data objects of a template, in order. Padding 00 between objects is allowed (§5.2.2.1: "before, between or after"). Throws {@link Iso7816Error}. */
export function readTlvs(bytes: Uint8Array): Tlv[] {
  const found: Tlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    const object = readTlv(bytes, at);
    found.push(object);
    at = object.end;
  }
  return found;
}

/** The value at a path of tags, each searched in the constructed object before it; `undefined` when one is missing. Throws {@link Iso7816Error}. */
export function findTlv(bytes: Uint8Array, ...path: readonly number[]): Uint8Array | undefined {
  let value: Uint8Array | undefined = bytes;
  for (const tag of path) value = value && readTlvs(value).find((object) => object.tag === tag)?.value;
  return value;
}
