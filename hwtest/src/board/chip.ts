import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { RP2040 } from "rp2040js";
import type { Model, RegisterBlock } from "./model.js";

/** The only rp2040js these corrections were proved against; they touch its insides, so another version must not slip in. */
export const RP2040JS_VERSION = "1.4.1";

const RAM_BASE = 0x20000000;
const RAM_SIZE = 0x42000;
const XIP_BASE = 0x10000000;
const XIP_SIZE = 0x04000000;
const DPRAM_BASE = 0x50100000;
const DPRAM_SIZE = 0x1000;
const SIO_BASE = 0xd0000000;
const PPB_BASE = 0xe000e000;
const ROM_SIZE = 0x4000;
const USBCTRL_RESET_BIT = 24;

/** Blocks that exist on silicon and that nothing is modelled of: naming them says more than "unmapped". */
const ABSENT: Readonly<Record<number, string>> = {
  0x40030: "BUSCTRL", 0x40038: "UART1", 0x4003c: "SPI0", 0x40040: "SPI1", 0x40048: "I2C1", 0x4004c: "ADC", 0x4005c: "RTC",
  0x4006c: "TBMAN", 0x50000: "DMA", 0x50300: "PIO1", 0x15000: "XIP SRAM", 0x50400: "XIP AUX",
}; // prettier-ignore

/** What the bus asks of the board. */
export interface BusHost {
  violation(rule: string, detail: string): void;
  /** Why a block with this RESETS bit may not be touched now; undefined = it may. */
  refusal(resetBit: number): "reset/access" | "reset/not-done" | undefined;
}

/** The flash window as the bus sees it: may it be read now, and what a read costs. */
export interface FlashWindow {
  /** Called before each fetch or read of `offset` in the window; throws or charges time. `alias`: 1 = no allocate, 2, 3 = no cache. */
  touch(offset: number, alias: number): void;
}

interface Slot {
  readonly block: RegisterBlock;
  readonly resetBit: number;
}

const CONTROL = { nanos: 0, createAlarm: () => ({ schedule: () => undefined, cancel: () => undefined }) };

/**
 * rp2040js' CPU and memories behind our own bus. Every access is checked (alignment, mapping, RESETS, XIP mode), and all register
 * blocks are ours: the stock peripherals exist but cannot be reached, and their clock stands still.
 */
export class StrictChip extends RP2040 {
  /** SRAM as halfwords and words (little-endian hosts only; checked at start). */
  readonly ram16: Uint16Array;
  readonly ram32: Uint32Array;
  readonly #slots = new Map<number, Slot>();
  #host: BusHost | undefined;
  #window: FlashWindow | undefined;
  #flashSize = 0;
  /** Registers of SIO and of the private peripheral bus. */
  sioBlock: RegisterBlock | undefined;
  ppbBlock: RegisterBlock | undefined;

  constructor() {
    super(CONTROL);
    this.ram16 = new Uint16Array(this.sram.buffer);
    this.ram32 = new Uint32Array(this.sram.buffer);
    for (const key of Object.keys(this.peripherals)) delete this.peripherals[Number(key)];
    selfTest(this);
  }

