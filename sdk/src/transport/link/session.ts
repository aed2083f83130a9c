import {
  channel,
  CodecError,
  type Frame,
  hello,
  helloAck,
  linkLimits,
  rate as rateLayout,
  refuse,
  sessionKind,
  type StatusCode,
} from "@inkan/device-proto";
import { rating, type Rating, type RatingLine, type RatingStep, ratingWakeAt } from "./rating.js";

/** rate and rate-ack are spoken from this version on. */
const RATE_SINCE = 2;

/**
 * The host's side of a link session as a pure function: frames in, frames out, no clock and no port (docs/reference/link.md).
 *
 * ```
 *   closed ── open ──▶ opening ── hello-ack with our nonce ──▶ open ── bye · no ack after 8 tries · 3 lost pings · another tag ──▶ over
 *                      │ hello every 500 ms
 *                      └── refuse · time is up ──▶ over
 *
 *   queue  │ cut, not sent │        flight │ sent, not acknowledged, ≤ window │
 *          └───────────────┴──────▶────────┴─ 200 ms without progress: all of it again ─┘
 * ```
 *
 * A message is given out once, when its last frame came in order; a message to the reader counts as taken when its last frame was
 * acknowledged. What was in flight when a session ends is not sent again in another. A line with a rate gets another one by `rating.ts`.
 */
export type LinkState = { readonly at: "closed" } | Opening | Open | { readonly at: "over"; readonly why: LinkEnd };

interface Opening {
  readonly at: "opening";
  readonly nonce: Uint8Array;
  readonly until: number;
  readonly again: number;
  readonly openMs: number;
  readonly baud: number;
  readonly versionMax: number;
}

/** An open session. */
export interface Open {
  readonly at: "open";
  readonly version: number;
  /** The line's rate, bit/s; 0 = it has none, or it is not known. */
  readonly baud: number;
  /** While it gets another rate. */
  readonly rating: Rating | undefined;
  readonly nonce: Uint8Array;
  readonly tag: number;
  readonly window: number;
  readonly maxPayload: number;
  /** Number of the oldest frame in flight. */
  readonly base: number;
  readonly flight: readonly OutFrame[];
  readonly queue: readonly OutFrame[];
  readonly tries: number;
  /** Last progress of what is in flight. */
  readonly progress: number;
  readonly expected: number;
  readonly owed: number;
  readonly ackDue: number;
  readonly parts: readonly (readonly Uint8Array[] | undefined)[];
  readonly heard: number;
  readonly pings: number;
}

interface OutFrame {
  readonly channel: number;
  readonly more: boolean;
  readonly payload: Uint8Array;
  /** Given back in `taken` when this frame, the last of a message, was acknowledged. */
  readonly id?: number;
}

/** Why a session is over. */
export interface LinkEnd {
  readonly code: StatusCode;
  readonly details: Readonly<Record<string, string | number>>;
}

export type LinkInput =
  | { readonly type: "open"; readonly nonce: Uint8Array; readonly timeoutMs: number; readonly baud?: number; readonly versionMax?: number }
  | { readonly type: "frame"; readonly frame: Frame }
  | { readonly type: "send"; readonly channel: number; readonly message: Uint8Array; readonly id: number; readonly maxPayload?: number }
  /** Asks the reader for another rate of the line; only while nothing else is under way. Ends with `rated`. */
  | { readonly type: "rate"; readonly baud: number }
  /** The line has this rate now: the answer to the output `line`. */
  | { readonly type: "line"; readonly baud: number }
  | { readonly type: "tick" }
  | { readonly type: "bye" };

export type LinkOutput =
  | { readonly type: "write"; readonly frames: readonly Frame[] }
  | { readonly type: "message"; readonly channel: number; readonly message: Uint8Array }
  | { readonly type: "notice"; readonly notice: Uint8Array }
  | { readonly type: "taken"; readonly id: number }
  | { readonly type: "opened"; readonly version: number; readonly bootCount: number }
  /** Set the line to this rate when everything written has left. */
  | { readonly type: "line"; readonly baud: number }
  /** What came of a wish for a rate: the one in use. */
  | { readonly type: "rated"; readonly baud: number }
  | { readonly type: "retransmitted"; readonly frames: number }
  | { readonly type: "over"; readonly why: LinkEnd };

