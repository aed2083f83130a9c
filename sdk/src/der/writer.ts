import { compareDer, concat } from "./bytes.js";
import { Tag, contextConstructed, contextPrimitive } from "./tags.js";

type Bytes = Uint8Array<ArrayBuffer>;

/** One element: identifier, shortest length, content. */
export function tlv(tag: number, ...content: readonly Uint8Array[]): Bytes {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  return concat(Uint8Array.of(tag, ...lengthOctets(length)), ...content);
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

/** SEQUENCE of the parts; `undefined` parts (absent OPTIONAL fields) are left out. */
export const sequence = (...parts: readonly (Uint8Array | undefined)[]): Bytes =>
  tlv(Tag.sequence, ...parts.filter((part) => part !== undefined));
/** SET OF: the items are put in DER order, so that one set has one encoding whatever order it was built in. */
export const setOfItems = (items: readonly Uint8Array[]): Bytes => tlv(Tag.set, ...[...items].sort(compareDer));
/** `[n]` constructed around the parts: EXPLICIT, or IMPLICIT of a constructed type. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Bytes => tlv(contextConstructed(n), ...parts);
/** `[n]` IMPLICIT of a primitive type. */
export const contextOctets = (n: number, content: Uint8Array): Bytes => tlv(contextPrimitive(n), content);

/** INTEGER, shortest two's complement. */
export function integer(value: bigint | number): Bytes {
  let rest = BigInt(value);
  const octets: number[] = [];
  do {
    octets.unshift(Number(rest & 0xffn));
    rest >>= 8n;
  } while (!((rest === 0n && octets[0]! < 0x80) || (rest === -1n && octets[0]! >= 0x80)));
  return tlv(Tag.integer, Uint8Array.from(octets));
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Bytes {
  const arcs = dotted.split(".").map(BigInt);
  const [root, second, ...rest] = arcs;
  if (root === undefined || second === undefined || root > 2n || (root < 2n && second > 39n))
    throw new RangeError(`${dotted} is not an object identifier`);
  const octets: number[] = [];
  for (const arc of [root * 40n + second, ...rest]) {
    const group: number[] = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) group.unshift(0x80 | Number(left & 0x7fn));
    octets.push(...group);
  }
  return tlv(Tag.oid, Uint8Array.from(octets));
}

/** BOOLEAN TRUE; FALSE is nearly always a DEFAULT and then must not be written. */
export const booleanTrue = (): Bytes => Uint8Array.of(Tag.boolean, 1, 0xff);
/** NULL. */
export const nullValue = (): Bytes => Uint8Array.of(Tag.null, 0);
/** OCTET STRING. */
export const octetString = (content: Uint8Array): Bytes => tlv(Tag.octetString, content);
/** BIT STRING of whole octets. */
export const bitString = (content: Uint8Array): Bytes => tlv(Tag.bitString, Uint8Array.of(0), content);
/** Named bit list without trailing zero bits. */
export function bits(...set: readonly number[]): Bytes {
  const highest = Math.max(-1, ...set);
  const octets = new Uint8Array((highest + 8) >> 3);
  for (const bit of set) octets[bit >> 3]! |= 0x80 >> (bit & 7);
  return tlv(Tag.bitString, Uint8Array.of(highest < 0 ? 0 : 7 - (highest & 7)), octets);
}
/** UTF8String. */
export const utf8String = (text: string): Bytes => tlv(Tag.utf8String, new TextEncoder().encode(text));
/** PrintableString; the caller keeps to its characters. */
export const printableString = (text: string): Bytes => tlv(Tag.printableString, new TextEncoder().encode(text));
/** IA5String; the caller keeps to ASCII. */
export const ia5String = (text: string): Bytes => tlv(Tag.ia5String, new TextEncoder().encode(text));

/** Time as X.509 and CMS want it: UTCTime until 2049, GeneralizedTime from 2050; whole seconds, the rest is cut off. */
export function time(date: Date): Bytes {
  const digits = date.toISOString().replace(/[-:T]/g, "").slice(0, 14);
  if (!/^[0-9]{14}$/.test(digits)) throw new RangeError("year out of range");
  const short = digits >= "1950" && digits < "2050";
  return tlv(short ? Tag.utcTime : Tag.generalizedTime, new TextEncoder().encode(`${short ? digits.slice(2) : digits}Z`));
}
