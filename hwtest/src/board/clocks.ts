import type { Model, ModelHost, RegisterBlock } from "./model.js";
import { Pll, Rosc, Xosc } from "./oscillators.js";

const MAX_SYS_HZ = 133_000_000;
const USB_HZ = 48_000_000;
const ENABLE = 1 << 11;
const KILL = 1 << 10;
const GENERATORS = 10;
const REF = 4;
const SYS = 5;
const PERI = 6;
const USB = 7;
const NAMES = [
  "CLK_GPOUT0",
  "CLK_GPOUT1",
  "CLK_GPOUT2",
  "CLK_GPOUT3",
  "CLK_REF",
  "CLK_SYS",
  "CLK_PERI",
  "CLK_USB",
  "CLK_ADC",
  "CLK_RTC",
] as const;

interface ClocksState {
  control: number[];
  divider: number[];
  /** WAKE_EN0/1, SLEEP_EN0/1. */
  gates: number[];
}

/** The clock tree (datasheet §2.15) with its oscillators and PLLs. Frequencies follow from the registers; nothing ticks. */
export class Clocks implements Model, RegisterBlock {
  readonly name = "clocks";
  readonly xosc: Xosc;
  readonly rosc: Rosc;
  readonly pllSys: Pll;
  readonly pllUsb: Pll;
  readonly #host: ModelHost;
  readonly #changed: () => void;
  #state: ClocksState = fresh();
  #quiet = false;

  /** `changed` is called after any frequency may have changed. */
  constructor(host: ModelHost, changed: () => void) {
    this.#host = host;
    this.#changed = changed;
    const update = (): void => this.#update(-1);
    this.xosc = new Xosc(host, update);
    this.rosc = new Rosc(host, update);
    this.pllSys = new Pll(host, "pll-sys", 12, () => this.xosc.hz, update);
    this.pllUsb = new Pll(host, "pll-usb", 13, () => this.xosc.hz, update);
    host.map(0x40008000, this);
    host.map(0x40024000, this.xosc);
    host.map(0x40060000, this.rosc);
    host.map(0x40028000, this.pllSys, this.pllSys);
    host.map(0x4002c000, this.pllUsb, this.pllUsb);
    for (const model of [this, this.xosc, this.rosc, this.pllSys, this.pllUsb]) host.register(model);
  }

