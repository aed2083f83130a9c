import type { Model, ModelHost } from "./model.js";
import { dueAt, EIGHT_N_ONE, levelsOf, put, type Received, type ReceiverState, type SerialFormat, take, type Wire } from "./serial-wire.js";

const EVENT_NEXT = 0;
const EVENT_RECEIVED = 1;
const EVENT_HAND_ON = 2;
/** A port hands on what came when this many characters are there, or when nothing came for so many character times: as USB adapters and their drivers do. */
const CHUNK = 256;
const SILENT_CHARACTERS = 3;

interface FarState {
  baud: number;
  format: SerialFormat;
  toChip: Wire;
  fromChip: Wire;
  receiver: ReceiverState;
  waiting: number[];
  sending: boolean;
  /** End of what is on the wire to the chip, ns: the next character begins there, not when its event is delivered. */
  freeNs: number;
  came: number[];
  errorRate: number;
  /** Bits that still pass before the next one is turned over. */
  untilFlip: number;
  flips: number;
}

/**
 * The other end of the board's UART0: a port with a rate and format of its own, and the two wires between. It sends without a gap, and reads what
 * the chip puts on the wire by its own bit time, so that two ends of different speed misread each other as on a bench.
 */
export class SerialFar implements Model {
  readonly name = "uart0-far";
  readonly #host: ModelHost;
  /** Each character as this end reads it. */
  onCharacter: ((character: Received) => void) | undefined;
  /** What came, in chunks, marked or not: a port in raw mode hands on everything. */
  onData: ((chunk: Uint8Array) => void) | undefined;
  /** Everything that was sent has left, stop bit included. */
  onDrained: (() => void) | undefined;
  /** The chip's receiver looks at its wire. */
  onWire: (() => void) | undefined;
  #state: FarState = {
    baud: 115_200, format: EIGHT_N_ONE, toChip: { runs: [] }, fromChip: { runs: [] }, receiver: { fromNs: 0 }, waiting: [], sending: false, freeNs: 0, came: [], errorRate: 0, untilFlip: Infinity, flips: 0,
  }; // prettier-ignore

  constructor(host: ModelHost) {
    this.#host = host;
    host.register(this);
  }
  save(): FarState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as FarState);
  }
  /** Another device: what the chip does with itself is nothing to it. */
  reset(): void {}

  /** Bits per second of this end, for what it sends and reads from now on. */
  get baud(): number {
    return this.#state.baud;
  }
  set baud(baud: number) {
    this.#state.baud = baud;
    this.#state.receiver.fromNs = this.#host.nowNs;
    this.#expect();
  }
  get format(): SerialFormat {
    return this.#state.format;
  }
  set format(format: SerialFormat) {
    this.#state.format = format;
  }
  /** Bits turned over so far, both ways. */
  get flips(): number {
    return this.#state.flips;
  }
  /** Each bit on either wire, start and stop bits too, is turned over with this probability (0 = a clean line). */
  set bitErrorRate(rate: number) {
    this.#state.errorRate = rate;
    this.#state.untilFlip = this.#gap();
  }
  /** The wire the chip listens to. */
  get toChip(): Wire {
    return this.#state.toChip;
  }
  /** True while something of what was sent is not on the wire to its end. */
  get sending(): boolean {
    return this.#state.sending;
  }

  /** Sends bytes, one after the other without a gap. */
  send(bytes: Uint8Array): void {
    for (const byte of bytes) this.#state.waiting.push(byte);
    this.#begin();
  }
  /** Pulls the line low for `bits` bit times of this end, now or after what it is sending. */
  sendBreak(bits: number): void {
    for (let left = bits; left > 0; left -= BREAK_PIECE) this.#state.waiting.push(-Math.min(left, BREAK_PIECE));
    this.#state.waiting.push(-BREAK_PIECE - 1);
    this.#begin();
  }
  /** The chip put a character on the wire. */
  chipSends(atNs: number, bitNs: number, bits: number, count: number): void {
    put(this.#state.fromChip, atNs, bitNs, { bits: this.#spoil(bits, count), count });
    this.#expect();
  }

  onEvent(kind: number): void {
    const state = this.#state;
    if (kind === EVENT_NEXT) return this.#next();
    if (kind === EVENT_HAND_ON) return this.#handOn();
    const character = take(state.fromChip, state.receiver, this.#bitNs(), state.format);
    this.#expect();
    this.onCharacter?.(character);
    state.came.push(character.byte);
    if (state.came.length >= CHUNK) return this.#handOn();
    this.#host.schedule(this, EVENT_HAND_ON, this.#host.nowNs + SILENT_CHARACTERS * 10 * this.#bitNs());
  }
  #handOn(): void {
    const chunk = Uint8Array.from(this.#state.came);
    this.#state.came = [];
    this.#host.cancel(this, EVENT_HAND_ON);
    this.onData?.(chunk);
  }
  #expect(): void {
    const { fromChip, receiver, format } = this.#state;
    const due = dueAt(fromChip, receiver, this.#bitNs(), format);
    if (due < Infinity) this.#host.schedule(this, EVENT_RECEIVED, due);
    else this.#host.cancel(this, EVENT_RECEIVED);
  }
  #begin(): void {
    if (this.#state.sending) return;
    this.#state.freeNs = this.#host.nowNs;
    this.#next();
  }
  #next(): void {
    const state = this.#state;
    const item = state.waiting.shift();
    state.sending = item !== undefined;
    if (item === undefined) return this.onDrained?.();
    const { bits, count } =
      item >= 0 ? levelsOf(item, state.format) : item < -BREAK_PIECE ? { bits: 1, count: 1 } : { bits: 0, count: -item };
    const bitNs = this.#bitNs();
    put(state.toChip, state.freeNs, bitNs, { bits: this.#spoil(bits, count), count });
    state.freeNs += count * bitNs;
    this.#host.schedule(this, EVENT_NEXT, state.freeNs);
    this.onWire?.();
  }
  #bitNs(): number {
    return 1e9 / this.#state.baud;
  }
  #spoil(bits: number, count: number): number {
    const state = this.#state;
    let spoilt = bits;
    state.untilFlip -= count;
    while (state.untilFlip < 0) {
      spoilt ^= 1 << (count + state.untilFlip);
      state.flips++;
      state.untilFlip += 1 + this.#gap();
    }
    return spoilt;
  }
  /** Good bits before the next bad one: geometric, so that each bit has the same chance. */
  #gap(): number {
    const { errorRate } = this.#state;
    if (errorRate <= 0) return Infinity;
    return Math.floor(Math.log((this.#host.random() + 1) / 2 ** 32) / Math.log(1 - errorRate));
  }
}

/** Longest stretch of a break that is put on the wire at once, bit times. */
const BREAK_PIECE = 16;
