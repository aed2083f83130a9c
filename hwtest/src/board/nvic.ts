import type { Core, InterruptLines } from "./core.js";
import type { Model, ModelHost, RegisterBlock } from "./model.js";

/** RP2040 has 26 interrupts (datasheet §2.3.2). */
const IRQ_MASK = 0x03ffffff;
const EVENT_WRAP = 0;
const ALIGNMENT = 256;

interface NvicState {
  /** SysTick: reload value, the value at `baseNs`, running, interrupt enabled, processor clock, COUNTFLAG. */
  reload: number;
  base: number;
  baseNs: number;
  control: number;
  counted: boolean;
  sleepControl: number;
}

/** Private peripheral bus of the M0+: NVIC, SysTick, system control block (ARMv6-M ARM §B3). */
export class Nvic implements Model, RegisterBlock {
  readonly name = "nvic";
  readonly #host: ModelHost;
  readonly #core: Core;
  readonly #lines: InterruptLines;
  #state: NvicState = fresh();

  constructor(host: ModelHost, core: Core, lines: InterruptLines) {
    this.#host = host;
    this.#core = core;
    this.#lines = lines;
    host.listenClocks(() => this.#rebase());
  }

  save(): NvicState {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as NvicState) };
  }
  reset(): void {
    this.#state = fresh();
    this.#host.cancel(this, EVENT_WRAP);
  }

  onEvent(): void {
    const state = this.#state;
    state.counted = true;
    state.base = 0;
    state.baseNs = this.#host.nowNs;
    if (state.control & 2) {
      this.#core.pendingSystick = true;
      this.#core.interruptsUpdated = true;
    }
    this.#arm();
  }

  read(offset: number): number {
    const core = this.#core;
    const state = this.#state;
    if (offset >= 0x400 && offset < 0x420) return this.#priorities((offset - 0x400) & ~3);
    switch (offset) {
      case 0x010: {
        const value = state.control | (state.counted ? 0x10000 : 0);
        state.counted = false;
        return value;
      }
      case 0x014:
        return state.reload;
      case 0x018:
        return this.#count();
      case 0x01c:
        return 0x270f;
      case 0x100:
      case 0x180:
        return core.enabledInterrupts;
      case 0x200:
      case 0x280:
        return core.pendingInterrupts;
      case 0xd00:
        return 0x410cc601;
      case 0xd04: {
        const pending = core.pendingInterrupts & IRQ_MASK;
        return (
          (core.pendingPendSV ? 1 << 28 : 0) |
          (core.pendingSystick ? 1 << 26 : 0) |
          (pending ? 1 << 22 : 0) |
          (core.vectPending << 12) |
          core.IPSR
        );
      }
      case 0xd08:
        return core.VTOR;
      case 0xd0c:
        return 0xfa050000;
      case 0xd10:
        return state.sleepControl;
      case 0xd14:
        return 0x208;
      case 0xd1c:
        return core.SHPR2;
      case 0xd20:
        return core.SHPR3;
    }
    this.#host.violation("bus/unknown-register", `read of 0xe000e${offset.toString(16).padStart(3, "0")}`);
    return 0;
  }

  write(offset: number, value: number): void {
    const core = this.#core;
    const state = this.#state;
    core.interruptsUpdated = true;
    if (offset >= 0x400 && offset < 0x420) return this.#setPriorities(offset - 0x400, value);
    switch (offset) {
      case 0x010:
        this.#rebase();
        state.control = value & 7;
        state.baseNs = this.#host.nowNs;
        return this.#arm();
      case 0x014:
        state.reload = value & 0xffffff;
        return;
      case 0x018:
        // Any write clears the counter; it reloads at the next clock.
        state.base = 0;
        state.baseNs = this.#host.nowNs;
        state.counted = false;
        return this.#arm();
      case 0x100:
        core.enabledInterrupts |= value & IRQ_MASK;
        return;
      case 0x180:
        core.enabledInterrupts &= ~value;
        return;
      case 0x200:
        core.pendingInterrupts |= value & IRQ_MASK;
        return;
      case 0x280:
        // A line that is still high makes its interrupt pending again at once.
        core.pendingInterrupts = (core.pendingInterrupts & ~value) | (this.#lines.level & value & ~this.#active());
        return;
      case 0xd04:
        if (value & 0x80000000) core.pendingNMI = true;
        if (value & (1 << 28)) core.pendingPendSV = true;
        if (value & (1 << 27)) core.pendingPendSV = false;
        if (value & (1 << 26)) core.pendingSystick = true;
        if (value & (1 << 25)) core.pendingSystick = false;
        return;
      case 0xd08:
        if (value % ALIGNMENT) this.#host.violation("bus/unaligned", `VTOR 0x${value.toString(16)} is not ${ALIGNMENT}-byte aligned`);
        core.VTOR = value;
        return;
      case 0xd10:
        if (value & ~0x10) this.#host.violation("chip/not-modelled", "SCR: SLEEPDEEP and SLEEPONEXIT");
        state.sleepControl = value;
        return;
      case 0xd1c:
        core.SHPR2 = value;
        return;
      case 0xd20:
        core.SHPR3 = value;
        return;
      case 0xd0c:
        return this.#host.violation("chip/not-modelled", "AIRCR.SYSRESETREQ resets one core only on RP2040; use the watchdog");
    }
    this.#host.violation("bus/unknown-register", `write of 0xe000e${offset.toString(16).padStart(3, "0")}`);
  }

  #active(): number {
    return this.#core.IPSR >= 16 ? 1 << (this.#core.IPSR - 16) : 0;
  }

  #priorities(first: number): number {
    let value = 0;
    for (let lane = 0; lane < 4; lane++)
      for (let priority = 1; priority < 4; priority++)
        if (this.#core.interruptPriorities[priority]! & (1 << (first + lane))) value |= priority << (8 * lane + 6);
    return value;
  }

  #setPriorities(first: number, value: number): void {
    const levels = this.#core.interruptPriorities;
    for (let lane = 0; lane < 4; lane++) {
      const bit = 1 << (first + lane);
      for (let priority = 0; priority < 4; priority++) levels[priority] = levels[priority]! & ~bit;
      const priority = (value >>> (8 * lane + 6)) & 3;
      levels[priority] = levels[priority]! | bit;
    }
  }

  /** SysTick counts clk_sys (or, with CLKSOURCE 0, the 1 MHz tick) down from `base`. */
  #tickNs(): number {
    return this.#state.control & 4 ? this.#host.clkSysNs : 1000;
  }
  #count(): number {
    const state = this.#state;
    if (!(state.control & 1)) return state.base;
    const ticks = Math.floor((this.#host.nowNs - state.baseNs) / this.#tickNs());
    if (ticks <= state.base) return state.base - ticks;
    return state.reload === 0 ? 0 : Math.max(0, state.reload - (ticks - state.base - 1));
  }
  #rebase(): void {
    const state = this.#state;
    if (!(state.control & 1)) return;
    state.base = this.#count();
    state.baseNs = this.#host.nowNs;
    this.#arm();
  }
  #arm(): void {
    const state = this.#state;
    // From 0 the counter first reloads: the wrap to 0 that counts is one reload period later.
    const ticks = state.base > 0 ? state.base : state.reload + 1;
    if (!(state.control & 1) || ticks <= 0 || state.reload === 0) return this.#host.cancel(this, EVENT_WRAP);
    this.#host.schedule(this, EVENT_WRAP, state.baseNs + ticks * this.#tickNs());
  }
}

function fresh(): NvicState {
  return { reload: 0, base: 0, baseNs: 0, control: 0, counted: false, sleepControl: 0 };
}
