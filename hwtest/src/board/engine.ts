import { ramMap } from "@inkan/device-proto";
import { StrictChip } from "./chip.js";
import { Clocks } from "./clocks.js";
import { type Core, correctCore, type InterruptLines, loadCore, saveCore, wakes } from "./core.js";
import { Flash } from "./flash.js";
import type { Model, ModelHost, PinNets, RegisterBlock } from "./model.js";
import { Nets } from "./nets.js";
import { Nvic } from "./nvic.js";
import { type Driven, type Pace, Pump } from "./pace.js";
import { EventQueue, type EventRecord } from "./queue.js";
import { Resets, Supervisor } from "./resets.js";
import { enterBoot2, ROM_NS, ROM_TRIES, ROM_TRY_NS } from "./rom.js";
import { rules } from "./rules.js";
import { Sio } from "./sio.js";
import { Ssi } from "./ssi.js";
import { Timer, Watchdog } from "./timers.js";
import { BoardViolation } from "./violation.js";
import { Xip } from "./xip.js";

const RAM_BASE = 0x20000000;
const RAM_SIZE = 0x42000;
const XIP_BASE = 0x10000000;
const XIP_SIZE = 0x01000000;
const STACK_BOTTOM = ramMap.stackTop - ramMap.stackSize;
const WFI = 0xbf30;
const EVENT_ROM_DONE = 0;
const HARD_FAULT = 3;

/** Why the chip starts. */
export type ResetCause = "power" | "run-pin" | "watchdog" | "forced";
/** Where the board is: without power, in the mask ROM, running, or in the ROM's USB loader because boot2's CRC is wrong. */
export type BoardState = "off" | "rom" | "running" | "bootsel";

/** What the engine is made with. */
export interface EngineOptions {
  readonly pace: Pace;
  /** Seeds RAM's power-on content, the ring oscillator's random bits and power cuts. */
  readonly seed: number;
  /** Unique number of the flash, 8 bytes. */
  readonly uniqueId: Uint8Array;
  /** False: a broken rule is only reported to `onViolation`, the board goes on. */
  readonly strict: boolean;
  /** `reset`: an expired watchdog resets the chip, as on silicon. `violation` (default): it ends the run, because nobody meant it. */
  readonly watchdog: "reset" | "violation";
  readonly onViolation?: (violation: BoardViolation) => void;
  readonly onState?: (state: BoardState, cause: ResetCause) => void;
}

/** A whole engine as plain data. */
export interface EngineSnapshot {
  readonly nowNs: number;
  readonly state: BoardState;
  readonly random: number;
  readonly lines: number;
  readonly core: Record<string, unknown>;
  readonly ram: Uint8Array;
  readonly dpram: Uint8Array;
  readonly events: readonly EventRecord[];
  readonly models: Readonly<Record<string, unknown>>;
}

