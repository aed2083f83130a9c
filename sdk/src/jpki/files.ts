import { InkanError } from "../errors.js";
import { statusWord } from "../iso7816/index.js";
import { jpkiAid } from "./layout.js";
import type { JpkiPort, JpkiResponse } from "./port.js";

/** The card's refusal as an error, its status word in words. */
export function cardStatus(sw: number): InkanError {
  return new InkanError("card-status", { sw: sw.toString(16).toUpperCase().padStart(4, "0"), words: statusWord(sw).en });
}

/**
 * Octets asked for at once. With the status word a chunk still fits one T=1 block of IFSC 254 or 251+ (252 + 2 = 254), so no read is
 * chained; 256-octet reads cost a second block each.
 */
const chunk = 252;
/** READ BINARY has 15 bits for the offset (ISO 7816-4; P1 bit 8 means a short identifier). */
const furthest = 0x7fff;

/** Selecting and reading in the JPKI application. */
export class JpkiFiles {
  readonly #port: JpkiPort;

  constructor(port: JpkiPort) {
    this.#port = port;
  }

  async #send(signal: AbortSignal | undefined, ...octets: readonly number[]): Promise<JpkiResponse> {
    return this.#port.transmit(Uint8Array.from(octets), signal === undefined ? {} : { signal });
  }

  /** SELECT by name, no file control information (jpki-card.md §2.1). Anything but 9000 and 6A82 is the card's own refusal. */
  async selectApplication(signal?: AbortSignal): Promise<void> {
    const { sw } = await this.#send(signal, 0x00, 0xa4, 0x04, 0x0c, jpkiAid.length, ...jpkiAid);
    if (sw === 0x9000) return;
    // Not found, or a card that does not know SELECT by name at all: not a JPKI card.
    throw [0x6a82, 0x6a81, 0x6a86, 0x6d00, 0x6e00].includes(sw) ? new InkanError("card-unknown") : cardStatus(sw);
  }

  /** SELECT of an EF under the current application; P1 = 02 is the only form that works (jpki-card.md §2.1). */
  async selectFile(fid: number, signal?: AbortSignal): Promise<void> {
    const { sw } = await this.#send(signal, 0x00, 0xa4, 0x02, 0x0c, 0x02, fid >> 8, fid & 0xff);
    if (sw === 0x6a82) throw new InkanError("unsupported", { detail: `file ${fid.toString(16).toUpperCase().padStart(4, "0")}` });
    if (sw !== 0x9000) throw cardStatus(sw);
  }

  /** The first octets of a file, fewer when it is shorter. */
  async readStart(fid: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    await this.selectFile(fid, signal);
    return this.#read(0, length, signal);
  }

  /** A file that holds one DER object; what follows the object is padding and is not read. */
  async readObject(fid: number, signal?: AbortSignal): Promise<Uint8Array> {
    await this.selectFile(fid, signal);
    const head = await this.#read(0, chunk, signal);
    if (head[0] !== 0x30 || head[1] !== 0x82 || head.length < 4)
      throw new InkanError("certificate-unreadable", { detail: "the file holds no certificate" });
    const total = 4 + head[2]! * 256 + head[3]!;
    if (total > furthest) throw new InkanError("certificate-unreadable", { detail: `${total} bytes` });
    const out = new Uint8Array(total);
    out.set(head.subarray(0, total));
    for (let at = head.length; at < total; ) {
      const piece = await this.#read(at, Math.min(chunk, total - at), signal);
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  async #read(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { data, sw } = await this.#send(signal, 0x00, 0xb0, offset >> 8, offset & 0xff, length & 0xff);
    // 6282: the end of the file came before Le octets; what is there counts (jpki-card.md §2.2).
    if (sw !== 0x9000 && sw !== 0x6282) throw cardStatus(sw);
    // The card is an attacker until proven otherwise: no empty answers (endless loop), none longer than asked for.
    if (data.length === 0 || data.length > length)
      throw new InkanError("protocol", { detail: `READ BINARY of ${length} answered with ${data.length} bytes` });
    return data;
  }
}
