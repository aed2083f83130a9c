import type { Model, ModelHost, RegisterBlock } from "./model.js";
import type { Nets } from "./nets.js";
import { resetBits } from "./resets.js";

const IRQ_I2C0 = 23;
const FUNC_I2C = 3;
const FIFO = 16;
const READ = 1 << 8;
const STOP = 1 << 9;
const RESTART = 1 << 10;
/** Bits of IC_RAW_INTR_STAT. */
const RX_FULL = 1 << 2;
const TX_EMPTY = 1 << 4;
const TX_ABRT = 1 << 6;
const ACTIVITY = 1 << 8;
const STOP_DET = 1 << 9;
const START_DET = 1 << 10;
const ABRT_ADDRESS = 1;
const ABRT_DATA = 1 << 3;
/** The display's limit. */
const MAX_SCL_HZ = 400_000;
const EVENT_BYTE = 0;
const EVENT_STOPPED = 1;
/** Read-to-clear registers and the bits they clear. */
const CLEARS: Readonly<Record<number, number>> = {
  0x40: 0xfff,
  0x44: 1,
  0x48: 2,
  0x4c: 8,
  0x50: 32,
  0x54: TX_ABRT,
  0x58: 128,
  0x5c: ACTIVITY,
  0x60: STOP_DET,
  0x64: START_DET,
  0x68: 2048,
  0xa8: 4096,
};

/** A device on the bus. */
export interface I2cDevice {
  readonly address: number;
  /** Start condition with its address: is it there? */
  start(reading: boolean): boolean;
  /** A byte from the controller; true = acknowledged. */
  write(byte: number): boolean;
  read(): number;
  stop(): void;
}

interface I2cState {
  /** CON, TAR, SS_HCNT, SS_LCNT, FS_HCNT, FS_LCNT, RX_TL, TX_TL, SDA_HOLD, SPKLEN, INTR_MASK by offset. */
  registers: Record<number, number>;
  enabled: boolean;
  tx: number[];
  rx: number[];
  raw: number;
  abortSource: number;
  /** `held`: the bus is ours, SCL low, waiting for the next command. */
  phase: "idle" | "address" | "data" | "held" | "stop";
  reading: boolean;
  current: number;
}

/** I2C0 as master (DW_apb_i2c, datasheet §4.3) at byte level with true bit times. Slave mode, 10-bit addresses and DMA are not modelled. */
export class I2c implements Model, RegisterBlock {
  readonly name = "i2c0";
  readonly resetBit = resetBits.i2c0;
  readonly hurry = true;
  readonly #host: ModelHost;
  readonly #nets: Nets;
  readonly #pins: readonly number[];
  readonly #device: I2cDevice;
  #state: I2cState = fresh();

