import type { CardLine } from "../board/model.js";

const eventReceived = 0;
const eventEdge = 1;
const eventSent = 2;
/** First event kind free for the card above this layer. */
export const firstFreeEvent = 3;

/** ISO 7816-3 §7.1: an edge may be off its place by 0.2 etu. */
const edgeTolerance = 0.2;
/** Gaps are compared with this much slack: both ends' edges lie on their own clock grids. */
export const gapTolerance = 0.1;

/** State of the character layer, plain data. */
export type CharacterState = {
  hz: number;
  /** A clock edge of the card: its grid is this plus whole periods. */
  phaseNs: number;
  etuClocks: number;
  inverse: boolean;
  /** Leading edge of the character coming in, or -1; its edges as [ns, low]. */
  startNs: number;
  edges: [number, boolean][];
  /** What is being sent: bytes (bit 8 set = send with wrong parity), position, leading edge of the current character, next edge. */
  sending: number[];
  index: number;
  sendNs: number;
  pitch: number;
  edge: number;
};

const parityOf = (byte: number): number => {
  let p = byte;
  p ^= p >> 4;
  p ^= p >> 2;
  return (p ^ (p >> 1)) & 1;
};
const reverseByte = (byte: number): number => {
  let out = 0;
  for (let i = 0; i < 8; i++) out |= ((byte >> i) & 1) << (7 - i);
  return out;
};

/** Ten levels (true = low) of a character: start, eight data bits, parity (ISO 7816-3 §7.2, §8.1 for the conventions). */
export function characterLevels(byte: number, inverse: boolean, wrongParity = false): boolean[] {
  const parity = parityOf(byte) ^ (wrongParity ? 1 : 0);
  const order = inverse ? reverseByte(byte) : byte;
  const bits = [...Array.from({ length: 8 }, (_, i) => (order >> i) & 1), parity];
  return [true, ...bits.map((bit) => (bit === 1) === inverse)];
}

/** What the layer above hears. */
export interface CharacterUser {
  /** A character came; `startNs` is its leading edge. */
  onCharacter(byte: number, parityOk: boolean, startNs: number): void;
  /** The last character of `send` is over (10.5 etu after its leading edge `startNs`). */
  onSent(startNs: number): void;
}

/**
 * One end of the line as a card's UART has it: it lives on its own clock grid with its own phase, samples in the middle of each
 * etu from the edges it saw, and puts only real edges on the wire. It also measures the reader's edges.
 */
export class Characters {
  state: CharacterState;
  readonly #user: CharacterUser;
  #line: CardLine | null = null;

  constructor(user: CharacterUser) {
    this.#user = user;
    this.state = Characters.silent();
  }

  static silent(): CharacterState {
    return {
      hz: 0,
      phaseNs: 0,
      etuClocks: 372,
      inverse: false,
      startNs: -1,
      edges: [],
      sending: [],
      index: 0,
      sendNs: 0,
      pitch: 12,
      edge: 0,
    };
  }

  /** Connects to the slot, or (null) leaves it. */
  connect(line: CardLine | null): void {
    this.#line = line;
  }
  get etuNs(): number {
    return (this.state.etuClocks * 1e9) / this.state.hz;
  }
  get sending(): boolean {
    return this.state.sending.length > 0;
  }
  /** First clock edge of the card at or after `ns`. */
  grid(ns: number): number {
    const { hz, phaseNs } = this.state;
    const period = 1e9 / hz;
    return phaseNs + Math.ceil((ns - phaseNs) / period - 1e-6) * period;
  }

  /** Stops everything and lets go of the line. */
  silence(): void {
    const { hz, phaseNs } = this.state;
    for (const kind of [eventReceived, eventEdge, eventSent]) this.#line?.cancel(kind);
    this.#line?.driveIo(false);
    this.state = { ...Characters.silent(), hz, phaseNs };
  }

  /** Sends `bytes` (bit 8 = wrong parity), the first leading edge at the clock edge at or after `firstNs`, `pitch` etu from character to character. */
  send(bytes: readonly number[], firstNs: number, pitch: number): void {
    const s = this.state;
    s.sending = [...bytes];
    s.index = 0;
    s.edge = 0;
    s.pitch = pitch;
    s.sendNs = this.grid(firstNs);
    this.#line!.schedule(eventEdge, s.sendNs);
  }

  /** The reader's drive changed. */
  onReaderIo(low: boolean, atNs: number): void {
    const s = this.state;
    if (!s.hz) return;
    const begun = s.sending.length > 0 && (s.index > 0 || s.edge > 0);
    // The last character is over at 10 etu; what comes right after it is the turn-round's business.
    if (begun && !(s.index + 1 === s.sending.length && atNs >= s.sendNs + 10 * this.etuNs)) {
      this.#line!.violation("card-line/while-sending", `reader ${low ? "pulls low" : "lets go"} while the card sends character ${s.index}`);
      return;
    }
    if (s.startNs < 0) {
      if (!low) return;
      s.startNs = atNs;
      s.edges = [];
      this.#line!.schedule(eventReceived, this.grid(atNs + 10.4 * this.etuNs));
      return;
    }
    s.edges.push([atNs, low]);
  }

  /** Returns true when the event was this layer's. */
  onEvent(kind: number): boolean {
    if (kind === eventReceived) this.#received();
    else if (kind === eventEdge) this.#edge();
    else if (kind === eventSent) this.#sent();
    return kind < firstFreeEvent;
  }

  #received(): void {
    const s = this.state;
    const start = s.startNs;
    const etu = this.etuNs;
    for (const [at] of s.edges) {
      const place = (at - start) / etu;
      if (Math.abs(place - Math.round(place)) > edgeTolerance)
        this.#line!.violation("card-line/bit-time", `edge at ${place.toFixed(3)} etu of a character`);
    }
    const lowAt = (ns: number): boolean => {
      let low = true;
      for (const [at, level] of s.edges) if (at <= ns) low = level;
      return low;
    };
    let byte = 0;
    let ones = 0;
    for (let i = 1; i <= 9; i++) {
      const bit = lowAt(this.grid(start + (i + 0.5) * etu)) === s.inverse ? 1 : 0;
      ones += bit;
      if (i <= 8) byte |= bit << (s.inverse ? 8 - i : i - 1);
    }
    s.startNs = -1;
    s.edges = [];
    this.#user.onCharacter(byte, ones % 2 === 0, start);
  }

  /** Puts the current edge on the wire and finds the next one that is an edge. */
  #edge(): void {
    const s = this.state;
    const value = s.sending[s.index]!;
    const levels = [...characterLevels(value & 0xff, s.inverse, value > 0xff), false];
    this.#line!.driveIo(levels[s.edge]!);
    let next = s.edge + 1;
    while (next <= 10 && levels[next] === levels[next - 1]) next++;
    if (next <= 10) {
      s.edge = next;
      this.#line!.schedule(eventEdge, this.grid(s.sendNs + next * this.etuNs));
      return;
    }
    if (s.index + 1 < s.sending.length) {
      s.index++;
      s.edge = 0;
      s.sendNs = this.grid(s.sendNs + s.pitch * this.etuNs);
      this.#line!.schedule(eventEdge, s.sendNs);
      return;
    }
    this.#line!.schedule(eventSent, this.grid(s.sendNs + 10.5 * this.etuNs));
  }

  #sent(): void {
    const s = this.state;
    const last = s.sendNs;
    s.sending = [];
    s.index = 0;
    s.edge = 0;
    this.#user.onSent(last);
  }
}
