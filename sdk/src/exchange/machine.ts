import { type Answer, answerOf, type Command, type CommandName, slotError, type StatusCode } from "@inkan/device-proto";
import type { ErrorDetails } from "../errors.js";
import type { ClosedReason } from "../transport/transport.js";

/**
 * One slot's exchange as a pure function: no timer, no I/O, no promise.
 *
 * ```
 *            start                    answer, failed answer
 *   idle ───────────▶ waiting ─────────────────────────────────▶ idle      settle(answer)
 *                      │   ▲ time extension (re-arms the silence deadline)
 *        abort signal, │   ╵
 *        deadline      ▼
 *                   aborting ──── PC_to_RDR_Abort answered ─────▶ idle      settle(failure)
 *                      │ no answer for abortMs
 *                      ▼
 *                   probing ───── GetSlotStatus answered ───────▶ idle      settle(failure)
 *                      │ three probes without an answer
 *                      ▼
 *                    closed ◀──── the transport went away, from anywhere    settle(failure)
 * ```
 *
 * Every `start` gets exactly one `settle`. An answer is matched by slot and bSeq, never assumed; one that matches nothing is named in a
 * `report`. Nothing is ever sent twice: a command's second try is a new decision, and not this machine's.
 */
export type ExchangeState =
  | { readonly at: "idle"; readonly next: number }
  | { readonly at: "waiting"; readonly next: number; readonly command: InFlight }
  | {
      readonly at: "aborting";
      readonly next: number;
      readonly command: InFlight;
      readonly why: Failure;
      readonly abort: number;
      readonly until: number;
      readonly answered: boolean;
      readonly refused: boolean;
    }
  | {
      readonly at: "probing";
      readonly next: number;
      readonly command: InFlight;
      readonly why: Failure;
      readonly probe: number;
      readonly probes: number;
      readonly until: number;
    }
  | { readonly at: "closed"; readonly reason: ClosedReason };

/** A command on its way. */
export interface InFlight {
  readonly name: CommandName;
  readonly slot: number;
  readonly sequence: number;
  /** When the whole command must be over (ms of the clock). */
  readonly deadline: number;
  /** When the reader must have said something, a time extension at least. */
  readonly quiet: number;
  readonly silenceMs: number;
  readonly timeoutMs: number;
}

/** Why a command did not end in an answer. */
export interface Failure {
  readonly code: StatusCode;
  readonly details: ErrorDetails;
}

/** What a caller asks for. */
export interface ExchangeRequest {
  readonly name: CommandName;
  readonly slot: number;
  readonly specific: readonly [number, number, number];
  readonly data: Uint8Array;
  /** Longest time for the whole command, ms. */
  readonly timeoutMs: number;
  /** Longest silence of the reader, ms: it sends a time extension at least every 20 s while it works. */
  readonly silenceMs: number;
}

export type ExchangeInput =
  | { readonly type: "start"; readonly request: ExchangeRequest }
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "malformed"; readonly rule: string }
  | { readonly type: "abort"; readonly why: Failure }
  | { readonly type: "send-failed"; readonly why: Failure }
  | { readonly type: "tick" }
  | { readonly type: "closed"; readonly reason: ClosedReason };

export type ExchangeOutput =
  | { readonly type: "send"; readonly command: Command }
  | { readonly type: "abort-control"; readonly slot: number; readonly sequence: number }
  | { readonly type: "settle"; readonly answer: Answer }
  | { readonly type: "settle"; readonly failure: Failure }
  | { readonly type: "report"; readonly text: string }
  | { readonly type: "close" };

export interface Transition {
  readonly state: ExchangeState;
  readonly outputs: readonly ExchangeOutput[];
}

/** How long an abort may take before the slot is asked whether it is still there, ms. */
export const abortMs = 10_000;
/** How long a probe may take, ms, and how many there are. */
export const probeMs = 2_000;
export const maxProbes = 3;

/** The state before anything was sent. `next` is the first bSeq. */
export const initialExchange: ExchangeState = { at: "idle", next: 0 };

const after = (sequence: number): number => (sequence + 1) & 255;
const noData = new Uint8Array(0);
const bare = (name: CommandName, slot: number, sequence: number): Command => ({ name, slot, sequence, specific: [0, 0, 0], data: noData });
const describe = (answer: Answer): string => `RDR_to_PC_${answer.name} slot ${answer.slot} bSeq ${answer.sequence} ${answer.status}`;

/** When the state needs a `tick` (ms of the clock), or `undefined`. */
export function wakeAt(state: ExchangeState): number | undefined {
  if (state.at === "waiting") return Math.min(state.command.deadline, state.command.quiet);
  return state.at === "aborting" || state.at === "probing" ? state.until : undefined;
}

