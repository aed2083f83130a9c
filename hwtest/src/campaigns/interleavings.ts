import { setImmediate as turn } from "node:timers/promises";
import type { Campaign } from "./campaign.js";
import { Interleaving } from "./interleaving.js";

/** Cases between two looks at the event loop. */
const BREATH = 100;

/** Random interleavings of up to eight callers on the SDK: nobody gets another's answer, everybody gets an end, in order and in time. */
export const interleavings: Campaign = {
  name: "interleavings",
  on: ["host"],
  cases: 10_000,
  about: "up to 8 callers on one reader, in any order: each answer to its caller, every promise settles, nothing twice, nothing late",
  async run({ seed, from, to }, failed, ran) {
    for (let number = from; number < to; number++) {
      const problems = await new Interleaving(seed * 1_000_003 + number).play();
      if (problems.length > 0) failed(number, problems.slice(0, 3).join("; "));
      ran?.(1);
      if (number % BREATH === 0) await turn();
    }
  },
};
