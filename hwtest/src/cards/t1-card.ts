import type { CardLine, Level, LineCard } from "../board/model.js";
import type { ApduCard } from "./apdu-card.js";
import { Characters, firstFreeEvent, gapTolerance, type CharacterState } from "./characters.js";
import { etuClocks, lineParameters, type LineParameters } from "./interface-bytes.js";
import type { BlockMachine, Step } from "./block-machine.js";
import { Responder, type T1Faults } from "./responder.js";

const eventAnswer = firstFreeEvent;
const eventSilence = firstFreeEvent + 1;
const eventThought = firstFreeEvent + 2;

/** How a {@link T1Card} behaves on the line. All times have ISO's defaults. */
export type T1CardOptions = {
  /** Clocks from RST high to the ATR: 400 to 40 000 (ISO 7816-3 §6.2.2). */
  atrDelayClocks?: number;
  /** Phase of the card's clock against the board's, ns. */
  phaseNs?: number;
  /** Gap in etu before the card answers (at least 22 in T=1, 16 before a PPS response). */
  turnEtu?: number;
  /** Part of `thinkMs` that is waited, e.g. 0 in fast tests. */
  thinkScale?: number;
  /** Voltage classes the card answers at; default 1, 2 and 3. */
  classes?: readonly number[];
  /** Say nothing at all, as a card put in upside down. */
  mute?: boolean;
  /**
   * Answer PPS requests: "accept" (default), "refuse" (silence), "default" (echo without PPS1); or a function that says what comes
   * instead of the right answer, after which this card waits for a reset.
   */
  pps?: "accept" | "refuse" | "default" | ((request: readonly number[]) => number[]);
  /** Errors put on the line. */
  faults?: T1Faults;
  /** Blocks in, blocks out: instead of a card that behaves. */
  machine?: BlockMachine;
  /** Ask for this reader buffer size with S(IFS request) before the first answer. */
  askIfsd?: number;
};

type Phase = "off" | "reset" | "atr" | "first" | "pps" | "misled" | "blocks";

type CardState = {
  phase: Phase;
  voltageClass: number;
  rst: Level;
  parameters: LineParameters | null;
  atrLength: number;
  /** Leading edges: last character of the reader and of the card, -1 = none yet. */
  readerNs: number;
  cardNs: number;
  /** Least gap in ns the reader owes after the card's last character. */
  owedNs: number;
  owedRule: string;
  incoming: number[];
  broken: boolean;
  /** Set while a PPS response is on the line: the value to switch to afterwards. */
  newFidi: number;
  /** When the command being worked on is done; -1 = none. */
  thoughtNs: number;
};

/**
 * The line around a card that is otherwise an APDU function: ATR, PPS, T=1, character by character on its own clock, with the
 * reader's guard times and turn-rounds checked against ISO 7816-3. Event-driven: an idle card costs nothing.
 */
export class T1Card implements LineCard {
  readonly name = "card";
  readonly hurry = true;
  readonly #apdu: ApduCard;
  readonly #options: T1CardOptions;
  readonly #characters: Characters;
  readonly #responder: BlockMachine;
  #line: CardLine | null = null;
  #s: CardState = T1Card.#off();