export interface LinkTransition {
  readonly state: LinkState;
  readonly outputs: readonly LinkOutput[];
}

/** How often hello is repeated, ms. */
export const helloMs = 500;
/** How long an acknowledgement waits for a data frame to ride on, ms. */
export const ackDelayMs = 20;
/** Longest message taken from a reader, bytes: a CCID header and the longest APDU with its frame. */
const maxMessage = 65_556;

export const initialLink: LinkState = { at: "closed" };
const none = new Uint8Array(0);

/** When the state needs a `tick` (ms of the clock); `background` when nothing is awaited and only the session is kept alive. */
export function linkWakeAt(state: LinkState): { readonly at: number; readonly background: boolean } | undefined {
  if (state.at === "opening") return { at: Math.min(state.until, state.again), background: false };
  if (state.at !== "open") return undefined;
  if (state.rating) return { at: ratingWakeAt(state.rating), background: false };
  const retransmit = retransmitAt(state);
  const soon = Math.min(retransmit, state.owed ? state.ackDue : Infinity);
  const ping = state.heard + linkLimits.pingMs * (state.pings + 1);
  return { at: Math.min(soon, ping), background: soon === Infinity };
}

/** One step. `now` is the clock's time in ms. */
export function link(state: LinkState, input: LinkInput, now: number): LinkTransition {
  switch (state.at) {
    case "closed":
      return input.type === "open" ? greet(state, input, now) : stay(state);
    case "opening":
      return opening(state, input, now);
    case "open":
      return open(state, input, now);
    case "over":
      return stay(state);
  }
}

/** A line takes its time for what is in flight; only then does the reader's begin. Ten bits a byte, 12 bytes around a payload. */
function retransmitAt({ flight, baud, progress }: Open): number {
  if (flight.length === 0) return Infinity;
  const bytes = baud > 0 ? flight.reduce((sum, { payload }) => sum + payload.length + 12, 0) : 0;
  return progress + linkLimits.retransmitMs + (bytes && (bytes * 10_000) / baud);
}

const stay = (state: LinkState, ...outputs: LinkOutput[]): LinkTransition => ({ state, outputs });
const over = (code: StatusCode, details: LinkEnd["details"] = {}, ...before: LinkOutput[]): LinkTransition => {
  const why: LinkEnd = { code, details };
  return { state: { at: "over", why }, outputs: [...before, { type: "over", why }] };
};
const sessionFrame = (session: number, tag: number, ack: number, payload: Uint8Array = none): Frame => ({
  channel: channel.session,
  session,
  more: false,
  seq: 0,
  ack,
  tag,
  payload,
});

function helloFrame(nonce: Uint8Array, versionMax: number): LinkOutput {
  const payload = hello.encode({ versionMin: linkLimits.versionMin, versionMax, nonce });
  return { type: "write", frames: [sessionFrame(sessionKind.hello, 0, 0, payload)] };
}

function greet(_: LinkState, input: Extract<LinkInput, { type: "open" }>, now: number): LinkTransition {
  const { nonce, timeoutMs, baud = 0, versionMax = linkLimits.version } = input;
  const state: Opening = { at: "opening", nonce, until: now + timeoutMs, again: now + helloMs, openMs: timeoutMs, baud, versionMax };
  return { state, outputs: [helloFrame(nonce, versionMax)] };
}

function opening(state: Opening, input: LinkInput, now: number): LinkTransition {
  switch (input.type) {
    case "frame":
      return answerToHello(state, input.frame, now);
    case "tick":
      if (now >= state.until) return over("no-reader");
      return now >= state.again
        ? { state: { ...state, again: now + helloMs }, outputs: [helloFrame(state.nonce, state.versionMax)] }
        : stay(state);
    case "bye":
      return over("aborted");
    default:
      return stay(state);
  }
}

