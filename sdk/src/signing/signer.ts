/** Hash algorithms the SDK signs and verifies with. */
export type HashName = "sha256" | "sha384" | "sha512";

/**
 * Whatever can make a signature: the card behind the pad, a host key in a test, another token. It gets a digest, never a
 * document, and builds what its key signs itself (for RSA PKCS#1 v1.5: a DigestInfo), so nobody can have it sign bytes of his own choice.
 */
export interface Signer {
  /** The signer's certificate, DER. */
  readonly certificate: Uint8Array;
  /** Signature algorithm: the key's family. */
  readonly key: "rsa" | "ecdsa-p384";
  sign(hash: HashName, digest: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
}
