import type { BlockMachine, CharacterMachine, LineParameters, Step } from "../cards/index.js";
import type { FaultKind } from "./line-fault-plan.js";

type Faults = ReadonlyMap<number, FaultKind>;

/**
 * A line that fails in front of a card that behaves, block by block. What the kinds mean for half-duplex blocks:
 * drop: not heard · flip: one bit, parity right · duplicate: heard again in place of the next one of that side · delay: the card's
 * next block comes after BWT, when the interface device has spoken again; what it then says to that comes a turn late as well.
 */
export class FaultyBlocks implements BlockMachine {
  readonly #inner: BlockMachine;
  readonly #faults: Faults;
  readonly #random: (below: number) => number;
  #at = -1;
  #heardBefore: readonly number[] | undefined;
  #saidBefore: number[] | undefined;
  /** A block that is on its way too late, and whether what follows it is late too. */
  #late: Step | undefined;
  #lateAgain = false;

  constructor(inner: BlockMachine, faults: Faults, random: (below: number) => number) {
    [this.#inner, this.#faults, this.#random] = [inner, faults, random];
  }
  /** From now on blocks count, or (false) everything is as it should be. */
  arm(on: boolean): void {
    this.#at = on ? 0 : -1;
    this.#heardBefore = this.#saidBefore = this.#late = undefined;
    this.#lateAgain = false;
  }
  get counts(): { readonly received: number; readonly sent: number } {
    return this.#inner.counts;
  }
  readonly busy = false;
  start(parameters: LineParameters, askIfsd: number): void {
    this.arm(false);
    this.#inner.start(parameters, askIfsd);
  }
  receive(bytes: readonly number[] | null, parity: boolean): Step {
    const kind = this.#next();
    const late = this.#late;
    if (late !== undefined) {
      this.#late = undefined;
      // The card speaks over what was just said the second time, and does not hear it.
      if (this.#lateAgain) this.#lateAgain = false;
      else {
        this.#late = this.#react(bytes, parity, kind);
        this.#lateAgain = true;
        if (this.#late.kind === "silent") this.#late = undefined;
      }
      return late;
    }
    return this.#say(this.#react(bytes, parity, kind), kind === "delay");
  }
  answer(): Step {
    return this.#inner.answer();
  }
  moreTime(multiplier: number): Step {
    return this.#inner.moreTime(multiplier);
  }
  save(): unknown {
    throw new Error("a faulty line is not part of a snapshot");
  }
  load(): void {
    this.save();
  }

  #next(): FaultKind | undefined {
    return this.#at < 0 ? undefined : this.#faults.get(this.#at++);
  }
  #flipped(bytes: readonly number[]): number[] {
    const out = [...bytes];
    const bit = this.#random(out.length * 8);
    out[bit >> 3]! ^= 1 << (bit & 7);
    return out;
  }
  #react(bytes: readonly number[] | null, parity: boolean, kind: FaultKind | undefined): Step {
    let heard = this.#heardBefore ?? bytes;
    this.#heardBefore = kind === "duplicate" && bytes !== null ? bytes : undefined;
    if (kind === "drop") return { kind: "silent" };
    if (kind === "flip" && heard !== null) heard = this.#flipped(heard);
    const step = this.#inner.receive(heard, parity);
    return step.kind === "think" ? this.#inner.answer() : step;
  }
  #say(step: Step, late: boolean): Step {
    if (step.kind !== "send") return step;
    const kind = this.#next();
    const bytes = this.#saidBefore ?? step.bytes;
    this.#saidBefore = kind === "duplicate" ? step.bytes : undefined;
    if (kind === "drop") return { kind: "silent" };
    const said: Step = { kind: "send", bytes: kind === "flip" ? this.#flipped(bytes) : bytes };
    if (!late && kind !== "delay") return said;
    this.#late = said;
    this.#lateAgain = false;
    return { kind: "silent" };
  }
}

/** Etu a card is late within its waiting time: 90 % of WT = 960 · 10 (ISO 7816-3 §10.2). */
const LATE_ETU = 8640;

/**
 * The same for T=0, by transmissions: header, procedure byte, data, status, header, answer. drop: the first character is not heard ·
 * flip: wrong parity in the first, complained about · duplicate: the last is complained about although it was right, and comes again ·
 * delay: the card waits as long as it may.
 */
export class FaultyCharacters implements CharacterMachine {
  readonly #answer: readonly number[];
  readonly #faults: Faults;
  #at = -1;
  #in: number[] = [];
  #need = 5;
  #header: number[] = [];
  /** Commands whose data arrived, as sent. */
  readonly executed: string[] = [];

  constructor(answer: readonly number[], faults: Faults) {
    [this.#answer, this.#faults] = [answer, faults];
  }
  arm(on: boolean): void {
    this.#at = on ? 0 : -1;
  }
  reset(): void {
    this.arm(false);
    [this.#in, this.#need, this.#header] = [[], 5, []];
  }
  /** For {@link T0CardOptions.complain}: how often the character that comes now is complained about. */
  readonly complain = (): number => {
    const kind = this.#kind;
    return (kind === "flip" && this.#in.length === 0) || (kind === "duplicate" && this.#in.length === this.#need - 1) ? 1 : 0;
  };
  get #kind(): FaultKind | undefined {
    return this.#at < 0 ? undefined : this.#faults.get(this.#at);
  }
  receive(byte: number): number[] {
    const kind = this.#kind;
    this.#in.push(byte);
    if (this.#in.length < this.#need + (kind === "drop" ? 1 : 0)) return [];
    const heard = this.#in.slice(kind === "drop" ? 1 : 0);
    this.#in = [];
    if (this.#at >= 0) this.#at++;
    return this.#say(this.#react(heard), kind === "delay");
  }
  #react(heard: number[]): number[] {
    if (this.#need !== 5 || this.#header.length > 0) {
      this.executed.push(Buffer.from([...this.#header, ...heard]).toString("hex"));
      [this.#need, this.#header] = [5, []];
      return [0x61, this.#answer.length];
    }
    if (heard[1] === 0xc0) return [0xc0, ...this.#answer, 0x90, 0];
    [this.#header, this.#need] = [heard, heard[4]!];
    return [heard[1]!];
  }
  #say(bytes: number[], late: boolean): number[] {
    const kind = this.#kind;
    if (this.#at >= 0) this.#at++;
    const out = kind === "drop" ? bytes.slice(1) : [...bytes];
    if (kind === "flip") out[0]! |= 0x100;
    if (kind === "duplicate") out[out.length - 1]! |= 0x100;
    if (out.length > 0 && (late || kind === "delay")) out[0]! |= LATE_ETU << 9;
    return out;
  }
  save(): unknown {
    throw new Error("a faulty line is not part of a snapshot");
  }
  load(): void {
    this.save();
  }
}
