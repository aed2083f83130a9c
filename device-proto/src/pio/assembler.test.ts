import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assemblePio, cardLine, cardLinePatches, PioError, printCardPio } from "./index.js";

const words = (source: string): number[] => [...assemblePio(source).words];

/** Encoded by hand from the RP2040 datasheet, §3.4 (tables of fields), not by the assembler. */
const byHand: [string, number][] = [
  ["jmp 5", 0b000_00000_000_00101],
  ["jmp !x 31", 0b000_00000_001_11111],
  ["jmp x-- 3 [14]", 0b000_01110_010_00011],
  ["jmp !y, 1", 0b000_00000_011_00001],
  ["jmp y-- 0", 0b000_00000_100_00000],
  ["jmp x!=y 7", 0b000_00000_101_00111],
  ["jmp pin 10", 0b000_00000_110_01010],
  ["jmp !osre 2", 0b000_00000_111_00010],
  ["wait 1 gpio 29", 0b001_00000_1_00_11101],
  ["wait 0 pin 0 [6]", 0b001_00110_0_01_00000],
  ["wait 1 irq 3 rel", 0b001_00000_1_10_10011],
  ["in pins, 1", 0b010_00000_000_00001],
  ["in osr, 32", 0b010_00000_111_00000],
  ["out pindirs, 1 [14]", 0b011_01110_100_00001],
  ["out exec, 16", 0b011_00000_111_10000],
  ["push block", 0b100_00000_0_0_1_00000],
  ["push iffull noblock", 0b100_00000_0_1_0_00000],
  ["pull block", 0b100_00000_1_0_1_00000],
  ["pull ifempty noblock", 0b100_00000_1_1_0_00000],
  ["mov isr, osr", 0b101_00000_110_00_111],
  ["mov y, ~y", 0b101_00000_010_01_010],
  ["mov y, !null", 0b101_00000_010_01_011],
  ["mov x, ::pins", 0b101_00000_001_10_000],
  ["mov pc, status", 0b101_00000_101_00_101],
  ["nop", 0b101_00000_010_00_010],
  ["irq wait 0 [31]", 0b110_11111_0_0_1_00000],
  ["irq clear 7", 0b110_00000_0_1_0_00111],
  ["irq 2 rel", 0b110_00000_0_0_0_10010],
  ["set pindirs, 0 [15]", 0b111_01111_100_00000],
  ["set x, 0x1f", 0b111_00000_001_11111],
];
test.each(byHand)("%s", (text, word) => {
  expect(words(text)).toEqual([word]);
});

test("side-set takes its bits from the delay", () => {
  expect(words(".side_set 2\nnop side 3 [7]")).toEqual([0xa042 | (0b11_111 << 8)]);
  expect(words(".side_set 1 opt\nnop side 1 [7]\nnop [2]")).toEqual([0xa042 | (0b1_1_111 << 8), 0xa042 | (0b0_0_010 << 8)]);
});

test("wrap, labels, defines", () => {
  const program = assemblePio(
    ".program p\n.define n 3\nstart: set x, n ; comment\n.wrap_target\nloop: jmp x--, loop // other comment\n.wrap\njmp start",
  );
  expect(program).toMatchObject({ name: "p", wrapTarget: 1, wrap: 1 });
  expect(program.words).toEqual([0xe023, 0x0041, 0x0000]);
  expect(program.encode("jmp loop")).toBe(0x0001);
});

const wrong: [string, number, RegExp][] = [
  ["nop\nfrob x", 2, /unknown instruction/],
  ["jmp nowhere", 1, /unknown symbol "nowhere"/],
  ["jmp 32", 1, /outside 0…31/],
  ["jmp x, 1", 1, /condition/],
  ["a: nop\na: nop", 2, /declared twice/],
  ["nop\nend:", 2, /after the last instruction/],
  ["set x, 32", 1, /outside/],
  ["set isr, 1", 1, /destination/],
  ["nop [32]", 1, /delay 32 is outside 0…31/],
  [".side_set 2\nnop side 0 [8]", 2, /delay 8 is outside 0…7/],
  [".side_set 1\nnop", 2, /side is missing/],
  ["nop side 1", 1, /without/],
  [".side_set 5 opt", 1, /five bits/],
  ["in pins, 33", 1, /outside 1…32/],
  ["in pins, 0", 1, /outside 1…32/],
  ["out x", 1, /2 operands/],
  ["irq 8", 1, /outside 0…7/],
  ["irq 1 foo", 1, /only "rel"/],
  ["wait 2 pin 0", 1, /polarity/],
  ["wait 1 pin", 1, /polarity, source and number/],
  ["push ifempty", 1, /only iffull/],
  ["pull block noblock", 1, /not both/],
  ["mov y, ~", 1, /source/],
  [".wrap\nnop", 1, /after an instruction/],
  ["nop\n.wrap\nnop\n.wrap_target\nnop", 4, /after .wrap/],
  [".wrap_target\n.wrap_target\nnop", 2, /twice/],
  [Array(33).fill("nop").join("\n"), 33, /more than 32 words/],
  ["; nothing", 1, /no instruction/],
  [".word 65536", 1, /0…0xffff/],
];
test.each(wrong)("refuses %j", (source, line, message) => {
  const error = (() => {
    try {
      assemblePio(source);
    } catch (e) {
      return e;
    }
    return undefined;
  })();
  expect(error).toBeInstanceOf(PioError);
  expect(error).toMatchObject({ line, message: expect.stringMatching(message) as string });
});

test("any text is a program or a PioError", () => {
  const atoms = [
    "jmp",
    "x--",
    "pin",
    "mov",
    "out",
    "y,",
    "~",
    "::",
    "[3]",
    "side",
    "1",
    "40",
    "a:",
    "a",
    ".wrap",
    ".word",
    "irq",
    "rel",
    "\n",
    " ",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...atoms), { maxLength: 12 }), (parts) => {
      try {
        for (const word of assemblePio(parts.join(" ")).words) expect(word >= 0 && word <= 0xffff).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(PioError);
      }
    }),
  );
});

test("the card line: 15 words out, 13 words in, every word by hand", () => {
  expect(cardLine.words).toEqual([
    0x80a0, 0xa0c7, 0xe029, 0x6e81, 0x0043, 0xef80, 0x00ca, 0xdf20, 0xa0e6, 0x0002, 0x6848, 0x009b, 0x6021, 0x0040, 0x20a0, 0x2620, 0x00ce,
    0xe040, 0xed28, 0x4001, 0x00d6, 0x0017, 0xa04a, 0x0c53, 0x006e, 0xf781, 0xe080, 0x0e0b,
  ]);
  expect(cardLine).toMatchObject({ wrapTarget: 14, wrap: 26 });
});

test("the patched words' resting forms are the program's own", () => {
  const at = (name: keyof typeof cardLinePatches): number => cardLine.words[cardLine.labels.get(cardLinePatches[name].at)!]!;
  for (const name of ["seed", "release", "good"] as const) expect(cardLine.encode(cardLinePatches[name].off)).toBe(at(name));
  for (const name of ["signal", "sample"] as const) expect(cardLine.encode(cardLinePatches[name].on)).toBe(at(name));
});

test("firmware/gen/card_pio_gen.h is fresh", () => {
  expect(readFileSync(new URL("../../firmware/gen/card_pio_gen.h", import.meta.url), "utf8")).toBe(printCardPio());
});