  /** Connects bus and board; before this no access is possible. */
  connect(host: BusHost, flash: Uint8Array<ArrayBuffer>, window: FlashWindow): void {
    this.#host = host;
    this.#window = window;
    this.#flashSize = flash.length;
    const insides = this as { flash: Uint8Array<ArrayBuffer>; flash16: Uint16Array<ArrayBuffer>; flashView: DataView<ArrayBuffer> };
    insides.flash = flash;
    insides.flash16 = new Uint16Array(flash.buffer);
    insides.flashView = new DataView(flash.buffer);
    this.logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (component: string, message: string) =>
        host.violation(component === "CortexM0Core" ? "cpu/undefined" : "chip/not-modelled", `${component}: ${message}`),
      error: (component: string, message: string) => host.violation("chip/not-modelled", `${component}: ${message}`),
    };
    this.onBreak = (code) => host.violation("cpu/undefined", `UDF or BKPT ${code}`);
  }

  /** Puts a block of registers on the bus. */
  map(base: number, block: RegisterBlock, model?: Model): void {
    this.#slots.set(base >>> 14, { block, resetBit: model?.resetBit ?? -1 });
  }

  /** rp2040js wipes 16 MiB of flash here and starts at the vector table; the engine does resets itself. */
  override reset(): void {}

  override readUint32(address: number): number {
    const ram = (address - RAM_BASE) >>> 0;
    if (address & 3) this.#refuse("bus/unaligned", `word read at 0x${hex(address)}`);
    if (ram < RAM_SIZE) return this.ram32[ram >> 2]!;
    return this.#read(address >>> 0);
  }

  override readUint16(address: number): number {
    const ram = (address - RAM_BASE) >>> 0;
    if (address & 1) this.#refuse("bus/unaligned", `halfword read at 0x${hex(address)}`);
    if (ram < RAM_SIZE) return this.ram16[ram >> 1]!;
    const xip = (address - XIP_BASE) >>> 0;
    if (xip < XIP_SIZE) return this.flash16[this.#flashOffset(xip) >> 1]!;
    return (this.#read((address & ~3) >>> 0) >>> (address & 2 ? 16 : 0)) & 0xffff;
  }

  override readUint8(address: number): number {
    const ram = (address - RAM_BASE) >>> 0;
    if (ram < RAM_SIZE) return this.sram[ram]!;
    const xip = (address - XIP_BASE) >>> 0;
    if (xip < XIP_SIZE) return this.flash[this.#flashOffset(xip)]!;
    return (this.#read((address & ~3) >>> 0) >>> ((address & 3) * 8)) & 0xff;
  }

  override writeUint32(address: number, value: number): void {
    const ram = (address - RAM_BASE) >>> 0;
    if (address & 3) this.#refuse("bus/unaligned", `word write at 0x${hex(address)}`);
    if (ram < RAM_SIZE) this.ram32[ram >> 2] = value;
    else this.#write(address >>> 0, value >>> 0);
  }

  override writeUint16(address: number, value: number): void {
    const ram = (address - RAM_BASE) >>> 0;
    if (address & 1) this.#refuse("bus/unaligned", `halfword write at 0x${hex(address)}`);
    if (ram < RAM_SIZE) this.ram16[ram >> 1] = value;
    else this.#writeNarrow(address >>> 0, value & 0xffff, 16);
  }

  override writeUint8(address: number, value: number): void {
    const ram = (address - RAM_BASE) >>> 0;
    if (ram < RAM_SIZE) this.sram[ram] = value;
    else this.#writeNarrow(address >>> 0, value & 0xff, 8);
  }

  #read(address: number): number {
    const xip = (address - XIP_BASE) >>> 0;
    if (xip < XIP_SIZE) return this.flashView.getUint32(this.#flashOffset(xip), true);
    const dpram = (address - DPRAM_BASE) >>> 0;
    if (dpram < DPRAM_SIZE) {
      this.#gate(USBCTRL_RESET_BIT, address);
      return this.usbDPRAMView.getUint32(dpram, true);
    }
    if (address >>> 28 === 0xd) return this.sioBlock!.read(address - SIO_BASE) >>> 0;
    if (address >>> 12 === PPB_BASE >>> 12) return this.ppbBlock!.read(address & 0xfff) >>> 0;
    const slot = this.#slots.get(address >>> 14);
    if (slot) {
      this.#gate(slot.resetBit, address);
      return slot.block.read(address & 0xfff) >>> 0;
    }
    const stock = this.peripherals[(address >>> 14) << 2];
    if (stock) return stock.readUint32(address & 0xfff) >>> 0;
    this.#absent("read", address);
    return 0;
  }

  #write(address: number, value: number): void {
    const dpram = (address - DPRAM_BASE) >>> 0;
    if (dpram < DPRAM_SIZE) {
      this.#gate(USBCTRL_RESET_BIT, address);
      this.usbDPRAMView.setUint32(dpram, value, true);
      this.usbCtrl.DPRAMUpdated(dpram, value);
      return;
    }
    if (address >>> 28 === 0xd) return this.sioBlock!.write(address - SIO_BASE, value, value);
    if (address >>> 12 === PPB_BASE >>> 12) return this.ppbBlock!.write(address & 0xfff, value, value);
    const slot = this.#slots.get(address >>> 14);
    if (slot) {
      this.#gate(slot.resetBit, address);
      const offset = address & 0xfff;
      const { block } = slot;
      const alias = (address >>> 12) & 3;
      if (alias === 0) return block.write(offset, value, value);
      const old = block.peek ? block.peek(offset) : block.read(offset);
      return block.write(offset, (alias === 1 ? old ^ value : alias === 2 ? old | value : old & ~value) >>> 0, value);
    }
    const stock = this.peripherals[(address >>> 14) << 2];
    if (stock) return stock.writeUint32Atomic(address & 0xfff, value, (address >>> 12) & 3);
    if ((address - XIP_BASE) >>> 0 < XIP_SIZE) return this.#refuse("flash/store-to-xip", `0x${hex(value)} to 0x${hex(address)}`);
    this.#absent("write", address);
  }

  /** Narrow writes: memory-like DPRAM takes the lanes, register buses replicate the value (RP2040 datasheet §2.1.4). */
  #writeNarrow(address: number, value: number, bits: 8 | 16): void {
    const dpram = (address - DPRAM_BASE) >>> 0;
    if (dpram < DPRAM_SIZE) {
      this.#gate(USBCTRL_RESET_BIT, address);
      // The model behind the window sees whole words, the other lanes unchanged.
      const word = dpram & ~3;
      const shift = (dpram & 3) * 8;
      const { usbDPRAM } = this;
      const old = (usbDPRAM[word]! | (usbDPRAM[word + 1]! << 8) | (usbDPRAM[word + 2]! << 16) | (usbDPRAM[word + 3]! << 24)) >>> 0;
      const merged = ((old & ~((bits === 8 ? 0xff : 0xffff) << shift)) | (value << shift)) >>> 0;
      this.usbDPRAMView.setUint32(word, merged, true);
      this.usbCtrl.DPRAMUpdated(word, merged);
      return;
    }
    if (address >>> 28 === 0xe) return this.#refuse("bus/narrow", `${bits}-bit write at 0x${hex(address)}`);
    this.#write((address & ~3) >>> 0, bits === 8 ? Math.imul(value, 0x01010101) >>> 0 : (value | (value << 16)) >>> 0);
  }

  #flashOffset(xip: number): number {
    const offset = xip & 0xffffff;
    if (offset >= this.#flashSize)
      this.#refuse("bus/unmapped", `flash read at offset 0x${hex(offset)}, the chip has 0x${hex(this.#flashSize)} bytes`);
    this.#window!.touch(offset, xip >>> 24);
    return offset;
  }

  #gate(resetBit: number, address: number): void {
    if (resetBit < 0) return;
    const rule = this.#host!.refusal(resetBit);
    if (rule) this.#refuse(rule, `0x${hex(address)} (RESETS bit ${resetBit})`);
  }

  #absent(what: "read" | "write", address: number): void {
    const name = address < ROM_SIZE ? "the mask ROM" : ABSENT[(address >>> 14) << 2];
    this.#refuse(name ? "chip/not-modelled" : "bus/unmapped", `${what} at 0x${hex(address)}${name ? ` (${name})` : ""}`);
  }

  #refuse(rule: string, detail: string): void {
    this.#host!.violation(rule, detail);
  }
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

