import type { I2cDevice } from "./i2c.js";
import type { Model, ModelHost } from "./model.js";

/** Panel size in pixels. */
export const DISPLAY_WIDTH = 128;
export const DISPLAY_HEIGHT = 64;
const PAGES = 8;
/** Commands with arguments, and how many (SSD1306 data sheet, table 9-1). */
const ARGUMENTS: Readonly<Record<number, number>> = {
  0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2a: 5, 0x81: 1, 0x8d: 1, 0xa3: 2, 0xa8: 1, 0xd3: 1, 0xd5: 1, 0xd9: 1, 0xda: 1, 0xdb: 1,
}; // prettier-ignore

interface DisplayState {
  ram: Uint8Array;
  on: boolean;
  chargePump: boolean;
  inverse: boolean;
  allOn: boolean;
  mirrorX: boolean;
  mirrorY: boolean;
  startLine: number;
  /** 0 horizontal, 1 vertical, 2 page addressing. */
  mode: number;
  column: [at: number, from: number, to: number];
  page: [at: number, from: number, to: number];
  /** Command and arguments received so far. */
  pending: number[];
  /** Control byte: undefined until the first byte after start. */
  control: number;
  single: boolean;
  dirty: boolean;
  revision: number;
  /** When each page's first column was last written, and when a whole page that began then was complete: ns of its beginning. */
  begunNs: number[];
  wholeNs: number[];
}

/** The SSD1306 panel at I2C address 3C: commands and RAM, and the pixels a person sees. It powers up with random RAM, as the real one. */
export class Display implements Model, I2cDevice {
  readonly name = "display";
  readonly address = 0x3c;
  /** Called after a transfer changed what is seen. */
  readonly #listeners = new Set<() => void>();
  readonly #host: ModelHost;
  #state: DisplayState;

