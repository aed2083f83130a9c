import type { UsbHost } from "./usb-host.js";
import type { TransferRequest, TransferResult } from "./usb-transfer.js";

/** bRequest values of PSTN 1.2 §6.3. */
const SET_LINE_CODING = 0x20;
const SET_CONTROL_LINE_STATE = 0x22;
const SEND_BREAK = 0x23;
const SERIAL_STATE = 0x20;
const HOST_TO_INTERFACE = 0x21;
const CDC_CONTROL = 0x02;
const CDC_DATA = 0x0a;
const ACM = 0x02;
/** Linux' cdc-acm reads two packets at a time, so a device that owes a ZLP after a full packet is found out. */
const READ_PACKETS = 2;
const STANDING_READS = 2;

/** How the line is set. There is no line behind it on this board, but a driver always says it. */
export interface LineCoding {
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  /** 0 none, 1 odd, 2 even, 3 mark, 4 space. */
  readonly parity: 0 | 1 | 2 | 3 | 4;
  readonly stopBits: 1 | 1.5 | 2;
}

/** How to open the port. */
export interface CdcOpenOptions {
  /** Data terminal ready; default true, as an operating system does on open. */
  readonly dtr?: boolean;
  readonly rts?: boolean;
  readonly coding?: Partial<LineCoding>;
}

/** Why the port is no longer usable. */
export type CdcClosedReason = "closed" | "unplugged";

interface Found {
  readonly control: number;
  readonly data: number;
  readonly notify: number | undefined;
  readonly out: number;
  readonly in: number;
  readonly inPacket: number;
}

/**
 * What an operating system's cdc-acm driver does with the board: claims the pair of interfaces, says line coding and DTR/RTS,
 * keeps reads pending, and polls for SERIAL_STATE. One user at a time.
 */
export class CdcAcm {
  readonly #host: UsbHost;
  #found: Found | undefined;
  #lines = { dtr: false, rts: false };
  #coding: LineCoding = { baudRate: 115200, dataBits: 8, parity: 0, stopBits: 1 };
  #serialState = 0;
  #writes: Promise<unknown> = Promise.resolve();
  readonly #reads = new Set<number>();
  readonly #outs = new Set<number>();
  /** Each opening has its number, so that a loop of an earlier one stops. */
  #session = 0;
  /** Called with each chunk of bytes as the device sends it. The bytes are the callee's. */
  onData: ((bytes: Uint8Array) => void) | undefined;
  /** Called once per opening, when the port is no longer usable. */
  onClosed: ((reason: CdcClosedReason) => void) | undefined;