  constructor(host: ModelHost, nets: Nets, pins: readonly number[], device: I2cDevice) {
    this.#host = host;
    this.#nets = nets;
    this.#pins = pins;
    this.#device = device;
    // The display module has the pull-ups.
    for (const pin of pins) nets.pull(pin, 1);
    host.map(0x40044000, this, this);
    host.register(this);
  }
  save(): I2cState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as I2cState);
  }
  reset(): void {
    this.#state = fresh();
    this.#host.cancel(this, EVENT_BYTE);
    this.#host.cancel(this, EVENT_STOPPED);
    this.#interrupt();
  }

  onEvent(kind: number): void {
    const state = this.#state;
    if (kind === EVENT_STOPPED) {
      state.phase = "idle";
      state.raw |= STOP_DET;
      this.#device.stop();
      this.#next();
    } else if (state.phase === "address") {
      if (!this.#present()) return this.#abort(ABRT_ADDRESS);
      this.#data();
    } else {
      if (state.reading) state.rx.push(this.#device.read());
      else if (!this.#device.write(state.current & 0xff)) return this.#abort(ABRT_DATA);
      if (state.current & STOP) this.#stop();
      else {
        state.phase = "held";
        this.#next();
      }
    }
    this.#interrupt();
  }
  #present(): boolean {
    return (this.#state.registers[0x04]! & 0x3ff) === this.#device.address && this.#device.start(this.#state.reading);
  }
  #next(): void {
    const state = this.#state;
    if (!state.enabled || state.tx.length === 0 || (state.phase !== "idle" && state.phase !== "held")) return;
    const command = state.tx[0]!;
    const reading = (command & READ) !== 0;
    if (state.phase === "held" && !(command & RESTART) && reading === state.reading) return this.#data();
    for (const pin of this.#pins) {
      if (this.#nets.funcsel(pin) !== FUNC_I2C)
        this.#host.violation("pins/not-muxed", `I2C0 starts, GPIO${pin} has function ${this.#nets.funcsel(pin)}`);
      if (!this.#nets.inputEnabled(pin)) this.#host.violation("pins/input-disabled", `I2C0 starts, the pad input of GPIO${pin} is off`);
    }
    state.phase = "address";
    state.reading = reading;
    state.raw |= START_DET | ACTIVITY;
    this.#host.schedule(this, EVENT_BYTE, this.#host.nowNs + 10 * this.#bitNs());
  }
  #data(): void {
    const state = this.#state;
    state.phase = "data";
    state.current = state.tx.shift()!;
    this.#host.schedule(this, EVENT_BYTE, this.#host.nowNs + 9 * this.#bitNs());
  }
  #stop(): void {
    this.#state.phase = "stop";
    this.#host.schedule(this, EVENT_STOPPED, this.#host.nowNs + this.#bitNs());
  }
  /** No acknowledge: the FIFO is flushed and held until IC_CLR_TX_ABRT is read. */
  #abort(source: number): void {
    const state = this.#state;
    state.tx = [];
    state.raw |= TX_ABRT;
    state.abortSource = source;
    this.#stop();
    this.#interrupt();
  }
  #bitNs(): number {
    const { registers } = this.#state;
    const fast = ((registers[0]! >>> 1) & 3) !== 1;
    const cycles = registers[fast ? 0x1c : 0x14]! + registers[0xa0]! + 7 + registers[fast ? 0x20 : 0x18]! + 1;
    const ns = cycles * this.#host.clkSysNs;
    if (ns < 1e9 / MAX_SCL_HZ - 1) this.#host.violation("i2c/too-fast", `SCL ${(1e6 / ns).toFixed(1)} kHz`);
    return ns;
  }
  get #level(): number {
    const { tx, rx, registers } = this.#state;
    return (tx.length <= registers[0x3c]! ? TX_EMPTY : 0) | (rx.length > registers[0x38]! ? RX_FULL : 0);
  }
  #interrupt(): void {
    this.#host.setIrq(IRQ_I2C0, ((this.#state.raw | this.#level) & this.#state.registers[0x30]!) !== 0);
  }

  read(offset: number): number {
    const state = this.#state;
    const clears = CLEARS[offset];
    if (clears !== undefined) {
      const was = state.raw & clears;
      state.raw &= ~clears;
      if (clears & TX_ABRT) state.abortSource = 0;
      this.#interrupt();
      return was ? 1 : 0;
    }
    const stored = state.registers[offset];
    if (stored !== undefined) return stored;
    switch (offset) {
      case 0x10:
        if (state.rx.length === 0) this.#host.violation("i2c/config", "IC_DATA_CMD read while nothing was received");
        return state.rx.shift() ?? 0;
      case 0x2c:
        return (state.raw | this.#level) & state.registers[0x30]!;
      case 0x34:
        return state.raw | this.#level;
      case 0x6c:
      case 0x9c:
        return state.enabled ? 1 : 0;
      case 0x70: {
        const active = state.phase === "idle" ? 0 : 0x21;
        return (
          active |
          (state.tx.length < FIFO ? 2 : 0) |
          (state.tx.length ? 0 : 4) |
          (state.rx.length ? 8 : 0) |
          (state.rx.length === FIFO ? 16 : 0)
        );
      }
      case 0x74:
        return state.tx.length;
      case 0x78:
        return state.rx.length;
      case 0x80:
        return state.abortSource;
      case 0x88:
        return 0;
    }
    this.#host.violation("chip/not-modelled", `I2C0 +0x${offset.toString(16)}`);
    return 0;
  }
  peek(offset: number): number {
    return this.#state.registers[offset] ?? (offset === 0x6c && this.#state.enabled ? 1 : 0);
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0x10) return this.#command(value & 0x7ff);
    if (offset === 0x6c) return this.#enable(value);
    if (offset === 0x88 && value === 0) return;
    if (state.registers[offset] === undefined) return this.#host.violation("chip/not-modelled", `write to I2C0 +0x${offset.toString(16)}`);
    const always = offset === 0x30 || offset === 0x38 || offset === 0x3c;
    if (state.enabled && !always) this.#host.violation("i2c/config", `+0x${offset.toString(16)} written while enabled`);
    if (offset === 0 && ((value & 0x41) !== 0x41 || value & 0x18))
      this.#host.violation("chip/not-modelled", "I2C0 as slave, or 10-bit addresses");
    state.registers[offset] = value;
    this.#interrupt();
  }
  #command(value: number): void {
    const state = this.#state;
    if (!state.enabled) return this.#host.violation("i2c/config", "command written while disabled");
    // Held in reset by an abort: written commands are lost.
    if (state.raw & TX_ABRT) return;
    if (state.tx.length >= FIFO) return this.#host.violation("i2c/overflow", "command written to a full FIFO");
    state.tx.push(value);
    this.#next();
    this.#interrupt();
  }
  #enable(value: number): void {
    const state = this.#state;
    if (value & 6) this.#host.violation("chip/not-modelled", "I2C0 ABORT and TX_CMD_BLOCK");
    state.enabled = (value & 1) !== 0;
    if (state.enabled) return;
    state.tx = [];
    state.rx = [];
    if (state.phase === "held") this.#stop();
  }
}

function fresh(): I2cState {
  const registers = { 0x00: 0x65, 0x04: 0x55, 0x14: 0x28, 0x18: 0x2f, 0x1c: 6, 0x20: 13, 0x30: 0x8ff, 0x38: 0, 0x3c: 0, 0x7c: 1, 0xa0: 7 };
  return { registers, enabled: false, tx: [], rx: [], raw: 0, abortSource: 0, phase: "idle", reading: false, current: 0 };
}
