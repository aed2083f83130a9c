import type { CardLine, Level, LineCard } from "../board/model.js";
import { clockStopOf } from "./interface-bytes.js";
import type { ApduCard } from "./apdu-card.js";
import { Characters, firstFreeEvent, gapTolerance, type CharacterState } from "./characters.js";

const eventReset = firstFreeEvent;
const eventComplain = firstFreeEvent + 1;
const eventContent = firstFreeEvent + 2;
const eventVerdict = firstFreeEvent + 3;

/** How often something goes wrong, by character number. */
type Times = Readonly<Record<number, number>> | ((number: number) => number);
const timesOf = (times: Times | undefined, number: number): number =>
  typeof times === "function" ? times(number) : (times?.[number] ?? 0);

/** How a {@link T0Card} behaves. Character numbers count from the reset, from 0, ATR included. */
export type T0CardOptions = {
  /** Characters received that the card complains about, and how often each. */
  complain?: Times;
  /** Characters sent with wrong parity, and how often each before it is right. */
  wrong?: Times;
  /** Characters in, characters out: instead of {@link T0Commands}. */
  machine?: CharacterMachine;
};

/** A T=0 card above the error signal: gets each character the reader sent, right and once, and says what the card sends now. */
export interface CharacterMachine {
  /** RST rose; the ATR is sent by the line. */
  reset(): void;
  /** Characters to send; bit 8 = the first sending has wrong parity; bits 9 up = etu to wait before it, beyond those that are due. */
  receive(byte: number): number[];
  /** State as plain data. */
  save(): unknown;
  load(state: unknown): void;
}

/** INS with even second nibble takes P3 bytes, every other INS (and B0) gives P3 bytes; the APDU card behind it is asked for both. */
export class T0Commands implements CharacterMachine {
  readonly #transmit: (command: Uint8Array) => { response: Uint8Array };
  #header: number[] = [];
  #data: number[] = [];

