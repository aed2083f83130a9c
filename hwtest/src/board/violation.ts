import type { RuleName } from "./model.js";

/** A rule of the board was broken. The board stops for good: what runs after this point would not run on silicon. */
export class BoardViolation extends Error {
  override readonly name = "BoardViolation";
  /** Key of `rules`. */
  readonly rule: RuleName;
  /** Program counter of the instruction that broke the rule. */
  readonly pc: number;
  /** Board time in ns. */
  readonly atNs: number;

  constructor(rule: RuleName, detail: string, pc: number, atNs: number) {
    super(`${rule}: ${detail} (pc 0x${pc.toString(16).padStart(8, "0")}, ${(atNs / 1e6).toFixed(6)} ms)`);
    this.rule = rule;
    this.pc = pc;
    this.atNs = atNs;
  }
}
