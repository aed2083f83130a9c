import { isFull, newFifo, pull, push, type Fifo } from "./pio-fifo.js";

/** Everything one state machine remembers, as plain data. */
export type MachineState = {
  enabled: boolean;
  pc: number;
  x: number;
  y: number;
  isr: number;
  isrCount: number;
  osr: number;
  osrCount: number;
  clkdiv: number;
  execctrl: number;
  shiftctrl: number;
  pinctrl: number;
  tx: Fifo;
  rx: Fifo;
  /** Board time of tick 0 in ns, and the tick at which the next instruction is due (while disabled: ticks still to wait). */
  baseNs: number;
  next: number;
  /** The instruction at `pc` (or `exec`) did not complete and is executed again at the tick after a wake-up. */
  stalled: boolean;
  /** IRQ WAIT has set its flag and waits for it to be cleared. */
  irqWaiting: boolean;
  /** An instruction from SMx_INSTR, OUT EXEC or MOV EXEC that has not completed; -1 = none. */
  exec: number;
  /** Last instruction word executed (what SMx_INSTR reads). */
  last: number;
};

/** A state machine after chip reset: reset values of the RP2040 datasheet §3.7. */
export const newMachine = (): MachineState => ({
  enabled: false,
  pc: 0,
  x: 0,
  y: 0,
  isr: 0,
  isrCount: 0,
  osr: 0,
  osrCount: 32,
  clkdiv: 0x10000,
  execctrl: 0x1f << 12,
  shiftctrl: 3 << 18,
  pinctrl: 5 << 26,
  tx: newFifo(4),
  rx: newFifo(4),
  baseNs: 0,
  next: 0,
  stalled: false,
  irqWaiting: false,
  exec: -1,
  last: 0,
});

/** What a machine shares with its block. */
export interface MachineBlock {
  readonly instructions: Uint16Array;
  /** The 32 pins as the state machines see them at `atNs`: pad input enabled, behind the two-stage synchroniser. */
  pinsAt(atNs: number): number;
  /** New output values (or directions) for the pins in `mask`. */
  writePins(mask: number, value: number, directions: boolean): void;
  /** The eight IRQ flags. */
  irq: number;
  /** Flags or FIFO levels moved: others may wake, interrupt lines may change. */
  touched(): void;
  /** FDEBUG bit of this machine: 0 RXSTALL, 24 TXSTALL. */
  debug(bit: number, machine: number): void;
  refuse(detail: string): void;
}

const bits = (value: number, at: number, count: number): number => (value >>> at) & ((1 << count) - 1);
const lowMask = (count: number): number => (count >= 32 ? 0xffffffff : (1 << count) - 1) >>> 0;
const rotateRight = (value: number, by: number): number => (by === 0 ? value : (value >>> by) | (value << (32 - by))) >>> 0;
const rotateLeft = (value: number, by: number): number => rotateRight(value, (32 - by) & 31);
const threshold = (field: number): number => (field === 0 ? 32 : field);

function reverse(value: number): number {
  let out = 0;
  for (let i = 0; i < 32; i++) out |= ((value >>> i) & 1) << (31 - i);
  return out >>> 0;
}

/** Executes instructions of one state machine (RP2040 datasheet §3.4). The block decides when. */
export class Machine {
  readonly index: number;
  state: MachineState = newMachine();
  readonly #block: MachineBlock;

  constructor(block: MachineBlock, index: number) {
    this.#block = block;
    this.index = index;
  }

