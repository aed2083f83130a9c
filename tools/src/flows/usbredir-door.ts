import type { UsbredirServer } from "@inkan/hwtest/usbredir";
import type { VirtualReader } from "@inkan/hwtest/board";
import type { World } from "../cli/world.js";
import type { VirtualDoor } from "./virtual-door.js";

/** What offers the board's cable on a socket. */
type Serve = Awaited<ReturnType<World["usbredir"]>>["serveUsbredir"];
/** A virtual machine came or left. `error`: it broke the protocol. */
export type GuestListener = (event: "hello" | "left", error?: unknown) => void;

/**
 * The virtual reader's USB cable for a virtual machine, on a Unix socket. The cable is in while a machine is there; the socket stays over a
 * reset of the board, which the machine sees as unplugging.
 */
export class UsbredirDoor implements VirtualDoor {
  readonly #reader: VirtualReader;
  readonly #serve: Serve;
  readonly #path: string;
  readonly #onGuest: GuestListener;
  #server: UsbredirServer | undefined;
  #guest = false;

  constructor(reader: VirtualReader, serve: Serve, path: string, onGuest: GuestListener) {
    this.#reader = reader;
    this.#serve = serve;
    this.#path = path;
    this.#onGuest = onGuest;
  }

  /** @throws InkanError port-in-use (exit 7), file-unwritable */
  async up(): Promise<Readonly<Record<string, string>>> {
    if (this.#server && this.#guest) this.#reader.board.usb.host.plug();
    this.#server ??= await this.#serve(this.#reader.board, this.#path, {
      onGuest: (event, error) => {
        this.#guest = event === "hello";
        this.#onGuest(event, error);
      },
    });
    return { usbredir: this.#path };
  }

  async down(): Promise<void> {
    this.#reader.board.usb.host.unplug();
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}
