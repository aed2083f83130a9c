import { RP2040 } from "rp2040js";
import type { Model, ModelHost, PinNets, RegisterBlock } from "./model.js";
import { type Pace, Pump } from "./pace.js";
import { EventQueue } from "./queue.js";
import { buf, dpram, epCtrl, irq, main, muxing, pwr, reg, sieCtrl, sieStatus } from "./usb-registers.js";
import { BoardViolation } from "./violation.js";

/** Time from an interrupt to its handler, in ns. */
const LATENCY_NS = 1_500;
const REGISTERS = 0x50110000;
const DPRAM = 0x50100000;
const CLEAR = 0x3000;

/**
 * A board without a CPU: clock, event queue and the USB block only. The "firmware" is TypeScript that pokes registers, so
 * that one wrong bit at a time can be tried.
 */
export class BareHost implements ModelHost {
  readonly chip = new RP2040();
  readonly clkSysHz = 125e6;
  readonly clkSysNs = 8;
  readonly queue = new EventQueue();
  readonly pump: Pump;
  readonly violations: string[] = [];
  /** False: violations are only collected. */
  strict = true;
  nowNs = 0;
  /** What RESETS holds. */
  held = new Set<number>();
  irqs = 0;
  /** Events delivered so far. */
  events = 0;
  onIrq: ((irq: number, raised: boolean) => void) | undefined;
  #seed = 0x2545f491;
  #halt = false;