/** One step. `now` is the clock's time in ms. Throws only when `start` comes while a command is in flight, which the queue rules out. */
export function exchange(state: ExchangeState, input: ExchangeInput, now: number): Transition {
  if (state.at === "closed") {
    if (input.type === "start") return { state, outputs: [{ type: "settle", failure: closedFailure(state.reason, undefined) }] };
    return { state, outputs: [] };
  }
  if (input.type === "closed") {
    const closed: ExchangeState = { at: "closed", reason: input.reason };
    if (state.at === "idle") return { state: closed, outputs: [] };
    const failure = state.at === "waiting" ? closedFailure(input.reason, state.command) : state.why;
    return { state: closed, outputs: [{ type: "settle", failure }] };
  }
  switch (state.at) {
    case "idle":
      return idle(state, input, now);
    case "waiting":
      return waiting(state, input, now);
    case "aborting":
      return aborting(state, input, now);
    case "probing":
      return probing(state, input, now);
  }
}

type At<K extends ExchangeState["at"]> = Extract<ExchangeState, { at: K }>;
type Open = Exclude<ExchangeInput, { type: "closed" }>;
const stay = (state: ExchangeState, ...outputs: ExchangeOutput[]): Transition => ({ state, outputs });

function idle(state: At<"idle">, input: Open, now: number): Transition {
  switch (input.type) {
    case "start": {
      const { name, slot, specific, data, timeoutMs, silenceMs } = input.request;
      const sequence = state.next;
      const command: InFlight = { name, slot, sequence, deadline: now + timeoutMs, quiet: now + silenceMs, silenceMs, timeoutMs };
      return {
        state: { at: "waiting", next: after(sequence), command },
        outputs: [{ type: "send", command: { name, slot, sequence, specific, data } }],
      };
    }
    case "answer":
      return stay(state, { type: "report", text: `late answer dropped: ${describe(input.answer)}` });
    case "malformed":
      return stay(state, { type: "report", text: `malformed message dropped: ${input.rule}` });
    default:
      return stay(state);
  }
}

function waiting(state: At<"waiting">, input: Open, now: number): Transition {
  const { command, next } = state;
  switch (input.type) {
    case "start":
      throw new Error("a command is in flight");
    case "answer": {
      const { answer } = input;
      if (answer.slot !== command.slot || answer.sequence !== command.sequence)
        return stay(state, { type: "report", text: `answer to no command dropped: ${describe(answer)}` });
      if (answer.status === "timeExtension") return stay({ ...state, command: { ...command, quiet: now + command.silenceMs } });
      // a failed command may be answered with RDR_to_PC_SlotStatus whatever it was (CCID 1.1 §6.1: unsupported commands are)
      if (answer.status === "ok" && answer.name !== answerOf[command.name]) {
        return probe(
          next,
          command,
          { code: "protocol", details: { detail: `${describe(answer)} answers PC_to_RDR_${command.name}` } },
          1,
          now,
        );
      }
      return { state: { at: "idle", next }, outputs: [{ type: "settle", answer }] };
    }
    case "malformed":
      return probe(next, command, { code: "protocol", details: { detail: input.rule } }, 1, now);
    case "abort":
      return abort(state, input.why, now);
    case "send-failed":
      return probe(next, command, input.why, 1, now);
    case "tick": {
      if (now < Math.min(command.deadline, command.quiet)) return stay(state);
      const ms = now >= command.deadline ? command.timeoutMs : command.silenceMs;
      return abort(state, { code: "deadline-passed", details: { ms } }, now);
    }
  }
}

/** CCID 1.1 §5.3.1: ABORT on the control pipe and PC_to_RDR_Abort on the bulk pipe, with one bSeq of their own. */
function abort(state: At<"waiting">, why: Failure, now: number): Transition {
  const { command, next: sequence } = state;
  return {
    state: { at: "aborting", next: after(sequence), command, why, abort: sequence, until: now + abortMs, answered: false, refused: false },
    outputs: [
      { type: "abort-control", slot: command.slot, sequence },
      { type: "send", command: bare("Abort", command.slot, sequence) },
    ],
  };
}

