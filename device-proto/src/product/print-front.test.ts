import { describe, expect, it } from "vitest";
import { fingerprintWordList } from "../words.js";
import { glyphs } from "./glyphs.js";
import { printGlyphs, printTexts, printWords } from "./print-front.js";
import { chooserCell, DISPLAY_WIDTH, displayTexts, textWidth } from "./texts.js";

describe("the display's tables", () => {
  it("every text fits one row in both languages, and is not forgotten in one of them by halves", () => {
    for (const [name, text] of Object.entries(displayTexts)) {
      for (const language of ["ja", "en"] as const)
        expect(textWidth(text[language]), `${name} ${language}`).toBeLessThanOrEqual(DISPLAY_WIDTH);
      const numbers = (s: string): string => (s.match(/\{\d\}/g) ?? []).sort().join();
      expect(numbers(text.ja), name).toBe(numbers(text.en));
      expect(text.ja + text.en, name).not.toBe("");
    }
  });

  it("a missing glyph, a text that is too wide and a word that is too long do not print", () => {
    expect(() => printGlyphs({ x: { ja: "鬱", en: "x" } })).toThrow(/no glyph for "鬱" \(U\+9b31\)/);
    expect(() => printTexts({ x: { ja: "", en: "seventeen letters" } })).toThrow(/136 pixels/);
    expect(() => printWords(["ninechars", ...fingerprintWordList.slice(1)])).toThrow(/ninechars/);
    expect(() => printWords(fingerprintWordList.slice(1))).toThrow(/2047/);
  });

  it("prints glyphs as columns, bit 0 on top", () => {
    // "T" of Unifont: row 4 is 7F, rows 5..13 are 08.
    expect(glyphs["T"]).toBe("000000007F0808080808080808080000");
    const t = /\{([^}]*)\}, \/\* T \*\//.exec(printGlyphs())![1]!.split(", ").map(Number);
    const pixel = (x: number, y: number): number => (t[(y >> 3) * 8 + x]! >> (y & 7)) & 1;
    for (let y = 0; y < 16; y++)
      for (let x = 0; x < 8; x++) expect(pixel(x, y)).toBe(y === 4 ? (x > 0 ? 1 : 0) : y > 4 && y < 14 && x === 4 ? 1 : 0);
  });

  it("keeps no glyph that no text uses", () => {
    const used = new Set(Object.values(displayTexts).flatMap(({ ja, en }) => [...ja, ...en]));
    expect(Object.keys(glyphs).filter((c) => c > "~" && !used.has(c))).toEqual([]);
  });

  it("packs each word into 40 bits that unpack to it", () => {
    const rows = [...printWords().matchAll(/\{(0x..(?:, 0x..){4})\}/g)].map((match) => match[1]!.split(", ").map(Number));
    const unpack = (bytes: readonly number[]): string => {
      const bits = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      return Array.from({ length: 8 }, (_, i) => Number((bits >> BigInt(35 - 5 * i)) & 31n))
        .filter(Boolean)
        .map((letter) => String.fromCharCode(96 + letter))
        .join("");
    };
    expect(rows.map(unpack)).toEqual(fingerprintWordList);
  });

  it("the chooser's cell is where the C code draws it", () => {
    expect(printTexts()).toContain(`#define CHOOSER_X ${chooserCell.x}u\n#define CHOOSER_ROW 3u\n#define CHOOSER_WIDTH 16u\n`);
    expect(chooserCell).toEqual({ x: 112, y: 48, width: 16, height: 16 });
  });
});
