import type { ModelHost } from "./model.js";
import { buf, dpram, DPRAM_SIZE, epCtrl } from "./usb-registers.js";

/** Largest packet of a bulk, interrupt or control endpoint at full speed. */
export const MAX_PACKET = 64;
/** AVAILABLE may follow the other bits after 3 cycles of clk_usb (datasheet §4.1.2.5.1: "concurrent access"). */
const SETTLE_NS = 62.5;

/** What the dual-port RAM asks of the controller. Endpoints are counted as in BUFF_STATUS: 2·number, +1 for OUT. */
export interface DpramOwner {
  /** No token can arrive: detached, in bus reset or its recovery, suspended. */
  readonly quiet: boolean;
  /** EP_ABORT is set and EP_ABORT_DONE confirmed it. */
  aborted(endpoint: number): boolean;
  /** The endpoint control word, or for endpoint 0 the equivalent made of SIE_CTRL. */
  control(endpoint: number): number;
  /** A NAK may have turned into something else. */
  onArmed(endpoint: number): void;
}

/**
 * The dual-port RAM with both its doors: the controller's (`bytes`, `word`) and the CPU's (`getUint32`, `setUint32`, in place of
 * rp2040js' DataView). The CPU's door knows which buffers the controller owns and watches the order in which they are armed.
 */
export class UsbDpram {
  readonly #host: ModelHost;
  readonly #owner: DpramOwner;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** Per half buffer control word: when bits other than AVAILABLE last changed. */
  #changedNs = new Float64Array(64).fill(-Infinity);
  /** Control words written since power-on, one bit per word below 0x100. */
  #written = new Uint8Array(64);
  /** Who owns each 64-byte block: bit 0 = an armed IN buffer, bit 1 = an armed OUT buffer. Recomputed when stale. */
  readonly #owned = new Uint8Array(64);
  #stale = true;

