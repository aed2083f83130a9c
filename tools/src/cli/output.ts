import type { Language } from "./language.js";

/** What the command line needs of stdout and stderr. */
export interface Stream {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** How a run talks: decided once from the options. */
export interface Manner {
  readonly language: Language;
  /** One JSON document (long work: one per line) on stdout and nothing else there. */
  readonly json: boolean;
  /** No notes and no progress on stderr. */
  readonly quiet: boolean;
}

/** Results go to stdout, everything said on the way to stderr, so that a pipe carries the result alone. */
export class Output {
  readonly #out: Stream;
  readonly #err: Stream;
  readonly #manner: Manner;
  #progressShown = 0;
  /** The picture at the end of a terminal's output, drawn again in place. */
  #picture: readonly string[] = [];

  constructor(out: Stream, err: Stream, manner: Manner) {
    this.#out = out;
    this.#err = err;
    this.#manner = manner;
  }

  /** True when a person looks at the result. */
  get pictured(): boolean {
    return this.#out.isTTY === true && !this.#manner.json && !this.#manner.quiet;
  }

  /** True where {@link progress} shows its bar. */
  get barred(): boolean {
    return !this.#manner.quiet && !this.#manner.json && this.#err.isTTY === true;
  }

  /** Width of the terminal in columns; 80 where there is none. */
  get columns(): number {
    return this.#out.columns ?? 80;
  }

  /** A line of the result, for people. Nothing in JSON mode. */
  line(text = ""): void {
    if (this.#manner.json) return;
    this.#clearProgress();
    this.#out.write(`${this.#erasePicture()}${text}\n${this.#drawPicture()}`);
  }

  /** A picture below everything else, in place of the one before; stays where it is once `keep` is called. On a terminal only. */
  picture(lines: readonly string[]): void {
    // A line that wraps would not be found again.
    if (!this.pictured || lines.some((line) => line.length > this.columns)) return;
    this.#clearProgress();
    const before = this.#erasePicture();
    this.#picture = lines;
    this.#out.write(before + this.#drawPicture());
  }

  /** Leaves the last picture standing; what follows goes below it. */
  keepPicture(): void {
    this.#picture = [];
  }

  #erasePicture(): string {
    return this.#picture.length === 0 ? "" : `\x1b[${this.#picture.length}A\x1b[J`;
  }

  #drawPicture(): string {
    return this.#picture.map((line) => `${line}\n`).join("");
  }

  /** The result itself as bytes (an export to a pipe). */
  bytes(content: Uint8Array | string): void {
    this.#clearProgress();
    this.#out.write(content);
  }

  /** One JSON object on its own line; nothing in the other mode. */
  document(value: object): void {
    if (!this.#manner.json) return;
    this.#clearProgress();
    this.#out.write(`${JSON.stringify({ schema: 1, ...value })}\n`);
  }

  /** A message beside the result. `always`: also with --quiet (tries left and failures are). */
  note(text: string, options: { readonly always?: boolean } = {}): void {
    if (this.#manner.quiet && options.always !== true) return;
    this.#clearProgress();
    this.#err.write(`${text}\n`);
  }

  /** A bar that is redrawn in place, on a terminal only. `part` from 0 to 1. */
  progress(label: string, part: number): void {
    if (!this.barred) return;
    const width = 24;
    const full = Math.round(Math.min(Math.max(part, 0), 1) * width);
    const text = `${label} ${"█".repeat(full)}${"·".repeat(width - full)} ${String(Math.floor(part * 100)).padStart(3)} %`;
    this.#err.write(`\r${text}`);
    this.#progressShown = text.length + label.length; // wide characters take two columns
    if (part >= 1) this.#clearProgress();
  }

  #clearProgress(): void {
    if (this.#progressShown === 0) return;
    this.#err.write(`\r${" ".repeat(this.#progressShown)}\r`);
    this.#progressShown = 0;
  }
}
