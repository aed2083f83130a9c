import { constants, createPrivateKey, privateEncrypt } from "node:crypto";
import { digestInfo } from "../src/signing/digest-info.js";
import type { Signer } from "../src/signing/signer.js";

/** A `Signer` over an RSA test key in memory: what a card does, without the card. @param key PKCS#8 PEM. */
export function hostSigner(certificate: Uint8Array, key: string): Signer {
  const privateKey = createPrivateKey(key);
  return {
    certificate,
    key: "rsa",
    sign: async (hash, digest) =>
      new Uint8Array(privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, digestInfo(hash, digest))),
  };
}