  get #autopush(): boolean {
    return (this.state.shiftctrl & (1 << 16)) !== 0;
  }
  get #autopull(): boolean {
    return (this.state.shiftctrl & (1 << 17)) !== 0;
  }
  get #pushThreshold(): number {
    return threshold(bits(this.state.shiftctrl, 20, 5));
  }
  get #pullThreshold(): number {
    return threshold(bits(this.state.shiftctrl, 25, 5));
  }

  /** SM_RESTART (§3.7, CTRL): clears ISR and both shift counters, delay, stall, pending IRQ wait and EXEC. PC, X, Y and OSR stay. */
  restart(): void {
    const s = this.state;
    Object.assign(s, { isr: 0, isrCount: 0, osrCount: 32, stalled: false, irqWaiting: false, exec: -1 });
  }

  /** The pin a stalled WAIT GPIO/PIN listens to, else -1. */
  get waitsForPin(): number {
    const s = this.state;
    const word = s.exec >= 0 ? s.exec : this.#block.instructions[s.pc]!;
    if (!s.stalled || word >>> 13 !== 1) return -1;
    const source = bits(word, 5, 2);
    return source === 0 ? bits(word, 0, 5) : source === 1 ? (bits(word, 0, 5) + bits(s.pinctrl, 15, 5)) & 31 : -1;
  }

  /** The background half of autopull: an empty OSR is refilled as soon as the FIFO has a word (§3.5.4.2). */
  refill(): void {
    const s = this.state;
    if (!this.#autopull || s.osrCount < this.#pullThreshold || s.tx.level === 0) return;
    s.osr = pull(s.tx);
    s.osrCount = 0;
    this.#block.touched();
  }

  /**
   * Executes the instruction that is due at `atNs`. Returns how many ticks until the next one, or 0 when it stalled.
   */
  step(atNs: number): number {
    const s = this.state;
    const forced = s.exec >= 0;
    const word = forced ? s.exec : this.#block.instructions[s.pc]!;
    const delay = this.run(word, atNs, forced);
    return delay < 0 ? 0 : delay + 1;
  }

  /** SMx_INSTR: executes `word` now, ahead of the program; if it stalls it is latched until it completes. */
  force(word: number, atNs: number): void {
    const s = this.state;
    s.stalled = false;
    s.irqWaiting = false;
    s.exec = word;
    this.run(word, atNs, true);
  }

  /** Returns the delay in ticks, or -1 for a stall. */
  private run(word: number, atNs: number, forced: boolean): number {
    const s = this.state;
    s.last = word;
    const sideBits = bits(s.pinctrl, 29, 3);
    const delayBits = 5 - sideBits;
    const field = bits(word, 8, 5);
    const optional = (s.execctrl & (1 << 30)) !== 0;
    if (sideBits > 0 && (!optional || field & 0x10)) {
      const count = sideBits - (optional ? 1 : 0);
      const mask = rotateLeft(lowMask(count), bits(s.pinctrl, 10, 5));
      this.#block.writePins(
        mask,
        rotateLeft((field >>> delayBits) & lowMask(count), bits(s.pinctrl, 10, 5)),
        (s.execctrl & (1 << 29)) !== 0,
      );
    }
    const pcBefore = s.pc;
    const execBefore = s.exec;
    const outcome = this.execute(word, atNs);
    s.stalled = outcome === "stall";
    if (s.stalled) return -1;
    if (forced && s.exec === execBefore) s.exec = -1;
    if (outcome !== "jumped" && !forced) {
      s.pc = pcBefore === bits(s.execctrl, 12, 5) ? bits(s.execctrl, 7, 5) : (pcBefore + 1) & 31;
    }
    this.refill();
    return outcome === "exec" ? 0 : field & lowMask(delayBits);
  }

  private execute(word: number, atNs: number): "next" | "jumped" | "stall" | "exec" {
    const s = this.state;
    const block = this.#block;
    const argument = bits(word, 5, 3);
    const count = threshold(bits(word, 0, 5));
    switch (word >>> 13) {
      case 0:
        if (!this.condition(argument, atNs)) return "next";
        s.pc = bits(word, 0, 5);
        return "jumped";
      case 1: {
        const wanted = bits(word, 7, 1);
        const source = bits(word, 5, 2);
        if (source === 3) return this.reserved(word);
        if (source === 2) {
          const flag = 1 << this.irqNumber(word);
          if (((block.irq & flag) !== 0 ? 1 : 0) !== wanted) return "stall";
          if (wanted) {
            block.irq &= ~flag;
            block.touched();
          }
          return "next";
        }
        const pin = source === 0 ? bits(word, 0, 5) : (bits(word, 0, 5) + bits(s.pinctrl, 15, 5)) & 31;
        return ((block.pinsAt(atNs) >>> pin) & 1) === wanted ? "next" : "stall";
      }
      case 2:
        return this.shiftIn(word, argument, count, atNs);
      case 3:
        return this.shiftOut(argument, count);
      case 4:
        return (word & 0x80) !== 0 ? this.pullInstruction(word) : this.pushInstruction(word);
      case 5:
        return this.move(word, argument, atNs);
      case 6: {
        const flag = 1 << this.irqNumber(word);
        if (word & 0x40) {
          block.irq &= ~flag;
          block.touched();
          return "next";
        }
        if (s.irqWaiting) {
          if (block.irq & flag) return "stall";
          s.irqWaiting = false;
          return "next";
        }
        block.irq |= flag;
        if (word & 0x20) s.irqWaiting = true;
        block.touched();
        return word & 0x20 ? "stall" : "next";
      }
      default: {
        const value = bits(word, 0, 5);
        const mask = rotateLeft(lowMask(bits(s.pinctrl, 26, 3)), bits(s.pinctrl, 5, 5));
        if (argument === 0 || argument === 4) block.writePins(mask, rotateLeft(value, bits(s.pinctrl, 5, 5)), argument === 4);
        else if (argument === 1) s.x = value;
        else if (argument === 2) s.y = value;
        else return this.reserved(word);
        return "next";
      }
    }
  }

  private reserved(word: number): "next" {
    this.#block.refuse(`reserved encoding ${word.toString(16)} at ${this.state.pc}`);
    return "next";
  }

  private irqNumber(word: number): number {
    const n = bits(word, 0, 3);
    return word & 0x10 ? (n & 4) | ((n + this.index) & 3) : n;
  }

  private condition(code: number, atNs: number): boolean {
    const s = this.state;
    switch (code) {
      case 0:
        return true;
      case 1:
        return s.x === 0;
      case 2: {
        const taken = s.x !== 0;
        s.x = (s.x - 1) >>> 0;
        return taken;
      }
      case 3:
        return s.y === 0;
      case 4: {
        const taken = s.y !== 0;
        s.y = (s.y - 1) >>> 0;
        return taken;
      }
      case 5:
        return s.x !== s.y;
      case 6:
        return ((this.#block.pinsAt(atNs) >>> bits(s.execctrl, 24, 5)) & 1) === 1;
      default:
        return s.osrCount < this.#pullThreshold;
    }
  }

  private source(code: number, atNs: number): number {
    const s = this.state;
    switch (code) {
      case 0:
        return rotateRight(this.#block.pinsAt(atNs), bits(s.pinctrl, 15, 5));
      case 1:
        return s.x;
      case 2:
        return s.y;
      case 5: {
        const level = s.execctrl & 0x10 ? s.rx.level : s.tx.level;
        return level < (s.execctrl & 0xf) ? 0xffffffff : 0;
      }
      case 6:
        return s.isr;
      case 7:
        return s.osr;
      default:
        return 0;
    }
  }

  private shiftIn(word: number, source: number, count: number, atNs: number): "next" | "stall" {
    const s = this.state;
    if (source === 4 || source === 5) return this.reserved(word) as "next";
    const total = Math.min(32, s.isrCount + count);
    const pushes = this.#autopush && total >= this.#pushThreshold;
    if (pushes && isFull(s.rx)) {
      this.#block.debug(0, this.index);
      return "stall";
    }
    const data = this.source(source, atNs) & lowMask(count);
    const right = (s.shiftctrl & (1 << 18)) !== 0;
    if (count === 32) s.isr = data >>> 0;
    else s.isr = (right ? (s.isr >>> count) | (data << (32 - count)) : (s.isr << count) | data) >>> 0;
    s.isrCount = total;
    if (pushes) this.pushIsr();
    return "next";
  }

  private pushIsr(): void {
    const s = this.state;
    push(s.rx, s.isr);
    s.isr = 0;
    s.isrCount = 0;
    this.#block.touched();
  }

  private shiftOut(target: number, count: number): "next" | "stall" | "jumped" | "exec" {
    const s = this.state;
    if (this.#autopull && s.osrCount >= this.#pullThreshold) {
      this.#block.debug(24, this.index);
      return "stall";
    }
    const right = (s.shiftctrl & (1 << 19)) !== 0;
    const data = (right ? s.osr & lowMask(count) : count === 32 ? s.osr : s.osr >>> (32 - count)) >>> 0;
    s.osr = count === 32 ? 0 : (right ? s.osr >>> count : s.osr << count) >>> 0;
    s.osrCount = Math.min(32, s.osrCount + count);
    const mask = rotateLeft(lowMask(Math.min(32, bits(s.pinctrl, 20, 6))), bits(s.pinctrl, 0, 5));
    switch (target) {
      case 0:
      case 4:
        this.#block.writePins(mask, rotateLeft(data, bits(s.pinctrl, 0, 5)), target === 4);
        return "next";
      case 1:
        s.x = data;
        return "next";
      case 2:
        s.y = data;
        return "next";
      case 3:
        return "next";
      case 5:
        s.pc = data & 31;
        return "jumped";
      case 6:
        s.isr = data;
        s.isrCount = count;
        return "next";
      default:
        return this.latch(data);
    }
  }

  /** OUT EXEC / MOV EXEC: the word is executed at the next tick, instead of a fetch; the delay of the EXEC itself is ignored. */
  private latch(data: number): "exec" {
    if (this.state.exec >= 0) this.#block.refuse("EXEC inside an EXEC is not modelled");
    this.state.exec = data & 0xffff;
    return "exec";
  }

  private pushInstruction(word: number): "next" | "stall" {
    const s = this.state;
    if (word & 0x40 && s.isrCount < this.#pushThreshold) return "next";
    if (isFull(s.rx)) {
      this.#block.debug(0, this.index);
      if (word & 0x20) return "stall";
      s.isr = 0;
      s.isrCount = 0;
      return "next";
    }
    this.pushIsr();
    return "next";
  }

  private pullInstruction(word: number): "next" | "stall" {
    const s = this.state;
    if (word & 0x40 && s.osrCount < this.#pullThreshold) return "next";
    if (this.#autopull && s.osrCount < this.#pullThreshold) return "next"; // §3.4.7.2: a barrier while autopull is on
    if (s.tx.level === 0) {
      if (word & 0x20) {
        this.#block.debug(24, this.index);
        return "stall";
      }
      s.osr = s.x;
    } else {
      s.osr = pull(s.tx);
      this.#block.touched();
    }
    s.osrCount = 0;
    return "next";
  }

  private move(word: number, target: number, atNs: number): "next" | "jumped" | "exec" {
    const s = this.state;
    const from = bits(word, 0, 3);
    const operation = bits(word, 3, 2);
    if (from === 4 || operation === 3 || target === 3) return this.reserved(word);
    let value = this.source(from, atNs);
    if (operation === 1) value = ~value >>> 0;
    else if (operation === 2) value = reverse(value);
    const mask = rotateLeft(lowMask(Math.min(32, bits(s.pinctrl, 20, 6))), bits(s.pinctrl, 0, 5));
    switch (target) {
      case 0:
        this.#block.writePins(mask, rotateLeft(value, bits(s.pinctrl, 0, 5)), false);
        return "next";
      case 1:
        s.x = value;
        return "next";
      case 2:
        s.y = value;
        return "next";
      case 4:
        return this.latch(value);
      case 5:
        s.pc = value & 31;
        return "jumped";
      case 6:
        s.isr = value;
        s.isrCount = 0;
        return "next";
      default:
        s.osr = value;
        s.osrCount = 0;
        return "next";
    }
  }
}