  constructor(transmit: (command: Uint8Array) => { response: Uint8Array }) {
    this.#transmit = transmit;
  }
  reset(): void {
    [this.#header, this.#data] = [[], []];
  }
  save(): { header: number[]; data: number[] } {
    return { header: this.#header, data: this.#data };
  }
  load(state: unknown): void {
    ({ header: this.#header, data: this.#data } = structuredClone(state) as ReturnType<T0Commands["save"]>);
  }
  receive(byte: number): number[] {
    if (this.#header.length === 5) {
      this.#data.push(byte);
      return this.#data.length === this.#header[4] ? this.#execute() : [];
    }
    this.#header.push(byte);
    if (this.#header.length < 5) return [];
    const [, ins = 0, , , p3 = 0] = this.#header;
    if (ins & 1 || ins === 0xb0) return [ins, ...this.#execute(false)];
    return p3 ? [ins] : this.#execute();
  }
  #execute(statusOnly = true): number[] {
    const { response } = this.#transmit(Uint8Array.of(...this.#header, ...this.#data));
    this.reset();
    return [...(statusOnly ? response.slice(-2) : response)];
  }
}

type T0State = {
  voltageClass: number;
  rst: Level;
  inCount: number;
  outCount: number;
  /** Complaints about, or wrong sendings of, the current character so far. */
  tries: number;
  /** Complaints seen from the reader. */
  complaints: number;
  outgoing: number[];
  sentNs: number;
  heard: boolean;
  /** The reader's error signal is on the line: not a start bit. */
  inSignal: boolean;
  lastInNs: number;
};

/** A T=0 card with the error signal both ways (ISO 7816-3 §7.3, §10): it complains about characters and repeats its own. */
export class T0Card implements LineCard {
  readonly name = "card";
  readonly hurry = true;
  readonly #apdu: ApduCard;
  readonly #options: T0CardOptions;
  readonly #machine: CharacterMachine;
  readonly #characters: Characters;
  #line: CardLine | null = null;
  #s: T0State = T0Card.#fresh();

  constructor(card: ApduCard, options: T0CardOptions = {}) {
    this.#apdu = card;
    this.#options = options;
    this.#machine = options.machine ?? new T0Commands((command) => card.transmit(command));
    this.#characters = new Characters({
      onCharacter: (byte, parityOk, startNs) => this.#character(byte, parityOk, startNs),
      onSent: (startNs) => this.#released(startNs),
    });
  }

  static #fresh(): T0State {
    return {
      voltageClass: 0, rst: 0, inCount: 0, outCount: 0, tries: 0, complaints: 0, outgoing: [], sentNs: -1, heard: false, inSignal: false,
      lastInNs: -1,
    }; // prettier-ignore
  }

  /** Error signals the reader has sent. */
  get complaints(): number {
    return this.#s.complaints;
  }

  attach(line: CardLine): void {
    this.#line = line;
    this.#characters.connect(line);
  }
  detach(): void {
    this.reset();
    this.#characters.connect(null);
    this.#line = null;
  }
  reset(): void {
    this.#stop();
    this.#characters.state = Characters.silent();
    this.#s = T0Card.#fresh();
  }
  onVcc(voltageClass: 0 | 1 | 2 | 3): void {
    this.#s.voltageClass = voltageClass;
    if (!voltageClass) this.#stop();
  }
  get clockStop(): number {
    return clockStopOf(this.#apdu.atr);
  }
  onClock(hz: number, atNs: number): void {
    if (!hz && !(this.#s.rst && this.clockStop)) this.#stop();
    this.#characters.state.hz = hz;
    this.#characters.state.phaseNs = atNs;
  }
  onReset(level: Level, atNs: number): void {
    this.#stop();
    this.#s.rst = level;
    if (level && this.#s.voltageClass) this.#line!.schedule(eventReset, this.#characters.grid(atNs + 1e6));
  }
  save(): { card: T0State; characters: CharacterState; machine: unknown; apdu: unknown } {
    return structuredClone({
      card: this.#s,
      characters: this.#characters.state,
      machine: this.#machine.save(),
      apdu: this.#apdu.save?.() ?? null,
    });
  }
  load(saved: unknown): void {
    const state = structuredClone(saved) as ReturnType<T0Card["save"]>;
    this.#s = state.card;
    this.#characters.state = state.characters;
    this.#machine.load(state.machine);
    this.#apdu.load?.(state.apdu);
  }

  onReaderIo(low: boolean, atNs: number): void {
    const s = this.#s;
    if (!s.rst) return;
    const since = s.sentNs < 0 ? -1 : (atNs - s.sentNs) / this.#characters.etuNs;
    if (low && since >= 10 && since < 11.5 && s.outgoing.length) {
      if (Math.abs(since - 10.5) > 0.2)
        this.#line!.violation("card-line/error-signal", `begins ${since.toFixed(2)} etu after the character`);
      s.heard = true;
      s.inSignal = true;
      return;
    }
    if (s.inSignal) {
      if (!low) s.inSignal = false;
      return;
    }
    this.#characters.onReaderIo(low, atNs);
  }

  onEvent(kind: number): void {
    if (this.#characters.onEvent(kind)) return;
    if (kind === eventReset) {
      const atr = this.#apdu.powerOn();
      this.#characters.state.inverse = atr[0] === 0x3f;
      this.#machine.reset();
      this.#queue([...atr], this.#line!.nowNs);
    } else if (kind === eventComplain) {
      this.#line!.driveIo(true);
      this.#line!.schedule(eventContent, this.#characters.grid(this.#line!.nowNs + 1.2 * this.#characters.etuNs));
    } else if (kind === eventContent) this.#line!.driveIo(false);
    else if (kind === eventVerdict) this.#verdict(this.#s.sentNs);
  }

  #stop(): void {
    for (const kind of [eventReset, eventComplain, eventContent, eventVerdict]) this.#line?.cancel(kind);
    this.#characters.silence();
    const { voltageClass, rst } = this.#s;
    this.#s = { ...T0Card.#fresh(), voltageClass, rst };
  }

  // ---- sending, one character at a time

  #queue(bytes: readonly number[], atNs: number): void {
    const idle = this.#s.outgoing.length === 0;
    this.#s.outgoing.push(...bytes);
    if (idle) this.#next(atNs);
  }
  #next(atNs: number): void {
    const s = this.#s;
    const [value = 0] = s.outgoing;
    const wrong = s.tries < Math.max(timesOf(this.#options.wrong, s.outCount), (value >> 8) & 1);
    const pauseNs = s.tries === 0 ? (value >>> 9) * this.#characters.etuNs : 0;
    this.#characters.send([(value & 0xff) | (wrong ? 0x100 : 0)], atNs + pauseNs, 12);
    s.sentNs = this.#characters.state.sendNs;
    s.heard = false;
  }
  /** The character is over; whether the reader complains shows at 11 etu. */
  #released(startNs: number): void {
    this.#line!.schedule(eventVerdict, this.#characters.grid(startNs + 11 * this.#characters.etuNs));
  }
  #verdict(startNs: number): void {
    const s = this.#s;
    const etu = this.#characters.etuNs;
    if (s.heard) {
      s.complaints++;
      s.tries++;
      this.#next(startNs + 13.5 * etu); // §7.3: 2 etu after the error signal was seen, at least
      return;
    }
    s.outgoing.shift();
    s.outCount++;
    s.tries = 0;
    if (s.outgoing.length) this.#next(startNs + 12 * etu);
  }

  // ---- receiving

  #character(byte: number, parityOk: boolean, startNs: number): void {
    const s = this.#s;
    const etu = this.#characters.etuNs;
    const gap = (startNs - Math.max(s.sentNs, s.lastInNs)) / etu;
    const due = s.sentNs > s.lastInNs ? 16 : 12;
    if (s.outgoing.length === 0 && gap < due - gapTolerance)
      this.#line!.violation(due === 16 ? "card-line/turnaround" : "card-line/guard-time", `${gap.toFixed(2)} etu, ${due} are due`);
    s.lastInNs = startNs;
    if (!parityOk || s.tries < timesOf(this.#options.complain, s.inCount)) {
      s.tries++;
      this.#line!.schedule(eventComplain, this.#characters.grid(startNs + 10.5 * etu));
      return;
    }
    s.tries = 0;
    s.inCount++;
    const after = startNs + 16 * etu;
    const out = this.#machine.receive(byte);
    if (out.length) this.#queue(out, after);
  }
}
