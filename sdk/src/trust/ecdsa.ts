import { DerReader, Tag, integerValue } from "../der/index.js";

/** (r, s) of a DER ECDSA signature, or `undefined` unless it is exactly `SEQUENCE { INTEGER r > 0, INTEGER s > 0 }`. */
export function canonicalEcdsa(signature: Uint8Array): { readonly r: bigint; readonly s: bigint } | undefined {
  try {
    const reader = DerReader.inside(DerReader.single(signature, Tag.sequence, "the signature"));
    const r = integerValue(reader.take(Tag.integer, "r"));
    const s = integerValue(reader.take(Tag.integer, "s"));
    reader.end("the signature");
    return r > 0n && s > 0n ? { r, s } : undefined;
  } catch {
    return undefined;
  }
}
