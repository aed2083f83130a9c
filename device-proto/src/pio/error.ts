/** A mistake in a PIO source text. The message names the line. */
export class PioError extends Error {
  /** Line number in the source, 1-based. */
  readonly line: number;
  constructor(line: number, message: string) {
    super(`PIO line ${line}: ${message}`);
    this.name = "PioError";
    this.line = line;
  }
}
