/** Identifier octets used by X.509 and CMS (X.690 §8.1.2; all of them fit in one octet). */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific, primitive: `[n] IMPLICIT` of a primitive type. */
export const contextPrimitive = (n: number): number => 0x80 | n;
/** Context-specific, constructed: `[n] EXPLICIT`, or `[n] IMPLICIT` of a constructed type. */
export const contextConstructed = (n: number): number => 0xa0 | n;

const names = new Map<number, string>(Object.entries(Tag).map(([name, tag]) => [tag, name]));
/** A tag in words, for messages. */
export function tagName(tag: number): string {
  const name = names.get(tag);
  if (name !== undefined) return name;
  if ((tag & 0xc0) === 0x80) return `[${tag & 0x1f}]${tag & 0x20 ? "" : " primitive"}`;
  return `tag ${tag.toString(16).padStart(2, "0")}`;
}
