import { lstat, unlink } from "node:fs/promises";
import { createServer, connect, type Server, type Socket } from "node:net";
import { InkanError } from "@inkan/sdk";
import type { UsbHost } from "../board/usb-host.js";
import { UsbredirPeer } from "./peer.js";

/** What is queued for a guest that does not read before the polling of interrupt endpoints, and reading from it, pause. */
const HIGH_WATER = 1 << 20;

/** Why a service ended: it was closed, or the board stopped for good (`error` says why, e.g. a `BoardViolation`). */
export interface UsbredirEnd {
  readonly reason: "closed" | "board-stopped";
  readonly error?: unknown;
}

/** The board's USB cable, offered to virtual machines on a socket. */
export interface UsbredirServer {
  /** Takes the socket away and gives the device back; what is under way ends. */
  close(): Promise<void>;
  /** Resolves when the service has ended for whatever reason; never rejects. */
  readonly closed: Promise<UsbredirEnd>;
}

/** Options of the service. */
export interface UsbredirOptions {
  /**
   * True (default): the cable is plugged in when a guest says hello, and pulled when it leaves. False: the guest sees what is done to
   * `board.usb`, so that a device can come after the machine's firmware has looked for boot devices, and can be replugged.
   */
  readonly plug?: boolean;
  /** A guest was there or left; `error` is a `UsbredirError` when it broke a rule. */
  onGuest?(event: "hello" | "left", error?: unknown): void;
}

/** The part of a board that is served. */
export interface ServedBoard {
  readonly usb: { readonly host: UsbHost };
}

/**
 * Offers the board's USB device on a Unix socket as usbredir, for QEMU:
 * `-chardev socket,id=ur,path=SOCKET -device usb-redir,chardev=ur`. One guest at a time. The board must run in pace `real` or `line`:
 * a guest waits in wall time. Rejects with `port-in-use` (exit 7) when the socket is served or a driver in this process has the
 * device, `file-unwritable` when it cannot be made.
 */
export async function serveUsbredir(board: ServedBoard, socketPath: string, options: UsbredirOptions = {}): Promise<UsbredirServer> {
  const service = new Service(board.usb.host, options);
  await service.listen(socketPath);
  return service;
}

class Service implements UsbredirServer {
  readonly closed: Promise<UsbredirEnd>;
  readonly #host: UsbHost;
  readonly #options: UsbredirOptions;
  readonly #server: Server;
  readonly #owned = new Set<number>();
  readonly #stopListening: () => void;
  #end!: (end: UsbredirEnd) => void;
  #guest: { readonly socket: Socket; readonly peer: UsbredirPeer } | undefined;
  #closing = false;
  readonly #watch = new AbortController();

  constructor(host: UsbHost, options: UsbredirOptions) {
    this.#host = host;
    this.#options = options;
    this.closed = new Promise((resolve) => (this.#end = resolve));
    this.#server = createServer((socket) => this.#connected(socket));
    // All interfaces belong to the guest: a driver of this process would take its answers.
    this.#stopListening = host.listen({ configured: () => void this.#claim() });
  }

  async listen(path: string): Promise<void> {
    if (!this.#claim()) {
      this.#release();
      throw new InkanError("port-in-use", { path });
    }
    try {
      await this.#bind(path);
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#host.host.pump
      .waitFor(() => undefined, { background: true, signal: this.#watch.signal })
      .catch((error: unknown) => {
        if (!this.#watch.signal.aborted) void this.#stop({ reason: "board-stopped", error });
      });
  }

  close(): Promise<void> {
    return this.#stop({ reason: "closed" });
  }

  async #stop(end: UsbredirEnd): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#watch.abort();
      this.#drop();
      this.#release();
      await new Promise<void>((resolve) => this.#server.close(() => resolve()));
      this.#end(end);
    }
    await this.closed;
  }

  #release(): void {
    this.#stopListening();
    for (const number of this.#owned) this.#host.release(number, this);
    this.#owned.clear();
  }

  #claim(): boolean {
    for (const { number } of this.#host.device?.configuration.interfaces ?? []) {
      if (!this.#host.claim(number, this)) return false;
      this.#owned.add(number);
    }
    return true;
  }

  /** A socket nobody serves any more is replaced; anything else at that path is left alone. */
  async #bind(path: string): Promise<void> {
    try {
      return await this.#listenAt(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE") throw unwritable(path, error);
    }
    const found = await lstat(path).catch(() => undefined);
    if (found && !found.isSocket()) throw new InkanError("file-unwritable", { path, reason: "it exists and is not a socket" });
    if (found && (await served(path))) throw new InkanError("port-in-use", { path });
    try {
      if (found) await unlink(path);
      await this.#listenAt(path);
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  #listenAt(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  #connected(socket: Socket): void {
    if (this.#guest || this.#closing) return void socket.destroy();
    let reason: unknown;
    const peer = new UsbredirPeer(this.#host, {
      write: (bytes) => {
        if (!socket.destroyed && !socket.write(bytes) && socket.writableLength > HIGH_WATER) socket.pause();
      },
      get congested() {
        return socket.writableLength > HIGH_WATER;
      },
      failed: (error) => {
        reason = error;
        // The device_disconnect before this still goes out.
        socket.destroySoon();
      },
    });
    this.#guest = { socket, peer };
    socket.on("data", (chunk) => {
      const before = peer.greeted;
      peer.receive(chunk);
      if (before || !peer.greeted) return;
      this.#options.onGuest?.("hello");
      if (this.#options.plug ?? true) this.#host.plug();
    });
    socket.on("drain", () => {
      socket.resume();
      peer.drained();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#guest?.socket !== socket) return;
      this.#drop();
      this.#options.onGuest?.("left", reason);
    });
  }

  #drop(): void {
    const guest = this.#guest;
    if (!guest) return;
    this.#guest = undefined;
    guest.peer.close();
    guest.socket.destroy();
    if ((this.#options.plug ?? true) && this.#host.host.pump.failure === undefined) this.#host.unplug();
  }
}

function unwritable(path: string, error: unknown): InkanError {
  const cause = error as NodeJS.ErrnoException;
  return new InkanError("file-unwritable", { path, reason: cause.code ?? cause.message }, { cause });
}

function served(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