function answerToHello(state: Opening, frame: Frame, now: number): LinkTransition {
  if (frame.channel !== channel.session) return stay(state);
  if (frame.session === sessionKind.refuse) {
    const said = decode(refuse, frame.payload);
    if (!said) return stay(state);
    if (said.reason !== 1) return over("slot-busy");
    return over("link-version", {
      reader: said.versionMin === said.versionMax ? said.versionMin : `${said.versionMin}-${said.versionMax}`,
      host: `${linkLimits.versionMin}-${linkLimits.version}`,
    });
  }
  const ack = frame.session === sessionKind.helloAck ? decode(helloAck, frame.payload) : undefined;
  if (!ack || !same(ack.nonce, state.nonce)) return stay(state);
  if (ack.version < linkLimits.versionMin || ack.version > state.versionMax)
    return over("link-version", { reader: ack.version, host: `${linkLimits.versionMin}-${linkLimits.version}` });
  if (ack.tag === 0 || ack.window === 0 || ack.window > 127 || ack.maxPayload < 16)
    return over("protocol", { detail: "hello-ack with impossible values" });
  const next: Open = {
    at: "open",
    version: ack.version,
    baud: state.baud,
    rating: undefined,
    nonce: state.nonce,
    tag: ack.tag,
    window: ack.window,
    maxPayload: Math.min(ack.maxPayload, linkLimits.maxPayload),
    base: 0,
    flight: [],
    queue: [],
    tries: 0,
    progress: now,
    expected: 0,
    owed: 0,
    ackDue: 0,
    parts: [],
    heard: now,
    pings: 0,
  };
  return stay(next, { type: "opened", version: ack.version, bootCount: ack.bootCount });
}

function open(state: Open, input: LinkInput, now: number): LinkTransition {
  switch (input.type) {
    case "open":
      return stay(state);
    case "rate":
    case "line":
      return rated(state, rating(state.rating, input, ratingLine(state), now));
    case "send":
      return flow({ ...state, queue: [...state.queue, ...cut(input, Math.min(state.maxPayload, input.maxPayload ?? Infinity))] }, [], now);
    case "frame":
      return receive(state, input.frame, now);
    case "bye":
      return over("aborted", {}, { type: "write", frames: [sessionFrame(sessionKind.bye, state.tag, state.expected)] });
    case "tick":
      return tick(state, now);
  }
}

function cut(input: Extract<LinkInput, { type: "send" }>, size: number): OutFrame[] {
  const { channel: on, message, id } = input;
  const frames: OutFrame[] = [];
  for (let at = 0; ; at += size) {
    const payload = message.subarray(at, at + size);
    const more = at + size < message.length;
    frames.push({ channel: on, more, payload, ...(!more && { id }) });
    if (!more) return frames;
  }
}

/** Fills the window, and sends what is due; a data frame carries the acknowledgement. */
function flow(state: Open, outputs: readonly LinkOutput[], now: number, ackNow = false): LinkTransition {
  const room = state.rating ? 0 : state.window - state.flight.length;
  const fresh = room > 0 ? state.queue.slice(0, room) : [];
  if (fresh.length) {
    const first = state.base + state.flight.length;
    const next: Open = { ...state, flight: [...state.flight, ...fresh], queue: state.queue.slice(fresh.length), progress: now, owed: 0 };
    return stay(next, ...outputs, { type: "write", frames: fresh.map((frame, i) => dataFrame(frame, first + i, state)) });
  }
  if (ackNow || state.owed >= state.window >> 1 || (state.owed > 0 && now >= state.ackDue)) {
    return stay({ ...state, owed: 0 }, ...outputs, { type: "write", frames: [sessionFrame(sessionKind.ack, state.tag, state.expected)] });
  }
  return stay(state, ...outputs);
}

const dataFrame = (frame: OutFrame, number: number, state: Open): Frame => ({
  channel: frame.channel,
  session: 0,
  more: frame.more,
  seq: number & 255,
  ack: state.expected,
  tag: state.tag,
  payload: frame.payload,
});

