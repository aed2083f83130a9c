import type { HashName } from "../signing/signer.js";
import type { CryptoBackend, ReadyKey } from "./backend.js";
import { isCanonicalEcdsa } from "./ecdsa.js";
import type { KeyFamily } from "./oids.js";
import type { PublicKey } from "./public-key.js";

/** The part of `node:crypto` used here, in our own words: this room loads in a browser too and imports nothing of Node's. */
interface NodeCrypto {
  createHash(name: string): { update(bytes: Uint8Array): { digest(): Uint8Array } };
  createPublicKey(input: { key: Uint8Array; format: "der"; type: "spki" }): object;
  createVerify(hash: string): { update(message: Uint8Array): { verify(key: object, signature: Uint8Array): boolean } };
}
interface NodeKey extends ReadyKey {
  readonly object: object;
  readonly family: KeyFamily;
  readonly length: number;
}

/** Node's crypto (OpenSSL), found without an import so that this room also loads in a browser. `undefined` where there is none. */
export function nodeBackend(): CryptoBackend | undefined {
  const process = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const crypto = process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined;
  if (crypto === undefined) return undefined;
  const digest = (name: string, bytes: Uint8Array): Uint8Array => new Uint8Array(crypto.createHash(name).update(bytes).digest());
  return {
    name: "node",
    hash: (hash: HashName, bytes) => digest(hash, bytes),
    sha1: (bytes) => digest("sha1", bytes),
    importKey(key: PublicKey): NodeKey {
      const object = crypto.createPublicKey({ key: key.spki, format: "der", type: "spki" });
      return { backend: "node", object, family: key.family, length: key.rsa?.modulus.length ?? 0 };
    },
    verify(ready, hash, message, signature) {
      const key = ready as NodeKey;
      // OpenSSL builds the expected PKCS#1 block and compares it whole; the two length rules below are the ones it leaves to its caller.
      const wellFormed = key.family === "rsa" ? signature.length === key.length : isCanonicalEcdsa(signature);
      // Not crypto.verify: its one call costs 3 % more than this. DER is the default for ECDSA.
      return wellFormed && crypto.createVerify(hash).update(message).verify(key.object, signature);
    },
  };
}
