import { fingerprintWordList } from "../words.js";
import { glyphs } from "./glyphs.js";
import { smallFont } from "./small-font.js";
import { chooserCell, DISPLAY_WIDTH, displayTexts, type DisplayText, textWidth } from "./texts.js";

const HEAD = (what: string): string => `/* ${what}. Printed by \`npm run print\` from the tables in device-proto/src; never edited. */\n`;
const hex = (value: number, digits = 2): string => `0x${value.toString(16).padStart(digits, "0")}`;
const upper = (name: string): string => name.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase();
const isAscii = (c: string): boolean => c >= " " && c <= "~";

/** What may stand in a C comment. */
const comment = (text: string): string => text.replaceAll("*/", "* /").replaceAll("/*", "/ *").replace(/\\$/, "\\ ");

/** A printing error names the text or glyph it is about. */
function must(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Error(`display tables: ${rule}`);
}

/** Wide characters in the order of their codes in the C tables: code = 0x80 + index. */
function wideCharacters(texts: Readonly<Record<string, DisplayText>>): string[] {
  const all = new Set(Object.values(texts).flatMap(({ ja, en }) => [...ja, ...en]));
  return [...all].filter((c) => !isAscii(c)).sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
}

/** Unifont's rows as the display's columns: `width` bytes of the upper page, then of the lower one; bit 0 is the top pixel. */
function columns(character: string, own: Readonly<Record<string, string>>): { width: number; bytes: number[] } {
  const rows = Object.hasOwn(own, character) ? own[character] : glyphs[character];
  must(rows !== undefined, `no glyph for ${JSON.stringify(character)} (U+${hex(character.codePointAt(0)!, 4).slice(2)})`);
  const width = rows.length / 4;
  must(width === (isAscii(character) ? 8 : 16), `${JSON.stringify(character)} has ${width} columns`);
  const bytes = Array.from({ length: 2 * width }, (_, i) => {
    let byte = 0;
    for (let y = 0; y < 8; y++) {
      const row = parseInt(rows.slice(((i < width ? 0 : 8) + y) * (width / 4), ((i < width ? 0 : 8) + y + 1) * (width / 4)), 16);
      byte |= ((row >> (width - 1 - (i % width))) & 1) << y;
    }
    return byte;
  });
  return { width, bytes };
}

/** firmware/gen/texts_gen.h: what the display can say, as character codes; 0 ends a text. Throws when one does not fit a row. */
export function printTexts(texts: Readonly<Record<string, DisplayText>> = displayTexts): string {
  const codes = new Map(wideCharacters(texts).map((c, i) => [c, 0x80 + i]));
  const encode = (name: string, text: string): string => {
    must(textWidth(text) <= DISPLAY_WIDTH, `${name} is ${textWidth(text)} pixels wide: ${text}`);
    const body = [...text.replace(/\{0\}/g, "\u0001").replace(/\{1\}/g, "\u0002")].map((c) => codes.get(c) ?? c.charCodeAt(0));
    return `static const uint16_t k_text_${name}[] = {${[...body, 0].map((c) => hex(c)).join(", ")}};`;
  };
  const names = Object.keys(texts);
  const table = (language: "ja" | "en"): string =>
    names.map((name) => `/* ${comment(texts[name]![language])} */ ${encode(upper(name).toLowerCase(), texts[name]![language])}`).join("\n");
  return [
    HEAD("What the display says. Codes: 0 end, 1 and 2 a number put in, 0x20..0x7e ASCII, 0x80.. wide glyphs of glyphs_gen.h"),
    '#ifndef TEXTS_GEN_H\n#define TEXTS_GEN_H\n#include <stdint.h>\n#include "product_gen.h"\n\n',
    `#define CHOOSER_X ${chooserCell.x}u\n#define CHOOSER_ROW ${chooserCell.y / 16}u\n#define CHOOSER_WIDTH ${chooserCell.width}u\n\n`,
    `typedef enum {\n${names.map((name) => `  TEXT_${upper(name)},\n`).join("")}  TEXT_COUNT\n} text_t;\n\n`,
    `#if PRODUCT_LANGUAGE == 0\n${table("ja")}\n#else\n${table("en")}\n#endif\n\n`,
    `static const uint16_t *const TEXTS[TEXT_COUNT] = {\n${names.map((name) => `  k_text_${upper(name).toLowerCase()},\n`).join("")}};\n#endif\n`,
  ].join("");
}

