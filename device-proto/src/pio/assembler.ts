import { PioError } from "./error.js";
import { encodeInstruction, type Scope, type SideSet } from "./instruction.js";

/** Instruction memory of one PIO block, in words (RP2040 datasheet §3.1). */
export const pioMemoryWords = 32;

/** An assembled program. Addresses are absolute (the program stands at address 0: the block has one user). */
export type PioProgram = {
  readonly name: string;
  readonly words: readonly number[];
  readonly labels: ReadonlyMap<string, number>;
  /** First and last address of the hardware loop (EXECCTRL WRAP_BOTTOM and WRAP_TOP). */
  readonly wrapTarget: number;
  readonly wrap: number;
  readonly sideSet: SideSet;
  /** Per word: its source line (1-based) and text, for listings and test messages. */
  readonly source: readonly { readonly line: number; readonly text: string }[];
  /** One more instruction in the program's own words, e.g. the other form of a patched word. @throws PioError */
  encode(text: string): number;
};

const identifier = /^[a-z_][a-z0-9_]*$/;

/**
 * Assembles one PIO program in pioasm's notation (RP2040 datasheet §3.3): labels, `.program .define .side_set .wrap_target .wrap .word`.
 * Numbers are decimal, `0x` or `0b`; there are no expressions.
 * @throws PioError with the line for every unknown word, value out of range, double label, or program longer than 32 words.
 */
export function assemblePio(source: string): PioProgram {
  const labels = new Map<string, number>();
  const defines = new Map<string, number>();
  const lines: { line: number; text: string }[] = [];
  let name = "";
  let sideSet: SideSet = { count: 0, optional: false, pindirs: false };
  let wrapTarget = 0;
  let wrap = -1;
  let targetLine = 0;

  const declare = (line: number, symbol: string): string => {
    if (!identifier.test(symbol)) throw new PioError(line, `"${symbol}" is not a name`);
    if (labels.has(symbol) || defines.has(symbol)) throw new PioError(line, `"${symbol}" is declared twice`);
    return symbol;
  };
  const directive = (line: number, words: string[]): void => {
    switch (words[0]) {
      case ".program":
        if (name || words.length !== 2) throw new PioError(line, "one .program with one name");
        name = words[1]!;
        return;
      case ".define":
        if (words.length !== 3 || !/^(0x[0-9a-f]+|0b[01]+|[0-9]+)$/.test(words[2]!))
          throw new PioError(line, ".define takes a name and a number");
        defines.set(declare(line, words[1]!), Number(words[2]));
        return;
      case ".side_set": {
        const count = Number(words[1]);
        const options = words.slice(2);
        if (lines.length > 0) throw new PioError(line, ".side_set stands before the first instruction");
        if (options.some((option) => option !== "opt" && option !== "pindirs")) throw new PioError(line, `.side_set ${options.join(" ")}?`);
        const optional = options.includes("opt");
        if (!Number.isInteger(count) || count < 1 || count + (optional ? 1 : 0) > 5)
          throw new PioError(line, `.side_set ${words[1]} does not fit five bits`);
        sideSet = { count, optional, pindirs: options.includes("pindirs") };
        return;
      }
      case ".wrap_target":
        if (targetLine) throw new PioError(line, ".wrap_target twice");
        targetLine = line;
        wrapTarget = lines.length;
        return;
      case ".wrap":
        if (wrap >= 0) throw new PioError(line, ".wrap twice");
        if (lines.length === 0) throw new PioError(line, ".wrap stands after an instruction");
        wrap = lines.length - 1;
        return;
      case ".word":
        lines.push({ line, text: words.join(" ") });
        return;
      default:
        throw new PioError(line, `unknown directive ${words[0]}`);
    }
  };

  source.split("\n").forEach((raw, index) => {
    const line = index + 1;
    let text = raw
      .replace(/(;|\/\/).*$/, "")
      .trim()
      .toLowerCase();
    for (let label = /^([^\s:]+):(?!:)\s*/.exec(text); label; label = /^([^\s:]+):(?!:)\s*/.exec(text)) {
      labels.set(declare(line, label[1]!), lines.length);
      text = text.slice(label[0].length);
    }
    if (text === "") return;
    if (text.startsWith(".")) directive(line, text.split(/\s+/));
    else lines.push({ line, text });
    if (lines.length > pioMemoryWords) throw new PioError(line, `more than ${pioMemoryWords} words`);
  });
  const last = source.split("\n").length;
  if (lines.length === 0) throw new PioError(last, "no instruction");
  for (const [label, address] of labels)
    if (address >= lines.length) throw new PioError(last, `label "${label}" stands after the last instruction`);
  if (wrap < 0) wrap = lines.length - 1;
  if (wrapTarget > wrap) throw new PioError(targetLine, ".wrap_target stands after .wrap");

  const scope = (line: number): Scope => ({ symbols: defines, labels, sideSet, line });
  const words = lines.map(({ line, text }) => {
    if (!text.startsWith(".word")) return encodeInstruction(text, scope(line));
    const word = Number(text.split(" ")[1]);
    if (!Number.isInteger(word) || word < 0 || word > 0xffff) throw new PioError(line, ".word takes 0…0xffff");
    return word;
  });
  return { name, words, labels, wrapTarget, wrap, sideSet, source: lines, encode: (text) => encodeInstruction(text, scope(0)) };
}
