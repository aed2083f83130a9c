import { existsSync, readFileSync } from "node:fs";

/** One line of a dialogue, or (an array) lines that are said again for as long as the first of them is heard. */
export type ScriptLine = string | readonly ScriptLine[];

/** What an exchange ends in: the card's answer, or one of the named errors. */
export interface RuleExchange {
  /** Command APDU in hex; "" = the error comes when the card is powered. */
  readonly command: string;
  readonly answer?: string;
  /** Any of these. `procedure` and `short-only` are T=0's. */
  readonly error?: readonly ("mute" | "parity" | "protocol" | "procedure" | "short-only")[];
  /** After an error: is the card still on and in step, or off? */
  readonly after?: "in step" | "off";
}

/** One rule of a protocol as a dialogue; says nothing about who the interface device is. */
export interface RuleRow {
  readonly id: string;
  readonly section: string;
  /** The rule, in few words. */
  readonly rule: string;
  readonly script: readonly ScriptLine[];
  readonly exchange: readonly RuleExchange[];
  /** T=1: "scripted" = the script begins with S(IFS request). Default: the card answers that one by itself. */
  readonly opening?: "scripted";
  readonly edc?: "lrc" | "crc";
  /** T=1: IFSC in the ATR, default 254. */
  readonly ifsc?: number;
}

/** The rows of `device-proto/vectors/t1-rules.json` or `t0-rules.json`. */
export function ruleRows(protocol: 0 | 1): readonly RuleRow[] {
  // from src/cards or from dist/src/cards
  const depths = ["../../..", "../../../.."].map((up) => new URL(`${up}/device-proto/vectors/t${protocol}-rules.json`, import.meta.url));
  const text = readFileSync(depths.find((url) => existsSync(url))!, "utf8");
  return (JSON.parse(text) as { rows: RuleRow[] }).rows;
}

/** A line as an instruction: `hear` waits for the interface device, `say` is the card's. */
export type Step = { readonly hear: string; readonly lost: boolean } | { readonly say: string } | { readonly reset: true };
const isStep = (entry: Entry): entry is Step => !Array.isArray(entry);
type Entry = Step | Entry[];

/** @throws RangeError for a line that is neither. */
export function readScript(lines: readonly ScriptLine[]): Entry[] {
  return lines.map((line) => {
    if (typeof line !== "string") return readScript(line);
    if (line === "reset") return { reset: true };
    const [, mark, rest] = /^(>x|>|<) (.*)$/.exec(line) ?? [];
    if (mark === undefined || rest === undefined) throw new RangeError(`neither > nor <: ${line}`);
    return mark === "<" ? { say: rest } : { hear: rest, lost: mark === ">x" };
  });
}

/**
 * Walks through a script: what was heard goes in, what the card says comes out. `matches` decides whether a `hear` line is what was
 * heard. Keeps the first thing that went wrong; plain data apart from the script.
 */
export class Dialogue {
  readonly #matches: (line: string, heard: string) => boolean;
  readonly #entries: Entry[];
  /** Position: index into the script, then into the loop entered there. */
  #at = 0;
  #inner = -1;
  #rounds = 0;
  /** The first deviation, in words. */
  problem: string | undefined;

  constructor(lines: readonly ScriptLine[], matches: (line: string, heard: string) => boolean) {
    this.#entries = readScript(lines);
    this.#matches = matches;
  }

  /** Rounds of the loops taken so far, in all. */
  get rounds(): number {
    return this.#rounds;
  }
  /** True when nothing but an unentered loop is left. */
  get over(): boolean {
    return this.#inner < 0 && this.#entries.slice(this.#at).every((entry) => !isStep(entry));
  }
  /** What is expected now, for messages. */
  get expected(): string {
    const entry = this.#current;
    return entry === undefined ? "nothing more" : JSON.stringify(entry);
  }
  get #current(): Entry | undefined {
    const entry = this.#entries[this.#at];
    return this.#inner >= 0 && entry !== undefined && !isStep(entry) ? entry[this.#inner] : entry;
  }

  /** The next line is the interface device's, and this is it: whether the script goes on. */
  hear(heard: string): boolean {
    if (this.problem !== undefined) return false;
    const entry = this.#entries[this.#at];
    if (entry !== undefined && !isStep(entry) && this.#inner < 0) {
      const first = entry[0];
      if (first !== undefined && isStep(first) && "hear" in first && this.#matches(first.hear, heard)) {
        this.#inner = 0;
        this.#rounds++;
      } else this.#at++;
    }
    const step = this.#current;
    if (step === undefined || !isStep(step) || !("hear" in step) || !this.#matches(step.hear, heard)) {
      this.problem = `heard ${heard}, expected ${this.expected}`;
      return false;
    }
    this.#advance();
    return true;
  }
  /** The lines of the interface device that may come now. */
  get due(): string[] {
    const entry = this.#entries[this.#at];
    const candidates: (Entry | undefined)[] =
      entry !== undefined && !isStep(entry) && this.#inner < 0 ? [entry[0], this.#entries[this.#at + 1]] : [this.#current];
    return candidates.flatMap((step) => (step !== undefined && isStep(step) && "hear" in step ? [step.hear] : []));
  }
  /** The card's lines that come now. */
  says(): string[] {
    const out: string[] = [];
    for (;;) {
      const step = this.#current;
      if (step === undefined || !isStep(step) || !("say" in step)) return out;
      out.push(step.say);
      this.#advance();
    }
  }
  /** RST rose. The first time that is the beginning; later the script has to say so. */
  reset(): void {
    const step = this.#current;
    if (step !== undefined && isStep(step) && "reset" in step) this.#advance();
  }
  #advance(): void {
    const entry = this.#entries[this.#at];
    if (this.#inner >= 0 && entry !== undefined && !isStep(entry)) {
      this.#inner++;
      if (this.#inner === entry.length) this.#inner = -1; // stands before the loop again: another round, or what follows
      return;
    }
    this.#at++;
  }
}
