import { cardLine } from "@inkan/device-proto/pio";
import { describe, expect, test } from "vitest";
import { isHarmless, mutantCaught, mutantName, rig, scenarios } from "./card-line-scenarios.js";

describe("the card line", () => test.each(Object.keys(scenarios))("%s", (name) => expect(scenarios[name]!()).toBeUndefined()));

test("card clock and edges may be off: 3 % at 512/32, rising edges 1.5 µs late", () => {
  for (const [factor, late] of [
    [0.97, 0],
    [1.03, 0],
    [1, 1500],
  ] as const) {
    // prettier-ignore
    const all = rig();
    all.reader.mode({});
    all.reader.rate(512, 32);
    const etuNs = all.reader.etuNs * factor;
    [0x00, 0x5a, 0xff].forEach((byte, i) => all.wire.character(byte, all.bench.nowNs + 1000 + i * 12 * etuNs, etuNs, { late }));
    all.bench.pass(50 * etuNs);
    expect(all.reader.received.map((one) => one.byte)).toEqual([0x00, 0x5a, 0xff]);
  }
});
test("every word matters: mutants of the program are caught by the scenarios", () => {
  const survivors = new Map<string, boolean>();
  cardLine.words.forEach((word, at) => {
    const opcode = word >>> 13;
    const forms = new Set([0xa042, word ^ 0x0400, word ^ 0x0100, word ^ (opcode === 0 || opcode === 4 ? 0x0020 : 0x0001)]);
    for (const form of forms) if (!mutantCaught(at, form)) survivors.set(mutantName(at, form), isHarmless(at, form));
  });
  expect([...survivors].flatMap(([name, known]) => (known ? [] : [name]))).toEqual([]);
  expect(survivors.size).toBeLessThanOrEqual(5);
});
