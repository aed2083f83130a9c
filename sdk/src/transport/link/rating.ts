import { linkLimits } from "@inkan/device-proto";

/**
 * How a session gets its line to another rate (docs/reference/link.md, "Rate"), as a pure function beside the session's.
 *
 * ```
 *   asked ── rate-ack ──▶ setting ── line is set ──▶ trial: ping, ping … ── pong ──▶ the new rate
 *     │ 300 ms               ▲                         │ 300 ms
 *     ▼                      │                         ▼
 *   waiting ── 350 ms ──▶ asked again, 3 in all      returning ── line is set ──▶ waiting ── 350 ms ──▶ the old rate
 * ```
 *
 * Who waits says nothing: the reader gives a rate up 300 ms after it set it, and hears at the old one again then.
 */
export interface Rating {
  readonly at: "asked" | "setting" | "trial" | "returning" | "waiting";
  readonly wanted: number;
  /** The rate before. */
  readonly from: number;
  readonly until: number;
  /** Next ping. */
  readonly again: number;
  readonly left: number;
}

export type RatingInput =
  | { readonly type: "rate"; readonly baud: number }
  | { readonly type: "line"; readonly baud: number }
  | { readonly type: "rate-ack"; readonly baud: number }
  | { readonly type: "pong" }
  | { readonly type: "tick" };

/** What is to be done: ask the reader, ping it, set the line; `rated` = the end, with the rate in use. */
export type RatingOutput =
  | { readonly type: "ask"; readonly baud: number }
  | { readonly type: "line"; readonly baud: number }
  | { readonly type: "rated"; readonly baud: number }
  | { readonly type: "ping" };

/** Of the session: its rate now, and whether it may ask for another. */
export interface RatingLine {
  readonly baud: number;
  readonly can: boolean;
}

export interface RatingStep {
  readonly state: Rating | undefined;
  readonly does: readonly RatingOutput[];
}

const ASKS = 3;
const PING_MS = 60;
/** Longer than the reader's own trial. */
const WAIT_MS = linkLimits.rateTrialMs + 50;
/** Two frames of this size go to and fro at the old rate before the answer can be here, bits. */
const ASK_BITS = 400;

export const ratingWakeAt = ({ until, again }: Rating): number => Math.min(until, again);

/** One step; `now` in ms. */
export function rating(state: Rating | undefined, input: RatingInput, line: RatingLine, now: number): RatingStep {
  if (input.type === "rate") {
    if (state) return { state, does: [] };
    return line.can && line.baud > 0 && input.baud !== line.baud ? ask(input.baud, line.baud, ASKS - 1, now) : end(line.baud);
  }
  if (!state) return { state, does: [] };
  switch (state.at) {
    case "asked":
      if (input.type === "rate-ack" && input.baud !== state.wanted) return end(state.from);
      if (input.type === "rate-ack")
        return { state: { ...state, at: "setting", until: Infinity }, does: [{ type: "line", baud: state.wanted }] };
      return input.type === "tick" && now >= state.until ? wait(state, now) : { state, does: [] };
    case "setting":
      if (input.type !== "line") return { state, does: [] };
      // A port that cannot: the reader will be back in 300 ms.
      if (input.baud !== state.wanted) return wait({ ...state, left: 0 }, now);
      return { state: { ...state, at: "trial", until: now + linkLimits.rateTrialMs, again: now + PING_MS }, does: [{ type: "ping" }] };
    case "trial":
      if (input.type === "pong") return end(state.wanted);
      if (input.type !== "tick") return { state, does: [] };
      if (now >= state.until)
        return { state: { ...state, at: "returning", until: Infinity, again: Infinity }, does: [{ type: "line", baud: state.from }] };
      return now >= state.again ? { state: { ...state, again: now + PING_MS }, does: [{ type: "ping" }] } : { state, does: [] };
    case "returning":
      return input.type === "line" ? wait({ ...state, left: 0 }, now) : { state, does: [] };
    case "waiting":
      if (input.type !== "tick" || now < state.until) return { state, does: [] };
      return state.left > 0 ? ask(state.wanted, state.from, state.left - 1, now) : end(state.from);
  }
}

const ask = (wanted: number, from: number, left: number, now: number): RatingStep => ({
  state: { at: "asked", wanted, from, until: now + linkLimits.rateTrialMs + (ASK_BITS * 1000) / from, again: Infinity, left },
  does: [{ type: "ask", baud: wanted }],
});
const wait = (state: Rating, now: number): RatingStep => ({
  state: { ...state, at: "waiting", until: now + WAIT_MS, again: Infinity },
  does: [],
});
const end = (baud: number): RatingStep => ({ state: undefined, does: [{ type: "rated", baud }] });
