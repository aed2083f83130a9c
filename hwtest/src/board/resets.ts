import type { Model, ModelHost, RegisterBlock } from "./model.js";

/** Bits of RESETS (datasheet §2.14.3). */
export const resetBits = {
  adc: 0, busctrl: 1, dma: 2, i2c0: 3, i2c1: 4, ioBank0: 5, ioQspi: 6, jtag: 7, padsBank0: 8, padsQspi: 9, pio0: 10, pio1: 11, pllSys: 12, pllUsb: 13,
  pwm: 14, rtc: 15, spi0: 16, spi1: 17, syscfg: 18, sysinfo: 19, tbman: 20, timer: 21, uart0: 22, uart1: 23, usbctrl: 24,
} as const; // prettier-ignore

const ALL = 0x01ffffff;
/** Cycles of clk_sys until RESET_DONE; the datasheet only says "a few": enough that firmware which does not poll is caught. */
const DONE_CYCLES = 24;

interface ResetsState {
  held: number;
  watchdogSelect: number;
  doneAt: number[];
}

/** The RESETS block: holds the peripherals in reset from chip reset until firmware releases them one by one. */
export class Resets implements Model, RegisterBlock {
  readonly name = "resets";
  readonly #host: ModelHost;
  readonly #onHold: (bits: number) => void;
  #state: ResetsState = fresh();

  /** `onHold` gets the bits that were just put into reset. */
  constructor(host: ModelHost, onHold: (bits: number) => void) {
    this.#host = host;
    this.#onHold = onHold;
    host.map(0x4000c000, this);
    host.register(this);
  }
  save(): ResetsState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as ResetsState);
  }
  reset(): void {
    this.#state = fresh();
  }
  /** The mask ROM lets go of what it needs to read flash; the rest is firmware's business. */
  releaseForRom(): void {
    this.#state.held = ALL & ~((1 << resetBits.ioQspi) | (1 << resetBits.padsQspi));
  }
  held(bit: number): boolean {
    return ((this.#state.held >>> bit) & 1) === 1;
  }
  refusal(bit: number): "reset/access" | "reset/not-done" | undefined {
    if ((this.#state.held >>> bit) & 1) return "reset/access";
    return this.#host.nowNs < this.#state.doneAt[bit]! ? "reset/not-done" : undefined;
  }
  read(offset: number): number {
    if (offset === 0) return this.#state.held;
    if (offset === 4) return this.#state.watchdogSelect;
    if (offset === 8) {
      let done = 0;
      for (let bit = 0; bit <= 24; bit++) if (!this.held(bit) && this.#host.nowNs >= this.#state.doneAt[bit]!) done |= 1 << bit;
      return done;
    }
    this.#host.violation("bus/unknown-register", `RESETS +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 4) state.watchdogSelect = value & ALL;
    else if (offset === 0) {
      const next = value & ALL;
      const released = state.held & ~next;
      const held = next & ~state.held;
      state.held = next;
      const doneAt = this.#host.nowNs + DONE_CYCLES * this.#host.clkSysNs;
      for (let bit = 0; bit <= 24; bit++) if ((released >>> bit) & 1) state.doneAt[bit] = doneAt;
      if (held) this.#onHold(held);
    } else this.#host.violation(offset === 8 ? "bus/read-only" : "bus/unknown-register", `RESETS +0x${offset.toString(16)}`);
  }
}

function fresh(): ResetsState {
  return { held: ALL, watchdogSelect: 0, doneAt: new Array<number>(25).fill(0) };
}

/** Everything but the oscillators: what PSM_WDSEL must hold for a watchdog to reset the whole chip. */
const PSM_ALL_BUT_OSCILLATORS = 0x1fffc;

interface SupervisorState {
  watchdogSelect: number;
  cause: number;
  regulator: number;
  brownOut: number;
}

/** Power-on state machine, system configuration, and VREG_AND_CHIP_RESET: few registers, kept for their reset causes. */
export class Supervisor implements Model {
  readonly name = "supervisor";
  #state: SupervisorState = { watchdogSelect: 0, cause: 0x100, regulator: 0xb1, brownOut: 0x91 };

  constructor(host: ModelHost) {
    const unknown = (what: string): number => {
      host.violation("chip/not-modelled", what);
      return 0;
    };
    const readOnly = (): void => host.violation("chip/not-modelled", "write to SYSCFG or SYSINFO");
    host.map(0x40010000, {
      read: (offset) =>
        offset === 8 ? this.#state.watchdogSelect : offset === 12 ? 0x1ffff : offset < 8 ? 0 : unknown(`PSM +0x${offset.toString(16)}`),
      write: (offset, value) => {
        if (offset === 8) this.#state.watchdogSelect = value & 0x1ffff;
        else unknown(`write to PSM +0x${offset.toString(16)}`);
      },
    });
    const syscfg: Model = { name: "syscfg", resetBit: resetBits.syscfg, save: () => null, load: () => undefined, reset: () => undefined };
    host.map(0x40004000, { read: (offset) => (offset <= 0x18 ? 0 : unknown(`SYSCFG +0x${offset.toString(16)}`)), write: readOnly }, syscfg);
    // CHIP_ID of a B2, as read from silicon; PLATFORM says ASIC.
    const sysinfo: Model = {
      name: "sysinfo",
      resetBit: resetBits.sysinfo,
      save: () => null,
      load: () => undefined,
      reset: () => undefined,
    };
    host.map(
      0x40000000,
      {
        read: (offset) => (offset === 0 ? 0x20002927 : offset === 4 ? 2 : offset === 0x40 ? 0xe0c912e8 : unknown("SYSINFO")),
        write: readOnly,
      },
      sysinfo,
    );
    host.map(0x40064000, {
      read: (offset) =>
        offset === 0
          ? this.#state.regulator | 0x1000
          : offset === 4
            ? this.#state.brownOut
            : offset === 8
              ? this.#state.cause
              : unknown("VREG"),
      write: (offset, value) => {
        if (offset === 0) this.#state.regulator = value & 0xf3;
        else if (offset === 4) this.#state.brownOut = value & 0xf1;
        else if (value & 0x01000000) this.#state.cause &= ~0x01000000;
      },
    });
    host.register(this);
  }
  save(): unknown {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as SupervisorState) };
  }
  /** CHIP_RESET survives everything but power-on and the RUN pin, which it tells apart. */
  reset(power: boolean): void {
    this.#state.watchdogSelect = 0;
    if (power) this.#state = { watchdogSelect: 0, cause: 0x100, regulator: 0xb1, brownOut: 0x91 };
  }
  /** The RUN pin was pulled low. */
  runPin(): void {
    this.#state.cause = 0x10000;
  }
  /** True when a watchdog would reset the whole chip. */
  get watchdogResetsChip(): boolean {
    return (this.#state.watchdogSelect & PSM_ALL_BUT_OSCILLATORS) === PSM_ALL_BUT_OSCILLATORS;
  }
}
