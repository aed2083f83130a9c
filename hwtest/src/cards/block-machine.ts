import type { LineParameters } from "./interface-bytes.js";

/** What the line has to do next. `delayBwt`: how many BWT the card waits before it begins. */
export type Step =
  | { kind: "send"; bytes: number[]; delayBwt?: number }
  | { kind: "silent" }
  | { kind: "think"; ms: number }
  | { kind: "go-on" };

/** A card's half of T=1 as the line around it needs it: blocks in, blocks out; the line has the clock. */
export interface BlockMachine {
  /** Blocks since the reset. */
  readonly counts: { readonly received: number; readonly sent: number };
  /** A command is being worked on. */
  readonly busy: boolean;
  /** After a reset. */
  start(parameters: LineParameters, askIfsd: number): void;
  /** A block's bytes came (null = garbled; `parity` = at character level). */
  receive(bytes: readonly number[] | null, parity: boolean): Step;
  /** The command is done. */
  answer(): Step;
  /** The command takes longer. */
  moreTime(multiplier: number): Step;
  save(): unknown;
  load(state: unknown, parameters: LineParameters | null): void;
}
