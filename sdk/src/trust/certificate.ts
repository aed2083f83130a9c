import type { DerElement } from "../der/index.js";
import {
  DerError,
  DerReader,
  Tag,
  bitStringOctets,
  contextConstructed,
  integerValue,
  sameBytes,
  smallInteger,
  timeValue,
  toHex,
} from "../der/index.js";
import type { AlgorithmIdentifier } from "./algorithm.js";
import { readAlgorithm, signatureAlgorithmOf } from "./algorithm.js";
import type { Extensions } from "./extensions.js";
import { readExtensions } from "./extensions.js";
import type { DistinguishedName } from "./name.js";
import { readName } from "./name.js";
import type { SignatureAlgorithm } from "./oids.js";
import type { PublicKey } from "./public-key.js";
import { readPublicKey } from "./public-key.js";

/** An X.509 v3 certificate, read strictly. Byte strings are views on `der`. */
export interface Certificate {
  readonly der: Uint8Array;
  /** What is signed. */
  readonly tbs: Uint8Array;
  readonly serial: bigint;
  /** Content octets of the serial number in hexadecimal, as they stand. */
  readonly serialHex: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** First second in which it is valid. */
  readonly notBefore: Date;
  /** Last second in which it is valid (for JPKI 14:59:59Z, the end of a day in Japan). */
  readonly notAfter: Date;
  readonly publicKey: PublicKey;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly extensions: Extensions;
}

/** Parses one certificate: the whole input, DER only. Throws `DerError` with offset and rule. */
export function parseCertificate(der: Uint8Array): Certificate {
  const copy = der.slice();
  const whole = DerReader.single(copy, Tag.sequence, "the certificate");
  const reader = DerReader.inside(whole);
  const tbs = reader.take(Tag.sequence, "tbsCertificate");
  const outer = readAlgorithm(reader.take(Tag.sequence, "signatureAlgorithm"));
  const signature = bitStringOctets(reader.take(Tag.bitString, "the signature"), "a signature");
  reader.end("the certificate");
  const body = readTbs(tbs);
  if (!sameBytes(outer.element.bytes, body.algorithm.element.bytes))
    throw new DerError(outer.element.offset, "signatureAlgorithm must equal the one inside tbsCertificate (RFC 5280 §4.1.1.2)");
  const signatureAlgorithm = signatureAlgorithmOf(outer);
  if (signatureAlgorithm === undefined) throw new DerError(outer.element.offset, `signature algorithm ${outer.oid} is not accepted`);
  return { der: copy, tbs: tbs.bytes, signatureAlgorithm, signature, ...body.fields };
}

interface Body {
  readonly algorithm: AlgorithmIdentifier;
  readonly fields: Omit<Certificate, "der" | "tbs" | "signatureAlgorithm" | "signature">;
}
function readTbs(tbs: DerElement): Body {
  const reader = DerReader.inside(tbs);
  const version = reader.take(contextConstructed(0), "version");
  const number = smallInteger(DerReader.single(version.content, Tag.integer, "version", version.contentOffset), "version");
  if (number !== 2) throw new DerError(version.contentOffset, "only version 3 certificates are read");
  const serialElement = reader.take(Tag.integer, "serialNumber");
  const serial = integerValue(serialElement);
  if (serial <= 0n || serialElement.content.length > 20)
    throw new DerError(serialElement.contentOffset, "a serial number is positive and has at most 20 octets");
  const algorithm = readAlgorithm(reader.take(Tag.sequence, "signature"));
  const issuer = readName(reader.take(Tag.sequence, "issuer"));
  if (issuer.attributes.length === 0) throw new DerError(reader.offset, "the issuer's name must not be empty");
  const validity = reader.take(Tag.sequence, "validity");
  const times = DerReader.inside(validity);
  const notBefore = timeValue(times.next("notBefore"));
  const notAfter = timeValue(times.next("notAfter"));
  times.end("validity");
  if (notAfter < notBefore) throw new DerError(validity.offset, "notAfter is before notBefore");
  const subject = readName(reader.take(Tag.sequence, "subject"));
  const publicKey = readPublicKey(reader.take(Tag.sequence, "subjectPublicKeyInfo"));
  if (reader.peek() === 0x81 || reader.peek() === 0x82)
    throw new DerError(reader.offset, "unique identifiers must not be used (RFC 5280 §4.1.2.8)");
  const extensions = readExtensions(reader.take(contextConstructed(3), "extensions"));
  reader.end("tbsCertificate");
  const serialHex = toHex(serialElement.content);
  return { algorithm, fields: { serial, serialHex, issuer, subject, notBefore, notAfter, publicKey, extensions } };
}
