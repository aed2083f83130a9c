import { clocks } from "../board.js";
import { cardLine, cardLinePatches, ticksPerEtu } from "./card-line.js";
import { diTable, fiTable, offeredFiDi } from "./fidi.js";

const hex = (word: number): string => `0x${word.toString(16).padStart(4, "0")}`;
const label = (name: string): number => cardLine.labels.get(name)!;

/** The text of `firmware/gen/card_pio_gen.h`: the program's words, the addresses and patch words the driver needs, and the offered Fi/Di pairs. */
export function printCardPio(): string {
  const names = new Map([...cardLine.labels].map(([name, address]) => [address, `${name}:`]));
  const words = cardLine.words.map((word, address) => {
    const listing = `${(names.get(address) ?? "").padEnd(9)}${cardLine.source[address]!.text.replace(/\s+/g, " ")}`;
    return `  ${hex(word)}, /* ${String(address).padStart(2)} ${listing.padEnd(36)} */ \\`;
  });
  const define = (name: string, value: string): string => `#define ${name.padEnd(28)} ${value}`;
  const patches = Object.entries(cardLinePatches).flatMap(([name, { at, off, on }]) => [
    define(`CARD_PIO_${name.toUpperCase()}_AT`, `${label(at)}u`),
    define(`CARD_PIO_${name.toUpperCase()}_OFF`, `${hex(cardLine.encode(off))}u /* ${off} */`),
    define(`CARD_PIO_${name.toUpperCase()}_ON`, `${hex(cardLine.encode(on))}u /* ${on} */`),
  ]);
  return [
    "/* Printed from device-proto/src/pio by `npm run print`. Do not edit. */",
    "#ifndef CARD_PIO_GEN_H",
    "#define CARD_PIO_GEN_H",
    "",
    define("CARD_PIO_LENGTH", `${cardLine.words.length}u`),
    "#define CARD_PIO_WORDS { \\",
    ...words,
    "}",
    define("CARD_PIO_WRAP_TARGET", `${cardLine.wrapTarget}u`),
    define("CARD_PIO_WRAP", `${cardLine.wrap}u`),
    define("CARD_PIO_RX", `${label("rx")}u`),
    define("CARD_PIO_HOLD", `${label("hold")}u`),
    "",
    "/* words changed by the CPU (instruction memory is writable while the machine runs) */",
    ...patches,
    "",
    "/* instructions forced into the stopped machine */",
    define("CARD_PIO_DO_RELEASE", `${hex(cardLine.encode("set pindirs, 0"))}u`),
    define("CARD_PIO_DO_LOW", `${hex(cardLine.encode("set pins, 0"))}u`),
    define("CARD_PIO_DO_Y(n)", `(${hex(cardLine.encode("set y, 0"))}u | (n)) /* 0..31 */`),
    define("CARD_PIO_DO_X0", `${hex(cardLine.encode("set x, 0"))}u`),
    define("CARD_PIO_DO_OSR_ONES", `${hex(cardLine.encode("mov osr, ~null"))}u`),
    define("CARD_PIO_DO_OSR_NULL", `${hex(cardLine.encode("mov osr, null"))}u`),
    define("CARD_PIO_DO_ISR_NULL", `${hex(cardLine.encode("mov isr, null"))}u`),
    define("CARD_PIO_DO_GUARD", `${hex(cardLine.encode("jmp guard"))}u`),
    define("CARD_PIO_DO_RX", `${hex(cardLine.encode("jmp rx"))}u`),
    "",
    `/* CLKDIV in 1/256 = F * ${(clocks.cardDivider * 256) / ticksPerEtu} / D: ${ticksPerEtu} ticks per etu at clk_sys / ${clocks.cardDivider} */`,
    define("CARD_PIO_DIV_FACTOR", `${(clocks.cardDivider * 256) / ticksPerEtu}u`),
    define("CARD_CLK_NS", `${(clocks.cardDivider * 1e9) / clocks.sys}u /* one card clock */`),
    define("CARD_FI", `{ ${fiTable.join(", ")} }`),
    define("CARD_DI", `{ ${diTable.join(", ")} }`),
    "/* per Fi: a bit for each Di offered in a PPS (etu error <= 0.5 %, etu >= 8 card clocks) */",
    define("CARD_FIDI_OFFERED", `{ ${offeredFiDi.map((bits) => `0x${bits.toString(16).padStart(3, "0")}`).join(", ")} }`),
    "#endif",
    "",
  ].join("\n");
}