  constructor(host: ModelHost, owner: DpramOwner) {
    this.#host = host;
    this.#owner = owner;
    this.bytes = host.chip.usbDPRAM;
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, DPRAM_SIZE);
  }

  /** At power-on the RAM holds anything. */
  scramble(): void {
    for (let at = 0; at < DPRAM_SIZE; at += 4) this.#view.setUint32(at, this.#host.random(), true);
    this.#written.fill(0);
    this.#changedNs.fill(-Infinity);
    this.#stale = true;
  }

  save(): unknown {
    return structuredClone({ bytes: this.bytes.slice(), changedNs: this.#changedNs, written: this.#written });
  }

  load(state: unknown): void {
    const saved = structuredClone(state) as { bytes: Uint8Array; changedNs: Float64Array<ArrayBuffer>; written: Uint8Array<ArrayBuffer> };
    this.bytes.set(saved.bytes);
    this.#changedNs = saved.changedNs;
    this.#written = saved.written;
    this.#stale = true;
  }

  /** The first control word (offset) that was never written, or undefined. */
  get unwritten(): number | undefined {
    for (let word = dpram.epCtrl / 4; word < dpram.ep0Buffer / 4; word++) if (!this.#written[word]) return word * 4;
    return undefined;
  }

  /** Ownership depends on something outside the RAM that has changed. */
  touch(): void {
    this.#stale = true;
  }

  /** A word as the controller reads it. */
  word(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** A buffer control word as the controller writes it back. */
  writeBack(endpoint: number, value: number): void {
    this.#view.setUint32(dpram.bufCtrl + endpoint * 4, value, true);
    this.#stale = true;
  }

  /** The CPU reads. Whether RESETS lets it is the bus's matter (`reset/access`). */
  getUint32(offset: number): number {
    if (offset >= dpram.ep0Buffer && this.#ownerOf(offset) & 2) this.#touched(`read of the OUT buffer at 0x${offset.toString(16)}`);
    return this.#view.getUint32(offset, true);
  }

  /** The CPU writes a byte: the RAM has byte lanes. */
  setUint8(offset: number, value: number): void {
    this.#lanes(offset, 0xff, value);
  }

  /** The CPU writes a halfword. */
  setUint16(offset: number, value: number): void {
    this.#lanes(offset, 0xffff, value);
  }

  #lanes(offset: number, mask: number, value: number): void {
    const shift = (offset & 3) * 8;
    const old = this.#view.getUint32(offset & ~3, true);
    this.setUint32(offset & ~3, ((old & ~(mask << shift)) | ((value & mask) << shift)) >>> 0);
  }

  /** The CPU writes a word. */
  setUint32(offset: number, value: number): void {
    const old = this.#view.getUint32(offset, true);
    if (offset >= dpram.ep0Buffer) {
      if (this.#ownerOf(offset)) this.#touched(`write to the buffer at 0x${offset.toString(16)}`);
      this.#view.setUint32(offset, value, true);
      return;
    }
    this.#written[offset >> 2] = 1;
    if (offset >= dpram.bufCtrl) this.#writeBufferControl((offset - dpram.bufCtrl) >> 2, old, value >>> 0);
    else {
      if (offset >= dpram.epCtrl && old !== value >>> 0) this.#checkControl((offset - dpram.epCtrl + 8) >> 2, old);
      this.#view.setUint32(offset, value, true);
      this.#stale = true;
      if (offset >= dpram.epCtrl && value & epCtrl.enable && !(old & epCtrl.enable)) this.#owner.onArmed((offset - dpram.epCtrl + 8) >> 2);
    }
  }

  #touched(what: string): void {
    this.#host.violation("usb/buffer-touched-while-armed", what);
  }

  /** True while the controller may use this half at any moment. */
  #live(endpoint: number, half: number, word: number): boolean {
    if (!((word >>> (16 * half)) & buf.available) || this.#owner.quiet || this.#owner.aborted(endpoint)) return false;
    const control = this.#owner.control(endpoint);
    return (control & epCtrl.enable) !== 0 && (half === 0 || (control & epCtrl.doubleBuffered) !== 0);
  }

  #checkControl(endpoint: number, old: number): void {
    const word = this.word(dpram.bufCtrl + endpoint * 4);
    for (let half = 0; half < 2; half++)
      if (old & epCtrl.enable && this.#live(endpoint, half, word))
        this.#touched(`endpoint control of ${name(endpoint)} changed while buffer ${half} is armed`);
  }

  #writeBufferControl(endpoint: number, old: number, value: number): void {
    const now = this.#host.nowNs;
    let armed = false;
    for (let half = 0; half < 2; half++) {
      const before = (old >>> (16 * half)) & 0xffff;
      const after = (value >>> (16 * half)) & 0xffff;
      if (before === after) continue;
      const where = `${name(endpoint)} buffer ${half}`;
      const changed = (before ^ after) & ~buf.available;
      if (this.#live(endpoint, half, old))
        this.#touched(`${where}: control 0x${before.toString(16)} → 0x${after.toString(16)} while armed and not aborted`);
      if (after & buf.available && !(before & buf.available)) {
        if (changed & ~(half ? 0 : buf.stall))
          this.#host.violation("usb/available-with-length", `${where}: 0x${before.toString(16)} → 0x${after.toString(16)} in one write`);
        else if (now - this.#changedNs[endpoint * 2 + half]! < SETTLE_NS)
          this.#host.violation(
            "usb/available-too-soon",
            `${where}: ${(now - this.#changedNs[endpoint * 2 + half]!).toFixed(1)} ns after the other bits`,
          );
        this.#checkArmed(endpoint, half, after);
        armed = true;
      }
      if (half === 0 && after & buf.stall) armed = true;
      if (changed) this.#changedNs[endpoint * 2 + half] = now;
    }
    this.#view.setUint32(dpram.bufCtrl + endpoint * 4, value, true);
    this.#stale = true;
    if (armed) this.#owner.onArmed(endpoint);
  }

  #checkArmed(endpoint: number, half: number, after: number): void {
    const where = `${name(endpoint)} buffer ${half}`;
    const length = after & buf.lengthMask;
    const out = endpoint & 1;
    if (!out && !(after & buf.full)) this.#host.violation("usb/no-full-bit", where);
    if (out && after & buf.full) this.#host.violation("usb/out-armed-full", where);
    if (length > MAX_PACKET) this.#host.violation("usb/babble", `${where}: ${length} bytes`);
    if (endpoint < 2) return;
    const address = bufferAddress(this.#owner.control(endpoint), half);
    if (address < dpram.buffers || address + MAX_PACKET > DPRAM_SIZE)
      this.#host.violation("usb/bad-buffer", `${where} at 0x${address.toString(16)}`);
    else if (length && !this.#owner.quiet && this.#ownerOf(address))
      this.#host.violation("usb/buffer-overlap", `${where} at 0x${address.toString(16)}`);
  }

  #ownerOf(offset: number): number {
    if (this.#owner.quiet) return 0;
    if (this.#stale) this.#recompute();
    return this.#owned[offset >> 6]!;
  }

  #recompute(): void {
    this.#stale = false;
    this.#owned.fill(0);
    // Endpoint 0 has one buffer for both directions: OUT owns it only when the data stage, if any, goes OUT.
    const dataStageIn = (this.bytes[dpram.setup]! & 0x80) !== 0;
    for (let endpoint = 0; endpoint < 32; endpoint++) {
      const word = this.word(dpram.bufCtrl + endpoint * 4);
      for (let half = 0; half < 2; half++) {
        if (!((word >>> (16 * half)) & buf.lengthMask) || !this.#live(endpoint, half, word)) continue;
        if (endpoint === 1 && dataStageIn) continue;
        const block = bufferAddress(this.#owner.control(endpoint), half) >> 6;
        if (block < 64) this.#owned[block]! |= endpoint & 1 ? 2 : 1;
      }
    }
  }
}

/** Where a half's buffer begins (control, bulk and interrupt endpoints: the second one 64 bytes on). */
export function bufferAddress(control: number, half: number): number {
  return (control & epCtrl.addressMask) + half * MAX_PACKET;
}

/** "EP1 IN" for 2, "EP1 OUT" for 3. */
export function name(endpoint: number): string {
  return `EP${endpoint >> 1} ${endpoint & 1 ? "OUT" : "IN"}`;
}
