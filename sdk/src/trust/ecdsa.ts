import { type DerElement, DerReader, Tag, integerOctets, integerValue } from "../der/index.js";

/** (r, s) of a DER ECDSA signature, or `undefined` unless it is exactly `SEQUENCE { INTEGER r > 0, INTEGER s > 0 }`. */
export function canonicalEcdsa(signature: Uint8Array): { readonly r: bigint; readonly s: bigint } | undefined {
  const numbers = positiveIntegers(signature);
  return numbers && { r: integerValue(numbers[0]), s: integerValue(numbers[1]) };
}

/** True for exactly the signatures that {@link canonicalEcdsa} reads, without making numbers of them. */
export function isCanonicalEcdsa(signature: Uint8Array): boolean {
  return positiveIntegers(signature) !== undefined;
}

function positiveIntegers(signature: Uint8Array): readonly [DerElement, DerElement] | undefined {
  try {
    const reader = DerReader.inside(DerReader.single(signature, Tag.sequence, "the signature"));
    const r = reader.take(Tag.integer, "r");
    const s = reader.take(Tag.integer, "s");
    reader.end("the signature");
    return isPositive(r) && isPositive(s) ? [r, s] : undefined;
  } catch {
    return undefined;
  }
}

function isPositive(element: DerElement): boolean {
  const octets = integerOctets(element);
  return octets[0]! < 0x80 && (octets.length > 1 || octets[0] !== 0);
}
