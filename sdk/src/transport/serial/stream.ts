import type { ByteStream } from "../byte-stream.js";
import type { ClosedReason } from "../transport.js";
import { changeRate, openFailure, platformBinding, type SerialBindingLike, type SerialPortLike } from "./binding.js";
import { lastWords } from "./last-words.js";
import { openTty } from "./tty.js";

/** Options of {@link serialStream}. */
export interface SerialOptions {
  /** Bits per second, default 115 200. CDC-ACM ignores it. */
  readonly baud?: number;
  /** Default the platform's, `@serialport/bindings-cpp`. */
  readonly binding?: SerialBindingLike;
}

export const defaultBaud = 115_200;
/** One read may bring this much, bytes. */
const READ = 65_536;

/**
 * Opens a serial port as a stream of bytes. Rejects with `port-missing`, `port-in-use`, `permission-denied`, `package-missing`.
 *
 * The port itself is the binding's: it sets the line and holds the lock. Where it is a terminal of Linux or macOS, bytes are read by the
 * event loop instead of the binding's thread pool, which halves the time of an exchange.
 */
export async function serialStream(path: string, options: SerialOptions = {}): Promise<ByteStream> {
  const { baud: baudRate = defaultBaud, binding } = options;
  const from = binding ?? (await platformBinding());
  let port: SerialPortLike;
  try {
    port = await from.open({ path, baudRate });
  } catch (error) {
    throw openFailure(error, path);
  }
  // a pty has no lines to set
  await port.set({ dtr: true, rts: true }).catch(() => undefined);
  return (binding ? undefined : openTty(path, port)) ?? new PortStream(port);
}

/** A port read and written through its binding. */
class PortStream implements ByteStream {
  onData: ((chunk: Uint8Array) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly #port: SerialPortLike;
  #settle!: (reason: ClosedReason) => void;
  #writing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(port: SerialPortLike) {
    this.#port = port;
    this.closed = new Promise((resolve) => (this.#settle = resolve));
    void this.#read();
  }

  async #read(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(READ);
    try {
      while (!this.#closing) {
        const { bytesRead } = await this.#port.read(buffer, 0, READ);
        this.onData?.(buffer.subarray(0, bytesRead));
      }
    } catch {
      // closed by us, or gone: whatever the binding says, there are no more bytes
      void this.#end("port-lost");
    } finally {
      buffer.fill(0);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    const mine = this.#writing.then(async () => {
      if (this.#closing) return;
      try {
        await this.#port.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      } catch {
        void this.#end("port-lost");
      }
    });
    this.#writing = mine;
    return mine;
  }

  async setRate(baud: number): Promise<void> {
    await this.#writing;
    await changeRate(this.#port, baud);
  }

  async close(): Promise<void> {
    // what was written last (the link's bye) still goes out
    if (!this.#closing) await lastWords(Promise.race([this.#writing, this.closed]));
    await this.#end("closed");
  }

  #end(reason: ClosedReason): Promise<void> {
    this.#closing ??= this.#port.close().catch(() => undefined);
    this.#settle(reason);
    return this.#closing;
  }
}
