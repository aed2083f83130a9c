import { Machine, newMachine, type MachineBlock, type MachineState } from "./pio-machine.js";
import { isFull, pull, push, resize } from "./pio-fifo.js";
import type { Model, ModelHost, RegisterBlock } from "./model.js";

/** Register offsets, RP2040 datasheet §3.7. */
const CTRL = 0x000;
const FSTAT = 0x004;
const FDEBUG = 0x008;
const FLEVEL = 0x00c;
const TXF0 = 0x010;
const RXF0 = 0x020;
const IRQ = 0x030;
const IRQ_FORCE = 0x034;
const INPUT_SYNC_BYPASS = 0x038;
const DBG_PADOUT = 0x03c;
const DBG_PADOE = 0x040;
const DBG_CFGINFO = 0x044;
const INSTR_MEM0 = 0x048;
const SM0_CLKDIV = 0x0c8;
const INTR = 0x128;
const IRQ0_INTE = 0x12c;

const machineCount = 4;
const pinCount = 30;
const synchroniserClocks = 2;
const eventTick = 0;

type PioState = {
  machines: MachineState[];
  instructions: number[];
  irq: number;
  fdebug: number;
  bypass: number;
  interruptEnable: [number, number];
  interruptForce: [number, number];
  pinValues: number;
  pinDirections: number;
  levels: number;
  before: number[];
  changedNs: number[];
};

/**
 * One PIO block, strict and event-driven. Tick n of a machine stands at floor(n · CLKDIV / 256) system clocks after its divider's
 * start; between ticks nothing runs, and a machine that stalls has no event at all until something it may wait for moves: then the
 * same instruction is executed again at the next tick. Replaces the emulator's own block, whose state machines know no time.
 *
 * Not modelled, and refused when used: OUT_STICKY, INLINE_OUT_EN, DMA requests, forced instructions into a running machine
 * (the datasheet does not say what a divided clock does to them).
 */
export class PioBlock implements Model, RegisterBlock, MachineBlock {
  readonly name: string;
  readonly resetBit: number;
  readonly hurry = true;
  readonly instructions = new Uint16Array(32);
  /** Flags set by IRQ instructions. */
  irq = 0;
  /** Read by the emulator's GPIO: output levels and enables this block puts on its function. */
  pinValues = 0;
  pinDirections = 0;
  /** What the emulator's GPIO walks on an input change: empty, our machines listen to the nets. */
  readonly machines: never[] = [];

  readonly #host: ModelHost;
  readonly #index: number;
  readonly #sm: Machine[];
  #fdebug = 0;
  #bypass = 0;
  #interruptEnable: [number, number] = [0, 0];
  #interruptForce: [number, number] = [0, 0];
  #levels = 0;
  #before: number[] = new Array<number>(pinCount).fill(0);
  #changedNs: number[] = new Array<number>(pinCount).fill(-1e9);
  #lastChangeNs = -1e9;
  /** Logical time of the instruction being executed; NaN outside. */
  #atNs = NaN;

