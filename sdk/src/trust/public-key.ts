import type { DerElement } from "../der/index.js";
import { DerError, DerReader, Tag, bitStringOctets, integerValue, oidValue } from "../der/index.js";
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
  readonly rsa?: { readonly modulus: bigint; readonly exponent: bigint; readonly bytes: number };
}

/** Reads SubjectPublicKeyInfo. RSA 2048…4096 with an odd exponent of 65537 or more, P-256 and P-384: other keys are refused, weak or unused here. */
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
  const modulus = integerValue(modulusElement);
  const exponentElement = key.take(Tag.integer, "the exponent");
  const exponent = integerValue(exponentElement);
  key.end("RSAPublicKey");
  const length = modulus <= 0n ? 0 : modulus.toString(2).length;
  if (length < 2048 || length > 4096 || length % 8 !== 0)
    throw new DerError(modulusElement.contentOffset, `an RSA modulus of ${length} bits is not accepted`);
  if (modulus % 2n === 0n) throw new DerError(modulusElement.contentOffset, "an RSA modulus is odd");
  if (exponent < 65537n || exponent > 0xffffffffn || exponent % 2n === 0n)
    throw new DerError(exponentElement.contentOffset, "the RSA exponent must be odd, 65537 or more, and fit 32 bits");
  return { modulus, exponent, bytes: length / 8 };
}
