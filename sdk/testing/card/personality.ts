import { createPrivateKey } from "node:crypto";
import { fromHex, write } from "../../src/der/index.js";
import type { CardApplication, CardFile, CardPersonality } from "./model.js";

/** What goes into a standard test card: all of it test material. `hwtest`'s `standardMaterial()` makes one. */
export interface CardMaterial {
  readonly signCertificate: Uint8Array;
  readonly authCertificate: Uint8Array;
  readonly signCa: Uint8Array;
  readonly authCa: Uint8Array;
  /** PKCS#8 PEM. */
  readonly signKey: string;
  readonly authKey: string;
  /** 4 digits: user authentication. */
  readonly authPin: string;
  /** 6 to 16 characters A–Z 0–9: signature. */
  readonly signPassword: string;
  /** Synthetic person. Birth is YYYYMMDD; sex 1 male, 2 female, 9 not applicable. */
  readonly person: { readonly name: string; readonly address: string; readonly birth: string; readonly sex: "1" | "2" | "9" };
  /** Serial 15 ‖ municipality 5 ‖ expiry YYYYMMDD: 28 digits of the common application's record 1. */
  readonly cardRecord: string;
}

/** AIDs of the My Number card's applications (jpki-card.md §1.1). */
export const aids = {
  jpki: fromHex("D392F000260100000001"),
  text: fromHex("D3921000310001010408"),
  visual: fromHex("D3921000310001010402"),
  common: fromHex("D3921000310001010100"),
} as const;

/** Contact ATR reported for cards since 2019: TA1 = 13 (F 372, D 4), T=1 only, IFSC 251 (jpki-card.md §1.2). */
export const standardAtr = fromHex("3BDA13FF8131FB46801239 2F31C173C601C03B");

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The standard My Number card: both certificates, all counters full. */
export function standardPersonality(material: CardMaterial): CardPersonality {
  return { atr: standardAtr, applications: [jpki(material), text(material), visual(), common(material)] };
}

/** jpki-card.md §3.1: which files, who may read them. */
function jpki(material: CardMaterial): CardApplication {
  const files: CardFile[] = [
    { kind: "data", fid: 0x0001, read: { anyOf: [0x001b] }, bytes: material.signCertificate },
    { kind: "data", fid: 0x0002, read: "free", bytes: material.signCa },
    { kind: "data", fid: 0x0006, read: "free", bytes: ascii("JPKIAPICCTOKEN2".padEnd(160, " ")) },
    { kind: "data", fid: 0x0008, read: "free", bytes: Uint8Array.of(0x8f, 0x8f, 0x00) },
    { kind: "data", fid: 0x000a, read: "free", bytes: material.authCertificate },
    { kind: "data", fid: 0x000b, read: "free", bytes: material.authCa },
    { kind: "key", fid: 0x0017, needs: 0x0018, key: createPrivateKey(material.authKey) },
    { kind: "secret", fid: 0x0018, value: ascii(material.authPin), maxTries: 3, minLength: 4, maxLength: 4 },
    { kind: "key", fid: 0x001a, needs: 0x001b, key: createPrivateKey(material.signKey) },
    { kind: "secret", fid: 0x001b, value: ascii(material.signPassword), maxTries: 5, minLength: 6, maxLength: 16 },
  ];
  return { name: "jpki", aid: aids.jpki, files };
}

/** jpki-card.md §6.1. The file with the My Number (0001) is not here: no lawful tool of this project reads it. */
function text(material: CardMaterial): CardApplication {
  const files: CardFile[] = [
    { kind: "data", fid: 0x0002, read: { anyOf: [0x0011, 0x0015] }, bytes: attributes(material.person) },
    { kind: "secret", fid: 0x0011, value: ascii(material.authPin), maxTries: 3, minLength: 4, maxLength: 4 },
    { kind: "secret", fid: 0x0012, maxTries: 0, minLength: 1, maxLength: 16 },
    // 照合番号A is the My Number itself, so no value matches. 照合番号B has 10 tries (jpki-card.md §4.1); A's 10 is by analogy.
    { kind: "secret", fid: 0x0014, maxTries: 10, minLength: 12, maxLength: 12 },
    { kind: "secret", fid: 0x0015, maxTries: 10, minLength: 14, maxLength: 14 },
  ];
  return { name: "text", aid: aids.text, files };
}

/** jpki-card.md §6.2: counters only. */
function visual(): CardApplication {
  const files: CardFile[] = [
    { kind: "secret", fid: 0x0012, maxTries: 10, minLength: 14, maxLength: 14 },
    { kind: "secret", fid: 0x0013, maxTries: 10, minLength: 12, maxLength: 12 },
  ];
  return { name: "visual", aid: aids.visual, files };
}

/** jpki-card.md §6.3: one simple-TLV record. */
function common(material: CardMaterial): CardApplication {
  const digits = ascii(material.cardRecord);
  if (digits.length !== 28) throw new RangeError("the card record has 28 digits");
  return { name: "common", aid: aids.common, files: [{ kind: "records", fid: 0x0001, records: [Uint8Array.of(0x01, 0x1c, ...digits)] }] };
}

/** FF20 { DF21 offsets, DF22 name, DF23 address, DF24 birth, DF25 sex } (jpki-card.md §6.1); tags of two octets, so not made with `write`'s. */
function attributes({ name, address, birth, sex }: CardMaterial["person"]): Uint8Array {
  const two = (tag: number, content: Uint8Array): Uint8Array => Uint8Array.of(tag >> 8, ...write.tlv(tag & 0xff, content));
  const fields = [name, address, birth, sex].map((value, i) => two(0xdf22 + i, ascii(value)));
  // Offsets of the four fields from the start of the value of FF20, two octets each, behind the offset table itself (3 + 8 octets).
  let at = 11;
  const offsets = fields.flatMap((field) => {
    const here = [at >> 8, at & 0xff];
    at += field.length;
    return here;
  });
  const body = Uint8Array.from([...two(0xdf21, Uint8Array.from(offsets)), ...fields.flatMap((field) => [...field])]);
  return two(0xff20, body);
}