/** firmware/gen/glyphs_gen.h: 8×16 ASCII, 16×16 wide glyphs, the 5×8 small font. Throws when a text uses a glyph that is not in the subset. */
export function printGlyphs(
  texts: Readonly<Record<string, DisplayText>> = displayTexts,
  own: Readonly<Record<string, string>> = {},
): string {
  const row = (c: string, bytes: readonly number[]): string => `  {${bytes.map((b) => hex(b)).join(", ")}}, /* ${c} */\n`;
  const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  const wide = wideCharacters(texts);
  const small = [..."abcdefghijklmnopqrstuvwxyz0123456789-"].map((c) => {
    const rows = smallFont.get(c);
    must(rows?.length === 8 && rows.every((r) => r.length === 5), `small font: ${c}`);
    return row(
      c,
      Array.from({ length: 5 }, (_, x) => rows.reduce((byte, r, y) => byte | (r[x] === "#" ? 1 << y : 0), 0)),
    );
  });
  const label = (c: string): string => (c === "*" || c === "/" || c === "\\" ? `U+${hex(c.charCodeAt(0), 4).slice(2)}` : c);
  return [
    HEAD("Glyphs, column by column, bit 0 on top: the upper page's columns, then the lower page's"),
    "/* ASCII and wide glyphs: a subset of GNU Unifont 15.0.01, SIL Open Font License 1.1 (third_party/NOTICE.md). The small font is ours. */\n",
    "#ifndef GLYPHS_GEN_H\n#define GLYPHS_GEN_H\n#include <stdint.h>\n\n",
    `#define GLYPH_WIDE_COUNT ${wide.length}u\n`,
    `static const uint8_t GLYPHS_ASCII[95][16] = {\n${ascii.map((c) => row(label(c), columns(c, {}).bytes)).join("")}};\n`,
    `static const uint8_t GLYPHS_WIDE[${wide.length}][32] = {\n${wide.map((c) => row(c, columns(c, own).bytes)).join("")}};\n`,
    `/* a..z, 0..9, - */\nstatic const uint8_t GLYPHS_SMALL[37][5] = {\n${small.join("")}};\n#endif\n`,
  ].join("");
}

/** firmware/gen/words_gen.h: the fingerprint words, 8 letters of 5 bits each (a = 1, 0 ends), most significant first: 10 KiB instead of 16. */
export function printWords(list: readonly string[] = fingerprintWordList): string {
  must(list.length === 2048, `${list.length} words`);
  const packed = list.map((word) => {
    must(/^[a-z]{1,8}$/.test(word), `word ${word}`);
    const bits = [...word.padEnd(8, "`")].reduce((sum, c) => (sum << 5n) | BigInt(c.charCodeAt(0) - 96), 0n);
    return `{${[32n, 24n, 16n, 8n, 0n].map((shift) => hex(Number((bits >> shift) & 255n))).join(", ")}}`;
  });
  const lines = Array.from({ length: 512 }, (_, i) => `  ${packed.slice(4 * i, 4 * i + 4).join(", ")}, /* ${list[4 * i]} */\n`);
  return [
    HEAD("The fingerprint words, 5 bits a letter"),
    "/* BIP-39's English list, MIT licence (third_party/NOTICE.md). */\n",
    "#ifndef WORDS_GEN_H\n#define WORDS_GEN_H\n#include <stdint.h>\n\n",
    `static const uint8_t WORDS[2048][5] = {\n${lines.join("")}};\n#endif\n`,
  ].join("");
}

/** A text as the display shows it: 8 × 16 or 16 × 16 pixels a character; the upper page's columns, then the lower page's, bit 0 on top. */
export function textPixels(
  text: string,
  own: Readonly<Record<string, string>> = {},
): { readonly upper: Uint8Array; readonly lower: Uint8Array } {
  const drawn = [...text].map((character) => columns(character, own));
  const page = (from: 0 | 1): Uint8Array =>
    Uint8Array.from(drawn.flatMap(({ width, bytes }) => bytes.slice(from * width, (from + 1) * width)));
  return { upper: page(0), lower: page(1) };
}
