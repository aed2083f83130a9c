import { fingerprintWords } from "@inkan/device-proto";
import { hashFile } from "@inkan/sdk/hashing";
import type { JpkiCard } from "@inkan/sdk/jpki";
import { signCms, type HashName, type Signer } from "@inkan/sdk/signing";
import type { KeyName } from "../cli/secrets.js";

/** What happens while a document is signed, in order. */
export interface SigningSteps {
  /** Part of the document that is hashed, 0 to 1. */
  hashed?(part: number): void;
  /** The signer's certificate was read from the card. */
  certificate?(der: Uint8Array): void;
  /** The words that the pad shows now, to be compared before OK is pressed. */
  words?(words: readonly string[]): void;
}

/** A made signature. */
export interface Signed {
  /** CMS SignedData, DER. */
  readonly signature: Uint8Array;
  /** The signer's certificate, DER. */
  readonly certificate: Uint8Array;
  readonly words: readonly string[];
  /** Length of the document in bytes. */
  readonly size: number;
}

/**
 * Signs a file with a key of the card whose secret was right: hash the file as a stream, read the certificate, have the card sign the
 * digest of the signed attributes. That digest is what the pad shows in words, so the words are known only then.
 */
export async function signFile(
  jpki: JpkiCard,
  key: KeyName,
  path: string,
  options: { readonly hash: HashName; readonly at: Date; readonly attached?: Uint8Array; readonly signal: AbortSignal },
  steps: SigningSteps = {},
): Promise<Signed> {
  const { size, digests } = await hashFile(path, [options.hash], {
    signal: options.signal,
    onProgress: ({ done, total }) => steps.hashed?.(total === 0 ? 1 : done / total),
  });
  const onCard = await jpki.signer(key, { signal: options.signal });
  steps.certificate?.(onCard.certificate);
  let words: readonly string[] = [];
  const signer: Signer = {
    certificate: onCard.certificate,
    key: onCard.key,
    sign: async (hash, digest, how) => {
      words = fingerprintWords(digest);
      steps.words?.(words);
      return onCard.sign(hash, digest, { signal: options.signal, ...how });
    },
  };
  const signature = await signCms({
    hash: options.hash,
    signer,
    signingTime: options.at,
    ...(options.attached === undefined ? { digests } : { content: options.attached, attached: true }),
  });
  return { signature, certificate: onCard.certificate, words, size };
}
