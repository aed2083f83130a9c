import { T0Card } from "../cards/index.js";
import type { Campaign } from "./campaign.js";
import { CardRig, echoCard } from "./card-rig.js";
import { seeded } from "./secret-pair.js";

/** One character in ten goes wrong, and one repeat in ten; never four in a row, which ends in its own error (REPEATS_MAX in line.c). */
const ONE_IN = 10;
const LIMIT = 3;

/** How often each character goes wrong, by its number; the same number for the same character however often it is asked. */
function errors(random: (below: number) => number): { times: (number: number) => number; total: () => number } {
  const drawn: number[] = [];
  return {
    times: (number) => {
      while (drawn.length <= number) {
        let count = 0;
        while (count < LIMIT && random(ONE_IN) === 0) count++;
        drawn.push(count);
      }
      return drawn[number]!;
    },
    total: () => drawn.reduce((sum, count) => sum + count, 0),
  };
}

/** T=0 with errors on every tenth character of either side, in both conventions and with any guard time: commands and answers are right. */
export const t0Parity: Campaign = {
  name: "t0-parity",
  on: ["arm"],
  cases: 500,
  about: "T=0 with 10 % wrong parity both ways: every command arrives right and once, every answer is right",
  async run({ seed, from, to }, failed, ran) {
    const rig = await CardRig.boot();
    const fresh = rig.save();
    for (let number = from; number < to; number++) {
      fresh();
      const random = seeded(seed * 1_000_003 + number);
      const guard = [0, 0, 1, 5, 255][random(5)]!;
      const atr = Uint8Array.of(random(2) ? 0x3b : 0x3f, 0x40, guard);
      const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random(256));
      const [written, read] = [bytes(1 + random(40)), bytes(1 + random(40))];
      const [reader, card] = [errors(random), errors(seeded(seed * 7_000_003 + number))];
      const seen: string[] = [];
      const line = new T0Card(
        {
          ...echoCard(atr),
          transmit: (command) => {
            seen.push(Buffer.from(command).toString("hex"));
            return { response: Uint8Array.of(...(command[1] === 0xb0 ? read : []), 0x90, 0), thinkMs: 0 };
          },
        },
        // The ATR is not repeated: the error signal begins after it.
        { complain: reader.times, wrong: (at) => (at < atr.length ? 0 : card.times(at)) },
      );
      rig.slot.insert(line);
      rig.pass(60);
      rig.powerOn();
      const write = Uint8Array.of(0, 0xd6, random(256), random(256), written.length, ...written);
      const ask = Uint8Array.of(0, 0xb0, random(256), random(256), read.length);
      const answers = [write, ask].map((command) => Buffer.from(rig.apdu(command).data).toString("hex"));
      const wanted = ["9000", `${Buffer.from(read).toString("hex")}9000`];
      const told = line.complaints;
      const due = card.total() - [0, 1, 2].reduce((sum, at) => sum + card.times(at), 0);
      const problems = [
        ...answers.flatMap((answer, i) => (answer === wanted[i] ? [] : [`answer ${i + 1} is ${answer || "an error"}`])),
        ...(seen.join() === [write, ask].map((command) => Buffer.from(command).toString("hex")).join()
          ? []
          : [`the card saw ${seen.join()}`]),
        ...(told === due ? [] : [`${told} complaints about ${due} wrong characters`]),
      ];
      if (problems.length > 0) failed(number, `${Buffer.from(atr).toString("hex")}: ${problems.join("; ")}`);
      ran?.(1);
    }
  },
};