/** The assumptions about rp2040js that the corrections rest on. Runs once per board; each line is one assumption. */
function selfTest(chip: StrictChip): void {
  // The package does not export its package.json: its entry is dist/cjs/index.js.
  const manifest = new URL("../../package.json", pathToFileURL(createRequire(import.meta.url).resolve("rp2040js")));
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  const core = chip.core as unknown as Record<string, unknown>;
  const facts: readonly (readonly [string, boolean])[] = [
    [`rp2040js is ${RP2040JS_VERSION}`, version === RP2040JS_VERSION],
    ["the host is little-endian", new Uint8Array(Uint32Array.of(1).buffer)[0] === 1],
    ["SRAM is 264 KiB in its own buffer", chip.sram.byteLength === RAM_SIZE && chip.sram.buffer.byteLength === RAM_SIZE],
    ["DPRAM is 4 KiB", chip.usbDPRAM.byteLength === DPRAM_SIZE],
    ["registers are sixteen words", chip.core.registers instanceof Uint32Array && chip.core.registers.length === 16],
    [
      "the core's methods can be replaced",
      ["setInterrupt", "exceptionEntry", "exceptionReturn", "checkForInterrupts", "executeInstruction"].every(
        (name) => typeof core[name] === "function",
      ),
    ],
    ["four priority levels", chip.core.interruptPriorities.length === 4],
  ];
  for (const [fact, holds] of facts) if (!holds) throw new Error(`rp2040js is not what the board was proved on: expected that ${fact}`);
}
