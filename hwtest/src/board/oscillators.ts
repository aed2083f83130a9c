import type { Model, ModelHost, RegisterBlock } from "./model.js";

/** Crystal of the board and typical ring oscillator, Hz (datasheet §2.17: 1.8 to 12 MHz, 6.5 MHz typical). */
export const XOSC_HZ = 12_000_000;
export const ROSC_HZ = 6_500_000;
/** Time a PLL takes to lock, ns; the datasheet gives no figure, the SDK polls. */
const PLL_LOCK_NS = 50_000;
const ENABLE = 0xfab;
const DISABLE = 0xd1e;

interface XoscState {
  control: number;
  startup: number;
  stableAt: number;
}

/** Crystal oscillator (datasheet §2.16). */
export class Xosc implements Model, RegisterBlock {
  readonly name = "xosc";
  readonly #host: ModelHost;
  readonly #changed: () => void;
  #state: XoscState = { control: 0, startup: 0xc4, stableAt: Infinity };

  constructor(host: ModelHost, changed: () => void) {
    this.#host = host;
    this.#changed = changed;
  }
  save(): unknown {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as XoscState) };
  }
  reset(): void {
    this.#state = { control: 0, startup: 0xc4, stableAt: Infinity };
  }
  /** Hz now, 0 while not stable. */
  get hz(): number {
    return this.#host.nowNs >= this.#state.stableAt ? XOSC_HZ : 0;
  }
  read(offset: number): number {
    if (offset === 0x0) return this.#state.control;
    if (offset === 0x4) return (this.hz ? 0x80000000 : 0) | (this.#state.stableAt < Infinity ? 0x1000 : 0);
    if (offset === 0xc) return this.#state.startup;
    this.#host.violation("bus/unknown-register", `XOSC +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0xc) state.startup = value & 0x103fff;
    else if (offset === 0x0) {
      const enable = (value >>> 12) & 0xfff;
      state.control = value;
      if (enable === ENABLE && state.stableAt === Infinity) {
        const cycles = (state.startup & 0x3fff) * 256 * (state.startup & 0x100000 ? 4 : 1);
        state.stableAt = this.#host.nowNs + (cycles * 1e9) / XOSC_HZ;
      } else if (enable === DISABLE) {
        state.stableAt = Infinity;
        this.#changed();
      } else if (enable !== ENABLE)
        this.#host.violation("clock/dead-source", `XOSC CTRL.ENABLE 0x${enable.toString(16)} is neither on nor off`);
    } else this.#host.violation(offset === 4 ? "bus/read-only" : "chip/not-modelled", `XOSC +0x${offset.toString(16)}`);
  }
}

interface RoscState {
  on: boolean;
}

/** Ring oscillator (datasheet §2.17), with its random bit. */
export class Rosc implements Model, RegisterBlock {
  readonly name = "rosc";
  readonly #host: ModelHost;
  readonly #changed: () => void;
  #state: RoscState = { on: true };

  constructor(host: ModelHost, changed: () => void) {
    this.#host = host;
    this.#changed = changed;
  }
  save(): unknown {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as RoscState) };
  }
  reset(): void {
    this.#state = { on: true };
  }
  /** Hz now, 0 while switched off. */
  get hz(): number {
    return this.#state.on ? ROSC_HZ : 0;
  }
  read(offset: number): number {
    if (offset === 0x18) return this.#state.on ? 0x80001000 : 0;
    if (offset === 0x1c) {
      if (!this.#state.on) this.#host.violation("clock/dead-source", "ROSC RANDOMBIT read while the ring oscillator is off");
      return this.#host.random() & 1;
    }
    if (offset === 0) return ((this.#state.on ? ENABLE : DISABLE) << 12) | 0xaa0;
    this.#host.violation("bus/unknown-register", `ROSC +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number): void {
    if (offset !== 0) return this.#host.violation("chip/not-modelled", `ROSC +0x${offset.toString(16)}`);
    this.#state.on = ((value >>> 12) & 0xfff) !== DISABLE;
    this.#changed();
  }
}

interface PllState {
  control: number;
  power: number;
  feedback: number;
  post: number;
  lockAt: number;
}

/** One PLL (datasheet §2.18). */
export class Pll implements Model, RegisterBlock {
  readonly name: string;
  readonly resetBit: number;
  readonly #host: ModelHost;
  readonly #reference: () => number;
  readonly #changed: () => void;
  #state: PllState = { control: 1, power: 0x2d, feedback: 0, post: 0x77000, lockAt: Infinity };

  constructor(host: ModelHost, name: string, resetBit: number, reference: () => number, changed: () => void) {
    this.#host = host;
    this.name = name;
    this.resetBit = resetBit;
    this.#reference = reference;
    this.#changed = changed;
  }
  save(): unknown {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as PllState) };
  }
  reset(): void {
    this.#state = { control: 1, power: 0x2d, feedback: 0, post: 0x77000, lockAt: Infinity };
    this.#changed();
  }
  /** Output in Hz, 0 while unlocked or with the post dividers off. */
  get hz(): number {
    const { power, post, lockAt } = this.#state;
    if (this.#host.nowNs < lockAt || power & 8) return 0;
    return this.#vco() / (((post >>> 16) & 7) * ((post >>> 12) & 7) || Infinity);
  }
  #vco(): number {
    return (this.#reference() / (this.#state.control & 0x3f || 1)) * this.#state.feedback;
  }
  read(offset: number): number {
    const { control, power, feedback, post, lockAt } = this.#state;
    const values = [control | (this.#host.nowNs >= lockAt ? 0x80000000 : 0), power, feedback, post];
    const value = values[offset >> 2];
    if (value === undefined) this.#host.violation("bus/unknown-register", `${this.name} +0x${offset.toString(16)}`);
    return value ?? 0;
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0) {
      if (value & 0x100) this.#host.violation("chip/not-modelled", `${this.name} bypass`);
      state.control = value & 0x3f;
    } else if (offset === 4) state.power = value & 0x2d;
    else if (offset === 8) state.feedback = value & 0xfff;
    else if (offset === 12) state.post = value & 0x77000;
    else return this.#host.violation("bus/unknown-register", `${this.name} +0x${offset.toString(16)}`);
    const running = (state.power & 0x21) === 0;
    if (!running) state.lockAt = Infinity;
    else if (state.lockAt === Infinity || offset === 0 || offset === 8) {
      const reference = this.#reference() / (state.control & 0x3f || 1);
      const vco = this.#vco();
      if (reference < 5e6 || vco < 750e6 || vco > 1600e6 || state.feedback < 16 || state.feedback > 320)
        this.#host.violation("clock/pll", `${this.name}: reference ${reference / 1e6} MHz, FBDIV ${state.feedback}, VCO ${vco / 1e6} MHz`);
      state.lockAt = this.#host.nowNs + PLL_LOCK_NS;
    }
    this.#changed();
  }
}
