import { compareDer, toHex } from "./bytes.js";
import { DerError } from "./error.js";
import type { DerElement } from "./reader.js";
import { DerReader } from "./reader.js";
import { Tag, tagName } from "./tags.js";
import { timeValue } from "./time.js";

export { timeValue };

/** INTEGER content octets, two's complement, form checked. */
export function integerOctets(element: DerElement): Uint8Array {
  const { content, contentOffset } = element;
  if (content.length === 0) throw new DerError(contentOffset, "an INTEGER has at least one octet");
  if (content.length > 1 && content[0] === 0x00 && content[1]! < 0x80)
    throw new DerError(contentOffset, "an INTEGER must not begin with a redundant 00");
  if (content.length > 1 && content[0] === 0xff && content[1]! >= 0x80)
    throw new DerError(contentOffset, "an INTEGER must not begin with a redundant FF");
  return content;
}

/** INTEGER of any size. */
export function integerValue(element: DerElement): bigint {
  const content = integerOctets(element);
  const value = BigInt(`0x${toHex(content)}`);
  return content[0]! >= 0x80 ? value - (1n << BigInt(8 * content.length)) : value;
}

/** INTEGER between 0 and `max` (≤ 2^31−1), as a number. */
export function smallInteger(element: DerElement, what: string, max = 0x7fffffff): number {
  const value = integerValue(element);
  if (value < 0n || value > BigInt(max)) throw new DerError(element.contentOffset, `${what} must be between 0 and ${max}`);
  return Number(value);
}

/** BOOLEAN: exactly 00 or FF (X.690 §11.1). */
export function booleanValue(element: DerElement): boolean {
  const { content, contentOffset } = element;
  if (content.length !== 1) throw new DerError(contentOffset, "a BOOLEAN has one octet");
  if (content[0] !== 0x00 && content[0] !== 0xff) throw new DerError(contentOffset, "TRUE is FF in DER");
  return content[0] === 0xff;
}

/** NULL: nothing inside. */
export function checkNull(element: DerElement): void {
  if (element.content.length !== 0) throw new DerError(element.contentOffset, "a NULL has no content");
}

/** Longest arc, octets: 2.25's UUIDs have 128 bits (X.667 §7), which is 19 of 7. */
const longestArc = 19;

/** OBJECT IDENTIFIER in dotted form. Arcs above 133 bits are refused: turning a hostile one into decimal digits takes minutes. */
export function oidValue(element: DerElement): string {
  const { content, contentOffset } = element;
  if (content.length === 0) throw new DerError(contentOffset, "an OBJECT IDENTIFIER has at least one octet");
  let dotted = "";
  let start = 0;
  for (let i = 0; i < content.length; i++) {
    if (i === start && content[i] === 0x80) throw new DerError(contentOffset + i, "an arc must not begin with 80");
    if (i - start >= longestArc) throw new DerError(contentOffset + i, `an arc of more than ${longestArc} octets is not used here`);
    if (content[i]! >= 0x80) continue;
    const arc = arcValue(content, start, i + 1);
    if (start > 0) dotted += `.${arc}`;
    else dotted = arc < 80 ? `${arc < 40 ? 0 : 1}.${Number(arc) % 40}` : `2.${typeof arc === "bigint" ? arc - 80n : arc - 80}`;
    start = i + 1;
  }
  if (start !== content.length) throw new DerError(contentOffset + content.length - 1, "the last arc is cut off");
  return dotted;
}

/** Base-128 value; a number while that is exact (7 octets = 49 bits), which is nearly always. */
function arcValue(octets: Uint8Array, start: number, end: number): number | bigint {
  if (end - start > 7) return octets.subarray(start, end).reduce((value, octet) => (value << 7n) | BigInt(octet & 0x7f), 0n);
  let value = 0;
  for (let i = start; i < end; i++) value = value * 128 + (octets[i]! & 0x7f);
  return value;
}

/** BIT STRING as octets and the number of unused bits in the last one, which must be zero (X.690 §11.2.1). */
export function bitStringValue(element: DerElement): { readonly bytes: Uint8Array; readonly unused: number } {
  const { content, contentOffset } = element;
  const unused = content[0];
  if (unused === undefined) throw new DerError(contentOffset, "a BIT STRING begins with the count of unused bits");
  if (unused > 7) throw new DerError(contentOffset, "at most 7 bits of a BIT STRING are unused");
  if (content.length === 1 && unused !== 0) throw new DerError(contentOffset, "an empty BIT STRING has no unused bits");
  if (unused !== 0 && (content[content.length - 1]! & ((1 << unused) - 1)) !== 0)
    throw new DerError(contentOffset + content.length - 1, "unused bits of a BIT STRING must be zero");
  return { bytes: content.subarray(1), unused };
}

/** BIT STRING that carries octets: a key or a signature. */
export function bitStringOctets(element: DerElement, what: string): Uint8Array {
  const { bytes, unused } = bitStringValue(element);
  if (unused !== 0) throw new DerError(element.contentOffset, `${what} is a whole number of octets`);
  return bytes;
}

