import { bytes, crc32, rest, struct, u16le, u32le, u8 } from "../codec/index.js";

/** Channels of the link: bits 7–6 of a frame's first byte (docs/reference/link.md). */
export const channel = { session: 0, ccid: 1, service: 2, update: 3 } as const;
/** Session kinds: bits 4–0 of the first byte on channel 0. */
export const sessionKind = { hello: 1, helloAck: 2, ack: 3, refuse: 4, ping: 5, pong: 6, bye: 7, notice: 8 } as const;
/** Protocol limits. Sizes in bytes, times in ms. */
export const linkLimits = {
  version: 1,
  window: 8,
  maxPayload: 1024,
  retransmitMs: 200,
  retransmissions: 8,
  pingMs: 5000,
  lostPings: 3,
} as const;
/** Bit 5 of the first byte: the message goes on in the next frame. */
export const MORE = 0x20;

/** Frame header. */
export const frameHeader = struct({ kind: u8, seq: u8, ack: u8, tag: u8 });
/** hello's payload. */
export const hello = struct({ versionMin: u8, versionMax: u8, nonce: bytes(8) });
/** hello-ack's payload. */
export const helloAck = struct({ version: u8, nonce: bytes(8), tag: u8, window: u8, maxPayload: u16le, bootCount: u32le });
/** refuse's payload. `reason`: 1 version, 2 the reader belongs to another face. */
export const refuse = struct({ reason: u8, versionMin: u8, versionMax: u8 });
/** Head of a service message (channel 2). */
export const serviceMessage = struct({ id: u8, sequence: u8, length: u16le, data: rest });

/** A frame in words. */
export interface Frame {
  readonly channel: number;
  /** Session kind on channel 0, else 0. */
  readonly session: number;
  readonly more: boolean;
  readonly seq: number;
  readonly ack: number;
  readonly tag: number;
  readonly payload: Uint8Array;
}

/** Longest frame on the wire without delimiters: header, payload and CRC with COBS' overhead of one byte in 254. */
export const maxEncodedFrame =
  frameHeader.size + linkLimits.maxPayload + 4 + Math.ceil((frameHeader.size + linkLimits.maxPayload + 4) / 254) + 1;

const HEADER = frameHeader.size;

/**
 * Encodes a frame into `output` at `offset`: COBS bytes and the closing 00 (the opening 00 is the caller's: one delimiter is shared
 * between back-to-back frames). Returns the number of bytes written. `payload` ≤ 1024 bytes.
 */
export function encodeFrameInto(frame: Frame, output: Uint8Array, offset: number, scratch: Uint8Array): number {
  const length = HEADER + frame.payload.length;
  scratch[0] = (frame.channel << 6) | (frame.more ? MORE : 0) | frame.session;
  scratch[1] = frame.seq;
  scratch[2] = frame.ack;
  scratch[3] = frame.tag;
  scratch.set(frame.payload, HEADER);
  const crc = crc32(scratch, 0, length);
  scratch[length] = crc & 255;
  scratch[length + 1] = (crc >>> 8) & 255;
  scratch[length + 2] = (crc >>> 16) & 255;
  scratch[length + 3] = crc >>> 24;
  const end = cobsEncode(scratch, length + 4, output, offset);
  output[end] = 0;
  return end + 1 - offset;
}

/** Encodes one frame with both delimiters, as a new array. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const output = new Uint8Array(maxEncodedFrame + 2);
  const written = encodeFrameInto(frame, output, 1, new Uint8Array(HEADER + frame.payload.length + 4));
  return output.slice(0, written + 1);
}

/** COBS (Cheshire & Baker 1999): `input[0..length)` without zeros into `output` from `offset`. Returns the end. */
function cobsEncode(input: Uint8Array, length: number, output: Uint8Array, offset: number): number {
  let code = offset;
  let at = offset + 1;
  let run = 1;
  for (let i = 0; i < length; i++) {
    const byte = input[i]!;
    if (byte !== 0) {
      output[at++] = byte;
      run++;
    }
    // A full run of 254 needs no zero after it, and none is implied; at the very end of the input no empty group follows.
    if (byte === 0 || run === 255) {
      output[code] = run;
      if (byte !== 0 && i === length - 1) return at;
      code = at++;
      run = 1;
    }
  }
  output[code] = run;
  return at;
}

