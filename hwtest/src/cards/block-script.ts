import { decodeBlock, epilogue, type Block } from "./block.js";
import type { BlockMachine, Step } from "./block-machine.js";
import type { LineParameters } from "./interface-bytes.js";
import { Dialogue, type RuleRow } from "./rule-rows.js";

const kinds = ["RESYNCH", "IFS", "ABORT", "WTX"] as const;
const errors: Readonly<Record<string, number>> = { ok: 0, edc: 1, other: 2 };
const bytesOf = (hex: string): number[] => (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
const hexOf = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase(); // prettier-ignore

/** A block as the table writes it: `I(0,1) 00A4`, `R(1) edc`, `S(IFS request) FE`; NAD and reserved bits show when they are not 0. */
export function blockWords(block: Block): string {
  const { nad, pcb, inf } = block;
  const at = (nad === 0 ? "" : `NAD ${hexOf([nad])} `) as string;
  const tail = inf.length === 0 ? "" : ` ${hexOf(inf)}`;
  if ((pcb & 0x80) === 0)
    return `${at}I(${(pcb >> 6) & 1},${(pcb >> 5) & 1})${pcb & 0x1f ? ` reserved ${hexOf([pcb & 0x1f])}` : ""}${tail}`;
  if ((pcb & 0x40) === 0) {
    const error = ["ok", "edc", "other", "both"][pcb & 3]!;
    return `${at}R(${(pcb >> 4) & 1}) ${error}${pcb & 0x2c ? ` reserved ${hexOf([pcb & 0x2c])}` : ""}${tail}`;
  }
  const kind = kinds[pcb & 0x1f];
  return `${at}${kind === undefined ? `S ${hexOf([pcb])}` : `S(${kind} ${pcb & 0x20 ? "response" : "request"})`}${tail}`;
}

/** The block a line of the table means. @throws RangeError when it means none. */
export function blockOf(words: string): Block {
  const i = /^I\(([01]),([01])\)(?: ([0-9A-F]+))?$/.exec(words);
  if (i) return { nad: 0, pcb: (Number(i[1]) << 6) | (Number(i[2]) << 5), inf: bytesOf(i[3] ?? "") };
  const r = /^R\(([01])\)(?: (ok|edc|other))?$/.exec(words);
  if (r) return { nad: 0, pcb: 0x80 | (Number(r[1]) << 4) | errors[r[2] ?? "ok"]!, inf: [] };
  const s = /^S\((RESYNCH|IFS|ABORT|WTX) (request|response)\)(?: ([0-9A-F]+))?$/.exec(words);
  if (s) return { nad: 0, pcb: 0xc0 | (s[2] === "response" ? 0x20 : 0) | kinds.indexOf(s[1] as "IFS"), inf: bytesOf(s[3] ?? "") };
  throw new RangeError(`no block: ${words}`);
}

/** What the interface device sent is what the line says; `R(n)` without a word allows every error code. */
export const blockMatches = (line: string, heard: string): boolean =>
  /^R\([01]\)$/.test(line) ? heard.startsWith(line) && /^R\([01]\) (ok|edc|other)$/.test(heard) : blockWords(blockOf(line)) === heard;

/** A card that plays one row of `t1-rules.json`, whatever it is asked. */
export class BlockScript implements BlockMachine {
  readonly dialogue: Dialogue;
  readonly #row: RuleRow;
  #parameters: LineParameters | null = null;
  #opened = false;
  readonly counts = { received: 0, sent: 0 };
  readonly busy = false;

  constructor(row: RuleRow) {
    this.#row = row;
    this.dialogue = new Dialogue(row.script, blockMatches);
  }

  start(parameters: LineParameters): void {
    this.#parameters = parameters;
    this.#opened = this.#row.opening === "scripted";
    this.dialogue.reset();
  }
  /** Everything the interface device sends must be a right block and the one that is due. */
  receive(bytes: readonly number[] | null): Step {
    this.counts.received++;
    const block = bytes ? decodeBlock(bytes, this.#parameters!.crc) : undefined;
    const heard = block === undefined ? "no block" : blockWords(block);
    if (!this.#opened) {
      this.#opened = true;
      if (block !== undefined && heard.startsWith("S(IFS request) ")) return this.#send([...this.#complete({ ...block, pcb: 0xe1 })], 0);
    }
    if (!this.dialogue.hear(heard)) return { kind: "silent" };
    const lines = this.dialogue.says();
    if (lines.length > 1) throw new RangeError("a card says one block at a time");
    return this.#say(lines[0] ?? "silence");
  }
  answer(): Step {
    return { kind: "silent" };
  }
  moreTime(): Step {
    return { kind: "silent" };
  }
  save(): unknown {
    throw new Error("a scripted card is not part of a snapshot");
  }
  load(): void {
    this.save();
  }

  #complete(block: Block): number[] {
    const bytes = [block.nad, block.pcb, block.inf.length, ...block.inf];
    return [...bytes, ...epilogue(bytes, this.#parameters!.crc)];
  }
  #say(line: string): Step {
    if (line === "silence") return { kind: "silent" };
    const [, how, words, after] = /^(?:(garbled|parity|cut|noise|bytes|raw) )?(.*?)(?: after ([0-9.]+) BWT)?$/.exec(line)!;
    const delay = Number(after ?? 0);
    if (how === "bytes") return this.#send(bytesOf(words!), delay);
    if (how === "noise") return this.#send(Array.from({ length: Number(words) }, (_, i) => (i * 73 + 41) & 0xff), delay); // prettier-ignore
    const raw = how === "raw" ? bytesOf(words!) : undefined;
    const bytes = raw ? [...raw, ...epilogue(raw, this.#parameters!.crc)] : this.#complete(blockOf(words!));
    if (how === "garbled") bytes[bytes.length - 1]! ^= 1;
    if (how === "parity") bytes[1]! |= 0x100;
    if (how === "cut") bytes.pop();
    return this.#send(bytes, delay);
  }
  #send(bytes: number[], delayBwt: number): Step {
    this.counts.sent++;
    return { kind: "send", bytes, delayBwt };
  }
}