  constructor(pace: Pace = "free") {
    const now = (): number => this.nowNs;
    this.pump = new Pump(
      {
        get nowNs() {
          return now();
        },
        run: (untilNs) => this.run(untilNs),
        halt: () => (this.#halt = true),
        hurrying: false,
      },
      pace,
    );
  }

  get nets(): PinNets {
    throw new Error("this bench has no pins");
  }
  gpoutHz(): number {
    return 0;
  }
  listenClocks(): void {}
  register(model: Model): void {
    this.queue.register(model);
  }
  map(base: number, block: RegisterBlock): void {
    this.chip.peripherals[(base >>> 14) << 2] = {
      readUint32: (offset) => block.read(offset),
      writeUint32: (offset, value) => block.write(offset, value, value),
      writeUint32Atomic: (offset, raw, type) => {
        const old = type ? (block.peek ?? block.read).call(block, offset) : 0;
        block.write(offset, (type === 1 ? old ^ raw : type === 2 ? old | raw : type === 3 ? old & ~raw : raw) >>> 0, raw >>> 0);
      },
    };
  }
  random(): number {
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    return this.#seed >>> 0;
  }
  schedule(model: Model, kind: number, atNs: number, argument = 0): void {
    this.queue.schedule(model, kind, Math.max(atNs, this.nowNs), argument);
  }
  cancel(model: Model, kind: number): void {
    this.queue.cancel(model, kind);
  }
  setIrq(number: number, raised: boolean): void {
    const before = this.irqs;
    this.irqs = raised ? this.irqs | (1 << number) : this.irqs & ~(1 << number);
    if (this.irqs !== before) this.onIrq?.(number, raised);
  }
  /** The "firmware" is the test: false makes it a dead one. */
  cpuAlive = true;
  inReset(bit: number): boolean {
    return this.held.has(bit);
  }
  violation(rule: string, detail: string): void {
    this.violations.push(rule);
    if (this.strict) throw new BoardViolation(rule, detail, 0, this.nowNs);
  }

  /** Delivers events until `untilNs` or a halt. True when the time was reached. */
  run(untilNs: number): boolean {
    this.#halt = false;
    while (!this.#halt) {
      const at = this.queue.nextAt;
      if (at > untilNs || at === Infinity) {
        if (untilNs < Infinity) this.nowNs = Math.max(this.nowNs, untilNs);
        return true;
      }
      this.nowNs = Math.max(this.nowNs, at);
      this.events++;
      this.queue.deliver();
    }
    return false;
  }

  /** Delivers events until `predicate` holds; throws after `ms` of board time. */
  until(predicate: () => boolean, ms = 10_000): void {
    const limit = this.nowNs + ms * 1e6;
    while (!predicate()) {
      if (this.queue.nextAt > limit) throw new Error(`not reached by ${(limit / 1e6).toFixed(3)} ms`);
      this.nowNs = Math.max(this.nowNs, this.queue.nextAt);
      this.events++;
      this.queue.deliver();
    }
  }
}

/** Device, configuration and strings of the scripted device: the reader's endpoints. */
export const scriptedDescriptors = {
  device: [18, 1, 0x00, 0x02, 0xef, 2, 1, 64, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1],
  configuration: [
    ...[9, 2, 86, 0, 3, 1, 0, 0x80, 50],
    ...[9, 4, 0, 0, 3, 0x0b, 0, 0, 4],
    ...[7, 5, 0x01, 2, 64, 0, 0],
    ...[7, 5, 0x81, 2, 64, 0, 0],
    ...[7, 5, 0x82, 3, 16, 0, 8],
    ...[8, 11, 1, 2, 2, 2, 0, 0],
    ...[9, 4, 1, 0, 1, 2, 2, 0, 0],
    ...[7, 5, 0x83, 3, 16, 0, 16],
    ...[9, 4, 2, 0, 2, 0x0a, 0, 0, 0],
    ...[7, 5, 0x04, 2, 64, 0, 0],
    ...[7, 5, 0x84, 2, 64, 0, 0],
  ],
  strings: ["", "Maker", "Scripted", "S-0001", "CCID"],
} as const;

/** Deliberate mistakes, each the negative control of one rule. */
export type Mistake =
  | "available-with-length"
  | "available-too-soon"
  | "no-full-bit"
  | "out-armed-full"
  | "babble"
  | "bad-buffer"
  | "buffer-overlap"
  | "rearm-before-copy"
  | "stuck-toggle"
  | "overrun"
  | "mute-status"
  | "address-early"
  | "no-mux"
  | "no-clear"
  | "no-clock"
  | "status-data"
  | "bad-descriptor"
  | "no-abort";

/** Which BUFF_STATUS bit stands for which endpoint of the script. */
const CCID_OUT = 3;
const CCID_IN = 2;
const CCID_NOTICE = 4;
const CDC_OUT = 9;
const CDC_IN = 8;
const CDC_NOTICE = 6;
const BUFFER: Readonly<Record<number, number>> = {
  [CCID_IN]: 0x180,
  [CCID_OUT]: 0x200,
  [CCID_NOTICE]: 0x280,
  [CDC_IN]: 0x300,
  [CDC_OUT]: 0x380,
  [CDC_NOTICE]: 0x400,
};

/** Register-level driver in TypeScript that does what firmware does, and on demand one thing wrong. Echoes messages on both bulk pairs. */
export class ScriptedDriver implements Model {
  readonly name = "scripted-driver";
  readonly host: BareHost;
  readonly mistakes: ReadonlySet<Mistake>;
  /** What was seen, in order. */
  readonly log: string[] = [];
  /** Endpoint 1 answers nothing while false (device flow control). */
  echo = true;
  /** Takes requests and never answers them. */
  mute = false;
  /** Uses both buffers of the bulk IN endpoint. */
  doubleBuffered = false;
  readonly toggles = new Array<number>(32).fill(0);
  readonly armed = new Set<number>();
  readonly out = new Map<number, number[]>();
  /** Packets waiting for an IN endpoint. */
  readonly in = new Map<number, Uint8Array[]>();
  lineCoding: number[] = [];
  lineState = -1;
  configuration = 0;
  #control: Uint8Array[] = [];
  #expectOut = false;
  #address = -1;
  #setup = new Uint8Array(8);

  constructor(host: BareHost, ...mistakes: Mistake[]) {
    this.host = host;
    this.mistakes = new Set(mistakes);
    host.register(this);
    host.onIrq = (_, raised) => {
      if (raised) host.schedule(this, 0, host.nowNs + LATENCY_NS);
    };
  }

  save(): unknown {
    return {};
  }
  load(): void {}
  reset(): void {}

  read(offset: number): number {
    return this.host.chip.readUint32(REGISTERS + offset);
  }
  write(offset: number, value: number): void {
    this.host.chip.writeUint32(REGISTERS + offset, value >>> 0);
  }
  clear(offset: number, bits: number): void {
    this.write(offset + CLEAR, bits);
  }
  readRam(offset: number): number {
    return this.host.chip.readUint32(DPRAM + offset);
  }
  writeRam(offset: number, value: number): void {
    this.host.chip.writeUint32(DPRAM + offset, value >>> 0);
  }

