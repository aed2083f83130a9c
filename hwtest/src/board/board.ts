import { type KeyName, flashMap, pins } from "@inkan/device-proto";
import { BoardClock } from "./board-clock.js";
import { createCardLine } from "./card-line.js";
import type { CardSlot } from "./card-slot.js";
import { CdcAcm } from "./cdc.js";
import { Display } from "./display.js";
import { type BoardState, Engine, type EngineSnapshot, type ResetCause } from "./engine.js";
import { Front } from "./front.js";
import { I2c } from "./i2c.js";
import { Keypad } from "./keypad.js";
import type { LineCard } from "./model.js";
import { BoardDeadline, type Pace } from "./pace.js";
import { Pwm } from "./pwm.js";
import { Screen } from "./screen.js";
import { Uart } from "./uart.js";
import { attachUsb, VirtualUsbDevice } from "./usb-device.js";
import type { EnumeratedDevice, UsbHost } from "./usb-host.js";
import { createUsb } from "./usb.js";
import type { BoardViolation } from "./violation.js";

/** What a board is made of and how it runs. */
export interface BoardOptions {
  /** Flash from 0x000000: boot2 and the loader. */
  readonly boot: Uint8Array;
  /** The image for slot A. */
  readonly image: Uint8Array;
  /** A whole flash (2 MiB) from an earlier run, before `boot` and `image` are laid into it. */
  readonly flash?: Uint8Array;
  readonly pace: Pace;
  /** Repeats a run to the byte; default 1. */
  readonly seed?: number;
  /** False: broken rules are reported as events and the board goes on. Default true. */
  readonly strict?: boolean;
  /** `reset`: a watchdog that expires resets the chip; default `violation`: nobody meant it to. */
  readonly watchdog?: "reset" | "violation";
  /** What is printed on the pad's keys, [row][column]; default the reference product's. */
  readonly keypad?: readonly (readonly KeyName[])[];
  /** Unique number of the flash, which is the reader's serial number. */
  readonly uniqueId?: Uint8Array;
}

/** What happens on the board, for people and tests that watch. */
export type BoardEvent =
  | { readonly type: "state"; readonly state: BoardState; readonly cause: ResetCause }
  | { readonly type: "lamp"; readonly lit: boolean }
  | { readonly type: "tone"; readonly hertz: number }
  | { readonly type: "display"; readonly revision: number }
  | { readonly type: "card"; readonly inserted: boolean }
  | { readonly type: "violation"; readonly violation: BoardViolation };

/** A board as plain data (`structuredClone`, `v8.serialize`). */
export interface BoardSnapshot {
  readonly engine: EngineSnapshot;
}

const DEFAULT_ID = Uint8Array.of(0xe6, 0x61, 0xa4, 0xd1, 0x73, 0x1b, 0x00, 0x01);
/** How often `runUntil` looks, in ns of board time. */
const LOOK_NS = 100_000;
/** Run in one go by `runFor` between two turns of the event loop, in steps. */
const SLICE_STEPS = 400_000;

/** The cable to the computer. */
export interface BoardUsb {
  readonly host: UsbHost;
  /** The same object over unplugging; it must be opened again after one. */
  readonly device: VirtualUsbDevice;
  /** Plugs in: bus reset and enumeration. */
  attach(): Promise<EnumeratedDevice>;
  detach(): void;
  suspend(): void;
  resume(): void;
}

/** The slot, for whoever holds the card. */
export interface BoardSlot {
  readonly card: LineCard | null;
  insert(card: LineCard): void;
  remove(): void;
  /** The front end's over-current report on or off. */
  overCurrent(on: boolean): void;
}

/**
 * The whole reader, virtual: the released ARM image runs from reset through boot2 and the loader on rp2040js' CPU, between models
 * that refuse what silicon would refuse. Time runs as `pace` says; everything inside is deterministic for a seed.
 */
export class VirtualBoard {
  readonly engine: Engine;
  readonly clock: BoardClock;
  readonly display: Screen;
  readonly keypad: Keypad;
  readonly front: Front;
  readonly uart: Uart;
  readonly usb: BoardUsb;
  readonly cdc: CdcAcm;
  readonly slot: BoardSlot;
  readonly #listeners = new Set<(event: BoardEvent) => void>();

