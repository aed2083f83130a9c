import type { RP2040 } from "rp2040js";
import type { Pump } from "./pace.js";

/**
 * What every chip or board model is made of. A model keeps all its state as plain data (numbers, strings, typed arrays,
 * arrays and objects of those), so that a snapshot is `save()` and a restored run is byte-equal to a booted one. Time is
 * the board's own, in nanoseconds since power-on; a model never reads a wall clock and never holds a closure in the
 * event queue: an event is (model, kind, argument).
 */
export interface Model {
  /** Unique name, also the address of its events. */
  readonly name: string;
  /** Bit of RESETS that holds this block in reset. While it is held, the bus refuses the block (`reset/access`); when firmware sets it, `reset(false)` is called. */
  readonly resetBit?: number;
  /** True for the card, its line, flash and display: in pace `line` the board skips ahead while such a model has an event pending. */
  readonly hurry?: boolean;
  /** A deep copy of the state as plain data. */
  save(): unknown;
  load(state: unknown): void;
  /** Chip reset (`power` = true also loses what power keeps). */
  reset(power: boolean): void;
  /** A scheduled event is due. */
  onEvent?(kind: number, argument: number): void;
}

/** One rule of the strictness layer. A broken rule ends a test with this name; see `rules.ts` for the sentences. */
export type RuleName = string;

/** A digital level on a net. */
export type Level = 0 | 1;

/**
 * A block of registers on the APB, AHB-Lite or XIP bus. `write` gets the value after the atomic alias was applied (RP2040
 * datasheet §2.1.2) and, as `raw`, what the CPU put on the bus: write-1-to-clear bits look at `raw`.
 */
export interface RegisterBlock {
  read(offset: number): number;
  write(offset: number, value: number, raw: number): void;
  /** Reads without side effects, for atomic aliases; `read` is used where it is absent. */
  peek?(offset: number): number;
}

/** What the board gives to its models. */
export interface ModelHost {
  readonly chip: RP2040;
  /** Puts a block of registers at `base` (e.g. 0x50200000). `model` gives its reset bit; without it RESETS does not gate the block. */
  map(base: number, block: RegisterBlock, model?: Model): void;
  /** Makes the model known: part of snapshots and chip resets, and addressable by events. The board does it for every model it creates. */
  register(model: Model): void;
  /** clk_sys in Hz now; `clkSysNs` = one cycle in ns. Listeners are called after any clock (clk_sys, GPOUTn) changed. */
  readonly clkSysHz: number;
  readonly clkSysNs: number;
  /** Frequency of CLK_GPOUTn in Hz, 0 = stopped. Whether it reaches a pin is `nets.funcsel(pin) === 8`. */
  gpoutHz(index: number): number;
  listenClocks(listener: () => void): void;
  /** The board's own randomness (seeded xorshift, part of snapshots): 0 … 2³²-1. */
  random(): number;
  /** Promises for the outside world are made here, so that pace `free` knows that somebody waits. */
  readonly pump: Pump;
  /** Board time in ns since power-on (exact within the running instruction). */
  readonly nowNs: number;
  /** Calls `onEvent(kind, argument)` of `model` at `atNs` (≥ now). Equal times run first-in first-out. One (model, kind) pair may be pending once; scheduling again moves it. */
  schedule(model: Model, kind: number, atNs: number, argument?: number): void;
  cancel(model: Model, kind: number): void;
  /** Level-sensitive interrupt line of the NVIC. */
  setIrq(irq: number, raised: boolean): void;
  /** A rule is broken: in strict mode (default) the board stops with a `BoardViolation` carrying the rule's name, the PC and the time. */
  violation(rule: RuleName, detail: string): void;
  readonly nets: PinNets;
  /** True while `block` (bit number in RESETS) is held in reset. */
  inReset(resetBit: number): boolean;
  /** False while the CPU fetches nothing: locked up, in reset, in the ROM, without power. */
  readonly cpuAlive: boolean;
}

/** The wires outside the chip. A net's level = wired AND of the chip's drive, every outside drive, and the pull. */
export interface PinNets {
  /** Level on the wire now. */
  level(pin: number): Level;
  /** An outside party drives the wire (null = lets go). `source` names it, so that two parties can be told apart. */
  drive(pin: number, source: string, level: Level | null): void;
  /** A resistor outside the chip: keeps the level when nobody drives. */
  pull(pin: number, level: Level | null): void;
  /** What the chip itself does on the pin now, after function select, overrides and pad settings; null = high impedance. */
  chipDrive(pin: number): Level | null;
  /** True when the pad's input buffer is on, so that a peripheral can hear the pin. */
  inputEnabled(pin: number): boolean;
  /** Function number selected in IO_BANK0 (5 = SIO, 6 = PIO0, 31 = none, …). */
  funcsel(pin: number): number;
  /** The pad's register in PADS_BANK0: 80 output off, 40 input enable, 30 drive, 08 pull-up, 04 pull-down, 02 Schmitt, 01 fast. */
  pad(pin: number): number;
  /** Called after a level, the chip's drive or the function select changed. Listeners are fixed at construction; they are not part of a snapshot. */
  listen(pin: number, listener: (pin: number) => void): void;
  /** A peripheral model (PIO, PWM) tells what it puts on its function's output: `level` counts only where `enable` is 1. */
  peripheralOutput(funcsel: number, pin: number, level: Level, enable: Level): void;
}

/** The line side of a card, as the slot sees it (implemented in `hwtest/src/cards`). Levels and times, nothing else. */
export interface LineCard extends Model {
  /** Put in or pulled out. */
  attach(line: CardLine): void;
  detach(): void;
  /** VCC class changed: 0 off, 1 = 5 V, 2 = 3 V, 3 = 1.8 V. */
  onVcc(voltageClass: 0 | 1 | 2 | 3, atNs: number): void;
  onReset(level: Level, atNs: number): void;
  /** Clock started (Hz) or stopped (0). */
  onClock(hz: number, atNs: number): void;
  /** How CLK may rest while the card is active: 0 or absent = not at all, 1 = low, 2 = high, 3 = either (TA for T=15, ISO 7816-3 §8.3). */
  readonly clockStop?: number;
  /** The reader's own drive of I/O changed: true = pulls low. */
  onReaderIo(low: boolean, atNs: number): void;
}

/** What the slot gives to a card. */
export interface CardLine {
  readonly nowNs: number;
  /** False while the reader's CPU fetches nothing: its pauses are those of a dead reader, not of one that breaks a rule. */
  readonly readerAlive: boolean;
  /** The card pulls I/O low, or lets go. */
  driveIo(low: boolean): void;
  schedule(kind: number, atNs: number, argument?: number): void;
  cancel(kind: number): void;
  /** The reader broke a rule of the line ("card-line/…"). */
  violation(rule: RuleName, detail: string): void;
}
