import { createServer, type Server, type Socket } from "node:net";
import { channel, encodeFrame, linkLimits, refuse, sessionKind } from "@inkan/device-proto";
import type { VirtualReader } from "@inkan/hwtest/board";
import { isLoopback } from "@inkan/sdk/node";
import type { Language } from "../cli/language.js";
import { stop } from "../cli/failure.js";
import { say } from "../texts.js";
import type { VirtualDoor } from "./virtual-door.js";

/** Where to listen. */
export interface TcpPlace {
  readonly host: string;
  readonly port: number;
}

/** Parses HOST:PORT, [IPV6]:PORT too. A host others can reach needs `exposed`. @throws InkanError usage, refused */
export function tcpPlace(text: string, exposed: boolean, language: Language): TcpPlace {
  const [, six, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^[\]:/\s]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = six ?? name;
  const port = Number(digits);
  if (host === undefined || !(port <= 65_535)) throw stop("usage", { detail: say(language, "usage.host-port", { name: text }) });
  if (!exposed && !isLoopback(host))
    throw stop("refused", { detail: say(language, "tcp.exposed", { host }), hint: say(language, "tcp.exposed-hint") });
  return { host, port };
}

/** A program came, left, or was turned away because another is there. */
export type ClientListener = (state: "here" | "gone" | "refused") => void;

/**
 * The virtual reader's link on a TCP port: what CDC says, to one program at a time. Another one that says anything is told that the slot is
 * somebody else's, in the link's own words, and let go.
 */
export class TcpDoor implements VirtualDoor {
  readonly #reader: VirtualReader;
  readonly #place: TcpPlace;
  readonly #onClient: ClientListener;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #client: Socket | undefined;
  /** The one who is served has said his last word. */
  #leaving = false;
  #served: Promise<void> = Promise.resolve();
  #plugged = false;
  #address = "";

  constructor(reader: VirtualReader, place: TcpPlace, onClient: ClientListener) {
    this.#reader = reader;
    this.#place = place;
    this.#onClient = onClient;
  }

  /** @throws InkanError port-in-use (exit 7), permission-denied, port-missing */
  async up(): Promise<Readonly<Record<string, string>>> {
    if (!this.#plugged) await this.#reader.board.usb.attach();
    this.#plugged = true;
    this.#server ??= await this.#listen();
    return { tcp: this.#address };
  }

  async down(): Promise<void> {
    this.#plugged = false;
    for (const socket of this.#sockets) socket.destroy();
    await this.#reader.board.cdc.close();
  }

  async close(): Promise<void> {
    await this.down();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async #listen(): Promise<Server> {
    const { host, port } = this.#place;
    const server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
    const path = (at: number): string => `${host.includes(":") ? `[${host}]` : host}:${at}`;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port, exclusive: true }, resolve);
      });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw stop(code === "EADDRINUSE" ? "port-in-use" : code === "EACCES" ? "permission-denied" : "port-missing", { path: path(port) });
    }
    const made = server.address();
    this.#address = path(typeof made === "object" && made ? made.port : port);
    return server;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    if (!this.#plugged) return void socket.destroy();
    if (this.#client) return this.#secondOne(socket);
    this.#client = socket;
    this.#served = this.#serve(socket);
  }

  /** Nobody is told anything before he speaks, as the reader's side never speaks first. By then the one before may have left. */
  #secondOne(socket: Socket): void {
    socket.once("data", (bytes) => {
      socket.pause();
      if (this.#client && !this.#leaving) return this.#turnAway(socket);
      socket.unshift(bytes);
      void this.#served.then(() => {
        if (!socket.destroyed) this.#connected(socket);
      });
    });
  }

  #turnAway(socket: Socket): void {
    const payload = refuse.encode({ reason: 2, versionMin: linkLimits.versionMin, versionMax: linkLimits.version });
    const frame = encodeFrame({ channel: channel.session, session: sessionKind.refuse, more: false, seq: 0, ack: 0, tag: 0, payload });
    this.#onClient("refused");
    socket.end(frame);
    socket.resume();
  }

  async #serve(socket: Socket): Promise<void> {
    const { cdc } = this.#reader.board;
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.once("end", () => (this.#leaving = true));
    socket.once("close", () => (this.#leaving = true));
    socket.pause();
    try {
      await cdc.open({ dtr: true });
      this.#onClient("here");
      cdc.onData = (bytes) => void socket.write(bytes);
      cdc.onClosed = () => socket.destroy();
      socket.on("data", (bytes) => {
        // Back-pressure reaches the program: nothing more is taken while the board has not taken this.
        socket.pause();
        cdc.write(bytes).then(
          () => socket.resume(),
          () => socket.destroy(),
        );
      });
      socket.on("end", () => socket.end());
      socket.resume();
      await gone;
      cdc.onData = cdc.onClosed = undefined;
      await cdc.close();
    } catch {
      // the board was unplugged under it
      socket.destroy();
    } finally {
      this.#client = undefined;
      this.#leaving = false;
      this.#onClient("gone");
    }
  }
}