function aborting(state: At<"aborting">, input: Open, now: number): Transition {
  const { command, next, why } = state;
  const done = (...reports: ExchangeOutput[]): Transition => ({
    state: { at: "idle", next },
    outputs: [...reports, { type: "settle", failure: why }],
  });
  switch (input.type) {
    case "start":
      throw new Error("a command is in flight");
    case "answer": {
      const { answer } = input;
      const report: ExchangeOutput = { type: "report", text: `answer after abort: ${describe(answer)}` };
      if (answer.slot !== command.slot) return stay(state, report);
      if (answer.sequence === state.abort) {
        if (answer.status === "ok") return done();
        // a reader that knows no abort still ends the command: then its answer is the end
        return state.answered ? done(report) : stay({ ...state, refused: true }, report);
      }
      if (answer.sequence !== command.sequence || answer.status === "timeExtension") return stay(state, report);
      return state.refused ? done(report) : stay({ ...state, answered: true }, report);
    }
    case "malformed":
      return stay(state, { type: "report", text: `malformed message dropped: ${input.rule}` });
    case "send-failed":
      return probe(next, command, why, 1, now);
    case "tick":
      return now < state.until ? stay(state) : probe(next, command, why, 1, now);
    case "abort":
      return stay(state);
  }
}

function probe(sequence: number, command: InFlight, why: Failure, probes: number, now: number): Transition {
  return {
    state: { at: "probing", next: after(sequence), command, why, probe: sequence, probes, until: now + probeMs },
    outputs: [{ type: "send", command: bare("GetSlotStatus", command.slot, sequence) }],
  };
}

function probing(state: At<"probing">, input: Open, now: number): Transition {
  const { command, next, why } = state;
  switch (input.type) {
    case "start":
      throw new Error("a command is in flight");
    case "answer":
      if (input.answer.slot === command.slot && input.answer.sequence === state.probe)
        return { state: { at: "idle", next }, outputs: [{ type: "settle", failure: why }] };
      return stay(state, { type: "report", text: `answer while resynchronising: ${describe(input.answer)}` });
    case "malformed":
      return stay(state, { type: "report", text: `malformed message dropped: ${input.rule}` });
    case "abort":
    case "send-failed":
      return stay(state);
    case "tick":
      if (now < state.until) return stay(state);
      if (state.probes < maxProbes) return probe(next, command, why, state.probes + 1, now);
      return { state: { at: "closed", reason: "violation" }, outputs: [{ type: "settle", failure: why }, { type: "close" }] };
  }
}

/** What a transport's end means for the command in flight. */
export function closedFailure(reason: ClosedReason, command: InFlight | undefined): Failure {
  switch (reason) {
    case "closed":
      return { code: "aborted", details: {} };
    case "unplugged":
    case "port-lost":
      return { code: "reader-unplugged", details: {} };
    case "violation":
      return { code: "protocol", details: { detail: "the reader stopped answering" } };
    case "session-broken":
      // whether the card got it cannot be known any more; nothing is repeated
      return { code: command && mayChangeCard.has(command.name) ? "outcome-unknown" : "session-broken", details: {} };
  }
}
const mayChangeCard: ReadonlySet<CommandName> = new Set<CommandName>(["XfrBlock", "Secure", "Escape"]);

/** What a failed answer means (CCID 1.1 table 6.2-2). `had` says whether a card was in use before. */
export function answerFailure(answer: Answer, had: boolean): Failure {
  switch (answer.error) {
    case slotError.PIN_CANCELLED:
      return { code: "pin-cancelled", details: {} };
    case slotError.PIN_TIMEOUT:
      return { code: "pin-timeout", details: {} };
    case slotError.CMD_ABORTED:
      return answer.icc === "absent" && had ? { code: "card-pulled", details: {} } : { code: "aborted", details: {} };
    case slotError.CMD_SLOT_BUSY:
      return { code: "slot-busy", details: {} };
  }
  if (answer.icc === "absent") return { code: had ? "card-pulled" : "no-card", details: {} };
  switch (answer.error) {
    case slotError.ICC_MUTE:
      return { code: "card-mute", details: {} };
    case slotError.NO_ENVELOPE:
      return { code: "card-short-only", details: {} };
    case slotError.XFR_PARITY_ERROR:
      return { code: "card-parity", details: {} };
    case slotError.CMD_NOT_SUPPORTED:
      return { code: "unsupported", details: { detail: "the reader does not know the command" } };
    case slotError.ICC_PROTOCOL_NOT_SUPPORTED:
    case slotError.ICC_CLASS_NOT_SUPPORTED:
    case slotError.BAD_ATR_TS:
    case slotError.BAD_ATR_TCK:
      return {
        code: "unsupported",
        details: { detail: `the card, says the reader (slot error ${answer.error.toString(16).toUpperCase()})` },
      };
  }
  if (answer.error >= 1 && answer.error <= 127)
    return { code: "protocol", details: { detail: `the reader refuses byte ${answer.error} of the command` } };
  // the card was there and is not active any more: a pull that went in again, or a reset by the reader
  return { code: "protocol", details: { detail: `slot error ${answer.error.toString(16).toUpperCase()}` } };
}