  /** Puts itself on the bus and in the emulator's GPIO as block `index` (0 or 1). */
  constructor(host: ModelHost, index: 0 | 1) {
    this.#host = host;
    this.#index = index;
    this.name = `pio${index}`;
    this.resetBit = 10 + index;
    this.#sm = Array.from({ length: machineCount }, (_, i) => new Machine(this, i));
    (host.chip.pio as unknown as PioBlock[])[index] = this;
    host.map(0x50200000 + 0x100000 * index, this, this);
    for (let pin = 0; pin < pinCount; pin++) host.nets.listen(pin, (moved) => this.#pinMoved(moved));
    this.reset();
  }

  // ---- Model

  reset(): void {
    for (const sm of this.#sm) {
      sm.state = newMachine();
      sm.state.baseNs = this.#host.nowNs;
      sm.state.next = -1;
    }
    this.instructions.fill(0);
    this.irq = this.#fdebug = this.#bypass = 0;
    this.#interruptEnable = [0, 0];
    this.#interruptForce = [0, 0];
    this.writePins(0xffffffff, 0, false);
    this.writePins(0xffffffff, 0, true);
    this.#levels = 0;
    for (let pin = 0; pin < pinCount; pin++) {
      this.#levels |= this.#host.nets.level(pin) << pin;
      this.#changedNs[pin] = -1e9;
    }
    this.#lastChangeNs = -1e9;
    this.#host.cancel(this, eventTick);
    this.#interrupts();
  }

  save(): PioState {
    return structuredClone({
      machines: this.#sm.map((sm) => sm.state),
      instructions: [...this.instructions],
      irq: this.irq,
      fdebug: this.#fdebug,
      bypass: this.#bypass,
      interruptEnable: this.#interruptEnable,
      interruptForce: this.#interruptForce,
      pinValues: this.pinValues,
      pinDirections: this.pinDirections,
      levels: this.#levels,
      before: this.#before,
      changedNs: this.#changedNs,
    });
  }

  load(saved: unknown): void {
    const state = structuredClone(saved) as PioState;
    this.#sm.forEach((sm, i) => (sm.state = state.machines[i]!));
    this.instructions.set(state.instructions);
    this.irq = state.irq;
    this.#fdebug = state.fdebug;
    this.#bypass = state.bypass;
    this.#interruptEnable = state.interruptEnable;
    this.#interruptForce = state.interruptForce;
    this.pinValues = state.pinValues;
    this.pinDirections = state.pinDirections;
    this.#levels = state.levels;
    this.#before = state.before;
    this.#changedNs = state.changedNs;
    this.#lastChangeNs = Math.max(...state.changedNs);
  }

  onEvent(): void {
    for (;;) {
      let due: Machine | undefined;
      let dueNs = Infinity;
      for (const sm of this.#sm) {
        if (!sm.state.enabled || sm.state.next < 0) continue;
        const at = this.#timeOf(sm.state, sm.state.next);
        if (at < dueNs) [due, dueNs] = [sm, at];
      }
      if (!due || dueNs > this.#host.nowNs) break;
      this.#atNs = dueNs;
      const ticks = due.step(dueNs);
      this.#atNs = NaN;
      due.state.next = ticks === 0 ? -1 : due.state.next + ticks;
    }
    this.#interrupts();
    this.#plan();
  }

  // ---- what the machines ask of their block

  pinsAt(atNs: number): number {
    let seen = this.#levels;
    const settled = atNs - synchroniserClocks * this.#clockNs;
    if (this.#lastChangeNs > settled) {
      for (let pin = 0; pin < pinCount; pin++) {
        if (this.#changedNs[pin]! <= settled || (this.#bypass >>> pin) & 1) continue;
        seen = (seen & ~(1 << pin)) | (this.#before[pin]! << pin);
      }
    }
    const { nets } = this.#host;
    for (let pin = 0; pin < pinCount; pin++) if ((seen >>> pin) & 1 && !nets.inputEnabled(pin)) seen &= ~(1 << pin);
    return seen >>> 0;
  }

  writePins(mask: number, value: number, directions: boolean): void {
    const old = directions ? this.pinDirections : this.pinValues;
    const now = ((old & ~mask) | (value & mask)) >>> 0;
    if (directions) this.pinDirections = now;
    else this.pinValues = now;
    for (let moved = (old ^ now) & ((1 << pinCount) - 1), pin = 0; moved; moved >>>= 1, pin++) {
      if (!(moved & 1)) continue;
      const level = ((this.pinValues >>> pin) & 1) as 0 | 1;
      this.#host.nets.peripheralOutput(6 + this.#index, pin, level, ((this.pinDirections >>> pin) & 1) as 0 | 1);
    }
  }

  touched(): void {
    for (const sm of this.#sm) {
      sm.refill();
      if (sm.state.enabled && sm.state.stalled && sm.waitsForPin < 0) this.#wake(sm.state, this.#clockNs);
    }
  }

  debug(bit: number, machine: number): void {
    this.#fdebug |= 1 << (bit + machine);
  }

  refuse(detail: string): void {
    this.#host.violation("pio/not-modelled", `PIO${this.#index}: ${detail}`);
  }

  // ---- time

  get #clockNs(): number {
    return this.#host.clkSysNs;
  }
  get #now(): number {
    return Number.isNaN(this.#atNs) ? this.#host.nowNs : this.#atNs;
  }

  /** Divider in 1/256: INT 31–16 (0 = 65536), FRAC 15–8. */
  #divider(s: MachineState): number {
    const div = s.clkdiv >>> 8;
    return div >>> 8 === 0 ? 0x1000000 : div;
  }
  #timeOf(s: MachineState, tick: number): number {
    return s.baseNs + Math.floor((tick * this.#divider(s)) / 256) * this.#clockNs;
  }
  /** The first tick at or after `atNs`. */
  #tickAt(s: MachineState, atNs: number): number {
    let tick = Math.max(0, Math.floor(((atNs - s.baseNs) / this.#clockNs) * (256 / this.#divider(s))) - 1);
    while (this.#timeOf(s, tick) < atNs - 1e-6) tick++;
    return tick;
  }
  #wake(s: MachineState, afterNs: number): void {
    const tick = this.#tickAt(s, this.#now + afterNs);
    if (s.next < 0 || tick < s.next) s.next = tick;
  }
  #plan(): void {
    let at = Infinity;
    for (const { state: s } of this.#sm) if (s.enabled && s.next >= 0) at = Math.min(at, this.#timeOf(s, s.next));
    if (at === Infinity) this.#host.cancel(this, eventTick);
    else this.#host.schedule(this, eventTick, Math.max(at, this.#host.nowNs));
  }

  #pinMoved(pin: number): void {
    const level = this.#host.nets.level(pin);
    if (level === ((this.#levels >>> pin) & 1)) return;
    this.#before[pin] = (this.#levels >>> pin) & 1;
    this.#levels ^= 1 << pin;
    this.#changedNs[pin] = this.#lastChangeNs = this.#now;
    let woke = false;
    for (const sm of this.#sm) {
      if (!sm.state.enabled || sm.waitsForPin !== pin) continue;
      this.#wake(sm.state, (this.#bypass >>> pin) & 1 ? 0 : synchroniserClocks * this.#clockNs);
      woke = true;
    }
    if (woke && Number.isNaN(this.#atNs)) this.#plan();
  }

  #interrupts(): void {
    const raw = this.#raw();
    for (const line of [0, 1] as const) {
      this.#host.setIrq(7 + 2 * this.#index + line, ((raw & this.#interruptEnable[line]) | this.#interruptForce[line]) !== 0);
    }
  }
  #raw(): number {
    let raw = (this.irq & 0xf) << 8;
    this.#sm.forEach(({ state: s }, i) => {
      if (s.rx.level > 0) raw |= 1 << i;
      if (!isFull(s.tx)) raw |= 1 << (4 + i);
    });
    return raw;
  }

  // ---- registers

  read(offset: number): number {
    if (offset < RXF0 || offset >= RXF0 + 16) return this.peek(offset);
    const index = (offset - RXF0) >> 2;
    const { state: s } = this.#sm[index]!;
    if (s.rx.level === 0) {
      this.#fdebug |= 1 << (8 + index);
      this.#host.violation("pio/rx-underflow", `RXF${index} read while empty`);
      return 0;
    }
    const word = pull(s.rx);
    this.#settle();
    return word;
  }

  peek(offset: number): number {
    if (offset >= SM0_CLKDIV && offset < INTR) return this.#readMachine(offset);
    if (offset >= RXF0 && offset < RXF0 + 16) return 0;
    const line = offset >= IRQ0_INTE && offset < IRQ0_INTE + 24 ? ((offset - IRQ0_INTE) / 12) | 0 : 0;
    switch (offset) {
      case CTRL:
        return this.#sm.reduce((word, { state: s }, i) => word | (s.enabled ? 1 << i : 0), 0);
      case FSTAT:
        return this.#sm.reduce((word, { state: s }, i) => {
          const rx = (isFull(s.rx) ? 1 : 0) | (s.rx.level === 0 ? 0x100 : 0);
          const tx = (isFull(s.tx) ? 0x10000 : 0) | (s.tx.level === 0 ? 0x1000000 : 0);
          return word | ((rx | tx) << i);
        }, 0);
      case FDEBUG:
        return this.#fdebug;
      case FLEVEL:
        return this.#sm.reduce((word, { state: s }, i) => word | ((s.tx.level | (s.rx.level << 4)) << (8 * i)), 0) >>> 0;
      case IRQ:
        return this.irq;
      case INPUT_SYNC_BYPASS:
        return this.#bypass;
      case DBG_PADOUT:
        return this.pinValues;
      case DBG_PADOE:
        return this.pinDirections;
      case DBG_CFGINFO:
        return (32 << 16) | (machineCount << 8) | 4;
      case INTR:
        return this.#raw();
      case IRQ0_INTE:
      case IRQ0_INTE + 12:
        return this.#interruptEnable[line as 0 | 1];
      case IRQ0_INTE + 4:
      case IRQ0_INTE + 16:
        return this.#interruptForce[line as 0 | 1];
      case IRQ0_INTE + 8:
      case IRQ0_INTE + 20:
        return (this.#raw() & this.#interruptEnable[line as 0 | 1]) | this.#interruptForce[line as 0 | 1];
    }
    if (offset > IRQ0_INTE + 20) this.#host.violation("bus/unknown-register", `PIO${this.#index} offset ${offset.toString(16)}`);
    return 0; // TXF, IRQ_FORCE and instruction memory are write-only
  }

  write(offset: number, value: number, raw: number): void {
    if (offset >= SM0_CLKDIV && offset < INTR) this.#writeMachine(offset, value);
    else if (offset >= INSTR_MEM0 && offset < SM0_CLKDIV) this.instructions[(offset - INSTR_MEM0) >> 2] = value;
    else if (offset >= TXF0 && offset < RXF0) this.#transmit((offset - TXF0) >> 2, value);
    else this.#writeBlock(offset, value, raw);
    this.#settle();
  }

  #transmit(index: number, value: number): void {
    const { state: s } = this.#sm[index]!;
    if (isFull(s.tx)) {
      this.#fdebug |= 1 << (16 + index);
      this.#host.violation("pio/tx-overflow", "TXF written while full");
    } else push(s.tx, value);
  }

  #writeBlock(offset: number, value: number, raw: number): void {
    switch (offset) {
      case CTRL:
        this.#sm.forEach((sm, i) =>
          this.#control(sm, ((value >>> i) & 1) === 1, ((value >>> (4 + i)) & 1) === 1, ((value >>> (8 + i)) & 1) === 1),
        );
        return;
      case FDEBUG:
        this.#fdebug &= ~raw;
        return;
      case IRQ:
        this.irq &= ~raw;
        return;
      case IRQ_FORCE:
        this.irq |= raw & 0xff;
        return;
      case INPUT_SYNC_BYPASS:
        this.#bypass = value;
        return;
      case IRQ0_INTE:
      case IRQ0_INTE + 12:
        this.#interruptEnable[offset === IRQ0_INTE ? 0 : 1] = value & 0xfff;
        return;
      case IRQ0_INTE + 4:
      case IRQ0_INTE + 16:
        this.#interruptForce[offset === IRQ0_INTE + 4 ? 0 : 1] = value & 0xfff;
        return;
    }
    this.#host.violation("bus/read-only", `PIO${this.#index} offset ${offset.toString(16)} written`);
  }

  #control(sm: Machine, enable: boolean, restart: boolean, restartDivider: boolean): void {
    const s = sm.state;
    const now = this.#host.nowNs;
    if (restartDivider) {
      s.baseNs = now;
      if (s.next > 0) s.next = 1;
    }
    if (restart) {
      sm.restart();
      if (s.enabled) s.next = this.#tickAt(s, now + this.#clockNs);
      else s.next = 0;
    }
    if (enable === s.enabled) return;
    // While a machine is off, `next` counts the ticks of delay it still owes; the divider itself runs on.
    if (enable) s.next = this.#tickAt(s, now + this.#clockNs) + (s.stalled ? 0 : Math.max(0, s.next));
    else s.next = s.next < 0 ? 0 : Math.max(0, s.next - this.#tickAt(s, now));
    s.enabled = enable;
  }

  /** After the CPU did something: whoever may be waiting for it tries again, interrupt lines follow. */
  #settle(): void {
    this.touched();
    this.#interrupts();
    this.#plan();
  }