  /** Power-up to pull-up. */
  start(): void {
    const { chip } = this.host;
    if (!this.mistakes.has("no-clock")) {
      chip.writeUint32(0x4002c000, 1); // PLL_USB: REFDIV 1
      chip.writeUint32(0x40008054, 1 << 11); // clk_usb from PLL_USB, enabled
    }
    if (!this.mistakes.has("no-clear")) for (let at = 0; at < 0x1000; at += 4) this.writeRam(at, 0);
    if (!this.mistakes.has("no-mux")) this.write(reg.usbMuxing, muxing.toPhy | muxing.softcon);
    this.write(reg.usbPwr, pwr.vbusDetect | pwr.vbusDetectOverrideEn);
    this.write(reg.mainCtrl, main.controllerEn);
    this.write(reg.sieCtrl, sieCtrl.ep0Int1Buf);
    this.write(reg.inte, irq.buffStatus | irq.busReset | irq.setupReq | irq.devSuspend | irq.devResume);
    this.write(reg.sieCtrl, sieCtrl.ep0Int1Buf | sieCtrl.pullupEn);
  }

  onEvent(): void {
    const status = this.read(reg.ints);
    if (status & irq.devSof) this.log.push(`sof ${this.read(reg.sofRd)}`);
    if (status & irq.busReset) this.#busReset();
    if (status & irq.buffStatus) this.#buffers();
    if (status & irq.setupReq) this.#setupRequest();
    if (status & irq.devSuspend) {
      this.log.push(this.read(reg.sieStatus) & sieStatus.suspended ? "suspend" : "awake");
      this.clear(reg.sieStatus, sieStatus.suspended);
    }
    if (status & irq.devResume) {
      this.log.push("resume");
      this.clear(reg.sieStatus, sieStatus.resume);
    }
    if (this.host.irqs) this.host.schedule(this, 0, this.host.nowNs + LATENCY_NS);
  }

  /** Hands a buffer to the controller. */
  arm(endpoint: number, data: ArrayLike<number> | undefined, length: number): void {
    const out = endpoint & 1;
    const address = endpoint < 2 ? dpram.ep0Buffer : BUFFER[endpoint]!;
    for (let at = 0; data && at < length; at += 4)
      this.writeRam(address + at, (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16) | ((data[at + 3] ?? 0) << 24));
    let word = length | (this.toggles[endpoint] ? buf.data1 : 0) | (out ? 0 : buf.full);
    const special = endpoint >= 2;
    if (special && this.mistakes.has("no-full-bit")) word &= ~buf.full;
    if (special && out && this.mistakes.has("out-armed-full")) word |= buf.full;
    if (special && this.mistakes.has("babble")) word = (word & ~buf.lengthMask) | 65;
    if (!(special && this.mistakes.has("stuck-toggle"))) this.toggles[endpoint]! ^= 1;
    const offset = dpram.bufCtrl + endpoint * 4;
    if (special && this.mistakes.has("available-with-length")) this.writeRam(offset, word | buf.available);
    else {
      this.writeRam(offset, word);
      if (!(special && this.mistakes.has("available-too-soon"))) this.host.nowNs += 96;
      this.writeRam(offset, word | buf.available);
    }
    this.armed.add(endpoint);
  }

  /** Both IN buffers in one go. */
  armPair(endpoint: number, first: Uint8Array, second: Uint8Array): void {
    const address = BUFFER[endpoint]!;
    const half = (data: Uint8Array, pid: number): number => data.length | (pid ? buf.data1 : 0) | buf.full;
    [...first].forEach((byte, at) => this.host.chip.writeUint8(DPRAM + address + at, byte));
    [...second].forEach((byte, at) => this.host.chip.writeUint8(DPRAM + address + 64 + at, byte));
    const word = half(first, this.toggles[endpoint]!) | (half(second, this.toggles[endpoint]! ^ 1) << 16) | buf.resetSelect;
    this.writeRam(dpram.bufCtrl + endpoint * 4, word);
    this.host.nowNs += 96;
    this.writeRam(dpram.bufCtrl + endpoint * 4, word | buf.available | (buf.available << 16));
    this.armed.add(endpoint);
  }

