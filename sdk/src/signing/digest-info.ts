import { concat, fromHex } from "../der/index.js";
import type { HashName } from "./signer.js";

/** `DigestInfo` up to the hash (RFC 8017 §9.2 note 1). Constants, because the firmware's consent screen matches the same bytes. */
const prefixes: Readonly<Record<HashName, Uint8Array>> = {
  sha256: fromHex("3031300d060960864801650304020105000420"),
  sha384: fromHex("3041300d060960864801650304020205000430"),
  sha512: fromHex("3051300d060960864801650304020305000440"),
};
const lengths: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** DigestInfo of a digest: what a PKCS#1 v1.5 signature signs. Throws `RangeError` when the digest has not the hash's length. */
export function digestInfo(hash: HashName, digest: Uint8Array): Uint8Array<ArrayBuffer> {
  if (digest.length !== lengths[hash]) throw new RangeError(`a ${hash} digest has ${lengths[hash]} octets, not ${digest.length}`);
  return concat(prefixes[hash], digest);
}
