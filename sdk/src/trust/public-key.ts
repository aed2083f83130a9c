import type { DerElement } from "../der/index.js";
import { DerError, DerReader, Tag, bitStringOctets, integerOctets, oidValue, smallInteger } from "../der/index.js";
import { readAlgorithm, requireNull } from "./algorithm.js";
import type { KeyFamily } from "./oids.js";
import { Oid } from "./oids.js";

/** A public key out of a certificate, its numbers already bounded. */
export interface PublicKey {
  readonly family: KeyFamily;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** What the BIT STRING holds: RSAPublicKey, or an uncompressed point. */
  readonly bits: Uint8Array;
  /** RSA only. */
  readonly rsa?: {
    /** Big-endian, without a leading zero; its length is the signature's. */ readonly modulus: Uint8Array;
    readonly exponent: number;
  };
}

/** Reads SubjectPublicKeyInfo. RSA 2048…4096 with an odd exponent of 3 or more, P-256 and P-384: other keys are refused, weak or unused here. */
export function readPublicKey(element: DerElement): PublicKey {
  const reader = DerReader.sequence(element, "subjectPublicKeyInfo");
  const algorithm = readAlgorithm(reader.take(Tag.sequence, "the key algorithm"));
  const keyBits = reader.take(Tag.bitString, "the public key");
  const bits = bitStringOctets(keyBits, "a public key");
  reader.end("the public key");
  if (algorithm.oid === Oid.rsaEncryption) {
    if (algorithm.parameters === undefined) throw new DerError(algorithm.element.offset, "RSA key parameters must be NULL");
    requireNull(algorithm.parameters);
    const rsa = readRsa(bits, keyBits.contentOffset + 1);
    return { family: "rsa", spki: element.bytes, bits, rsa };
  }
  if (algorithm.oid !== Oid.ecPublicKey) throw new DerError(algorithm.element.offset, `key algorithm ${algorithm.oid} is not accepted`);
  if (algorithm.parameters?.tag !== Tag.oid) throw new DerError(algorithm.element.offset, "an EC key must name its curve");
  const curve = oidValue(algorithm.parameters);
  const family = curve === Oid.p256 ? "p256" : curve === Oid.p384 ? "p384" : undefined;
  if (family === undefined) throw new DerError(algorithm.parameters.offset, `curve ${curve} is not accepted`);
  const length = family === "p256" ? 65 : 97;
  if (bits.length !== length || bits[0] !== 4)
    throw new DerError(keyBits.contentOffset, `a ${family} key is an uncompressed point of ${length} octets`);
  return { family, spki: element.bytes, bits };
}

function readRsa(bits: Uint8Array, base: number): NonNullable<PublicKey["rsa"]> {
  const key = DerReader.inside(DerReader.single(bits, Tag.sequence, "RSAPublicKey", base));
  const modulusElement = key.take(Tag.integer, "the modulus");
  const octets = integerOctets(modulusElement);
  const exponentElement = key.take(Tag.integer, "the exponent");
  const exponent = smallInteger(exponentElement, "the RSA exponent");
  key.end("RSAPublicKey");
  // A positive number whose highest bit is the octet's: its sign octet 00, then whole octets.
  const modulus = octets.subarray(1);
  if (octets[0] !== 0 || modulus.length < 256 || modulus.length > 512)
    throw new DerError(modulusElement.contentOffset, `an RSA modulus of ${octets.length} octets is not accepted, 2048 to 4096 bits are`);
  if ((modulus.at(-1)! & 1) === 0) throw new DerError(modulusElement.contentOffset, "an RSA modulus is odd");
  if (exponent < 3 || exponent % 2 === 0) throw new DerError(exponentElement.contentOffset, "the RSA exponent must be odd and 3 or more");
  return { modulus, exponent };
}