  save(): ClocksState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as ClocksState);
  }
  reset(): void {
    // The whole tree falls back to the ring oscillator at once; the oscillators' own resets follow and must not look at half of it.
    this.#state = fresh();
    this.#quiet = true;
    for (const part of [this.xosc, this.rosc, this.pllSys, this.pllUsb]) part.reset();
    this.#quiet = false;
    this.#changed();
  }

  get refHz(): number {
    const control = this.#state.control[REF]!;
    const source = [this.rosc.hz, (control >>> 5) & 3 ? 0 : this.pllUsb.hz, this.xosc.hz, 0][control & 3]!;
    return source / ((this.#state.divider[REF]! >>> 8) & 3 || 4);
  }
  get sysHz(): number {
    const control = this.#state.control[SYS]!;
    const auxiliary = [this.pllSys.hz, this.pllUsb.hz, this.rosc.hz, this.xosc.hz][(control >>> 5) & 7] ?? 0;
    return (control & 1 ? auxiliary : this.refHz) / ratio(this.#state.divider[SYS]!);
  }
  /** Feeds UARTs and SPI; 0 while stopped. */
  get periHz(): number {
    return this.#running(PERI)
      ? ([this.sysHz, this.pllSys.hz, this.pllUsb.hz, this.rosc.hz, this.xosc.hz][this.#auxiliary(PERI, 7)] ?? 0)
      : 0;
  }
  get usbHz(): number {
    const source = [this.pllUsb.hz, this.pllSys.hz, this.rosc.hz, this.xosc.hz][this.#auxiliary(USB, 7)] ?? 0;
    return this.#running(USB) ? source / ((this.#state.divider[USB]! >>> 8) & 3 || 4) : 0;
  }
  gpoutHz(index: number): number {
    return this.#running(index) ? this.#gpoutSource(index) / ratio(this.#state.divider[index]!) : 0;
  }
  #gpoutSource(index: number): number {
    const { pllSys, pllUsb, rosc, xosc } = this;
    return [pllSys.hz, 0, 0, pllUsb.hz, rosc.hz, xosc.hz, this.sysHz, this.usbHz, 0, 0, this.refHz][this.#auxiliary(index, 15)] ?? 0;
  }
  #auxiliary(generator: number, mask: number): number {
    return (this.#state.control[generator]! >>> 5) & mask;
  }
  #running(generator: number): boolean {
    return (this.#state.control[generator]! & (ENABLE | KILL)) === ENABLE;
  }

  read(offset: number): number {
    const generator = Math.floor(offset / 12);
    if (generator < GENERATORS) {
      const field = offset % 12 >> 2;
      if (field === 0) return this.#state.control[generator]!;
      if (field === 1) return this.#state.divider[generator]!;
      return generator === REF ? 1 << (this.#state.control[REF]! & 3) : generator === SYS ? 1 << (this.#state.control[SYS]! & 1) : 1;
    }
    if (offset >= 0xa0 && offset < 0xb0) return this.#state.gates[(offset - 0xa0) >> 2]!;
    if (offset === 0x78) return 0xff;
    if (offset === 0x7c) return 0;
    this.#host.violation(offset < 0xc8 ? "chip/not-modelled" : "bus/unknown-register", `CLOCKS +0x${offset.toString(16)}`);
    return 0;
  }

  write(offset: number, value: number): void {
    const generator = Math.floor(offset / 12);
    if (generator < GENERATORS) {
      const field = offset % 12 >> 2;
      if (field === 2) return this.#host.violation("bus/read-only", `${NAMES[generator]} SELECTED`);
      if (field === 1) this.#state.divider[generator] = value;
      else {
        const old = this.#state.control[generator]!;
        const onAuxiliary = (generator === SYS && (old & value & 1) === 1) || (generator === REF && (old & 3) === 1 && (value & 3) === 1);
        const running = generator !== SYS && generator !== REF && (old & value & ENABLE) !== 0;
        if ((onAuxiliary || running) && ((old ^ value) & 0x1e0) !== 0)
          this.#host.violation("clock/glitch", `${NAMES[generator]} AUXSRC changed while the clock runs from it`);
        this.#state.control[generator] = value & 0x131fe3;
      }
      return this.#update(generator);
    }
    if (offset >= 0xa0 && offset < 0xb0) this.#state.gates[(offset - 0xa0) >> 2] = value;
    else if (offset === 0x78 && (value & 0x100) === 0) return;
    else this.#host.violation(offset < 0xc8 ? "chip/not-modelled" : "bus/unknown-register", `CLOCKS +0x${offset.toString(16)}`);
  }

  /** `written`: the generator whose register was written. The others may lose their source as long as nobody switches to them again. */
  #update(written: number): void {
    if (this.#quiet) return;
    const hz = written < 4 ? this.gpoutHz(Math.max(0, written)) : written === PERI ? this.periHz : written === USB ? this.usbHz : 1;
    const dead = this.refHz === 0 ? REF : this.sysHz === 0 ? SYS : written >= 0 && this.#running(written) && hz === 0 ? written : -1;
    if (dead >= 0) this.#host.violation("clock/dead-source", `${NAMES[dead]} has no running source`);
    if (this.sysHz > MAX_SYS_HZ) this.#host.violation("clock/overspeed", `clk_sys ${this.sysHz / 1e6} MHz`);
    if (written === USB && this.#running(USB) && this.usbHz !== USB_HZ)
      this.#host.violation("clock/overspeed", `clk_usb ${this.usbHz / 1e6} MHz`);
    this.#changed();
  }
}

/** CLK_x_DIV is 24.8 fixed point; an integer part of 0 divides by 2^16. */
function ratio(divider: number): number {
  return divider >>> 8 ? divider / 256 : 65536;
}

function fresh(): ClocksState {
  return {
    control: new Array<number>(GENERATORS).fill(0),
    divider: new Array<number>(GENERATORS).fill(0x100),
    gates: [0xffffffff, 0x7fff, 0xffffffff, 0x7fff],
  };
}