  private constructor(options: BoardOptions) {
    this.engine = new Engine({
      pace: options.pace,
      seed: options.seed ?? 1,
      uniqueId: options.uniqueId ?? DEFAULT_ID,
      strict: options.strict ?? true,
      watchdog: options.watchdog ?? "violation",
      onViolation: (violation) => this.#emit({ type: "violation", violation }),
      onState: (state, cause) => this.#emit({ type: "state", state, cause }),
    });
    const { engine } = this;
    const { nets } = engine;
    const panel = new Display(engine);
    new I2c(engine, nets, [pins.displaySda, pins.displayScl], panel);
    this.front = new Front(engine, nets, new Pwm(engine, nets));
    this.uart = new Uart(engine, nets, [pins.uart0Tx, pins.uart0Rx], () => engine.clocks.periHz);
    this.keypad = new Keypad(engine, nets, options.keypad);
    this.display = new Screen(panel, this.front);
    this.clock = new BoardClock(engine);
    this.slot = this.#slot(createCardLine(engine).slot);
    const { host } = createUsb(engine);
    this.cdc = new CdcAcm(host);
    this.usb = {
      host,
      device: new VirtualUsbDevice(host),
      attach: () => attachUsb(host),
      detach: () => host.unplug(),
      suspend: () => host.suspend(),
      resume: () => host.resume(),
    };
    this.front.listen({ lamp: (lit) => this.#emit({ type: "lamp", lit }), tone: (hertz) => this.#emit({ type: "tone", hertz }) });
    panel.listen(() => this.#emit({ type: "display", revision: panel.revision }));
    const { bytes } = engine.flash;
    if (options.flash) bytes.set(options.flash.subarray(0, bytes.length));
    bytes.set(options.boot, flashMap.boot2.at);
    bytes.set(options.image, flashMap.slotA.at);
  }

  /** Power on. In pace `free` nothing runs until somebody waits. */
  static async boot(options: BoardOptions): Promise<VirtualBoard> {
    if (options.boot.length > flashMap.bootState.at || options.image.length > flashMap.slotA.size)
      throw new RangeError("boot code or image does not fit its place in flash");
    const board = new VirtualBoard(options);
    board.engine.powerOn();
    board.engine.pump.start();
    return board;
  }

  /** ns of board time since it was made. */
  get nowNs(): number {
    return this.engine.nowNs;
  }
  get state(): BoardState {
    return this.engine.state;
  }
  get lamp(): boolean {
    return this.front.lit;
  }
  /** A copy of the flash's content, for a later board. */
  get flashImage(): Uint8Array {
    return this.engine.flash.bytes.slice();
  }
  /** Why the board stopped for good: a `BoardViolation`, or the reason of `close`. */
  get failure(): unknown {
    return this.engine.pump.failure;
  }
  /** Watches; the function returned ends it. */
  on(listener: (event: BoardEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  /** Presses keys one after the other. */
  type(keys: readonly KeyName[]): Promise<void> {
    return this.keypad.type(keys);
  }

  /** Lets `ms` of board time pass. */
  run(ms: number): Promise<void> {
    return this.clock.sleep(ms);
  }
  /** Lets time pass until `predicate` holds (looked at every 0.1 ms). @throws BoardDeadline at `deadlineNs` of board time. */
  async runUntil(predicate: () => boolean, deadlineNs: number): Promise<void> {
    while (!predicate()) {
      if (this.nowNs >= deadlineNs) throw new BoardDeadline(`what was waited for had not happened at ${(deadlineNs / 1e6).toFixed(3)} ms`);
      await this.clock.sleep(LOOK_NS / 1e6);
    }
  }
  /** Runs `ms` in one go, without promises: for loops of tests in pace `free` while nobody waits. */
  runFor(ms: number): void {
    const until = this.nowNs + ms * 1e6;
    while (!this.engine.run(until, SLICE_STEPS) && this.nowNs < until);
  }

  /** All models, RAM and CPU as plain data. Take it while nobody waits; what a host has under way is not part of it. */
  snapshot(): BoardSnapshot {
    return { engine: this.engine.save() };
  }
  /** Puts the board back. The slot must hold a card exactly when it did. */
  restore(snapshot: BoardSnapshot): void {
    this.engine.load(snapshot.engine);
  }
  /** The RUN pin, pulled low and let go. */
  reset(): void {
    this.engine.runPin();
  }
  /** Power fails now; what the flash was writing is torn. `powerOn` begins again. */
  powerOff(): void {
    this.usb.detach();
    this.engine.powerOff();
  }
  /** `keepRam`: the cut was too short for SRAM to forget. */
  powerOn(options: { readonly keepRam?: boolean } = {}): void {
    this.engine.powerOn(options);
  }
  /** Ends the board: whoever waits gets an error. */
  close(): void {
    this.engine.pump.stop(new Error("the board was closed"));
    this.#listeners.clear();
  }

  #slot(slot: CardSlot): BoardSlot {
    return {
      get card() {
        return slot.card;
      },
      insert: (card) => {
        slot.insert(card);
        this.#emit({ type: "card", inserted: true });
      },
      remove: () => {
        slot.remove();
        this.#emit({ type: "card", inserted: false });
      },
      overCurrent: (on) => slot.overCurrent(on),
    };
  }
  #emit(event: BoardEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
