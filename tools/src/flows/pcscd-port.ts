import { resolve } from "node:path";
import { stop } from "../cli/failure.js";
import type { Language } from "../cli/language.js";
import { say } from "../texts.js";
import type { SerialPort } from "./serial-port.js";
import type { VirtualDoor } from "./virtual-door.js";

/** libccid's driver for serial readers, where Debian's package has it. */
export const PCSCD_DRIVER = "/usr/lib/pcsc/drivers/serial/libccidtwin.so";

/** What pcscd reads of an unquoted value, and it takes no quotes off a DEVICENAME; its driver ends the path at the first colon. */
const READABLE = /^[A-Za-z0-9/\\._@-]+$/;

/**
 * The lines by which pcscd finds the reader at `path`. The suffix is the driver's name for a reader with a PIN pad; CHANNELID is not used.
 * @throws InkanError usage: a path that pcscd could not read
 */
export function readerConf(path: string, language: Language): string {
  const whole = resolve(path);
  if (!READABLE.test(whole)) throw stop("usage", { detail: say(language, "usage.pcscd-path", { path: whole }) });
  return `FRIENDLYNAME "Inkan"\nDEVICENAME ${whole}:GemPCPinPad\nLIBPATH ${PCSCD_DRIVER}\nCHANNELID 1\n`;
}

/** The reader's serial port for pcscd: an ordinary one, whose `ready` event says what belongs into reader.conf. */
export class PcscdPort implements VirtualDoor {
  readonly #port: SerialPort;
  readonly #path: string;
  readonly #conf: string;

  /** `conf` is {@link readerConf}'s. */
  constructor(port: SerialPort, path: string, conf: string) {
    this.#port = port;
    this.#path = path;
    this.#conf = conf;
  }

  /** @throws InkanError as {@link SerialPort.up} */
  async up(): Promise<Readonly<Record<string, string>>> {
    const { port = "" } = await this.#port.up();
    return { pcscdSerial: this.#path, port, readerConf: this.#conf };
  }

  down(): Promise<void> {
    return this.#port.down();
  }

  close(): Promise<void> {
    return this.#port.close();
  }
}