function receive(before: Open, frame: Frame, now: number): LinkTransition {
  // a hello-ack for our nonce with another tag: the reader has forgotten this session
  if (frame.channel === channel.session && frame.session === sessionKind.helloAck && frame.tag !== before.tag) {
    const ack = decode(helloAck, frame.payload);
    return ack && same(ack.nonce, before.nonce) ? over("session-broken") : stay(before);
  }
  if (frame.tag !== before.tag) return stay(before);
  const { state, outputs } = acknowledged({ ...before, heard: now, pings: 0 }, frame.ack, now);
  if (frame.channel === channel.session) {
    if (state.rating && (frame.session === sessionKind.rateAck || frame.session === sessionKind.pong)) {
      const said = frame.session === sessionKind.rateAck ? (decode(rateLayout, frame.payload)?.baud ?? 0) : undefined;
      const heard = said === undefined ? ({ type: "pong" } as const) : ({ type: "rate-ack", baud: said } as const);
      return rated(state, rating(state.rating, heard, ratingLine(state), now), outputs);
    }
    if (frame.session === sessionKind.notice) return flow(state, [...outputs, { type: "notice", notice: frame.payload }], now);
    return flow(state, outputs, now);
  }
  // one we have, or one after a gap: say again where we are
  if (frame.seq !== state.expected) return flow(state, outputs, now, true);
  const taken: Open = {
    ...state,
    expected: (state.expected + 1) & 255,
    owed: state.owed + 1,
    ackDue: state.owed ? state.ackDue : now + ackDelayMs,
  };
  const parts = [...(taken.parts[frame.channel] ?? []), frame.payload];
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > maxMessage || parts.length > maxMessage)
    return over("protocol", { detail: "a message of the reader that does not end" }, ...outputs);
  const store = (value: readonly Uint8Array[] | undefined): Open => {
    const all = [...taken.parts];
    all[frame.channel] = value;
    return { ...taken, parts: all };
  };
  if (frame.more) return flow(store(parts), outputs, now);
  return flow(
    store(undefined),
    [...outputs, { type: "message", channel: frame.channel, message: parts.length === 1 ? parts[0]! : concat(parts, size) }],
    now,
  );
}

/** `ack` is the number the reader expects next; one that is not among those in flight is old. */
function acknowledged(state: Open, ack: number, now: number): { state: Open; outputs: LinkOutput[] } {
  const done = (ack - state.base) & 255;
  if (done === 0 || done > state.flight.length) return { state, outputs: [] };
  const outputs = state.flight
    .slice(0, done)
    .flatMap((frame): LinkOutput[] => (frame.id === undefined ? [] : [{ type: "taken", id: frame.id }]));
  return { state: { ...state, base: ack, flight: state.flight.slice(done), tries: 0, progress: now }, outputs };
}

const ratingLine = ({ baud, version, flight, queue }: Open): RatingLine => ({
  baud,
  can: version >= RATE_SINCE && flight.length === 0 && queue.length === 0,
});

/** What {@link rating} said, in frames and outputs of the session. */
function rated(state: Open, { state: next, does }: RatingStep, before: readonly LinkOutput[] = []): LinkTransition {
  const outputs: LinkOutput[] = [...before];
  let { baud } = state;
  for (const one of does) {
    if (one.type === "line" || one.type === "rated") outputs.push({ type: one.type, baud: one.baud });
    else {
      const frame =
        one.type === "ping"
          ? sessionFrame(sessionKind.ping, state.tag, state.expected)
          : sessionFrame(sessionKind.rate, state.tag, state.expected, rateLayout.encode({ baud: one.baud }));
      outputs.push({ type: "write", frames: [frame] });
    }
    if (one.type === "rated") baud = one.baud;
  }
  return stay({ ...state, rating: next, baud }, ...outputs);
}

function tick(state: Open, now: number): LinkTransition {
  if (state.rating) return rated(state, rating(state.rating, { type: "tick" }, ratingLine(state), now));
  if (now >= retransmitAt(state)) {
    if (state.tries >= linkLimits.retransmissions) return over("session-broken");
    const frames = state.flight.map((frame, i) => dataFrame(frame, state.base + i, state));
    return stay(
      { ...state, tries: state.tries + 1, progress: now, owed: 0 },
      { type: "retransmitted", frames: frames.length },
      { type: "write", frames },
    );
  }
  if (now >= state.heard + linkLimits.pingMs * (state.pings + 1)) {
    if (state.pings >= linkLimits.lostPings) return over("session-broken");
    return stay(
      { ...state, pings: state.pings + 1, owed: 0 },
      { type: "write", frames: [sessionFrame(sessionKind.ping, state.tag, state.expected)] },
    );
  }
  return flow(state, [], now);
}

function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** A newer reader may say more than we know: what follows our layout is ignored; less is no message. */
function decode<T>(layout: { readonly size: number; decode(input: Uint8Array): T }, payload: Uint8Array): T | undefined {
  try {
    return layout.decode(payload.subarray(0, layout.size));
  } catch (error) {
    if (error instanceof CodecError) return undefined;
    throw error;
  }
}
