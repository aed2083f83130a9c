import type { Flash } from "./flash.js";
import type { Model, ModelHost } from "./model.js";
import { resetBits } from "./resets.js";

const FIFO = 16;
const BUSY = 1;
const TX_NOT_FULL = 2;
const TX_EMPTY = 4;
const RX_NOT_EMPTY = 8;
const RX_FULL = 16;
/** CTRLR0.TMOD. */
const TMOD_TX_AND_RX = 0;
const TMOD_TX_ONLY = 1;
const TMOD_EEPROM_READ = 3;
/** SPI_CTRLR0 for 8-bit instruction and 24-bit address, command 03h (plain serial read), without wait cycles. */
const XIP_03H = 0x03000218;

interface SsiState {
  enabled: boolean;
  control0: number;
  control1: number;
  spiControl0: number;
  slave: number;
  baud: number;
  thresholds: [number, number];
  sampleDelay: number;
  tx: number[];
  rx: number[];
  shifting: number;
  doneAt: number;
  /** Chip select is low now. */
  selected: boolean;
  /** IO_QSPI CTRL of SCLK, SS, SD0..SD3, and PADS_QSPI with VOLTAGE_SELECT first. */
  ioControl: number[];
  pads: number[];
}

/** The serial flash interface (DW_apb_ssi, datasheet §4.10) with IO_QSPI, whose SS override is the chip select of direct commands. */
export class Ssi implements Model {
  readonly name = "ssi";
  readonly #host: ModelHost;
  readonly #flash: Flash;
  #state: SsiState = fresh();
  /** XIP reads work now. */
  xip = false;

  constructor(host: ModelHost, flash: Flash) {
    this.#host = host;
    this.#flash = flash;
    const io: Model = {
      name: "io-qspi",
      resetBit: resetBits.ioQspi,
      save: () => null,
      load: () => undefined,
      reset: () => this.#resetIo(),
    };
    const pads: Model = {
      name: "pads-qspi",
      resetBit: resetBits.padsQspi,
      save: () => null,
      load: () => undefined,
      reset: () => this.#state.pads.splice(0, 7, ...fresh().pads),
    };
    host.map(0x18000000, { read: (offset) => this.#read(offset), write: (offset, value) => this.#write(offset, value) });
    host.map(0x40018000, { read: (offset) => this.#readIo(offset), write: (offset, value) => this.#writeIo(offset, value) }, io);
    host.map(
      0x40020000,
      {
        read: (offset) => this.#state.pads[offset >> 2] ?? 0,
        write: (offset, value) => void (this.#state.pads[(offset >> 2) % 7] = value),
      },
      pads,
    );
    for (const model of [this, io, pads]) host.register(model);
  }
  get divider(): number {
    return this.#state.baud;
  }
  save(): SsiState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as SsiState);
    this.#judge();
  }
  reset(): void {
    this.#host.cancel(this, 0);
    if (this.#state.selected) this.#flash.deselect();
    this.#state = fresh();
    this.#judge();
  }
  /** What the mask ROM leaves behind when it enters boot2: plain SPI at clk_sys / 6, pins muxed to the flash, XIP not set up. */
  setByRom(): void {
    Object.assign(this.#state, { enabled: true, control0: 0x00070000, slave: 1, baud: 6 });
    this.#state.ioControl.fill(0);
    this.#judge();
  }
  onEvent(): void {
    const state = this.#state;
    const answer = this.#flash.exchange(state.shifting);
    state.shifting = -1;
    if (((state.control0 >>> 8) & 3) === TMOD_TX_AND_RX) {
      if (state.rx.length >= FIFO) this.#host.violation("ssi/misuse", "receive FIFO overflow");
      state.rx.push(answer);
    }
    if (state.tx.length) this.#shift();
    else this.#chipSelect();
  }

  #read(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case 0x00:
        return state.control0;
      case 0x04:
        return state.control1;
      case 0x08:
        return state.enabled ? 1 : 0;
      case 0x10:
        return state.slave;
      case 0x14:
        return state.baud;
      case 0x18:
      case 0x1c:
        return state.thresholds[(offset - 0x18) >> 2]!;
      case 0x20:
        return state.tx.length;
      case 0x24:
        return state.rx.length;
      case 0x28:
        return (
          (state.shifting >= 0 ? BUSY : 0) |
          (state.tx.length < FIFO ? TX_NOT_FULL : 0) |
          (state.tx.length === 0 ? TX_EMPTY : 0) |
          (state.rx.length ? RX_NOT_EMPTY : 0) |
          (state.rx.length === FIFO ? RX_FULL : 0)
        );
      case 0x58:
        return 0x51535049;
      case 0x5c:
        return 0x3430312a;
      case 0xf0:
        return state.sampleDelay;
      case 0xf4:
        return state.spiControl0;
    }
    if (offset >= 0x60 && offset < 0xf0) {
      const byte = state.rx.shift();
      if (byte === undefined) this.#host.violation("ssi/misuse", "receive FIFO read while empty");
      return byte ?? 0;
    }
    // Clearing interrupts nobody enabled.
    if (offset >= 0x38 && offset <= 0x48) return 0;
    this.#host.violation("chip/not-modelled", `SSI +0x${offset.toString(16)}`);
    return 0;
  }

  #write(offset: number, value: number): void {
    const state = this.#state;
    const configures = offset <= 0x04 || offset === 0x14 || offset >= 0xf0;
    if (configures && state.enabled) this.#host.violation("ssi/misuse", `register +0x${offset.toString(16)} written while SSIENR = 1`);
    if (offset === 0x00) state.control0 = value & 0x017fffff;
    else if (offset === 0x04) state.control1 = value & 0xffff;
    else if (offset === 0x08) {
      if (state.shifting >= 0 && !(value & 1)) this.#host.violation("ssi/misuse", "disabled in mid-byte");
      state.enabled = (value & 1) !== 0;
      state.tx = [];
      state.rx = [];
    } else if (offset === 0x10) {
      if (state.shifting >= 0) this.#host.violation("ssi/misuse", "slave select changed in mid-byte");
      state.slave = value & 1;
      if (state.slave && state.tx.length && state.shifting < 0) this.#shift();
    } else if (offset === 0x14) state.baud = value & 0xfffe;
    else if (offset === 0x18 || offset === 0x1c) state.thresholds[(offset - 0x18) >> 2] = value & 15;
    else if (offset === 0xf0) state.sampleDelay = value & 0xff;
    else if (offset === 0xf4) state.spiControl0 = value;
    else if (offset >= 0x60 && offset < 0xf0) this.#push(value);
    else if (offset !== 0x0c && (offset !== 0x2c || value !== 0))
      this.#host.violation("chip/not-modelled", `write to SSI +0x${offset.toString(16)}`);
    this.#judge();
  }
  #push(value: number): void {
    const state = this.#state;
    const mode = (state.control0 >>> 8) & 3;
    if (!state.enabled) return this.#host.violation("ssi/misuse", "data written while SSIENR = 0");
    if (mode > TMOD_TX_ONLY || ((state.control0 >>> 16) & 31) !== 7 || (state.control0 >>> 21) & 3)
      return this.#host.violation("chip/not-modelled", "direct SSI transfers other than 8-bit plain SPI");
    if (state.tx.length >= FIFO) return this.#host.violation("ssi/misuse", "transmit FIFO overflow");
    state.tx.push(value & 0xff);
    if (state.slave && state.shifting < 0) this.#shift();
  }
  #shift(): void {
    const state = this.#state;
    if (state.baud === 0) return this.#host.violation("ssi/misuse", "BAUDR = 0 stops the serial clock");
    state.shifting = state.tx.shift()!;
    this.#chipSelect();
    this.#host.schedule(this, 0, this.#host.nowNs + 8 * state.baud * this.#host.clkSysNs);
  }

