import { pins } from "@inkan/device-proto";
import { cardLine, cardLinePatches, clockDivider } from "@inkan/device-proto/pio";
import { characterLevels } from "../cards/characters.js";
import { CardSlot } from "./card-slot.js";
import { Nets } from "./nets.js";
import { PioBlock } from "./pio.js";
import { BareHost } from "./usb-scripted.js";

const PIO = 0x50200000;
const GPIO = 0x40014000;
const PADS = 0x4001c000;

/** Register addresses of PIO0. */
export const pioReg = {
  ctrl: PIO,
  fstat: PIO + 0x04,
  fdebug: PIO + 0x08,
  flevel: PIO + 0x0c,
  txf: (n: number) => PIO + 0x10 + 4 * n,
  rxf: (n: number) => PIO + 0x20 + 4 * n,
  irq: PIO + 0x30,
  irqForce: PIO + 0x34,
  instruction: (n: number) => PIO + 0x48 + 4 * n,
  clkdiv: (n: number) => PIO + 0xc8 + 24 * n,
  execctrl: (n: number) => PIO + 0xcc + 24 * n,
  shiftctrl: (n: number) => PIO + 0xd0 + 24 * n,
  addr: (n: number) => PIO + 0xd4 + 24 * n,
  instr: (n: number) => PIO + 0xd8 + 24 * n,
  pinctrl: (n: number) => PIO + 0xdc + 24 * n,
  intr: PIO + 0x128,
  inte: (line: number) => PIO + 0x12c + 12 * line,
  intf: (line: number) => PIO + 0x130 + 12 * line,
  ints: (line: number) => PIO + 0x134 + 12 * line,
} as const;

/** A board without a CPU: PIO0, pins and slot. The "firmware" is the test. */
export class PioBench extends BareHost {
  readonly #clockListeners: (() => void)[] = [];
  readonly #nets = new Nets(this);
  readonly pio = new PioBlock(this, 0);
  readonly slot = new CardSlot(this);
  #gpout = 0;
  #out = 0;
  #enable = 0;