  constructor(host: ModelHost) {
    this.#host = host;
    this.#state = fresh(new Uint8Array(DISPLAY_WIDTH * PAGES));
    host.register(this);
  }
  save(): DisplayState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as DisplayState);
  }
  reset(power: boolean): void {
    if (!power) return;
    const { revision } = this.#state;
    const ram = new Uint8Array(DISPLAY_WIDTH * PAGES);
    for (let index = 0; index < ram.length; index++) ram[index] = this.#host.random();
    this.#state = { ...fresh(ram), revision: revision + 1 };
    this.#tell();
  }
  /** Counts the changes of what is seen. */
  get revision(): number {
    return this.#state.revision;
  }
  /** Board time in ns at which the sending of a page began that has since arrived whole. */
  pageNs(page: number): number {
    return this.#state.wholeNs[page]!;
  }
  /** `listener` is called after each change; the function returned takes it off. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  /** What a person sees, in the panel's page format: 8 pages of 128 columns, least significant bit on top. Dark while off. */
  get pixels(): Uint8Array {
    const pixels = new Uint8Array(DISPLAY_WIDTH * PAGES);
    for (let y = 0; y < DISPLAY_HEIGHT; y++)
      for (let x = 0; x < DISPLAY_WIDTH; x++) if (this.lit(x, y)) pixels[(y >> 3) * DISPLAY_WIDTH + x]! |= 1 << (y & 7);
    return pixels;
  }
  /** Is the pixel lit? The module is mounted for segment remap A1 and COM scan C8. */
  lit(x: number, y: number): boolean {
    const { ram, on, chargePump, allOn, inverse, mirrorX, mirrorY, startLine } = this.#state;
    if (!on || !chargePump) return false;
    if (allOn) return true;
    const column = mirrorX ? x : DISPLAY_WIDTH - 1 - x;
    const row = ((mirrorY ? y : DISPLAY_HEIGHT - 1 - y) + startLine) % DISPLAY_HEIGHT;
    return (((ram[(row >> 3) * DISPLAY_WIDTH + column]! >>> (row & 7)) & 1) === 1) !== inverse;
  }

  /* ---- I2cDevice ---- */
  start(reading: boolean): boolean {
    this.#state.control = -1;
    this.#state.pending = [];
    return !reading;
  }
  read(): number {
    return 0xff;
  }
  write(byte: number): boolean {
    const state = this.#state;
    if (state.control < 0) {
      // Co = 1: one byte follows, then another control byte (data sheet §8.1.5.2).
      state.control = byte & 0x40;
      state.single = (byte & 0x80) !== 0;
      return true;
    }
    if (state.control) this.#data(byte);
    else this.#command(byte);
    if (state.single) state.control = -1;
    return true;
  }
  stop(): void {
    if (this.#state.dirty) this.#tell();
  }
  #tell(): void {
    this.#state.dirty = false;
    this.#state.revision++;
    for (const listener of this.#listeners) listener();
  }
  #data(byte: number): void {
    const state = this.#state;
    const index = state.page[0] * DISPLAY_WIDTH + state.column[0];
    if (state.ram[index] !== byte) state.dirty = true;
    state.ram[index] = byte;
    const [page] = state.page;
    if (state.column[0] === 0) state.begunNs[page] = this.#host.nowNs;
    else if (state.column[0] === DISPLAY_WIDTH - 1) state.wholeNs[page] = state.begunNs[page]!;
    if (state.mode === 1) {
      if (step(state.page)) step(state.column);
    } else if (state.mode === 0) {
      if (step(state.column)) step(state.page);
    } else state.column[0] = (state.column[0] + 1) % DISPLAY_WIDTH;
  }
  #command(byte: number): void {
    const { pending } = this.#state;
    pending.push(byte);
    if (pending.length <= (ARGUMENTS[pending[0]!] ?? 0)) return;
    const [command, ...rest] = pending as [number, ...number[]];
    this.#state.pending = [];
    this.#state.dirty = true;
    this.#execute(command, rest);
  }
  #execute(command: number, [first = 0, second = 0]: number[]): void {
    const state = this.#state;
    if (command < 0x10) state.column[0] = (state.column[0] & 0xf0) | command;
    else if (command < 0x20) state.column[0] = (state.column[0] & 0x0f) | ((command & 7) << 4);
    else if (command === 0x20) state.mode = first & 3;
    else if (command === 0x21) state.column = [first & 127, first & 127, second & 127];
    else if (command === 0x22) state.page = [first & 7, first & 7, second & 7];
    else if (command >= 0x40 && command < 0x80) state.startLine = command & 63;
    else if (command === 0x8d) state.chargePump = (first & 4) !== 0;
    else if ((command & 0xfe) === 0xa0) state.mirrorX = (command & 1) === 1;
    else if ((command & 0xfe) === 0xa4) state.allOn = (command & 1) === 1;
    else if ((command & 0xfe) === 0xa6) state.inverse = (command & 1) === 1;
    else if ((command & 0xfe) === 0xae) state.on = (command & 1) === 1;
    else if (command >= 0xb0 && command < 0xb8) state.page[0] = command & 7;
    else if ((command & 0xf0) === 0xc0) state.mirrorY = (command & 8) !== 0;
    else if (command === 0xd3 && first !== 0) this.#host.violation("chip/not-modelled", "display offset other than 0");
    else if (ARGUMENTS[command] === undefined && command !== 0x2e && command !== 0xe3)
      this.#host.violation("display/unknown-command", `0x${command.toString(16)}`);
    else if (command === 0x26 || command === 0x27 || command === 0x29 || command === 0x2a)
      this.#host.violation("chip/not-modelled", "display scrolling");
  }
}

/** Next position in a window; true when it wrapped. */
function step(range: [at: number, from: number, to: number]): boolean {
  if (range[0] !== range[2]) {
    range[0]++;
    return false;
  }
  range[0] = range[1];
  return true;
}

function fresh(ram: Uint8Array): DisplayState {
  return {
    ram, on: false, chargePump: false, inverse: false, allOn: false, mirrorX: false, mirrorY: false, startLine: 0, mode: 2, column: [0, 0, 127], page: [0, 0, 7],
    pending: [], control: -1, single: false, dirty: false, revision: 0, begunNs: new Array<number>(PAGES).fill(0), wholeNs: new Array<number>(PAGES).fill(0),
  }; // prettier-ignore
}
