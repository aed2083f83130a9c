/** Input that is not DER, or not the DER structure that belongs there. `offset` counts bytes from the start of the outermost input. */
export class DerError extends Error {
  override readonly name = "DerError";
  readonly offset: number;
  /** The rule that was broken, in words, with its source section where it is not obvious. */
  readonly rule: string;
  constructor(offset: number, rule: string) {
    super(`byte ${offset}: ${rule}`);
    this.offset = offset;
    this.rule = rule;
  }
}