  constructor(host: UsbHost) {
    this.#host = host;
    host.listen({ disconnected: () => this.#end("unplugged") });
  }

  /** True while the board is plugged in, configured and has the interfaces. */
  get present(): boolean {
    return this.#find() !== undefined;
  }
  get isOpen(): boolean {
    return this.#found !== undefined;
  }
  get coding(): LineCoding {
    return this.#coding;
  }
  /** Carrier and data-set-ready as the device last said. */
  get state(): { readonly dcd: boolean; readonly dsr: boolean } {
    return { dcd: (this.#serialState & 1) !== 0, dsr: (this.#serialState & 2) !== 0 };
  }

  /** Rejects with code ENOENT when the device is not there and EBUSY when somebody else has it. */
  async open(options: CdcOpenOptions = {}): Promise<void> {
    const found = this.#find();
    if (!found) throw failure("ENOENT", "no such device");
    if (this.#found || !this.#host.claim(found.control, this)) throw failure("EBUSY", "the port is in use");
    if (!this.#host.claim(found.data, this)) {
      this.#host.release(found.control, this);
      throw failure("EBUSY", "the port is in use");
    }
    this.#found = found;
    const session = ++this.#session;
    this.#serialState = 0;
    this.#writes = Promise.resolve();
    try {
      await this.setCoding(options.coding ?? {});
      await this.setLines({ dtr: options.dtr ?? true, rts: options.rts ?? true });
    } catch (error) {
      this.#end("unplugged");
      throw error;
    }
    for (let index = 0; index < STANDING_READS; index++) void this.#readLoop(session, found);
    if (found.notify !== undefined) void this.#notifyLoop(session, found.notify);
  }

  /** Sends all bytes, in order with earlier writes; resolves when the device has acknowledged them. No ZLP follows, as in Linux. */
  write(bytes: Uint8Array): Promise<void> {
    const found = this.#found;
    if (!found) return Promise.reject(failure("EBADF", "the port is not open"));
    const copy = bytes.slice();
    const session = this.#session;
    const turn = this.#writes.then(async () => {
      if (copy.length === 0) return;
      if (session !== this.#session) throw failure("ECANCELED", "the port was closed");
      const result = await this.#transfer({ kind: "out", endpoint: found.out, data: copy }, this.#outs, false);
      if (result.status !== "ok")
        throw failure(result.status === "cancelled" ? "ECANCELED" : "EIO", `the write ended with "${result.status}"`);
    });
    this.#writes = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when everything written so far has been acknowledged. */
  async drain(): Promise<void> {
    await this.#writes;
  }

  /** Drops what was written and not yet sent: those writes reject with ECANCELED. */
  discard(): void {
    for (const id of [...this.#outs]) this.#host.cancel(id);
  }

  async setLines(lines: { readonly dtr?: boolean; readonly rts?: boolean }): Promise<void> {
    this.#lines = { dtr: lines.dtr ?? this.#lines.dtr, rts: lines.rts ?? this.#lines.rts };
    await this.#request(SET_CONTROL_LINE_STATE, (this.#lines.dtr ? 1 : 0) | (this.#lines.rts ? 2 : 0));
  }

  async setCoding(coding: Partial<LineCoding>): Promise<void> {
    this.#coding = { ...this.#coding, ...coding };
    const { baudRate, stopBits, parity, dataBits } = this.#coding;
    const bytes = new Uint8Array(7);
    new DataView(bytes.buffer).setUint32(0, baudRate, true);
    bytes.set([stopBits === 1 ? 0 : stopBits === 1.5 ? 1 : 2, parity, dataBits], 4);
    await this.#request(SET_LINE_CODING, 0, bytes);
  }

  /** Break of `ms` milliseconds; 0xFFFF = until 0. Rejects with EIO where the device does not know it. */
  async sendBreak(ms: number): Promise<void> {
    await this.#request(SEND_BREAK, ms);
  }

  /** Drops DTR (unless told not to), takes the pending reads back and lets the interfaces go. */
  async close(options: { readonly hangUp?: boolean } = {}): Promise<void> {
    if (!this.#found) return;
    this.discard();
    try {
      if (options.hangUp ?? true) await this.setLines({ dtr: false, rts: false });
    } catch {
      // The device is gone or the board has stopped: the port is closed all the same.
    }
    this.#end("closed");
  }

  #end(reason: CdcClosedReason): void {
    const found = this.#found;
    if (!found) return;
    this.#found = undefined;
    this.#session++;
    this.#host.release(found.control, this);
    this.#host.release(found.data, this);
    for (const id of [...this.#reads, ...this.#outs]) this.#host.cancel(id);
    this.#reads.clear();
    this.#outs.clear();
    this.onClosed?.(reason);
  }

  #find(): Found | undefined {
    const interfaces = this.#host.device?.configuration.interfaces ?? [];
    const control = interfaces.find((one) => one.classCode === CDC_CONTROL && one.subclass === ACM);
    const data = interfaces.find((one) => one.classCode === CDC_DATA && one.endpoints.length === 2);
    const into = data?.endpoints.find((one) => one.address & 0x80);
    const out = data?.endpoints.find((one) => !(one.address & 0x80));
    if (!control || !data || !into || !out) return undefined;
    const notify = control.endpoints[0]?.address;
    return { control: control.number, data: data.number, notify, out: out.address, in: into.address, inPacket: into.maxPacket };
  }

  async #readLoop(session: number, found: Found): Promise<void> {
    while (session === this.#session) {
      const result = await this.#transfer(
        { kind: "in", endpoint: found.in, length: found.inPacket * READ_PACKETS },
        this.#reads,
        true,
      ).catch(() => undefined);
      if (session !== this.#session) return;
      if (result?.status === "stall") await this.#clearHalt(found.in).catch(() => undefined);
      else if (result?.status !== "ok") return;
      else if (result.data.length) this.onData?.(result.data);
    }
  }

  async #notifyLoop(session: number, endpoint: number): Promise<void> {
    while (session === this.#session) {
      const result = await this.#transfer({ kind: "in", endpoint, length: 16 }, this.#reads, true).catch(() => undefined);
      if (session !== this.#session || result?.status !== "ok") return;
      if (result.data.length >= 10 && result.data[1] === SERIAL_STATE) this.#serialState = result.data[8]! | (result.data[9]! << 8);
    }
  }

  async #clearHalt(endpoint: number): Promise<void> {
    await this.#transfer({ kind: "control", setup: Uint8Array.of(2, 1, 0, 0, endpoint, 0, 0, 0) }, this.#outs, false);
  }

  async #request(request: number, value: number, data: Uint8Array = new Uint8Array(0)): Promise<void> {
    const found = this.#found;
    if (!found) throw failure("EBADF", "the port is not open");
    const setup = Uint8Array.of(HOST_TO_INTERFACE, request, value & 0xff, value >> 8, found.control, 0, data.length, 0);
    const result = await this.#transfer({ kind: "control", setup, data }, this.#outs, false);
    if (result.status !== "ok") throw failure("EIO", `request 0x${request.toString(16)} ended with "${result.status}"`);
  }

  #transfer(request: TransferRequest, set: Set<number>, background: boolean): Promise<TransferResult> {
    const host = this.#host;
    return host.host.pump.waitFor<TransferResult>(
      (resolve) => {
        const id = host.submit(request, resolve);
        set.add(id);
        return () => {
          set.delete(id);
          host.cancel(id);
        };
      },
      { background },
    );
  }
}

/** An error with a code, as the operating system's calls have. */
function failure(code: "ENOENT" | "EBUSY" | "EBADF" | "EIO" | "ECANCELED", message: string): Error & { code: string } {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
