/**
 * The framing of pcscd's serial CCID driver (libccidtwin), spoken on the same ports as the link: docs/reference/pcscd-serial.md.
 *
 *     03 06 │ CCID message │ LRC       03 15 16 = say that again
 */
export const pcscdByte = {
  sync: 0x03,
  ack: 0x06,
  nak: 0x15,
  /** Between frames: the command takes longer; the driver's wait begins anew. */
  working: 0x80,
} as const;
/** Limits of the framing. Sizes in bytes, times in ms. */
export const pcscdLimits = {
  /** dwMaxCCIDMessageLength that the driver believes in. */
  maxMessage: 271,
  /** Bytes of a frame follow each other at most so far apart. */
  byteMs: 100,
  /** A host that asks nothing for so long is gone: its card is switched off. */
  silenceMs: 20000,
  /** The driver's buffer for the answer to Escape 02 holds one more. */
  versionText: 49,
} as const;

const FRAME = 3;
const HEADER = 10;

/** `03 06`, the message, and the exclusive-or of all bytes before the last. */
export function encodePcscdFrame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(message.length + FRAME);
  frame.set([pcscdByte.sync, pcscdByte.ack]);
  frame.set(message, 2);
  frame[frame.length - 1] = frame.reduce((sum, byte) => sum ^ byte, 0);
  return frame;
}

/** What a host heard. `stray`: a byte that is none of the framing's; the driver would be out of step for good. */
export type PcscdHeard =
  | { readonly kind: "message"; readonly message: Uint8Array; readonly good: boolean }
  | { readonly kind: "nak" | "working" }
  | { readonly kind: "stray"; readonly byte: number };

/** The host's end, as strict as the driver: it believes in dwLength, and forgives nothing between frames. */
export class PcscdDeframer {
  #bytes: number[] = [];

  /** True in the middle of a frame. */
  get open(): boolean {
    return this.#bytes.length > 0;
  }
  /** Forgets half a frame, as the driver does when its wait is over. */
  reset(): void {
    this.#bytes = [];
  }
  /** Takes bytes as they came, in any chunks. */
  push(chunk: Uint8Array, emit: (heard: PcscdHeard) => void): void {
    for (const byte of chunk) {
      if (this.#bytes.length === 0 && byte !== pcscdByte.sync) {
        emit(byte >= pcscdByte.working ? { kind: "working" } : { kind: "stray", byte });
        continue;
      }
      this.#bytes.push(byte);
      this.#look(emit);
    }
  }
  #look(emit: (heard: PcscdHeard) => void): void {
    const bytes = this.#bytes;
    const control = bytes[1];
    if (control === undefined) return;
    if (control !== pcscdByte.ack && control !== pcscdByte.nak) {
      bytes.forEach((byte) => emit({ kind: "stray", byte }));
      this.#bytes = [];
    } else if (control === pcscdByte.nak) {
      if (bytes.length < FRAME) return;
      this.#bytes = [];
      emit({ kind: "nak" });
    } else if (bytes.length >= 2 + HEADER) {
      const length = HEADER + (bytes[3]! | (bytes[4]! << 8) | (bytes[5]! << 16) | (bytes[6]! << 24));
      if (bytes.length < length + FRAME) return;
      this.#bytes = [];
      emit({ kind: "message", message: Uint8Array.from(bytes.slice(2, -1)), good: bytes.reduce((sum, byte) => sum ^ byte, 0) === 0 });
    }
  }
}