  constructor(card: ApduCard, options: T1CardOptions = {}) {
    this.#apdu = card;
    this.#options = options;
    this.#characters = new Characters({
      onCharacter: (byte, parityOk, startNs) => this.#character(byte, parityOk, startNs),
      onSent: (startNs) => this.#sent(startNs),
    });
    this.#responder = options.machine ?? new Responder((command) => card.transmit(command), options.faults ?? {});
  }

  static #off(): CardState {
    return {
      phase: "off",
      voltageClass: 0,
      rst: 0,
      parameters: null,
      atrLength: 0,
      readerNs: -1,
      cardNs: -1,
      owedNs: 0,
      owedRule: "card-line/turnaround",
      incoming: [],
      broken: false,
      newFidi: 0,
      thoughtNs: -1,
    };
  }

  /** Blocks received and sent since the last reset; for tests. */
  get counts(): { readonly received: number; readonly sent: number } {
    return this.#responder.counts;
  }
  /** Card clocks per etu now. */
  get etuClocks(): number {
    return this.#characters.state.etuClocks;
  }

  // ---- LineCard

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
    this.#s = T1Card.#off();
  }
  onVcc(voltageClass: 0 | 1 | 2 | 3): void {
    this.#s.voltageClass = voltageClass;
    if (voltageClass === 0) this.#stop();
  }
  get clockStop(): number {
    return this.#s.parameters?.clockStop ?? 0;
  }
  onClock(hz: number, atNs: number): void {
    // A card that allows its clock to rest keeps everything meanwhile (ISO 7816-3 §6.3.2).
    if (hz === 0 && !(this.#s.rst && this.clockStop)) this.#stop();
    this.#characters.state.hz = hz;
    this.#characters.state.phaseNs = atNs + (this.#options.phaseNs ?? 0);
  }
  onReset(level: Level, atNs: number): void {
    this.#s.rst = level;
    this.#stop();
    const s = this.#s;
    if (level === 0 || !s.voltageClass || !this.#characters.state.hz || this.#options.mute) return;
    if (!(this.#options.classes ?? [1, 2, 3]).includes(s.voltageClass)) return;
    s.phase = "reset";
    this.#line!.schedule(
      eventAnswer,
      this.#characters.grid(atNs + ((this.#options.atrDelayClocks ?? 3000) * 1e9) / this.#characters.state.hz),
    );
  }
  onReaderIo(low: boolean, atNs: number): void {
    if (!this.#s.rst) return;
    if (low && this.#characters.state.startNs < 0) this.#line!.cancel(eventSilence); // waiting times run from leading edge to leading edge
    this.#characters.onReaderIo(low, atNs);
  }

  save(): { card: CardState; characters: CharacterState; responder: unknown; apdu: unknown } {
    return structuredClone({
      card: this.#s,
      characters: this.#characters.state,
      responder: this.#responder.save(),
      apdu: this.#apdu.save?.() ?? null,
    });
  }
  load(saved: unknown): void {
    const state = structuredClone(saved) as ReturnType<T1Card["save"]>;
    this.#s = state.card;
    this.#characters.state = state.characters;
    this.#responder.load(state.responder, state.card.parameters);
    this.#apdu.load?.(state.apdu);
  }

  onEvent(kind: number): void {
    if (this.#characters.onEvent(kind)) return;
    if (kind === eventAnswer && this.#s.phase === "reset") this.#answerToReset();
    else if (kind === eventSilence) this.#silence();
    else if (kind === eventThought) this.#thought();
  }

  // ---- ATR and PPS

  #stop(): void {
    for (const kind of [eventAnswer, eventSilence, eventThought]) this.#line?.cancel(kind);
    this.#characters.silence();
    const { voltageClass, rst } = this.#s;
    this.#s = { ...T1Card.#off(), voltageClass, rst };
  }

  #answerToReset(): void {
    const s = this.#s;
    const atr = this.#apdu.powerOn();
    const parameters = lineParameters(atr);
    s.parameters = parameters;
    s.phase = "atr";
    this.#characters.state.etuClocks = 372;
    this.#characters.state.inverse = parameters.inverse;
    this.#responder.start(parameters, this.#options.askIfsd ?? 0);
    this.#characters.send([...atr], this.#line!.nowNs, 12);
  }

  /** One of our transmissions is over: what may come now, how soon, and (after ATR and PPS) at which rate. */
  #sent(startNs: number): void {
    const s = this.#s;
    s.cardNs = startNs;
    s.readerNs = -1;
    s.owedRule = "card-line/turnaround";
    const etu = this.#characters.etuNs;
    if (s.phase === "atr") {
      s.owedNs = 12 * etu;
      s.phase = "first";
      if (s.parameters!.specific) this.#switch(s.parameters!.fidi);
    } else if (s.phase === "pps") {
      s.owedNs = 22 * etu;
      s.owedRule = "card-line/pps-turnaround";
      s.phase = "blocks";
      this.#switch(s.newFidi);
    } else {
      s.owedNs = 22 * etu;
      if (s.phase !== "misled") s.phase = "blocks";
    }
  }

  #switch(fidi: number): void {
    if (fidi === 0x11) return;
    this.#characters.state.etuClocks = etuClocks(fidi);
  }

  /** Card to reader and reader to card use the same pitch: 11 etu for TC1 = 255 in T=1, else 12; the extra guard binds the reader only (§8.3). */
  get #blockPitch(): number {
    return this.#s.parameters!.extraGuard === 255 ? 11 : 12;
  }
  get #readerPitch(): number {
    const n = this.#s.parameters!.extraGuard;
    if (this.#s.phase === "blocks") return n === 255 ? 11 : 12 + n;
    return 12 + (n === 255 ? 0 : n);
  }

  #character(byte: number, parityOk: boolean, startNs: number): void {
    const s = this.#s;
    if (s.phase === "off" || s.phase === "reset" || s.phase === "atr") {
      this.#line!.violation("card-line/turnaround", "the reader sends before the ATR is over");
      return;
    }
    const etu = this.#characters.etuNs;
    if (s.readerNs < 0) {
      const gap = startNs - s.cardNs;
      if (gap < s.owedNs - gapTolerance * etu)
        this.#line!.violation(
          s.owedRule,
          `${(gap / etu).toFixed(2)} etu after the card's last character, ${(s.owedNs / etu).toFixed(0)} are due`,
        );
    }
    if (s.phase === "first") s.phase = byte === 0xff ? "pps" : "blocks";
    if (s.readerNs >= 0) {
      const gap = (startNs - s.readerNs) / etu;
      if (gap < this.#readerPitch - gapTolerance)
        this.#line!.violation("card-line/guard-time", `${gap.toFixed(2)} etu from character to character, ${this.#readerPitch} are due`);
    }
    s.readerNs = startNs;
    s.incoming.push(byte);
    if (!parityOk) s.broken = true;
    if (s.phase === "pps") this.#ppsCharacter(startNs);
    else this.#blockCharacter(startNs);
  }

  /** PPS request: PPSS, PPS0 (bits 5–7 announce PPS1–PPS3), PCK = exclusive or (ISO 7816-3 §9.2). */
  #ppsCharacter(startNs: number): void {
    const s = this.#s;
    const request = s.incoming;
    if (request.length < 2) return;
    const announced = (request[1]! >> 4) & 7;
    const length = 3 + (announced & 1) + ((announced >> 1) & 1) + ((announced >> 2) & 1);
    if (request.length < length) return;
    s.incoming = [];
    const mode = this.#options.pps ?? "accept";
    const wrong = s.broken || request.reduce((sum, byte) => sum ^ byte, 0) !== 0 || (request[1]! & 15) !== 1;
    if (wrong || mode === "refuse") {
      s.phase = "off"; // §9.3: an erroneous request is not answered; only a reset helps
      return;
    }
    if (typeof mode === "function") {
      s.phase = "misled";
      this.#characters.send(mode(request), startNs + this.#turnNs, 12);
      return;
    }
    const fidi = announced & 1 ? request[2]! : 0x11;
    const take = mode === "accept" && announced & 1 && this.#offers(fidi);
    s.newFidi = take ? fidi : 0x11;
    const body = take ? [0xff, 0x11, fidi] : [0xff, 0x01];
    const response = [...body, body.reduce((sum, byte) => sum ^ byte, 0)];
    this.#characters.send(response, startNs + Math.max(16, this.#options.turnEtu ?? 22) * this.#characters.etuNs, 12);
  }

  /** A card that offers Fi/Di takes it and everything between the default and it (§9.2). */
  #offers(fidi: number): boolean {
    const offered = this.#s.parameters!.fidi;
    return fidi === offered || (fidi >> 4 === offered >> 4 && etuClocks(fidi) >= etuClocks(offered)) || fidi === 0x11;
  }

  // ---- T=1

  #blockCharacter(startNs: number): void {
    const s = this.#s;
    const p = s.parameters!;
    const etu = this.#characters.etuNs;
    const complete = s.incoming.length >= 3 && s.incoming.length >= 3 + s.incoming[2]! + (p.crc ? 2 : 1);
    if (!complete || s.broken) {
      this.#line!.schedule(eventSilence, this.#characters.grid(startNs + (11 + 2 ** p.cwi + 0.5) * etu));
      return;
    }
    this.#line!.cancel(eventSilence);
    this.#block(startNs);
  }

  /** CWT ran out in a block: the reader paused, or a broken length sent us waiting; either way the block is over (§11.4.3). */
  #silence(): void {
    const s = this.#s;
    if (s.phase !== "blocks" || s.incoming.length === 0) return;
    if (!s.broken && this.#line!.readerAlive)
      this.#line!.violation("card-line/character-waiting", `the reader paused after ${s.incoming.length} characters of a block`);
    s.broken = true;
    this.#block(s.readerNs);
  }

  #block(startNs: number): void {
    const s = this.#s;
    const bytes = s.incoming;
    const broken = s.broken;
    s.incoming = [];
    s.broken = false;
    const step = this.#responder.receive(broken ? null : bytes, broken);
    if (!this.#responder.busy) s.thoughtNs = -1; // a RESYNCH makes the card forget what it was doing
    this.#act(step, startNs);
  }

  #act(step: Step, startNs: number): void {
    const s = this.#s;
    if (step.kind === "silent") return;
    if (step.kind === "think") {
      s.thoughtNs = startNs + this.#turnNs + step.ms * (this.#options.thinkScale ?? 1) * 1e6;
      this.#think(startNs);
      return;
    }
    if (step.kind === "go-on") {
      this.#think(startNs);
      return;
    }
    const earliest = Math.max(startNs + this.#turnNs, this.#line!.nowNs);
    this.#characters.send(step.bytes, earliest + (step.delayBwt ?? 0) * this.#bwtNs, this.#blockPitch);
  }

  get #turnNs(): number {
    return Math.max(22, this.#options.turnEtu ?? 22) * this.#characters.etuNs;
  }

  /** BWT = 11 etu + 2^BWI · 960 · 372 / f (§11.4.3). */
  get #bwtNs(): number {
    return 11 * this.#characters.etuNs + (2 ** this.#s.parameters!.bwi * 960 * 372 * 1e9) / this.#characters.state.hz;
  }

  /** The card asks for more at 80 % of BWT. */
  #think(sinceNs: number): void {
    const s = this.#s;
    const bwtNs = this.#bwtNs;
    this.#line!.schedule(
      eventThought,
      this.#characters.grid(Math.max(Math.min(s.thoughtNs, sinceNs + 0.8 * bwtNs), sinceNs + this.#turnNs)),
    );
  }

  #thought(): void {
    const s = this.#s;
    if (s.thoughtNs < 0) return;
    const done = this.#line!.nowNs >= s.thoughtNs - 1;
    if (done) s.thoughtNs = -1;
    const step = done ? this.#responder.answer() : this.#responder.moreTime(1);
    if (step.kind === "send") this.#characters.send(step.bytes, this.#line!.nowNs, this.#blockPitch);
  }
}
