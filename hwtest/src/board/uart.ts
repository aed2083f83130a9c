import type { Model, ModelHost, RegisterBlock } from "./model.js";
import type { Nets } from "./nets.js";
import { resetBits } from "./resets.js";

const IRQ_UART0 = 20;
const FUNC_UART = 2;
const FIFO = 32;
const INT_RX = 1 << 4;
const INT_TX = 1 << 5;
const INT_TIMEOUT = 1 << 6;
const ERROR_BITS = 7;
const OVERRUN = 1 << 11;
const FRAMING = 1 << 8;
/** FIFO trigger levels by IFLS code (TRM table 3-15), for 32 entries. */
const LEVELS = [4, 8, 16, 24, 28] as const;
/** Receive timeout in bit times (TRM §3.4.2). */
const TIMEOUT_BITS = 32;
/** A receiver whose bit time is off by more than this samples wrongly in the tenth bit. */
const BAUD_TOLERANCE = 0.05;
const EVENT_SENT = 0;
const EVENT_ARRIVED = 1;
const EVENT_TIMEOUT = 2;

interface UartState {
  integer: number;
  fraction: number;
  /** The divider in use: IBRD and FBRD take effect with the write of LCR_H. */
  divider: number;
  line: number;
  control: number;
  levels: number;
  mask: number;
  raw: number;
  errors: number;
  tx: number[];
  rx: number[];
  sending: number;
  arriving: number[];
  overrun: boolean;
}

/** UART0 (PL011, RP2040 datasheet §4.2) at character level with true bit times. The outside end is a byte port at `outsideBaud`. */
export class Uart implements Model, RegisterBlock {
  readonly name = "uart0";
  readonly resetBit = resetBits.uart0;
  /** Bytes the chip sent, each at the end of its stop bit. */
  onByte: ((byte: number) => void) | undefined;
  /** Bits per second of the outside end. */
  outsideBaud = 115_200;
  readonly #host: ModelHost;
  readonly #nets: Nets;
  readonly #pins: readonly [tx: number, rx: number];
  readonly #clockHz: () => number;
  #state: UartState = fresh();