/** Longest named bit list, bits. No list in X.509 or CMS has more than 9. */
const mostNamedBits = 64;

/** Named bit list: the numbers of the bits that are set. Trailing zero bits must not be encoded (X.690 §11.2.2). */
export function namedBits(element: DerElement): number[] {
  const { bytes, unused } = bitStringValue(element);
  const length = bytes.length * 8 - unused;
  if (length > mostNamedBits)
    throw new DerError(element.contentOffset, `a named bit list of more than ${mostNamedBits} bits is not used here`);
  const isSet = (bit: number): boolean => ((bytes[bit >> 3]! >> (7 - (bit & 7))) & 1) === 1;
  if (length > 0 && !isSet(length - 1)) throw new DerError(element.contentOffset, "a named bit list must not end with zero bits");
  return Array.from({ length }, (_, bit) => bit).filter(isSet);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Octets as characters; the callers have checked or check that they are ASCII. A TextDecoder costs more than a short string is worth. */
function ascii(content: Uint8Array): string {
  let text = "";
  for (let i = 0; i < content.length; i++) text += String.fromCharCode(content[i]!);
  return text;
}

/** A character string of any type that X.509 names use. TeletexString and UniversalString are not read: no JPKI certificate has one. */
export function textValue(element: DerElement): string {
  const { tag, content, contentOffset } = element;
  switch (tag) {
    case Tag.utf8String:
      try {
        return utf8.decode(content);
      } catch {
        throw new DerError(contentOffset, "a UTF8String that is not UTF-8");
      }
    case Tag.printableString: {
      const text = ascii(content);
      if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) throw new DerError(contentOffset, "a PrintableString with another character");
      return text;
    }
    case Tag.ia5String:
      if (content.some((octet) => octet > 0x7f)) throw new DerError(contentOffset, "an IA5String with an octet above 7F");
      return ascii(content);
    case Tag.numericString:
      if (!/^[0-9 ]*$/.test(ascii(content))) throw new DerError(contentOffset, "a NumericString with another character");
      return ascii(content);
    case Tag.visibleString:
      if (content.some((octet) => octet < 0x20 || octet > 0x7e))
        throw new DerError(contentOffset, "a VisibleString with another character");
      return ascii(content);
    case Tag.bmpString: {
      if (content.length % 2 !== 0) throw new DerError(contentOffset, "a BMPString has two octets a character");
      let out = "";
      for (let i = 0; i < content.length; i += 2) out += String.fromCharCode(content[i]! * 256 + content[i + 1]!);
      if (/[\ud800-\udfff]/.test(out)) throw new DerError(contentOffset, "a BMPString with a surrogate");
      return out;
    }
    default:
      throw new DerError(element.offset, `${tagName(tag)} is not a character string read here`);
  }
}

/** The items of a SET OF, which must be in DER order (X.690 §11.6) and, since no set here may repeat, different. */
export function setOf(element: DerElement, what: string): DerElement[] {
  const reader = DerReader.inside(element);
  const items: DerElement[] = [];
  while (!reader.done) {
    const item = reader.next(what);
    const last = items.at(-1);
    if (last !== undefined) {
      const order = compareDer(last.bytes, item.bytes);
      if (order > 0) throw new DerError(item.offset, `${what}: a SET OF must be in ascending order`);
      if (order === 0) throw new DerError(item.offset, `${what}: the same value twice`);
    }
    items.push(item);
  }
  return items;
}

const decode: Partial<Record<number, (element: DerElement) => unknown>> = {
  [Tag.boolean]: booleanValue,
  [Tag.integer]: integerValue,
  [Tag.enumerated]: integerValue,
  [Tag.bitString]: bitStringValue,
  [Tag.null]: checkNull,
  [Tag.oid]: oidValue,
  [Tag.utf8String]: textValue,
  [Tag.numericString]: textValue,
  [Tag.printableString]: textValue,
  [Tag.ia5String]: textValue,
  [Tag.visibleString]: textValue,
  [Tag.bmpString]: textValue,
  [Tag.utcTime]: timeValue,
  [Tag.generalizedTime]: timeValue,
};

/** Nothing in X.509 or CMS is deeper; a bound keeps hostile input from exhausting the stack. */
const deepest = 32;

/** Checks that the whole input is one DER element, down to the last universal type. Sets are not checked for order: SET and SET OF look the same. */
export function checkDer(bytes: Uint8Array, base = 0): void {
  const reader = new DerReader(bytes, base);
  walk(reader.next(), 1);
  reader.end("the element");
}

function walk(element: DerElement, depth: number): void {
  if (depth > deepest) throw new DerError(element.offset, `nested deeper than ${deepest}`);
  if ((element.tag & 0x20) !== 0) {
    const reader = DerReader.inside(element);
    while (!reader.done) walk(reader.next(), depth + 1);
  } else if ((element.tag & 0xc0) === 0) decode[element.tag]?.(element);
}
