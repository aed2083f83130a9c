import { Card, Reader } from "@inkan/sdk";
import { afterEach, expect, test, vi } from "vitest";
import { Interleaving } from "./interleaving.js";

afterEach(() => vi.restoreAllMocks());

/** What is wrong in the first cases, all together. */
async function problems(cases: number): Promise<string> {
  const found = new Set<string>();
  for (let seed = 0; seed < cases; seed++) for (const problem of await new Interleaving(seed).play()) found.add(problem);
  return [...found].join("; ");
}

test("the SDK as it is: nothing", async () => {
  expect(await problems(300)).toBe("");
});

test("the same seed is the same case", async () => {
  const log = async (): Promise<string[]> => {
    const lines: string[] = [];
    const { transmit } = Card.prototype;
    vi.spyOn(Card.prototype, "transmit").mockImplementation(async function (this: Card, apdu, options) {
      lines.push(String(apdu));
      return transmit.call(this, apdu, options).finally(() => lines.push("ended"));
    });
    for (let seed = 0; seed < 20; seed++) await new Interleaving(seed).play();
    vi.restoreAllMocks();
    return lines;
  };
  const first = await log();
  expect(first.length).toBeGreaterThan(50);
  expect(await log()).toEqual(first);
});

/** Each a mistake an SDK could make, and the sentence that must come of it. */
const mistakes: readonly (readonly [string, () => void, RegExp])[] = [
  [
    "a command is repeated",
    () => {
      const { transmit } = Card.prototype;
      vi.spyOn(Card.prototype, "transmit").mockImplementation(async function (this: Card, apdu, options) {
        await transmit.call(this, apdu, options);
        return transmit.call(this, apdu, options);
      });
    },
    /a card twice/,
  ],
  [
    "a PIN entry is repeated",
    () => {
      const { verifyOnPad } = Card.prototype;
      vi.spyOn(Card.prototype, "verifyOnPad").mockImplementation(async function (this: Card, ...all) {
        await verifyOnPad.apply(this, all);
        return verifyOnPad.apply(this, all);
      });
    },
    /asked twice/,
  ],
  [
    "an answer goes to whoever asked before",
    () => {
      const { transmit } = Card.prototype;
      let last: Awaited<ReturnType<Card["transmit"]>> | undefined;
      vi.spyOn(Card.prototype, "transmit").mockImplementation(async function (this: Card, apdu, options) {
        const own = await transmit.call(this, apdu, options);
        const given = last ?? own;
        last = own;
        return given;
      });
    },
    /another caller's/,
  ],
  [
    "a call never settles",
    () => vi.spyOn(Card.prototype, "disconnect").mockImplementation(() => new Promise(() => undefined)),
    /still pending/,
  ],
  [
    "a later call overtakes",
    () => {
      const { transmit } = Card.prototype;
      let calls = 0;
      vi.spyOn(Card.prototype, "transmit").mockImplementation(async function (this: Card, apdu, options) {
        if (calls++ % 2 === 0) for (let i = 0; i < 200; i++) await Promise.resolve();
        return transmit.call(this, apdu, options);
      });
    },
    /changed their order/,
  ],
  [
    "a call fails in a way nobody named",
    () => vi.spyOn(Reader.prototype, "slotStatus").mockRejectedValue(new TypeError("of undefined")),
    /ended in TypeError/,
  ],
];
test.each(mistakes)("%s: it is seen", async (_, make, sentence) => {
  make();
  expect(await problems(150)).toMatch(sentence);
});