  constructor(host: ModelHost, nets: Nets, pins: readonly [tx: number, rx: number], clockHz: () => number) {
    this.#host = host;
    this.#nets = nets;
    this.#pins = pins;
    this.#clockHz = clockHz;
    host.map(0x40034000, this, this);
    host.register(this);
    nets.peripheralOutput(FUNC_UART, pins[0], 1, 1);
  }
  save(): UartState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as UartState);
  }
  reset(): void {
    const { arriving } = this.#state;
    this.#state = { ...fresh(), arriving };
    for (const kind of [EVENT_SENT, EVENT_TIMEOUT]) this.#host.cancel(this, kind);
    this.#interrupt();
  }

  /** The outside end sends; bytes follow each other without a gap. */
  send(bytes: Uint8Array): void {
    const waiting = this.#state.arriving;
    waiting.push(...bytes);
    if (waiting.length === bytes.length && bytes.length)
      this.#host.schedule(this, EVENT_ARRIVED, this.#host.nowNs + 1e10 / this.outsideBaud);
  }

  onEvent(kind: number): void {
    if (kind === EVENT_SENT) this.#sent();
    else if (kind === EVENT_ARRIVED) this.#arrived();
    else {
      this.#state.raw |= INT_TIMEOUT;
      this.#interrupt();
    }
  }
  #sent(): void {
    const byte = this.#state.sending;
    this.#state.sending = -1;
    this.#next();
    this.onByte?.(byte);
  }
  #next(): void {
    const state = this.#state;
    if (state.sending >= 0 || state.tx.length === 0 || (state.control & 0x101) !== 0x101) return;
    if (this.#nets.funcsel(this.#pins[0]) !== FUNC_UART)
      this.#host.violation("pins/not-muxed", `UART0 sends, GPIO${this.#pins[0]} has function ${this.#nets.funcsel(this.#pins[0])}`);
    state.sending = state.tx.shift()!;
    if (state.tx.length === this.#level(0)) state.raw |= INT_TX;
    this.#host.schedule(this, EVENT_SENT, this.#host.nowNs + this.#bits() * this.#bitNs());
    this.#interrupt();
  }
  #arrived(): void {
    const state = this.#state;
    const byte = state.arriving.shift()!;
    if (state.arriving.length) this.#host.schedule(this, EVENT_ARRIVED, this.#host.nowNs + 1e10 / this.outsideBaud);
    if ((state.control & 0x201) !== 0x201) return;
    const pin = this.#pins[1];
    if (this.#nets.funcsel(pin) !== FUNC_UART)
      return this.#host.violation("pins/not-muxed", `a byte comes to UART0, GPIO${pin} has function ${this.#nets.funcsel(pin)}`);
    if (!this.#nets.inputEnabled(pin))
      return this.#host.violation("pins/input-disabled", `a byte comes to UART0, the pad input of GPIO${pin} is off`);
    if (state.rx.length >= this.#depth()) {
      state.overrun = true;
      state.errors |= 8;
      state.raw |= 1 << 10;
    } else {
      const wrong = Math.abs(this.#bitNs() * this.outsideBaud - 1e9) > BAUD_TOLERANCE * 1e9;
      state.rx.push(byte | (wrong ? FRAMING : 0) | (state.overrun ? OVERRUN : 0));
      state.overrun = false;
      if (wrong) state.raw |= 1 << 7;
      if (state.rx.length === this.#level(3)) state.raw |= INT_RX;
      this.#host.schedule(this, EVENT_TIMEOUT, this.#host.nowNs + TIMEOUT_BITS * this.#bitNs());
    }
    this.#interrupt();
  }

  read(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case 0x00: {
        const entry = state.rx.shift();
        state.errors = ((entry ?? 0) >>> 8) & ERROR_BITS;
        if (state.rx.length < this.#level(3)) state.raw &= ~INT_RX;
        if (state.rx.length === 0) {
          state.raw &= ~INT_TIMEOUT;
          this.#host.cancel(this, EVENT_TIMEOUT);
        }
        this.#interrupt();
        return entry ?? 0;
      }
      case 0x04:
        return state.errors;
      case 0x18: {
        const full = (state.tx.length >= this.#depth() ? 0x20 : 0) | (state.rx.length >= this.#depth() ? 0x40 : 0);
        return (state.sending >= 0 || state.tx.length ? 8 : 0) | (state.rx.length ? 0 : 0x10) | full | (state.tx.length ? 0 : 0x80);
      }
      case 0x24:
        return state.integer;
      case 0x28:
        return state.fraction;
      case 0x2c:
        return state.line;
      case 0x30:
        return state.control;
      case 0x34:
        return state.levels;
      case 0x38:
        return state.mask;
      case 0x3c:
        return state.raw;
      case 0x40:
        return state.raw & state.mask;
      case 0x48:
        return 0;
    }
    this.#host.violation("bus/unknown-register", `UART0 +0x${offset.toString(16)}`);
    return 0;
  }
  peek(offset: number): number {
    return offset === 0 ? 0 : this.read(offset);
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    const busy = (state.control & 1) === 1 && (state.sending >= 0 || state.tx.length > 0);
    if ((offset === 0x24 || offset === 0x28 || offset === 0x2c) && busy)
      this.#host.violation("uart/config", "line or baud rate changed while a character is on its way");
    switch (offset) {
      case 0x00:
        if (state.tx.length >= this.#depth()) return this.#host.violation("uart/overflow", "byte written to a full FIFO");
        state.tx.push(value & 0xff);
        if (state.tx.length > this.#level(0)) state.raw &= ~INT_TX;
        return this.#next();
      case 0x04:
        state.errors = 0;
        return;
      case 0x24:
        state.integer = value & 0xffff;
        return;
      case 0x28:
        state.fraction = value & 0x3f;
        return;
      case 0x2c:
        state.line = value & 0xff;
        state.divider = state.integer + state.fraction / 64;
        return;
      case 0x30:
        if (value & 0x4880) return this.#host.violation("chip/not-modelled", "UART loop-back and hardware flow control");
        if (value & 1 && (this.#clockHz() === 0 || state.divider < 1))
          this.#host.violation("uart/config", "enabled without clk_peri or baud rate");
        state.control = value & 0xffff;
        return this.#next();
      case 0x34:
        state.levels = value & 0x3f;
        return;
      case 0x38:
        state.mask = value & 0x7ff;
        return this.#interrupt();
      case 0x44:
        state.raw &= ~value;
        return this.#interrupt();
      case 0x48:
        if (value) this.#host.violation("chip/not-modelled", "UART DMA");
        return;
    }
    this.#host.violation("bus/unknown-register", `write to UART0 +0x${offset.toString(16)}`);
  }
  #depth(): number {
    return this.#state.line & 0x10 ? FIFO : 1;
  }
  /** Transmit (shift 0) or receive (shift 3) trigger level; without FIFOs a single character. */
  #level(shift: 0 | 3): number {
    return this.#depth() === 1 ? shift / 3 : (LEVELS[(this.#state.levels >>> shift) & 7] ?? 16);
  }
  #bits(): number {
    const { line } = this.#state;
    return 1 + 5 + ((line >>> 5) & 3) + (line & 2 ? 1 : 0) + (line & 8 ? 2 : 1);
  }
  #bitNs(): number {
    return (this.#state.divider * 16e9) / this.#clockHz();
  }
  #interrupt(): void {
    this.#host.setIrq(IRQ_UART0, (this.#state.raw & this.#state.mask) !== 0);
  }
}

function fresh(): UartState {
  return {
    integer: 0, fraction: 0, divider: 0, line: 0, control: 0x300, levels: 0x12, mask: 0, raw: 0, errors: 0, tx: [], rx: [], sending: -1, arriving: [], overrun: false,
  }; // prettier-ignore
}