  constructor() {
    super();
    this.register(this.pio);
    this.register(this.slot);
    for (let pin = 0; pin < 30; pin++) this.write(PADS + 4 + 4 * pin, 0x52);
    for (const pin of [pins.cardRst, pins.cardVcc, pins.cardVsel0, pins.cardVsel1, pins.cardClk, pins.cardIo])
      this.write(GPIO + 4 + 8 * pin, 5);
  }
  override get nets(): Nets {
    return this.#nets;
  }
  override gpoutHz(): number {
    return this.#gpout;
  }
  override listenClocks(listener?: () => void): void {
    if (listener) this.#clockListeners.push(listener);
  }
  /** CLK_GPOUT0 on its pin, or off. */
  clock(hz: number): void {
    this.#gpout = hz;
    this.write(GPIO + 4 + 8 * pins.cardClk, hz ? 8 : 5);
    for (const listener of this.#clockListeners) listener();
  }
  read(address: number): number {
    return this.chip.readUint32(address) >>> 0;
  }
  write(address: number, value: number): void {
    this.chip.writeUint32(address, value >>> 0);
  }
  /** A GPIO by SIO: null lets go. */
  sio(pin: number, level: 0 | 1 | null): void {
    const bit = 1 << pin;
    this.#out = level ? this.#out | bit : this.#out & ~bit;
    this.#enable = level === null ? this.#enable & ~bit : this.#enable | bit;
    this.nets.sio(this.#out, this.#enable);
  }
  /** Lets `ns` of board time pass. */
  pass(ns: number): void {
    this.run(this.nowNs + ns);
  }
}

/** The card-line program driven as line.c does it, without a CPU's delays. */
export class PioReader {
  readonly bench: PioBench;
  inverse = false;
  /** Words that came in: nine levels and the time the CPU took them. */
  readonly received: { byte: number; parityOk: boolean; atNs: number }[] = [];
  #queue: number[] = [];
  etuNs = 372 * 280;
  repeats = 0;
  repeatLimit = 3;
  guard = 0;
  /** Words the CPU may still write before it "freezes". */
  budget = Infinity;
  readonly #patched = new Set<number>();

  constructor(bench: PioBench, words: readonly number[] = cardLine.words) {
    this.bench = bench;
    words.forEach((word, at) => bench.write(pioReg.instruction(at), word));
    bench.write(pioReg.execctrl(0), (pins.cardIo << 24) | (cardLine.wrap << 12) | (cardLine.wrapTarget << 7));
    bench.write(pioReg.pinctrl(0), (1 << 26) | (1 << 20) | (pins.cardIo << 15) | (pins.cardIo << 5) | pins.cardIo);
    bench.write(pioReg.shiftctrl(0), (9 << 20) | (0b1101 << 16)); // autopush at nine, both shifts right
    this.rate(372, 1);
    bench.onIrq = (irq, raised) => {
      if (irq === 7 && raised) this.#serve();
    };
    this.listen();
    bench.write(pioReg.inte(0), 0x101);
    bench.write(0x40014004 + 8 * pins.cardIo, 6);
  }
  /** Writes a patched word, unless the program as loaded is meant to have that form there (a mutant of it must stay one). */
  patch(name: keyof typeof cardLinePatches, on: boolean): void {
    const { at, on: yes, off } = cardLinePatches[name];
    const address = cardLine.labels.get(at)!;
    const word = cardLine.encode(on ? yes : off);
    if (word === cardLine.words[address] && !this.#patched.has(address)) return;
    this.#patched.add(address);
    this.bench.write(pioReg.instruction(address), word);
  }
  /** Error signal and listening for it, convention, character pitch. */
  mode(options: { signal?: boolean; inverse?: boolean; eleven?: boolean }): void {
    this.patch("signal", options.signal ?? false);
    this.patch("sample", options.signal ?? false);
    this.patch("seed", options.inverse ?? false);
    this.patch("release", options.eleven ?? false);
    this.patch("good", options.eleven ?? false);
    this.inverse = options.inverse ?? false;
  }
  rate(f: number, d: number): void {
    this.bench.write(pioReg.clkdiv(0), clockDivider(f, d) << 8);
    this.etuNs = (f * 280) / d;
  }
  #force(...texts: string[]): void {
    this.bench.write(pioReg.ctrl, 0);
    this.bench.write(pioReg.ctrl, 0x10);
    for (const text of texts) this.bench.write(pioReg.instr(0), cardLine.encode(text));
    this.bench.write(pioReg.ctrl, 1);
  }
  listen(): void {
    this.#force("set pins, 0", "set pindirs, 0", "jmp rx");
  }
  /** Sends after `etu` whole etu in the guard loop. */
  send(bytes: readonly number[], etu: number): void {
    this.#queue = bytes.map((byte, i) => {
      const directions = characterLevels(byte, this.inverse).reduce((word, low, bit) => word | ((low ? 1 : 0) << bit), 0);
      return i + 1 < bytes.length ? directions | (this.guard << 10) | (1 << 18) : directions;
    });
    this.#force("set pindirs, 0", `set y, ${etu}`, "mov osr, ~null", "jmp guard");
    this.bench.write(pioReg.inte(0), 0x111);
    this.#serve();
  }
  /** The CPU is back. */
  thaw(): void {
    this.budget = Infinity;
    this.bench.write(pioReg.inte(0), 0x111);
    this.#serve();
  }
  get sending(): boolean {
    const at = this.bench.read(pioReg.addr(0));
    return this.#queue.length > 0 || at < cardLine.labels.get("rx")! || at === cardLine.labels.get("hold");
  }
  #serve(): void {
    const { bench } = this;
    while (!(bench.read(pioReg.fstat) & 0x100)) {
      const word = bench.read(pioReg.rxf(0)) >>> 23;
      const levels = this.inverse ? ~word : word;
      let byte = 0;
      for (let i = 0; i < 8; i++) byte |= ((levels >> i) & 1) << (this.inverse ? 7 - i : i);
      let ones = 0;
      for (let i = 0; i < 9; i++) ones += (levels >> i) & 1;
      this.received.push({ byte, parityOk: ones % 2 === 0, atNs: bench.nowNs });
    }
    while (this.#queue.length && this.budget > 0 && !(bench.read(pioReg.fstat) & 0x10000)) {
      bench.write(pioReg.txf(0), this.#queue.shift()!);
      this.budget--;
    }
    if (!this.#queue.length || this.budget <= 0) bench.write(pioReg.inte(0), 0x101);
    if (bench.read(pioReg.irq) & 1 && this.repeats < this.repeatLimit) {
      this.repeats++;
      bench.write(pioReg.irq, 1);
    }
  }
}