  /** Sends a message on an IN endpoint: packets of `size`, closed by a short packet or a ZLP. */
  send(endpoint: number, message: Uint8Array, size = 64): void {
    const packets = this.in.get(endpoint) ?? [];
    this.in.set(endpoint, packets);
    for (let at = 0; at <= message.length; at += size) packets.push(message.slice(at, at + size));
    this.#feed(endpoint);
  }

  /** Answers a bulk or interrupt endpoint with STALL until it is cleared. */
  stall(endpoint: number): void {
    this.#revoke(endpoint);
    this.writeRam(dpram.bufCtrl + endpoint * 4, buf.stall);
  }

  /** EP_ABORT, wait, rewrite, release: the way to take a buffer back. */
  #revoke(endpoint: number): void {
    const bit = (1 << endpoint) >>> 0;
    if (!this.armed.delete(endpoint)) return;
    if (!this.mistakes.has("no-abort")) {
      this.write(reg.epAbort, bit);
      if (!(this.read(reg.epAbortDone) & bit)) throw new Error("the script cannot wait for EP_ABORT_DONE");
    }
    this.writeRam(dpram.bufCtrl + endpoint * 4, 0);
    this.clear(reg.epAbortDone, bit);
    this.write(reg.epAbort, 0);
  }

  #busReset(): void {
    this.log.push("reset");
    this.write(reg.addrEndp, 0);
    for (let at = dpram.epCtrl; at < dpram.ep0Buffer; at += 4) this.writeRam(at, 0);
    this.armed.clear();
    this.in.clear();
    this.out.clear();
    this.toggles.fill(0);
    this.configuration = 0;
    this.clear(reg.sieStatus, sieStatus.busReset);
  }

  #buffers(): void {
    const done = this.read(reg.buffStatus);
    for (let endpoint = 0; endpoint < 32; endpoint++) {
      if (!((done >>> endpoint) & 1)) continue;
      this.clear(reg.buffStatus, 1 << endpoint);
      if (endpoint === CCID_IN && this.doubleBuffered) {
        this.log.push(`half ${(this.read(reg.buffCpuShouldHandle) >>> endpoint) & 1}`);
        continue;
      }
      this.armed.delete(endpoint);
      if (endpoint === 0) this.#controlInDone();
      else if (endpoint === 1) this.#controlOutDone();
      else if (endpoint & 1) this.#received(endpoint);
      else this.#feed(endpoint);
    }
  }

  #received(endpoint: number): void {
    const length = this.readRam(dpram.bufCtrl + endpoint * 4) & buf.lengthMask;
    if (this.mistakes.has("rearm-before-copy")) this.arm(endpoint, undefined, 64);
    const message = this.out.get(endpoint) ?? [];
    this.out.set(endpoint, message);
    for (let at = 0; at < length; at++) message.push(this.host.chip.readUint8(DPRAM + BUFFER[endpoint]! + at));
    if (!this.mistakes.has("rearm-before-copy")) this.arm(endpoint, undefined, 64);
    if (length === 64) return;
    this.out.set(endpoint, []);
    this.log.push(`message ${endpoint} ${message.length}`);
    if (this.echo) this.send(endpoint ^ 1, Uint8Array.from(message));
  }

  #feed(endpoint: number): void {
    const packets = this.in.get(endpoint);
    if (this.armed.has(endpoint) || !packets?.length) return;
    const packet = packets.shift()!;
    this.arm(endpoint, packet, packet.length);
  }

  // ---- endpoint 0 ----

  #setupRequest(): void {
    this.clear(reg.sieStatus, sieStatus.setupRec);
    this.#revoke(0);
    this.#revoke(1);
    for (let at = 0; at < 8; at++) this.#setup[at] = this.host.chip.readUint8(DPRAM + at);
    const [type, request, low, high, index, , lengthLow, lengthHigh] = this.#setup as unknown as number[];
    const length = lengthLow! | (lengthHigh! << 8);
    this.#control = [];
    this.#address = -1;
    this.toggles[0] = this.toggles[1] = 1;
    if (this.mute) return;
    if (type === 0x80 && request === 6) {
      const found =
        high === 1
          ? scriptedDescriptors.device
          : high === 2
            ? scriptedDescriptors.configuration
            : high === 3 && low! < scriptedDescriptors.strings.length
              ? stringDescriptor(low!)
              : undefined;
      if (found)
        this.#answer(
          Uint8Array.from(found, (byte, at) => (this.mistakes.has("bad-descriptor") && high === 2 && at === 2 ? byte + 1 : byte)),
          length,
        );
      else this.#stallControl();
    } else if (type === 0 && request === 5) {
      this.#address = low!;
      if (this.mistakes.has("address-early")) this.write(reg.addrEndp, low!);
      this.arm(0, undefined, this.mistakes.has("status-data") ? 1 : 0);
    } else if (type === 0 && request === 9) {
      this.#configure(low!);
      if (!this.mistakes.has("mute-status")) this.arm(0, undefined, 0);
    } else if (type === 2 && request === 1) {
      const endpoint = (index! & 15) * 2 + (index! & 0x80 ? 0 : 1);
      this.#revoke(endpoint);
      this.writeRam(dpram.bufCtrl + endpoint * 4, 0);
      this.toggles[endpoint] = 0;
      if (endpoint & 1) this.arm(endpoint, undefined, 64);
      else this.#feed(endpoint);
      this.arm(0, undefined, 0);
    } else if (type === 0x21 && request === 0x20) {
      this.#expectOut = true;
      this.arm(1, undefined, 64);
    } else if (type === 0x21 && request === 0x22) {
      this.lineState = low!;
      this.arm(0, undefined, 0);
    } else this.#stallControl();
  }

  #answer(data: Uint8Array, wanted: number): void {
    const part = data.subarray(0, this.mistakes.has("overrun") ? data.length : wanted);
    for (let at = 0; at < part.length; at += 64) this.#control.push(part.slice(at, at + 64));
    if (part.length < wanted && part.length % 64 === 0) this.#control.push(new Uint8Array(0));
    if (wanted === 0) return this.arm(0, undefined, 0);
    this.arm(1, undefined, 0); // the status stage may come before the last ACK is seen
    this.#controlInDone();
  }

  #controlInDone(): void {
    if (this.#address >= 0) {
      this.write(reg.addrEndp, this.#address);
      this.#address = -1;
      return;
    }
    const packet = this.#control.shift();
    if (packet) this.arm(0, packet, packet.length);
  }

  #controlOutDone(): void {
    if (!this.#expectOut) {
      this.#revoke(0); // the host has gone on to the status stage: the last IN packet arrived, whatever became of its ACK
      return;
    }
    this.#expectOut = false;
    const length = this.readRam(dpram.bufCtrl + 4) & buf.lengthMask;
    this.lineCoding = [];
    for (let at = 0; at < length; at++) this.lineCoding.push(this.host.chip.readUint8(DPRAM + dpram.ep0Buffer + at));
    this.toggles[0] = 1;
    this.arm(0, undefined, 0);
  }

  #stallControl(): void {
    this.write(reg.epStallArm, 3);
    this.writeRam(dpram.bufCtrl, buf.stall);
    this.writeRam(dpram.bufCtrl + 4, buf.stall);
  }

  #configure(value: number): void {
    this.configuration = value;
    const types: Readonly<Record<number, number>> = { [CCID_NOTICE]: 3, [CDC_NOTICE]: 3 };
    for (const key of Object.keys(BUFFER)) {
      const endpoint = Number(key);
      this.#revoke(endpoint);
      const at = this.mistakes.has("bad-buffer") ? 0x100 : this.mistakes.has("buffer-overlap") ? 0x180 : BUFFER[endpoint]!;
      const twice = endpoint === CCID_IN && this.doubleBuffered ? epCtrl.doubleBuffered : 0;
      this.writeRam(
        dpram.epCtrl - 8 + endpoint * 4,
        epCtrl.enable | twice | epCtrl.intPerBuffer | ((types[endpoint] ?? 2) << epCtrl.typeLsb) | at,
      );
      this.toggles[endpoint] = 0;
      if (endpoint & 1) this.arm(endpoint, undefined, 64);
    }
  }
}

function stringDescriptor(index: number): number[] {
  if (index === 0) return [4, 3, 0x09, 0x04];
  const text = [...scriptedDescriptors.strings[index]!].flatMap((letter) => [letter.charCodeAt(0), 0]);
  return [2 + text.length, 3, ...text];
}
