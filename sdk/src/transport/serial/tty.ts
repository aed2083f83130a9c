import { closeSync, constants, openSync, writeSync } from "node:fs";
import { isatty, ReadStream } from "node:tty";
import type { ByteStream } from "../byte-stream.js";
import type { ClosedReason } from "../transport.js";
import { changeRate, type SerialPortLike } from "./binding.js";
import { lastWords } from "./last-words.js";

/** One read may bring this much, bytes. */
const READ = 65_536;

/**
 * The fast way to a serial port that a binding has opened, set up and locked: a second descriptor of the same terminal, read by the event
 * loop into one buffer, and written at once as long as the kernel takes it. `undefined` where there is no such way.
 */
export function openTty(path: string, port: SerialPortLike): ByteStream | undefined {
  if (process.platform === "win32" || !("fd" in port) || typeof port.fd !== "number" || !isatty(port.fd)) return undefined;
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch {
    return undefined; // an exclusive terminal: the binding's own way still works
  }
  try {
    return new TtyStream(fd, port);
  } catch {
    closeSync(fd);
    return undefined;
  }
}

class TtyStream implements ByteStream {
  onData: ((chunk: Uint8Array) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly #port: SerialPortLike;
  readonly #fd: number;
  readonly #input: ReadStream;
  readonly #buffer = Buffer.allocUnsafeSlow(READ);
  #settle!: (reason: ClosedReason) => void;
  /** What the kernel did not take at once, in order. */
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(fd: number, port: SerialPortLike) {
    this.#fd = fd;
    this.#port = port;
    this.closed = new Promise((resolve) => (this.#settle = resolve));
    const onread = {
      buffer: this.#buffer,
      callback: (length: number) => {
        this.onData?.(this.#buffer.subarray(0, length));
        return true;
      },
    };
    this.#input = new ReadStream(fd, { onread } as never);
    this.#input.on("error", () => void this.#end("port-lost"));
    this.#input.on("end", () => void this.#end("port-lost"));
    this.#input.on("close", () => void this.#end("port-lost"));
    this.#input.resume();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#closing) return;
    let at = 0;
    if (!this.#writing) {
      at = this.#writeNow(bytes);
      if (at === bytes.length || this.#closing) return;
    }
    // the kernel's buffer is full: the binding waits for room
    const rest = Buffer.from(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
    const mine = (this.#writing ?? Promise.resolve())
      .then(() => (this.#closing ? undefined : this.#port.write(rest)))
      .catch(() => void this.#end("port-lost"));
    this.#writing = mine;
    await mine;
    if (this.#writing === mine) this.#writing = undefined;
  }

  #writeNow(bytes: Uint8Array): number {
    let at = 0;
    try {
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      if (!["EAGAIN", "EWOULDBLOCK"].includes((error as NodeJS.ErrnoException).code ?? "")) void this.#end("port-lost");
    }
    return at;
  }

  async setRate(baud: number): Promise<void> {
    await this.#writing;
    await changeRate(this.#port, baud);
  }

  async close(): Promise<void> {
    if (!this.#closing && this.#writing) await lastWords(Promise.race([this.#writing, this.closed]));
    await this.#end("closed");
  }

  #end(reason: ClosedReason): Promise<void> {
    this.#closing ??= new Promise<void>((resolve) => {
      this.#input.once("close", () => {
        this.#buffer.fill(0);
        resolve(this.#port.close().catch(() => undefined));
      });
      this.#input.destroy();
    });
    this.#settle(reason);
    return this.#closing;
  }
}