  #readMachine(offset: number): number {
    const s = this.#sm[((offset - SM0_CLKDIV) / 24) | 0]!.state;
    switch ((offset - SM0_CLKDIV) % 24) {
      case 0:
        return s.clkdiv;
      case 4:
        return ((s.execctrl & 0x7fffffff) | (s.exec >= 0 && s.stalled ? 0x80000000 : 0)) >>> 0;
      case 8:
        return s.shiftctrl;
      case 12:
        return s.pc;
      case 16:
        return s.exec >= 0 ? s.exec : this.instructions[s.pc]!;
      default:
        return s.pinctrl;
    }
  }

  #writeMachine(offset: number, value: number): void {
    const index = ((offset - SM0_CLKDIV) / 24) | 0;
    const sm = this.#sm[index]!;
    const s = sm.state;
    const now = this.#host.nowNs;
    switch ((offset - SM0_CLKDIV) % 24) {
      case 0: {
        const owed = s.enabled && s.next >= 0 ? Math.max(1, s.next - this.#tickAt(s, now)) : s.next;
        if (value >>> 16 === 0 && value & 0xff00) this.refuse("CLKDIV with INT 0 and a fraction");
        s.clkdiv = (value & 0xffffff00) >>> 0;
        s.baseNs = now;
        s.next = owed;
        return;
      }
      case 4:
        if (value & (3 << 17)) this.refuse("OUT_STICKY or INLINE_OUT_EN");
        s.execctrl = value & 0x7fffffff;
        return;
      case 8: {
        const joins = value >>> 30;
        if (joins !== s.shiftctrl >>> 30) {
          resize(s.tx, joins & 1 ? 8 : joins & 2 ? 0 : 4);
          resize(s.rx, joins & 2 ? 8 : joins & 1 ? 0 : 4);
        }
        if (joins === 3) this.refuse("FJOIN_TX and FJOIN_RX together");
        s.shiftctrl = value;
        return;
      }
      case 12:
        this.#host.violation("bus/read-only", `SM${index}_ADDR written`);
        return;
      case 16:
        if (s.enabled) this.#host.violation("pio/forced-while-running", `SM${index}_INSTR written while the machine is enabled`);
        sm.force(value & 0xffff, now);
        s.next = s.enabled ? this.#tickAt(s, now + this.#clockNs) : 0;
        return;
      default:
        s.pinctrl = value;
    }
  }
}
