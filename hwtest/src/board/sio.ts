import type { Model, ModelHost, RegisterBlock } from "./model.js";
import type { Nets } from "./nets.js";

const PIN_MASK = 0x3fffffff;
const DIVIDER_CYCLES = 8;

interface SioState {
  out: number;
  enable: number;
  locks: number;
  dividend: number;
  divisor: number;
  quotient: number;
  remainder: number;
  readyAt: number;
  dirty: boolean;
}

/** Single-cycle IO of core 0 (datasheet §2.3.1): GPIO, divider, spinlocks. Interpolators and the FIFO to core 1 are not modelled. */
export class Sio implements Model, RegisterBlock {
  readonly name = "sio";
  readonly #host: ModelHost;
  readonly #nets: Nets;
  /** Drive of QSPI_SS through GPIO_HI, not used on this board. */
  #state: SioState = fresh();

  constructor(host: ModelHost, nets: Nets) {
    this.#host = host;
    this.#nets = nets;
    host.register(this);
  }
  save(): SioState {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as SioState) };
  }
  reset(): void {
    this.#state = fresh();
    this.#nets.sio(0, 0);
  }
  read(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case 0x00:
        return 0;
      case 0x04:
        return this.#nets.inputs;
      case 0x10:
        return state.out;
      case 0x20:
        return state.enable;
      case 0x5c:
        return state.locks;
      case 0x60:
      case 0x68:
        return state.dividend;
      case 0x64:
      case 0x6c:
        return state.divisor;
      case 0x70:
        this.#divided();
        state.dirty = false;
        return state.quotient;
      case 0x74:
        this.#divided();
        return state.remainder;
      case 0x78:
        return (this.#host.nowNs >= state.readyAt ? 1 : 0) | (state.dirty ? 2 : 0);
    }
    if (offset >= 0x100 && offset < 0x180) {
      const bit = 1 << ((offset - 0x100) >> 2);
      if (state.locks & bit) return 0;
      state.locks |= bit;
      return bit;
    }
    if (offset >= 0x14 && offset < 0x30) return 0;
    this.#host.violation("chip/not-modelled", `SIO +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case 0x10:
        return this.#drive(value, state.enable);
      case 0x14:
        return this.#drive(state.out | value, state.enable);
      case 0x18:
        return this.#drive(state.out & ~value, state.enable);
      case 0x1c:
        return this.#drive(state.out ^ value, state.enable);
      case 0x20:
        return this.#drive(state.out, value);
      case 0x24:
        return this.#drive(state.out, state.enable | value);
      case 0x28:
        return this.#drive(state.out, state.enable & ~value);
      case 0x2c:
        return this.#drive(state.out, state.enable ^ value);
      case 0x60:
      case 0x68:
        state.dividend = value;
        return this.#divide(offset === 0x68);
      case 0x64:
      case 0x6c:
        state.divisor = value;
        return this.#divide(offset === 0x6c);
      case 0x70:
      case 0x74:
        if (offset === 0x70) state.quotient = value;
        else state.remainder = value;
        state.dirty = true;
        state.readyAt = this.#host.nowNs;
        return;
    }
    if (offset >= 0x100 && offset < 0x180) state.locks &= ~(1 << ((offset - 0x100) >> 2));
    else this.#host.violation("chip/not-modelled", `write to SIO +0x${offset.toString(16)}`);
  }
  #drive(out: number, enable: number): void {
    this.#state.out = out & PIN_MASK;
    this.#state.enable = enable & PIN_MASK;
    this.#nets.sio(this.#state.out, this.#state.enable);
  }
  /** Results by zero are the chip's (datasheet §2.3.1.5). */
  #divide(signed: boolean): void {
    const state = this.#state;
    const dividend = signed ? state.dividend | 0 : state.dividend >>> 0;
    const divisor = signed ? state.divisor | 0 : state.divisor >>> 0;
    state.quotient = (divisor === 0 ? (signed && dividend < 0 ? 1 : -1) : Math.trunc(dividend / divisor)) >>> 0;
    state.remainder = (divisor === 0 ? dividend : dividend % divisor) >>> 0;
    state.dirty = true;
    state.readyAt = this.#host.nowNs + DIVIDER_CYCLES * this.#host.clkSysNs;
  }
  #divided(): void {
    if (this.#host.nowNs < this.#state.readyAt) this.#host.violation("sio/divider-early", "quotient or remainder read before CSR.READY");
  }
}

function fresh(): SioState {
  return { out: 0, enable: 0, locks: 0, dividend: 0, divisor: 0, quotient: 0, remainder: 0, readyAt: 0, dirty: false };
}
