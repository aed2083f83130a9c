import type { Model, ModelHost, RegisterBlock } from "./model.js";
import type { Nets } from "./nets.js";
import { resetBits } from "./resets.js";
import { SerialFar } from "./serial-far.js";
import { dueAt, levelsOf, listenFrom, type ReceiverState, type SerialFormat, take } from "./serial-wire.js";

const IRQ_UART0 = 20;
const FUNC_UART = 2;
const FIFO = 32;
const INT_RX = 1 << 4;
const INT_TX = 1 << 5;
const INT_TIMEOUT = 1 << 6;
const INT_FRAMING = 1 << 7;
const INT_PARITY = 1 << 8;
const INT_BREAK = 1 << 9;
const INT_OVERRUN = 1 << 10;
/** Marks of a character in UARTDR (TRM §3.3.1); bits 8–10 are UARTRSR's bits 0–2. */
const FRAMING = 1 << 8;
const PARITY = 1 << 9;
const BREAK = 1 << 10;
const OVERRUN = 1 << 11;
const RSR_MARKS = 7;
const RSR_OVERRUN = 8;
/** FIFO trigger levels by IFLS code (TRM table 3-15), for 32 entries. */
const LEVELS = [4, 8, 16, 24, 28] as const;
/** Receive timeout in bit times (TRM §3.4.2). */
const TIMEOUT_BITS = 32;
/** LCR_H: send break, stick parity. CR: SIR, loop-back, RTS and CTS flow control. */
const LCR_NOT_MODELLED = 0x01;
const CR_NOT_MODELLED = 0xc086;
const ENABLED = 1;
const TX_ENABLED = 0x101;
const RX_ENABLED = 0x201;
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
  sending: boolean;
  /** End of the character that is being sent, ns. */
  freeNs: number;
  receiver: ReceiverState;
  overrun: boolean;
  overruns: number;
}

/**
 * UART0 (PL011, RP2040 datasheet §4.2) with true bit times: characters are put on the wire bit by bit and sampled in the middle of each bit, so that a wrong
 * divider, parity or format misreads as on silicon. The other end of the cable is `far`.
 */
