import { capabilities, decodeBody, decodeHeader, type Header, headerSize, type Packet, type Sender, UsbredirError } from "./wire.js";

/** First word of a hello's capabilities; 0 when there is none. */
export function capabilityWord(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}

/**
 * Cuts one direction of a connection into packets. It keeps at most one packet (1 MiB of data and its header), refuses a header
 * before it waits for the body, and after an error gives nothing more: there is no way to find the next packet.
 */
export class UsbredirParser {
  readonly #sender: Sender;
  readonly #ours: number;
  #buffer = new Uint8Array(headerSize(true));
  #filled = 0;
  #wanted = headerSize(false);
  #header: Header | undefined;
  #ids64 = false;
  #greeted = false;
  #failure: UsbredirError | undefined;

  /** `sender` writes the bytes; `ours` are the capabilities of the side that reads them. */
  constructor(sender: Sender, ours: number) {
    this.#sender = sender;
    this.#ours = ours;
  }

  /** Both hellos carry capability 5: ids have 64 bits from the packet after the hello on. */
  get ids64(): boolean {
    return this.#ids64;
  }

  /** Bytes kept for a packet that is not whole yet. */
  get pending(): number {
    return this.#filled;
  }

  /** Takes bytes as they come and yields the packets they complete. @throws UsbredirError, at every call after the first one. */
  *push(chunk: Uint8Array): Generator<Packet, void> {
    if (this.#failure) throw this.#failure;
    let at = 0;
    try {
      for (;;) {
        const take = Math.min(chunk.length - at, this.#wanted - this.#filled);
        this.#buffer.set(chunk.subarray(at, at + take), this.#filled);
        this.#filled += take;
        at += take;
        if (this.#filled < this.#wanted) return;
        const packet = this.#complete();
        if (packet) yield packet;
      }
    } catch (error) {
      if (error instanceof UsbredirError) this.#failure = error;
      throw error;
    }
  }

  /** What was waited for is there: a header, or the body of one. */
  #complete(): Packet | undefined {
    const bytes = this.#buffer.subarray(0, this.#filled);
    if (!this.#header) {
      const header = decodeHeader(bytes, this.#ids64, this.#sender);
      if (header.name !== "hello" && !this.#greeted) throw new UsbredirError("no-hello", `${header.name} comes first`);
      if (header.name === "hello" && this.#greeted) throw new UsbredirError("second-hello", `id ${header.id}`);
      this.#header = header;
      this.#expect(header.length);
      if (header.length > 0) return undefined;
    }
    const packet = decodeBody(this.#header, this.#buffer.subarray(0, this.#filled), this.#sender);
    this.#header = undefined;
    if (packet.name === "hello") {
      this.#greeted = true;
      this.#ids64 = (capabilityWord(packet.body.capabilities) & this.#ours & capabilities.ids64) !== 0;
    }
    this.#expect(headerSize(this.#ids64));
    return packet;
  }

  #expect(bytes: number): void {
    this.#filled = 0;
    this.#wanted = bytes;
    // A long packet's buffer is not kept for the short ones after it.
    if (this.#buffer.length < bytes || this.#buffer.length > 0x10000) this.#buffer = new Uint8Array(Math.max(bytes, 256));
  }
}
