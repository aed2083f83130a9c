import { cardLine } from "@inkan/device-proto/pio";
import { isHarmless, mutantCaught, mutantName } from "../board/card-line-scenarios.js";
import type { Campaign } from "./campaign.js";
import { seeded } from "./secret-pair.js";

/** MOV Y, Y: what an assembler writes for "nop". */
const NOP = 0xa042;
const JMP = 0;
const WAIT = 1;
const PULL = 4;
const SET = 7;

/** A wrong word: nothing is done, another delay, another condition (or place), other data. Never the right one. */
export function mutant(seed: number, number: number): { at: number; form: number } {
  const random = seeded(seed * 1_000_003 + number);
  for (;;) {
    const at = random(cardLine.words.length);
    const word = cardLine.words[at]!;
    const form = changed(word, random);
    if (form !== word) return { at, form };
  }
}

function changed(word: number, random: (below: number) => number): number {
  switch (random(4)) {
    case 0:
      return NOP;
    case 1: {
      const delay = ((word >> 8) & 31) + (random(2) ? 1 : -1) * (1 + random(4));
      return delay < 0 || delay > 31 ? word : (word & ~0x1f00) | (delay << 8);
    }
    case 2: // JMP: condition; WAIT: polarity; otherwise source or destination
      return word ^ (word >>> 13 === JMP ? (1 + random(7)) << 5 : word >>> 13 === WAIT ? 0x80 : 0x20);
    default: // a pull has no data; of a SET to one pin, one bit counts
      if (word >>> 13 === PULL) return word;
      return word ^ (word >>> 13 === SET && (word & 0x60) === 0 ? 1 : 1 + random(31));
  }
}

/** Wrong words in the place of the card line's PIO program: the scenarios of the line must see each that is not known to be harmless. */
export const pioMutants: Campaign = {
  name: "pio-mutants",
  on: ["host"],
  cases: 80,
  about: "wrong words in the card line's PIO program: each is seen by the line's scenarios, or stands in the table of harmless ones",
  async run({ seed, from, to }, failed, ran) {
    for (let number = from; number < to; number++) {
      const { at, form } = mutant(seed, number);
      if (!mutantCaught(at, form) && !isHarmless(at, form)) failed(number, `${mutantName(at, form)} is not seen`);
      ran?.(1);
      if (number % 8 === 7) await new Promise(setImmediate); // progress gets out
    }
  },
};