/** Why bytes on the line were thrown away. */
export type DiscardReason = "noise" | "too-long" | "bad-cobs" | "too-short" | "bad-crc" | "bad-kind";

/** What comes out of the {@link Deframer}. */
export type Deframed = { readonly frame: Frame } | { readonly discarded: Uint8Array; readonly reason: DiscardReason };

/**
 * Bytes in, frames and discarded bytes out. A bad frame is never delivered, nothing vanishes silently, and after any garbage the very
 * next good frame is received. Keeps at most one frame; does not allocate per byte.
 */
export class Deframer {
  readonly #raw = new Uint8Array(maxEncodedFrame);
  readonly #decoded = new Uint8Array(maxEncodedFrame);
  #length = 0;
  #overflow: number[] | undefined;
  /** Bytes discarded so far. */
  discardedBytes = 0;

  /** Takes a chunk of any size and calls `emit` for each frame and each discarded run, in order. */
  push(chunk: Uint8Array, emit: (item: Deframed) => void): void {
    let from = 0;
    while (from < chunk.length) {
      let zero = chunk.indexOf(0, from);
      const ends = zero >= 0;
      if (!ends) zero = chunk.length;
      this.#collect(chunk.subarray(from, zero));
      if (ends) this.#finish(emit);
      from = zero + 1;
    }
  }

  #collect(piece: Uint8Array): void {
    const room = this.#raw.length - this.#length;
    if (this.#overflow || piece.length > room) {
      // Too long for a frame: garbage up to the next delimiter. The count is kept whole, of the bytes only what fits.
      this.#overflow ??= [0];
      this.#overflow[0]! += piece.length;
      return;
    }
    this.#raw.set(piece, this.#length);
    this.#length += piece.length;
  }

  #finish(emit: (item: Deframed) => void): void {
    const length = this.#length;
    const overflow = this.#overflow?.[0] ?? 0;
    this.#length = 0;
    this.#overflow = undefined;
    if (length === 0 && overflow === 0) return;
    if (overflow) return this.#discard(length, "too-long", emit, overflow);
    const size = this.#cobsDecode(length);
    if (size < 0) return this.#discard(length, "bad-cobs", emit);
    if (size < HEADER + 4) return this.#discard(length, "too-short", emit);
    const body = this.#decoded;
    const crc = (body[size - 4]! | (body[size - 3]! << 8) | (body[size - 2]! << 16) | (body[size - 1]! << 24)) >>> 0;
    if (crc32(body, 0, size - 4) !== crc) return this.#discard(length, "bad-crc", emit);
    const kind = body[0]!;
    const frameChannel = kind >> 6;
    const session = kind & 0x1f;
    if ((frameChannel === channel.session) !== session > 0) return this.#discard(length, "bad-kind", emit);
    emit({
      frame: {
        channel: frameChannel,
        session,
        more: (kind & MORE) !== 0,
        seq: body[1]!,
        ack: body[2]!,
        tag: body[3]!,
        payload: body.slice(HEADER, size - 4),
      },
    });
  }

  /** Decodes `#raw[0..length)` into `#decoded`; −1 when a code points past the end. The input has no zeros. */
  #cobsDecode(length: number): number {
    const raw = this.#raw;
    const out = this.#decoded;
    let at = 0;
    let i = 0;
    while (i < length) {
      const code = raw[i++]!;
      const end = i + code - 1;
      if (end > length) return -1;
      while (i < end) out[at++] = raw[i++]!;
      if (code < 255 && i < length) out[at++] = 0;
    }
    return at;
  }

  #discard(length: number, reason: DiscardReason, emit: (item: Deframed) => void, more = 0): void {
    this.discardedBytes += length + more;
    emit({ discarded: this.#raw.slice(0, length), reason });
  }
}
