import type { Campaign } from "./campaign.js";
import { playSession } from "./link-noise-board.js";
import { playNative } from "./link-noise-native.js";
import { playDeframer } from "./link-noise-sdk.js";

/** Cases between two looks at the event loop. */
const BATCH = 10_000;
/** The SDK's deframer plays every so many cases of the host: it is ten times slower than C. */
const SDK_EVERY = 10;

/**
 * Noise on the link. On the host a case is a corrupted frame behind garbage, given to the firmware's deframer and, every tenth, to the SDK's: neither accepts it, both
 * hear the good frame behind it. On ARM a case is a session with the released image on a line of 921 600 baud that turns one bit in 10 000 over, with
 * corrupted frames thrown in: every answer right, no command twice at the card.
 */
export const linkNoise: Campaign = {
  name: "link-noise",
  on: ["host", "arm"],
  cases: 100_000,
  about: "corrupted frames and bit errors on the link: none accepted, the next good one heard, every answer right, no command twice",
  async run({ on, seed, from, to }, failed, ran) {
    if (on === "arm") {
      for (let number = from; number < to; number++) {
        const problems = await playSession(seed * 1_000_003 + number);
        if (problems.length > 0) failed(number, problems.slice(0, 3).join("; "));
        ran?.(1);
      }
      return;
    }
    for (let at = from; at < to; at += BATCH) {
      const end = Math.min(to, at + BATCH);
      // The two ends look at their cases at the same time: one in a process of its own.
      const native = playNative(seed, at, end, failed);
      native.catch(() => undefined);
      for (let number = Math.ceil(at / SDK_EVERY) * SDK_EVERY; number < end; number += SDK_EVERY) {
        const why = playDeframer(seed, number);
        if (why !== undefined) failed(number, `the SDK: ${why}`);
      }
      await native;
      ran?.(end - at);
    }
  },
};