  /* ---- IO_QSPI ---- */
  #resetIo(): void {
    this.#state.ioControl.fill(31);
    this.#chipSelect();
    this.#judge();
  }
  #readIo(offset: number): number {
    if (offset < 0x30) return offset & 4 ? this.#state.ioControl[offset >> 3]! : 0;
    this.#host.violation("chip/not-modelled", `IO_QSPI +0x${offset.toString(16)}`);
    return 0;
  }
  #writeIo(offset: number, value: number): void {
    if (offset >= 0x30 || !(offset & 4)) return this.#host.violation("chip/not-modelled", `write to IO_QSPI +0x${offset.toString(16)}`);
    const pin = offset >> 3;
    if (pin === 1 && this.#state.shifting >= 0 && (this.#state.ioControl[1]! ^ value) & 0x300)
      this.#host.violation("ssi/misuse", "chip select moved in mid-byte");
    this.#state.ioControl[pin] = value;
    this.#chipSelect();
    this.#judge();
  }
  #chipSelect(): void {
    const state = this.#state;
    const forced = (state.ioControl[1]! >>> 8) & 3;
    const low = forced === 2 || (forced === 0 && state.shifting >= 0);
    if (low === state.selected) return;
    state.selected = low;
    if (low) this.#flash.select();
    else this.#flash.deselect();
  }
  #judge(): void {
    const { enabled, control0, spiControl0, slave, ioControl, shifting, baud } = this.#state;
    const mode = ((control0 >>> 8) & 3) === TMOD_EEPROM_READ && ((control0 >>> 16) & 31) === 31 && ((control0 >>> 21) & 3) === 0;
    const pins = ioControl.every((control, pin) => (control & 0x1f) === 0 && (pin !== 1 || (control & 0x300) === 0));
    if (enabled && mode && spiControl0 !== XIP_03H)
      this.#host.violation(
        "chip/not-modelled",
        `XIP with SPI_CTRLR0 0x${spiControl0.toString(16)}; the board has the plain serial read 03h`,
      );
    this.xip = enabled && mode && slave === 1 && pins && shifting < 0 && baud > 0;
  }
}

function fresh(): SsiState {
  return {
    enabled: false, control0: 0, control1: 0, spiControl0: 0x03000000, slave: 0, baud: 0, thresholds: [0, 0], sampleDelay: 0, tx: [], rx: [], shifting: -1, doneAt: 0,
    selected: false, ioControl: new Array<number>(6).fill(31), pads: [0, 0x56, 0x5a, 0x52, 0x52, 0x52, 0x52],
  }; // prettier-ignore
}
