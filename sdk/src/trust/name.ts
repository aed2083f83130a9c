import type { DerElement } from "../der/index.js";
import { DerError, DerReader, Tag, eachItem, oidValue, setOf, textValue } from "../der/index.js";

/** A distinguished name, in the order of the certificate. */
export interface DistinguishedName {
  /** The whole Name, for comparison: names are equal when their encodings are (RFC 5280 §7.1 allows more; JPKI needs no more). */
  readonly der: Uint8Array;
  readonly attributes: readonly { readonly oid: string; readonly value: string }[];
  /** `C=JP, O=…, OU=…`; control characters and the characters `,+="\<>;` in values are escaped with a backslash. */
  readonly text: string;
}

const shortNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
};

/** Reads a Name (RFC 5280 §4.1.2.4). */
export function readName(element: DerElement): DistinguishedName {
  const attributes: { oid: string; value: string }[] = [];
  const parts: string[] = [];
  if (element.tag !== Tag.sequence) throw new DerError(element.offset, "a name must be a SEQUENCE");
  eachItem(element, "the name", 0, (rdn) => {
    if (rdn.tag !== Tag.set) throw new DerError(rdn.offset, "a relative name must be a SET");
    const items = setOf(rdn, "a relative name");
    if (items.length === 0) throw new DerError(rdn.offset, "a relative name must not be empty");
    const texts = items.map((item) => {
      const reader = DerReader.sequence(item, "a name attribute");
      const oid = oidValue(reader.take(Tag.oid, "the attribute type"));
      const value = textValue(reader.next("the attribute value"));
      reader.end("the name attribute");
      attributes.push({ oid, value });
      return `${shortNames[oid] ?? oid}=${escape(value)}`;
    });
    parts.push(texts.join("+"));
  });
  return { der: element.bytes, attributes, text: parts.join(", ") };
}

function escape(value: string): string {
  if (/^[A-Za-z0-9 .:/-]*$/.test(value)) return value;
  return value
    .replace(/[,+="\\<>;]/g, "\\$&")
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** The first value of an attribute, e.g. `commonName`. */
export function attributeOf(name: DistinguishedName, oid: string): string | undefined {
  return name.attributes.find((attribute) => attribute.oid === oid)?.value;
}
