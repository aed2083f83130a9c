/** How characters look on an asynchronous line. */
export interface SerialFormat {
  /** 5 to 8. */
  readonly dataBits: number;
  readonly parity: "none" | "odd" | "even" | "mark" | "space";
  readonly stopBits: 1 | 2;
}

/** What nearly every port speaks. */
export const EIGHT_N_ONE: SerialFormat = { dataBits: 8, parity: "none", stopBits: 1 };

/** Levels of one character, the start bit lowest, and how many bit times they take. */
export interface Levels {
  readonly bits: number;
  readonly count: number;
}

/** Parity bit of `byte`; undefined = none. */
function parityOf(byte: number, { parity }: SerialFormat): number | undefined {
  if (parity === "none") return undefined;
  if (parity === "mark" || parity === "space") return parity === "mark" ? 1 : 0;
  let ones = 0;
  for (let bits = byte; bits; bits >>>= 1) ones ^= bits & 1;
  return parity === "odd" ? ones ^ 1 : ones;
}

/** Start bit, data least significant first, parity, stop bits. */
export function levelsOf(byte: number, format: SerialFormat): Levels {
  const data = byte & ((1 << format.dataBits) - 1);
  let bits = data << 1;
  let count = 1 + format.dataBits;
  const parity = parityOf(data, format);
  if (parity !== undefined) bits |= parity << count++;
  for (let stop = 0; stop < format.stopBits; stop++) bits |= 1 << count++;
  return { bits, count };
}

/** Levels that begin at a time; the wire is high (marking) where nothing was put. */
interface Run extends Levels {
  readonly atNs: number;
  readonly bitNs: number;
}

/** One direction of the line as levels over time: what was sent, not what somebody makes of it. Plain data. */
export interface Wire {
  runs: Run[];
}

/** Puts levels on the wire. Runs are put in order of time. */
export function put(wire: Wire, atNs: number, bitNs: number, levels: Levels): void {
  wire.runs.push({ atNs, bitNs, bits: levels.bits, count: levels.count });
}

function level(wire: Wire, ns: number): number {
  for (const run of wire.runs) {
    if (ns < run.atNs) return 1;
    const bit = Math.floor((ns - run.atNs) / run.bitNs);
    if (bit < run.count) return (run.bits >>> bit) & 1;
  }
  return 1;
}

/** When the wire has `wanted` for the first time from `ns` on; Infinity = not with what is on the wire now. */
function firstAt(wire: Wire, ns: number, wanted: 0 | 1): number {
  let high = ns;
  for (const run of wire.runs) {
    if (wanted === 1 && run.atNs > high) return high;
    for (let bit = Math.max(0, Math.floor((ns - run.atNs) / run.bitNs)); bit < run.count; bit++)
      if (((run.bits >>> bit) & 1) === wanted) return Math.max(ns, run.atNs + bit * run.bitNs);
    high = Math.max(high, run.atNs + run.count * run.bitNs);
  }
  return wanted === 1 ? high : Infinity;
}

/** A receiver's place on the wire. Plain data. */
export interface ReceiverState {
  /** Looks for a start bit from here on, ns. */
  fromNs: number;
}

/** A character as a receiver took it, with its marks (PL011 TRM §3.3.1). */
export interface Received {
  readonly byte: number;
  readonly framing: boolean;
  readonly parity: boolean;
  /** All low, the stop bit too. */
  readonly broken: boolean;
}

/** Parts of a bit time in which a receiver looks at the wire (Baud16, PL011 TRM §2.4.1). */
const OVERSAMPLING = 16;

/** Where the start bit of the next character is found, on the receiver's grid; Infinity = none is on the wire yet. A start that is over by its middle is none. */
function startOf(wire: Wire, state: ReceiverState, bitNs: number): number {
  const grid = bitNs / OVERSAMPLING;
  for (let from = state.fromNs; ; ) {
    // A receiver is ready for a start bit when it saw the line high: after a break, or a stop bit that was none, it waits for that.
    const fall = firstAt(wire, firstAt(wire, from, 1), 0);
    if (fall === Infinity) return Infinity;
    const start = Math.ceil(fall / grid) * grid;
    if (level(wire, start + bitNs / 2) === 0) return start;
    from = start + bitNs / 2;
  }
}

/** Bit times from the start edge to the middle of the (first) stop bit. */
const toStop = (format: SerialFormat): number => 1 + format.dataBits + (format.parity === "none" ? 0 : 1) + 0.5;

/** When the next character will have been received: in the middle of its stop bit. Infinity = none is on the wire yet. */
export function dueAt(wire: Wire, state: ReceiverState, bitNs: number, format: SerialFormat): number {
  return startOf(wire, state, bitNs) + toStop(format) * bitNs;
}

/** Takes the character that is due: every bit sampled once, in its middle by the receiver's own bit time. */
export function take(wire: Wire, state: ReceiverState, bitNs: number, format: SerialFormat): Received {
  const start = startOf(wire, state, bitNs);
  let byte = 0;
  for (let bit = 0; bit < format.dataBits; bit++) byte |= level(wire, start + (bit + 1.5) * bitNs) << bit;
  const said = format.parity === "none" ? undefined : level(wire, start + (format.dataBits + 1.5) * bitNs);
  const stopNs = start + toStop(format) * bitNs;
  const framing = level(wire, stopNs) === 0;
  listenFrom(wire, state, stopNs);
  return { byte, framing, parity: said !== parityOf(byte, format), broken: framing && byte === 0 && !said };
}

/** The receiver begins to look at the wire here; what was before is forgotten. */
export function listenFrom(wire: Wire, state: ReceiverState, ns: number): void {
  state.fromNs = ns;
  const { runs } = wire;
  let over = 0;
  while (over < runs.length && runs[over]!.atNs + runs[over]!.count * runs[over]!.bitNs <= ns) over++;
  if (over > 0) runs.splice(0, over);
}
