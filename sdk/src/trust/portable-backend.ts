import { p256, p384 } from "@noble/curves/nist.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { sameBytes, toHex } from "../der/index.js";
import { digestInfo } from "../signing/digest-info.js";
import type { HashName } from "../signing/signer.js";
import type { CryptoBackend, ReadyKey } from "./backend.js";
import { canonicalEcdsa } from "./ecdsa.js";
import type { PublicKey } from "./public-key.js";

const hashes = { sha256, sha384, sha512 };
interface PortableKey extends ReadyKey {
  readonly key: PublicKey;
}

/** No native code: noble for hashes and curves, BigInt for RSA with its small public exponent. 7 to 30 times slower than Node's. */
export const portableBackend: CryptoBackend = {
  name: "portable",
  hash: (hash: HashName, bytes) => hashes[hash](bytes),
  sha1: (bytes) => sha1(bytes),
  importKey(key): PortableKey {
    if (key.family !== "rsa") (key.family === "p256" ? p256 : p384).Point.fromBytes(key.bits).assertValidity();
    return { backend: "portable", key };
  },
  verify(ready, hash, message, signature) {
    const { key } = ready as PortableKey;
    const digest = hashes[hash](message);
    if (key.rsa !== undefined) return verifyRsa(key.rsa, hash, digest, signature);
    const curve = key.family === "p256" ? p256 : p384;
    const pair = canonicalEcdsa(signature);
    const order = curve.Point.Fn.ORDER;
    if (pair === undefined || pair.r >= order || pair.s >= order) return false;
    // The order of P-256 and P-384 has as many bits as their field, so r and s have the field's length.
    const bytes = curve.Point.Fn.BYTES;
    const compact = new Uint8Array(2 * bytes);
    compact.set(octets(pair.r, bytes), 0);
    compact.set(octets(pair.s, bytes), bytes);
    return curve.verify(compact, digest, key.bits, { prehash: false, lowS: false });
  },
};

function verifyRsa(rsa: NonNullable<PublicKey["rsa"]>, hash: HashName, digest: Uint8Array, signature: Uint8Array): boolean {
  const length = rsa.modulus.length;
  if (signature.length !== length) return false;
  const s = BigInt(`0x${toHex(signature)}`);
  const modulus = BigInt(`0x${toHex(rsa.modulus)}`);
  if (s >= modulus) return false;
  // Never decode the block to look for a hash in it (Bleichenbacher 2006): build the one right block and compare it whole.
  const info = digestInfo(hash, digest);
  const expected = new Uint8Array(length).fill(0xff);
  expected.set([0, 1], 0);
  expected[length - info.length - 1] = 0;
  expected.set(info, length - info.length);
  return sameBytes(octets(power(s, rsa.exponent, modulus), length), expected);
}

function power(base: bigint, exponent: number, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === "1") result = (result * base) % modulus;
  }
  return result;
}

function octets(value: bigint, length: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * length, "0");
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