/** CPU, time and events: the run loop under all models. */
export class Engine implements ModelHost, Driven, Model {
  readonly name = "engine";
  readonly chip = new StrictChip();
  readonly nets: PinNets & Nets;
  readonly pump: Pump;
  readonly clocks: Clocks;
  readonly flash: Flash;
  readonly resets: Resets;
  readonly supervisor: Supervisor;
  readonly watchdog: Watchdog;
  readonly #ssi: Ssi;
  readonly #core: Core;
  readonly #queue = new EventQueue();
  readonly #models: Model[] = [];
  readonly #clockListeners: (() => void)[] = [];
  readonly #lines: InterruptLines = { level: 0 };
  readonly #options: EngineOptions;
  #state: BoardState = "off";
  #random: number;
  #halted = false;
  #lockedUp = false;
  /** Attempts of the ROM that a busy flash did not answer. */
  #romTries = 0;
  /** Board time at which the running stretch of instructions ends: the next event, the end of the run, or at once. */
  #horizon = Infinity;
  #extraCycles = 0;
  #gridNs = 0;
  nowNs = 0;
  clkSysHz = 6_500_000;
  clkSysNs = 1e9 / 6_500_000;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#random = options.seed >>> 0 || 0x9e3779b9;
    this.#core = this.chip.core;
    this.pump = new Pump(this, options.pace);
    const charge = (cycles: number): void => {
      this.#extraCycles += cycles;
    };
    this.#queue.register(this);
    this.clocks = new Clocks(this, () => this.#clocksChanged());
    this.resets = new Resets(this, (bits) => this.#hold(bits));
    this.supervisor = new Supervisor(this);
    this.nets = new Nets(this);
    this.flash = new Flash(this, options.uniqueId);
    this.#ssi = new Ssi(this, this.flash);
    const window = new Xip(this, this.flash, this.#ssi, charge);
    this.watchdog = new Watchdog(
      this,
      () => this.clocks.refHz,
      (forced) => this.#bite(forced),
    );
    new Timer(this, this.watchdog);
    const nvic = new Nvic(this, this.#core, this.#lines);
    this.register(nvic);
    this.chip.ppbBlock = nvic;
    this.chip.sioBlock = new Sio(this, this.nets);
    correctCore(this.#core, this.#lines, { charge, violation: (rule, detail) => this.violation(rule, detail) });
    this.chip.connect(
      { violation: (rule, detail) => this.violation(rule, detail), refusal: (bit) => this.resets.refusal(bit) },
      this.flash.bytes,
      window,
    );
  }

  /* ---- ModelHost ---- */
  map(base: number, block: RegisterBlock, model?: Model): void {
    this.chip.map(base, block, model);
  }
  register(model: Model): void {
    const index = this.#models.findIndex((other) => other.name === model.name);
    if (index >= 0) this.#models[index] = model;
    else this.#models.push(model);
    this.#queue.register(model);
  }
  /** Takes a model (a card that was pulled) off the board. */
  unregister(model: Model): void {
    const index = this.#models.indexOf(model);
    if (index >= 0) this.#models.splice(index, 1);
    this.#queue.unregister(model);
  }
  schedule(model: Model, kind: number, atNs: number, argument = 0): void {
    this.#queue.schedule(model, kind, Math.max(atNs, this.nowNs), argument);
    if (this.#queue.nextAt < this.#horizon) this.#horizon = this.#queue.nextAt;
  }
  cancel(model: Model, kind: number): void {
    this.#queue.cancel(model, kind);
  }
  setIrq(irq: number, raised: boolean): void {
    this.#core.setInterrupt(irq, raised);
  }
  inReset(resetBit: number): boolean {
    return this.resets.held(resetBit);
  }
  gpoutHz(index: number): number {
    return this.clocks.gpoutHz(index);
  }
  listenClocks(listener: () => void): void {
    this.#clockListeners.push(listener);
  }
  random(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#random = x >>> 0);
  }
  violation(rule: string, detail: string): void {
    if (!(rule in rules)) throw new Error(`a model names a rule that rules.ts does not have: ${rule}`);
    const violation = new BoardViolation(rule, detail, this.#core.PC, this.nowNs);
    this.#options.onViolation?.(violation);
    if (this.#options.strict) throw violation;
  }

  /* ---- running ---- */
  get state(): BoardState {
    return this.#state;
  }
  get cpuAlive(): boolean {
    return this.#state === "running" && !this.#lockedUp;
  }
  get hurrying(): boolean {
    return this.#queue.hurrying;
  }
  /** True when nothing will ever happen again without help from outside. */
  get idleForEver(): boolean {
    return this.#queue.nextAt === Infinity && (this.#state !== "running" || this.#core.waiting || this.#lockedUp);
  }
  halt(): void {
    this.#halted = true;
    this.#horizon = -Infinity;
  }

  /** Runs to `limitNs`, in whole nanoseconds (the wall clock has fractions, the board's models count), or for `maxSteps`. True: reached. */
  run(limitNs: number, maxSteps: number): boolean {
    const untilNs = Math.ceil(limitNs);
    const core = this.#core;
    const queue = this.#queue;
    let steps = maxSteps;
    this.#halted = false;
    while (steps > 0 && !this.#halted) {
      if (queue.nextAt <= this.nowNs) {
        queue.deliver();
        steps--;
      } else if (this.nowNs >= untilNs) return true;
      else if (this.#state === "running" && !core.waiting && !this.#lockedUp) {
        this.#horizon = Math.min(queue.nextAt, untilNs);
        steps = this.#execute(core, steps);
        if (core.waiting) this.#fellAsleep(core);
      } else if (this.#state === "running" && !this.#lockedUp && wakes(core)) {
        core.waiting = false;
        core.interruptsUpdated = true;
        this.#align();
      } else {
        const next = Math.min(queue.nextAt, untilNs);
        if (next === Infinity) return true;
        this.nowNs = next;
        steps--;
      }
    }
    return this.nowNs >= untilNs && queue.nextAt > this.nowNs;
  }

  /** Instructions until the horizon, sleep, or the end of `steps`; returns what is left of them. Nothing here allocates. */
  #execute(core: Core, steps: number): number {
    const { registers } = core;
    do {
      const pc = registers[15]!;
      if ((pc - RAM_BASE) >>> 0 >= RAM_SIZE && (pc - XIP_BASE) >>> 0 >= XIP_SIZE) this.violation("cpu/not-code", `pc 0x${pc.toString(16)}`);
      const cycles = core.executeInstruction();
      this.nowNs += (cycles + this.#extraCycles) * this.clkSysNs;
      this.#extraCycles = 0;
      if (registers[13]! < STACK_BOTTOM) this.violation("cpu/stack", `SP 0x${registers[13]!.toString(16)}`);
    } while (--steps > 0 && this.nowNs < this.#horizon && !core.waiting);
    return steps;
  }

  /** The sleep race can only be seen, not met, so the idiom itself is the rule. */
  #fellAsleep(core: Core): void {
    if (!core.PM && core.IPSR === 0 && core.enabledInterrupts !== 0 && this.chip.readUint16(core.PC - 2) === WFI)
      this.violation("cpu/wfi-race", "WFI in thread mode with PRIMASK = 0");
  }
  /** The CPU starts again on an edge of clk_sys. */
  #align(): void {
    const cycles = Math.ceil((this.nowNs - this.#gridNs) / this.clkSysNs);
    this.nowNs = Math.max(this.nowNs, this.#gridNs + cycles * this.clkSysNs);
  }
  #clocksChanged(): void {
    const hz = this.clocks.sysHz;
    if (hz > 0 && hz !== this.clkSysHz) {
      // A new grid begins on a whole nanosecond: at 125 MHz all times of the CPU stay whole.
      this.nowNs = Math.ceil(this.nowNs);
      this.#gridNs = this.nowNs;
      this.clkSysHz = hz;
      this.clkSysNs = 1e9 / hz;
    }
    this.chip.clkSys = this.clkSysHz;
    this.chip.clkPeri = this.clocks.periHz;
    for (const listener of this.#clockListeners) listener();
  }
  #hold(bits: number): void {
    for (const model of this.#models) if (model.resetBit !== undefined && (bits >>> model.resetBit) & 1) model.reset(false);
  }

  /* ---- power and reset ---- */
  /**
   * Power comes on. RAM holds what the seed says: firmware must not count on zeros; with `keepRam` what it held before, as after a cut too
   * short for the cells to forget.
   */
  powerOn(options: { readonly keepRam?: boolean } = {}): void {
    if (!options.keepRam) {
      for (let index = 0; index < this.chip.ram32.length; index++) this.chip.ram32[index] = this.random();
      this.chip.usbDPRAM.fill(0);
    }
    this.#restart("power");
  }
  /** The CPU takes a HardFault before its next instruction, whatever it does now: a particle, a glitch, a bug nobody has met yet. */
  hardFault(): void {
    const core = this.#core;
    if (this.#state !== "running") return;
    if (core.IPSR === 2 || core.IPSR === 3) return this.lockUp();
    core.waiting = false;
    core.exceptionEntry(HARD_FAULT);
  }
  /** The CPU locks up (ARMv6-M ARM §B1.5.15): it fetches nothing more until a reset, which only the watchdog can bring. */
  lockUp(): void {
    this.#lockedUp = this.#state === "running";
    this.halt();
  }
  /** Power fails now: what the flash was writing is torn, all other state is lost. */
  powerOff(): void {
    this.#state = "off";
    for (const model of this.#models) model.reset(true);
    this.#options.onState?.("off", "power");
  }
  /** The RUN pin is pulled low and let go. */
  runPin(): void {
    this.supervisor.runPin();
    this.#restart("run-pin");
  }
  #bite(forced: boolean): void {
    if (!this.supervisor.watchdogResetsChip) this.violation("watchdog/partial", "PSM_WDSEL does not hold all but the oscillators");
    if (!forced && this.#options.watchdog === "violation") this.violation("watchdog/expired", "not fed in time");
    this.#restart(forced ? "forced" : "watchdog");
  }
  #restart(cause: ResetCause): void {
    const core = this.#core;
    const cold = cause === "power";
    Object.assign(core, {
      PM: false,
      IPSR: 0,
      VTOR: 0,
      SHPR2: 0,
      SHPR3: 0,
      nPRIV: false,
      N: false,
      Z: false,
      C: false,
      V: false,
      currentMode: 0,
      SPSEL: 0,
    });
    Object.assign(core, {
      pendingInterrupts: 0,
      enabledInterrupts: 0,
      interruptPriorities: [0xffffffff, 0, 0, 0],
      interruptsUpdated: false,
      waiting: false,
    });
    Object.assign(core, {
      pendingNMI: false,
      pendingPendSV: false,
      pendingSVCall: false,
      pendingSystick: false,
      eventRegistered: false,
      cycles: 0,
      bankedSP: 0,
    });
    core.registers.fill(0);
    core.SP = ramMap.stackTop;
    this.#lines.level = 0;
    this.#lockedUp = false;
    this.#romTries = 0;
    for (const model of this.#models) model.reset(cold);
    this.watchdog.setReason(cause === "watchdog" ? 1 : cause === "forced" ? 2 : 0);
    this.#state = "rom";
    this.#options.onState?.("rom", cause);
    this.schedule(this, EVENT_ROM_DONE, this.nowNs + ROM_NS);
    this.halt();
  }
  onEvent(): void {
    // A flash that still erases or programs answers nothing: the ROM tries again, and at last waits for USB.
    if (this.flash.busy && ++this.#romTries < ROM_TRIES) return this.schedule(this, EVENT_ROM_DONE, this.nowNs + ROM_TRY_NS);
    this.#ssi.setByRom();
    this.resets.releaseForRom();
    this.#gridNs = this.nowNs = Math.ceil(this.nowNs);
    this.#state = !this.flash.busy && enterBoot2(this.chip, this.flash) ? "running" : "bootsel";
    this.#options.onState?.(this.#state, "power");
    this.halt();
  }

  /* ---- Model: the engine's own part of a chip reset and of snapshots is above and below ---- */
  reset(): void {}
  save(): EngineSnapshot {
    const models: Record<string, unknown> = {};
    for (const model of this.#models) models[model.name] = model.save();
    return {
      nowNs: this.nowNs, state: this.#state, random: this.#random, lines: this.#lines.level, core: { ...saveCore(this.#core), gridNs: this.#gridNs, lockedUp: this.#lockedUp, romTries: this.#romTries },
      ram: this.chip.sram.slice(), dpram: this.chip.usbDPRAM.slice(), events: this.#queue.save(), models,
    }; // prettier-ignore
  }
  load(saved: unknown): void {
    const snapshot = saved as EngineSnapshot;
    this.#queue.clear();
    const { gridNs, lockedUp, romTries, ...core } = snapshot.core;
    // What models derive from their state may depend on the time.
    this.nowNs = snapshot.nowNs;
    for (const model of this.#models) {
      if (!(model.name in snapshot.models)) throw new Error(`a snapshot lacks ${model.name}`);
      model.load(snapshot.models[model.name]);
    }
    this.#state = snapshot.state;
    this.#random = snapshot.random;
    this.chip.sram.set(snapshot.ram);
    this.chip.usbDPRAM.set(snapshot.dpram);
    loadCore(this.#core, core);
    this.#lines.level = snapshot.lines;
    this.clkSysHz = this.clocks.sysHz;
    this.clkSysNs = 1e9 / this.clkSysHz;
    this.#gridNs = gridNs as number;
    this.#lockedUp = lockedUp as boolean;
    this.#romTries = romTries as number;
    this.chip.clkSys = this.clkSysHz;
    this.#queue.load(snapshot.events);
  }
}
