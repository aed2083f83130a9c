import type { VirtualReader } from "@inkan/hwtest/board";
import { linkTo } from "../cli/link-name.js";
import type { Language } from "../cli/language.js";
import type { World } from "../cli/world.js";
import type { VirtualDoor } from "./virtual-door.js";

/** What makes a pseudo terminal of the board's port. */
type OpenPty = Awaited<ReturnType<World["bench"]>>["openPty"];

/**
 * The virtual reader as a serial port under a name of the caller's choice. It is there while the board has power: like the real one it
 * vanishes with a reset and comes again, under the same name.
 */
export class SerialPort implements VirtualDoor {
  readonly #reader: VirtualReader;
  readonly #openPty: OpenPty;
  readonly #path: string;
  readonly #how: { readonly force: boolean; readonly language: Language };
  #down: (() => Promise<void>) | undefined;

  constructor(reader: VirtualReader, openPty: OpenPty, path: string, how: { readonly force: boolean; readonly language: Language }) {
    this.#reader = reader;
    this.#openPty = openPty;
    this.#path = path;
    this.#how = how;
  }

  /** Plugs the cable in and makes the port. `port` is the terminal's own name. @throws InkanError program-missing, output-exists, file-unwritable */
  async up(): Promise<Readonly<Record<string, string>>> {
    await this.down();
    await this.#reader.board.usb.attach();
    const pty = await this.#openPty(this.#reader.board.cdc);
    this.#down = async () => {
      this.#down = undefined;
      await pty.close();
    };
    const unlink = linkTo(pty.path, this.#path, this.#how);
    this.#down = async () => {
      this.#down = undefined;
      unlink();
      await pty.close();
    };
    return { pty: this.#path, port: pty.path };
  }

  /** Takes the port away, if it is there. */
  async down(): Promise<void> {
    await this.#down?.();
  }

  close(): Promise<void> {
    return this.down();
  }
}
