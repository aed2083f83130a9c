import { connect, type Socket } from "node:net";
import { abortError, InkanError } from "../errors.js";
import { startTimer } from "../exchange/clock.js";
import { systemClock } from "../exchange/system-clock.js";
import type { ByteStream } from "../transport/byte-stream.js";
import { lastWords } from "../transport/serial/last-words.js";
import type { ClosedReason } from "../transport/transport.js";

/** Options of {@link tcpStream}. */
export interface TcpOptions {
  /** Longest wait for the connection, ms; default 3 000. */
  readonly timeoutMs?: number;
  /** Aborts the connecting. */
  readonly signal?: AbortSignal;
}

const CONNECT_MS = 3_000;

/** Is this host this machine, so that nobody else hears what is said? Addresses and `localhost`, no look-up. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d{1,3}){3}|::1|\[::1\]|localhost)$/i.test(host);
}

/**
 * Connects to a reader's link over TCP, without Nagle's delay. Rejects with `port-missing` when nobody listens there or the host is not found,
 * `deadline-passed`, `aborted`; the socket is gone then.
 */
export async function tcpStream(host: string, port: number, options: TcpOptions = {}): Promise<ByteStream> {
  const { timeoutMs = CONNECT_MS, signal } = options;
  if (signal?.aborted) throw abortError(signal);
  const path = `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const socket = connect({ host, port, noDelay: true });
  let onAbort = (): void => undefined;
  let cancel = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (cause: Error) => reject(new InkanError("port-missing", { path }, { cause })));
      cancel = startTimer(systemClock, timeoutMs, () => reject(new InkanError("deadline-passed", { ms: timeoutMs })));
      onAbort = () => reject(abortError(signal!));
      signal?.addEventListener("abort", onAbort, { once: true });
    });
    return new TcpStream(socket);
  } catch (error) {
    socket.on("error", () => undefined);
    socket.destroy();
    throw error;
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

class TcpStream implements ByteStream {
  onData: ((chunk: Uint8Array) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly #socket: Socket;
  #settle!: (reason: ClosedReason) => void;
  #writing: Promise<void> = Promise.resolve();
  #gone: Promise<void>;
  #closing = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => (this.#settle = resolve));
    this.#gone = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (chunk) => this.onData?.(chunk));
    socket.on("error", () => this.#end("port-lost"));
    socket.on("end", () => this.#end("port-lost"));
    socket.on("close", () => this.#end("port-lost"));
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#closing) return Promise.resolve();
    const mine = new Promise<void>((resolve) => void this.#socket.write(bytes, () => resolve()));
    this.#writing = mine;
    return mine;
  }

  async close(): Promise<void> {
    if (!this.#closing) await lastWords(Promise.race([this.#writing, this.closed]));
    this.#end("closed");
    await this.#gone;
  }

  #end(reason: ClosedReason): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#settle(reason);
    // what was written is with the system: it goes out before the end does
    this.#socket.destroySoon();
  }
}
