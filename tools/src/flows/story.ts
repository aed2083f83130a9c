import { openJpki } from "@inkan/sdk/jpki";
import { Reader, type ReaderAddress, type TraceSink } from "@inkan/sdk";
import { hashFile } from "@inkan/sdk/hashing";
import { parseCertificate, type Certificate } from "@inkan/sdk/trust";
import { verifyCms, type Report } from "@inkan/sdk/verify";
import type { VirtualReader } from "@inkan/hwtest/board";
import { signFile, type Signed } from "./sign.js";

/** The steps of the main job, in order. */
export type Step = "boot" | "card" | "password" | "certificate" | "sign" | "verify";

/** What the story is told with. */
export interface StoryOptions {
  /** Boots the board: from reset through boot2 and the copier into the released image. */
  readonly open: () => Promise<VirtualReader>;
  /** The document, already where it will stay. */
  readonly document: string;
  /** The pinned test root, DER. */
  readonly root: Uint8Array;
  readonly trace: TraceSink;
  readonly signal: AbortSignal;
  readonly at: Date;
  readonly done: (step: Step) => void;
  /** The words on the display, while the person's OK is awaited. */
  readonly words: (words: readonly string[]) => void;
  readonly opened?: (bench: VirtualReader) => void;
}

/** How the story ended. */
export interface StoryEnd {
  readonly reader: ReaderAddress;
  readonly signed: Signed;
  readonly report: Report;
  readonly triesLeft: number | undefined;
}

/**
 * The main job, every part of it the real one: the released firmware on the virtual board, the standard card put in, the password
 * typed on the key matrix, a document signed with the person's OK, the signature verified up to the pinned root.
 */
export async function tellStory(options: StoryOptions): Promise<StoryEnd> {
  const { signal, done, at } = options;
  const bench = await options.open();
  try {
    options.opened?.(bench);
    const reader = await Reader.open(await bench.transport(), { clock: bench.clock, trace: options.trace });
    try {
      done("boot");
      await bench.insert("standard");
      const card = await reader.connect({ signal, waitForCard: true });
      const jpki = await openJpki(card, { signal });
      done("card");
      const triesLeft = await jpki.triesLeft("sign", { signal });
      await jpki.verify("sign", { on: "pad" }, { signal });
      done("password");
      const signed = await signFile(
        jpki,
        "sign",
        options.document,
        { hash: "sha256", at, signal },
        {
          certificate: () => done("certificate"),
          words: options.words,
        },
      );
      done("sign");
      await card.disconnect();
      const trust: Certificate[] = [parseCertificate(options.root)];
      const report = await verifyCms({
        signature: signed.signature,
        digestOf: async (hash) => (await hashFile(options.document, [hash], { signal })).digests[hash],
        trust,
        at,
        revocation: "none",
      });
      done("verify");
      return { reader: reader.address, signed, report, triesLeft };
    } finally {
      await reader.close();
    }
  } finally {
    await bench.close();
  }
}
