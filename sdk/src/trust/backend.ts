import type { HashName } from "../signing/signer.js";
import { nodeBackend } from "./node-backend.js";
import { portableBackend } from "./portable-backend.js";
import type { PublicKey } from "./public-key.js";

/** A key made ready for many verifications; only its own backend can use it. */
export type ReadyKey = { readonly backend: string };

/** The mathematics behind trust and verify. Synchronous, so that a verdict has no moment in which it is half made. */
export interface CryptoBackend {
  readonly name: string;
  hash(hash: HashName, bytes: Uint8Array): Uint8Array;
  /** SHA-1, for key identifiers only. */
  sha1(bytes: Uint8Array): Uint8Array;
  /** Throws when the key is not one, e.g. a point that is not on its curve. */
  importKey(key: PublicKey): ReadyKey;
  /** RSA: PKCS#1 v1.5, the whole block compared. ECDSA: strict DER of (r, s). Never throws for a bad signature. */
  verify(key: ReadyKey, hash: HashName, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Node's crypto where there is one, else the portable one. */
export function defaultBackend(): CryptoBackend {
  return (chosen ??= nodeBackend() ?? portableBackend);
}
let chosen: CryptoBackend | undefined;

/**
 * Imported keys by their SubjectPublicKeyInfo. Importing costs 6 times an RSA verification, so a server that checks many
 * signatures under few roots lives from this. Bounded; the least recently used key goes first.
 */
export class KeyCache {
  readonly backend: CryptoBackend;
  readonly #limit: number;
  readonly #keys = new Map<string, ReadyKey>();
  /** To turn the key's bytes into a string costs a tenth of an RSA verification: once per key object. */
  readonly #ids = new WeakMap<PublicKey, string>();
  #latest: string | undefined;

  /** @param limit most keys kept, ≥ 1. */
  constructor(backend: CryptoBackend = defaultBackend(), limit = 64) {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError("limit must be 1 or more");
    this.backend = backend;
    this.#limit = limit;
  }

  /** The key, imported at most once while it is kept. */
  get(key: PublicKey): ReadyKey {
    let id = this.#ids.get(key);
    if (id === undefined) this.#ids.set(key, (id = latin1.decode(key.spki)));
    let ready = this.#keys.get(id);
    if (ready !== undefined && id === this.#latest) return ready;
    if (ready === undefined) ready = this.backend.importKey(key);
    else this.#keys.delete(id);
    this.#keys.set(id, ready);
    this.#latest = id;
    if (this.#keys.size > this.#limit) this.#keys.delete(this.#keys.keys().next().value!);
    return ready;
  }

  /** Keys kept now. */
  get size(): number {
    return this.#keys.size;
  }

  /** True when `signature` over `message` is the key's. A key that cannot be imported verifies nothing. */
  verify(key: PublicKey, hash: HashName, message: Uint8Array, signature: Uint8Array): boolean {
    let ready: ReadyKey;
    try {
      ready = this.get(key);
    } catch {
      return false;
    }
    return this.backend.verify(ready, hash, message, signature);
  }
}
const latin1 = new TextDecoder("latin1");
