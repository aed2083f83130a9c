import type { Level, Model, ModelHost, PinNets } from "./model.js";
import { resetBits } from "./resets.js";

/** GPIO0 to GPIO29. */
export const PINS = 30;
const FUNC_SIO = 5;
const FUNC_NONE = 31;
const IRQ_IO_BANK0 = 13;
/** Pads after reset: input enabled, 4 mA, pull-down, Schmitt trigger (datasheet §2.19.6.3). */
const PAD_RESET = 0x56;
const PAD_PULL_DOWN = 4;
const PAD_PULL_UP = 8;
const PAD_INPUT = 0x40;
const PAD_OUTPUT_OFF = 0x80;
const LEVEL_LOW = 1;
const LEVEL_HIGH = 2;
const EDGE_LOW = 4;
const EDGE_HIGH = 8;

interface NetsState {
  control: number[];
  pad: number[];
  sioOut: number;
  sioEnable: number;
  /** What peripherals put on their function's output: [function] = bits of pins. */
  functionOut: number[];
  functionEnable: number[];
  edges: number[];
  interruptEnable: number[];
  interruptForce: number[];
  wire: number[];
  pulls: (Level | null)[];
  drives: [source: string, level: Level][][];
}

/**
 * The pins: IO_BANK0 and PADS_BANK0 on the chip's side, drivers and resistors on the other, and the wire between (datasheet §2.19).
 * A wire is a wired AND: who pulls low wins, but a push-pull high against somebody's low is contention.
 */
export class Nets implements Model, PinNets {
  readonly name = "nets";
  readonly resetBit = resetBits.ioBank0;
  readonly #host: ModelHost;
  readonly #listeners: ((pin: number) => void)[][] = Array.from({ length: PINS }, () => []);
  readonly #pads: Model;
  /** The chip's drive as the listeners last heard of it; follows from the state. */
  readonly #chip: (Level | null)[] = new Array<Level | null>(PINS).fill(null);
  /** GPIO_IN as the CPU and the peripherals see it. */
  inputs = 0;
  #state: NetsState = fresh();

  constructor(host: ModelHost) {
    this.#host = host;
    this.#pads = { name: "pads", resetBit: resetBits.padsBank0, save: () => null, load: () => undefined, reset: () => this.#resetPads() };
    host.map(
      0x40014000,
      { read: (offset) => this.#readIo(offset), write: (offset, value, raw) => this.#writeIo(offset, value, raw) },
      this,
    );
    host.map(0x4001c000, { read: (offset) => this.#readPad(offset), write: (offset, value) => this.#writePad(offset, value) }, this.#pads);
    host.register(this);
    host.register(this.#pads);
  }
  save(): NetsState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as NetsState);
    this.inputs = 0;
    for (let pin = 0; pin < PINS; pin++) {
      this.inputs |= this.#input(pin) << pin;
      this.#chip[pin] = this.chipDrive(pin);
    }
  }
  /** IO_BANK0 in reset: no function, no override, no interrupt. The outside stays as it is. */
  reset(): void {
    const clean = fresh();
    const { wire, pulls, drives, pad, sioOut, sioEnable, functionOut, functionEnable } = this.#state;
    this.#state = { ...clean, wire, pulls, drives, pad, sioOut, sioEnable, functionOut, functionEnable };
    this.#refreshAll();
  }
  #resetPads(): void {
    this.#state.pad.fill(PAD_RESET);
    this.#refreshAll();
  }
  #refreshAll(): void {
    for (let pin = 0; pin < PINS; pin++) this.#refresh(pin);
    this.#interrupt();
  }

  /* ---- the outside ---- */
  level(pin: number): Level {
    return this.#state.wire[pin] as Level;
  }
  drive(pin: number, source: string, level: Level | null): void {
    const drives = this.#state.drives[pin]!;
    const index = drives.findIndex(([name]) => name === source);
    if (level === null) {
      if (index < 0) return;
      drives.splice(index, 1);
    } else if (index < 0) drives.push([source, level]);
    else if (drives[index]![1] === level) return;
    else drives[index] = [source, level];
    this.#refresh(pin);
  }
  pull(pin: number, level: Level | null): void {
    this.#state.pulls[pin] = level;
    this.#refresh(pin);
  }
  listen(pin: number, listener: (pin: number) => void): void {
    this.#listeners[pin]!.push(listener);
  }