export class Uart implements Model, RegisterBlock {
  readonly name = "uart0";
  readonly resetBit = resetBits.uart0;
  readonly far: SerialFar;
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
    this.far = new SerialFar(host);
    this.far.onWire = () => this.#expect();
  }
  save(): UartState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as UartState);
  }
  reset(): void {
    this.#state = fresh();
    for (const kind of [EVENT_SENT, EVENT_ARRIVED, EVENT_TIMEOUT]) this.#host.cancel(this, kind);
    this.#interrupt();
  }
  /** Bits per second the chip sends and reads at now; 0 = not set. */
  get baud(): number {
    return this.#state.divider > 0 ? 1e9 / this.#bitNs() : 0;
  }
  /** Characters lost since reset because the FIFO was full. */
  get overruns(): number {
    return this.#state.overruns;
  }

  onEvent(kind: number): void {
    const state = this.#state;
    if (kind === EVENT_SENT) {
      state.sending = false;
      this.#next(state.freeNs);
    } else if (kind === EVENT_ARRIVED) this.#arrived();
    else {
      state.raw |= INT_TIMEOUT;
      this.#interrupt();
    }
  }
  #next(atNs: number): void {
    const state = this.#state;
    if (state.sending || state.tx.length === 0 || (state.control & TX_ENABLED) !== TX_ENABLED) return;
    if (this.#nets.funcsel(this.#pins[0]) !== FUNC_UART)
      this.#host.violation("pins/not-muxed", `UART0 sends, GPIO${this.#pins[0]} has function ${this.#nets.funcsel(this.#pins[0])}`);
    const { bits, count } = levelsOf(state.tx.shift()!, this.#format());
    const bitNs = this.#bitNs();
    state.sending = true;
    state.freeNs = atNs + count * bitNs;
    if (state.tx.length === this.#level(0)) state.raw |= INT_TX;
    this.far.chipSends(atNs, bitNs, bits, count);
    this.#host.schedule(this, EVENT_SENT, state.freeNs);
    this.#interrupt();
  }
  /** A start bit is on the wire, or will be seen there: the character is in the FIFO in the middle of its stop bit. */
  #expect(): void {
    const state = this.#state;
    if ((state.control & RX_ENABLED) !== RX_ENABLED) return listenFrom(this.far.toChip, state.receiver, this.#host.nowNs);
    const due = dueAt(this.far.toChip, state.receiver, this.#bitNs(), this.#format());
    if (due < Infinity) this.#host.schedule(this, EVENT_ARRIVED, due);
    else this.#host.cancel(this, EVENT_ARRIVED);
  }
  #arrived(): void {
    const state = this.#state;
    const { byte, framing, parity, broken } = take(this.far.toChip, state.receiver, this.#bitNs(), this.#format());
    this.#expect();
    const pin = this.#pins[1];
    if (this.#nets.funcsel(pin) !== FUNC_UART)
      return this.#host.violation("pins/not-muxed", `a byte comes to UART0, GPIO${pin} has function ${this.#nets.funcsel(pin)}`);
    if (!this.#nets.inputEnabled(pin))
      return this.#host.violation("pins/input-disabled", `a byte comes to UART0, the pad input of GPIO${pin} is off`);
    if (state.rx.length >= this.#depth()) {
      state.overrun = true;
      state.overruns++;
      state.errors |= RSR_OVERRUN;
      state.raw |= INT_OVERRUN;
    } else {
      const marks = (framing ? FRAMING : 0) | (parity ? PARITY : 0) | (broken ? BREAK : 0);
      state.rx.push(byte | marks | (state.overrun ? OVERRUN : 0));
      state.overrun = false;
      state.raw |= (framing ? INT_FRAMING : 0) | (parity ? INT_PARITY : 0) | (broken ? INT_BREAK : 0);
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
        // UARTRSR goes with the character that was read, but for the overrun: that one stays until it is cleared.
        state.errors = (state.errors & RSR_OVERRUN) | (((entry ?? 0) >>> 8) & RSR_MARKS);
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
        return (state.sending || state.tx.length ? 8 : 0) | (state.rx.length ? 0 : 0x10) | full | (state.tx.length ? 0 : 0x80);
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
    if ((offset === 0x24 || offset === 0x28 || offset === 0x2c) && (state.control & ENABLED || state.sending))
      this.#host.violation("uart/config", "line control or baud rate written while the UART is enabled, or sends its last character");
    switch (offset) {
      case 0x00:
        if (state.tx.length >= this.#depth()) return this.#host.violation("uart/overflow", "byte written to a full FIFO");
        state.tx.push(value & 0xff);
        if (state.tx.length > this.#level(0)) state.raw &= ~INT_TX;
        return this.#next(this.#host.nowNs);
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
        if (value & LCR_NOT_MODELLED) return this.#host.violation("chip/not-modelled", "UART sends break");
        state.line = value & 0xff;
        // Without FIFOs what stood in them is gone (TRM §3.3.7).
        if (this.#depth() === 1) [state.tx, state.rx] = [[], []];
        state.divider = state.integer + state.fraction / 64;
        return;
      case 0x30:
        return this.#control(value & 0xffff);
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
  #control(value: number): void {
    const state = this.#state;
    if (value & CR_NOT_MODELLED) return this.#host.violation("chip/not-modelled", "UART loop-back, infrared and hardware flow control");
    const begins = (state.control & RX_ENABLED) !== RX_ENABLED && (value & RX_ENABLED) === RX_ENABLED;
    if (value & ENABLED && !(state.control & ENABLED)) {
      if (this.#clockHz() === 0) this.#host.violation("uart/config", "enabled without clk_peri");
      // The divider is taken over by a write of LCR_H (§4.2.7.1); at most 65535, and then without a fraction (TRM §3.3.5).
      if (state.divider !== state.integer + state.fraction / 64)
        this.#host.violation("uart/divider", `IBRD.FBRD is ${state.integer} ${state.fraction}/64, in use is ${state.divider}`);
      else if (state.divider < 1 || state.divider > 65_535) this.#host.violation("uart/divider", `the divider is ${state.divider}`);
    }
    state.control = value;
    if (begins) listenFrom(this.far.toChip, state.receiver, this.#host.nowNs);
    if ((value & RX_ENABLED) !== RX_ENABLED) this.#host.cancel(this, EVENT_ARRIVED);
    else this.#expect();
    this.#next(this.#host.nowNs);
  }
  #format(): SerialFormat {
    const { line } = this.#state;
    const parity = line & 2 ? (line & 0x80 ? (line & 4 ? "space" : "mark") : line & 4 ? "even" : "odd") : "none";
    return { dataBits: 5 + ((line >>> 5) & 3), parity, stopBits: line & 8 ? 2 : 1 };
  }
  #depth(): number {
    return this.#state.line & 0x10 ? FIFO : 1;
  }
  /** Transmit (shift 0) or receive (shift 3) trigger level; without FIFOs a single character. */
  #level(shift: 0 | 3): number {
    return this.#depth() === 1 ? shift / 3 : (LEVELS[(this.#state.levels >>> shift) & 7] ?? 16);
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
    integer: 0, fraction: 0, divider: 0, line: 0, control: 0x300, levels: 0x12, mask: 0, raw: 0, errors: 0, tx: [], rx: [], sending: false, freeNs: 0, receiver: { fromNs: 0 }, overrun: false, overruns: 0,
  }; // prettier-ignore
}