  /* ---- the chip ---- */
  funcsel(pin: number): number {
    return this.#state.control[pin]! & 0x1f;
  }
  pad(pin: number): number {
    return this.#state.pad[pin]!;
  }
  /** True when the pad's input buffer is on, so that a peripheral can hear the pin. */
  inputEnabled(pin: number): boolean {
    return (this.#state.pad[pin]! & PAD_INPUT) !== 0;
  }
  chipDrive(pin: number): Level | null {
    const state = this.#state;
    const control = state.control[pin]!;
    const select = control & 0x1f;
    if (select === FUNC_NONE && (control & 0x3000) === 0) return null;
    const bits = select === FUNC_SIO ? state.sioEnable : (state.functionEnable[select] ?? 0);
    const out = select === FUNC_SIO ? state.sioOut : (state.functionOut[select] ?? 0);
    const enabled = override(((bits >>> pin) & 1) as Level, (control >>> 12) & 3);
    if (!enabled || state.pad[pin]! & PAD_OUTPUT_OFF) return null;
    return override(((out >>> pin) & 1) as Level, (control >>> 8) & 3);
  }
  peripheralOutput(funcsel: number, pin: number, level: Level, enable: Level): void {
    const { functionOut, functionEnable } = this.#state;
    const bit = 1 << pin;
    functionOut[funcsel] = level ? functionOut[funcsel]! | bit : functionOut[funcsel]! & ~bit;
    functionEnable[funcsel] = enable ? functionEnable[funcsel]! | bit : functionEnable[funcsel]! & ~bit;
    if ((this.#state.control[pin]! & 0x1f) === funcsel) this.#refresh(pin);
  }
  /** SIO's output and enable registers changed. */
  sio(out: number, enable: number): void {
    const state = this.#state;
    let changed = (state.sioOut ^ out) | (state.sioEnable ^ enable);
    state.sioOut = out;
    state.sioEnable = enable;
    while (changed) {
      const pin = 31 - Math.clz32(changed & -changed);
      changed &= changed - 1;
      if ((state.control[pin]! & 0x1f) === FUNC_SIO) this.#refresh(pin);
    }
  }

  /* ---- the wire ---- */
  #refresh(pin: number, reselected = false): void {
    const state = this.#state;
    const chip = this.chipDrive(pin);
    let low = chip === 0;
    let high = chip === 1;
    for (const [, level] of state.drives[pin]!) {
      if (level === 0) low = true;
      else high = true;
    }
    if (low && high) this.#contention(pin, chip);
    const before = state.wire[pin]!;
    const after = low ? 0 : high ? 1 : this.#pulled(pin, before as Level);
    const same = after === before && chip === this.#chip[pin] && !reselected;
    state.wire[pin] = after;
    this.#chip[pin] = chip;
    this.#sense(pin);
    if (same) return;
    for (const listener of this.#listeners[pin]!) listener(pin);
  }
  /** A resistor on the board is stronger than the pad's 50 to 80 k; both pad pulls together keep the level; a bare pin keeps it too. */
  #pulled(pin: number, before: Level): Level {
    const outside = this.#state.pulls[pin];
    if (outside !== null && outside !== undefined) return outside;
    const pad = this.#state.pad[pin]! & (PAD_PULL_DOWN | PAD_PULL_UP);
    return pad === PAD_PULL_UP ? 1 : pad === PAD_PULL_DOWN ? 0 : before;
  }
  #contention(pin: number, chip: Level | null): void {
    if (chip === null) return;
    const against = this.#state.drives[pin]!.map(([source, level]) => `${source} drives ${level}`).join(", ");
    this.#host.violation("pins/contention", `GPIO${pin}: the chip drives ${chip}, ${against}`);
  }
  #input(pin: number): Level {
    const { wire, pad, control } = this.#state;
    return override((wire[pin]! && pad[pin]! & PAD_INPUT ? 1 : 0) as Level, (control[pin]! >>> 16) & 3);
  }
  #sense(pin: number): void {
    const state = this.#state;
    const input = this.#input(pin);
    const bit = 1 << pin;
    const before = (this.inputs & bit) !== 0;
    if (before === (input === 1)) return;
    this.inputs = input ? this.inputs | bit : this.inputs & ~bit;
    state.edges[pin] = state.edges[pin]! | (input ? EDGE_HIGH : EDGE_LOW);
    this.#interrupt();
  }

  /* ---- interrupts: four bits a pin, eight pins a register ---- */
  #status(pin: number): number {
    return this.#state.edges[pin]! | ((this.inputs >>> pin) & 1 ? LEVEL_HIGH : LEVEL_LOW);
  }
  #interrupt(): void {
    const { interruptEnable, interruptForce } = this.#state;
    let raised = false;
    for (let pin = 0; pin < PINS && !raised; pin++) {
      const enable = interruptEnable[pin]!;
      raised = ((enable && this.#status(pin) & enable) | interruptForce[pin]!) !== 0;
    }
    this.#host.setIrq(IRQ_IO_BANK0, raised);
  }

  #readIo(offset: number): number {
    const state = this.#state;
    if (offset < 0xf0) {
      const pin = offset >> 3;
      return offset & 4 ? state.control[pin]! : this.#pinStatus(pin);
    }
    const first = ((offset & 0xf) >> 2) * 8;
    const bank = offset & ~0xf;
    let value = 0;
    for (let lane = 0; lane < 8 && first + lane < PINS; lane++) {
      const pin = first + lane;
      const status = this.#status(pin);
      const enable = state.interruptEnable[pin]!;
      const force = state.interruptForce[pin]!;
      const nibble =
        bank === 0xf0 ? status : bank === 0x100 ? enable : bank === 0x110 ? force : bank === 0x120 ? (status & enable) | force : -1;
      if (nibble < 0) {
        this.#host.violation("chip/not-modelled", `IO_BANK0 +0x${offset.toString(16)}`);
        return 0;
      }
      value |= nibble << (4 * lane);
    }
    return value >>> 0;
  }
  #pinStatus(pin: number): number {
    const drive = this.chipDrive(pin);
    return (
      (drive === 1 ? 1 << 9 : 0) |
      (drive !== null ? 1 << 13 : 0) |
      (this.#state.wire[pin]! ? 1 << 17 : 0) |
      ((this.inputs >>> pin) & 1 ? 1 << 19 : 0)
    );
  }
  #writeIo(offset: number, value: number, raw: number): void {
    const state = this.#state;
    if (offset < 0xf0) {
      if (!(offset & 4)) return this.#host.violation("bus/read-only", `GPIO${offset >> 3}_STATUS`);
      const pin = offset >> 3;
      const reselected = ((state.control[pin]! ^ value) & 0x1f) !== 0;
      state.control[pin] = value & 0x3003331f;
      return this.#refresh(pin, reselected);
    }
    const first = ((offset & 0xf) >> 2) * 8;
    const bank = offset & ~0xf;
    for (let lane = 0; lane < 8 && first + lane < PINS; lane++) {
      const pin = first + lane;
      const nibble = (value >>> (4 * lane)) & 15;
      if (bank === 0xf0) state.edges[pin] = state.edges[pin]! & ~((raw >>> (4 * lane)) & (EDGE_LOW | EDGE_HIGH));
      else if (bank === 0x110) state.interruptForce[pin] = nibble;
      else if (bank === 0x100) {
        if (nibble && !this.inputEnabled(pin))
          this.#host.violation("pins/input-disabled", `interrupt of GPIO${pin} enabled, its pad input is off`);
        state.interruptEnable[pin] = nibble;
      } else return this.#host.violation("chip/not-modelled", `write to IO_BANK0 +0x${offset.toString(16)}`);
    }
    this.#interrupt();
  }
  #readPad(offset: number): number {
    if (offset === 0) return 0;
    const pin = (offset >> 2) - 1;
    if (pin >= PINS) this.#host.violation("chip/not-modelled", `PADS_BANK0 +0x${offset.toString(16)}`);
    return this.#state.pad[pin] ?? 0;
  }
  #writePad(offset: number, value: number): void {
    const pin = (offset >> 2) - 1;
    if (pin < 0 || pin >= PINS) return this.#host.violation("chip/not-modelled", `write to PADS_BANK0 +0x${offset.toString(16)}`);
    this.#state.pad[pin] = value & 0xff;
    this.#refresh(pin);
  }
}

/** OUTOVER, OEOVER, INOVER: 0 as is, 1 inverted, 2 low, 3 high. */
function override(level: Level, how: number): Level {
  return (how === 0 ? level : how === 1 ? 1 - level : how - 2) as Level;
}

function fresh(): NetsState {
  const each = <T>(value: T): T[] => new Array<T>(PINS).fill(value);
  return {
    control: each(FUNC_NONE),
    pad: each(PAD_RESET),
    sioOut: 0,
    sioEnable: 0,
    functionOut: new Array<number>(32).fill(0),
    functionEnable: new Array<number>(32).fill(0),
    edges: each(0),
    interruptEnable: each(0),
    interruptForce: each(0),
    wire: each(0),
    pulls: each(null),
    drives: Array.from({ length: PINS }, () => []),
  };
}
