import { bytes, crc32, rest, struct, u16le, u32le, u8 } from "../codec/index.js";

/** Channels of the link: bits 7–6 of a frame's first byte (docs/reference/link.md). */
export const channel = { session: 0, ccid: 1, service: 2, update: 3 } as const;
/** Session kinds: bits 4–0 of the first byte on channel 0. */
export const sessionKind = { hello: 1, helloAck: 2, ack: 3, refuse: 4, ping: 5, pong: 6, bye: 7, notice: 8, rate: 9, rateAck: 10 } as const;
/** Protocol limits. Sizes in bytes, times in ms. */
export const linkLimits = {
  /** Both ends speak every version from `versionMin` to `version`; a session has the highest they share. Since 2: rate, rate-ack. */
  versionMin: 1,
  version: 2,
  window: 8,
  maxPayload: 1024,
  retransmitMs: 200,
  retransmissions: 8,
  pingMs: 5000,
  lostPings: 3,
  /** UART0's rate outside a session, bit/s. */
  defaultBaud: 115_200,
  leastBaud: 9_600,
  mostBaud: 3_000_000,
  /** A new rate on which nothing good was heard for so long is given up. */
  rateTrialMs: 300,
  /** So many damaged characters without a good frame between: the other end has another rate. */
  rateMarks: 8,
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
/** rate's and rate-ack's payload. `baud` in bit/s; in rate-ack 0 = the line keeps its rate. */
export const rate = struct({ baud: u32le });
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

/** A whole run of COBS: 254 bytes follow, and no zero after them. */
const FULL = 255;
const CRC = 4;
const BAD = -1;
const MOVED = -2;

/**
 * Bytes in, frames and discarded bytes out. A bad frame is never delivered, nothing vanishes silently, and after any garbage the very
 * next good frame is received. Keeps at most one frame; does not allocate per byte.
 *
 * Where no run is full, COBS moves nothing: the bytes stand one place later than they were, and a code stands where a zero was.
 * So such a frame is decoded by writing zeros over its codes, and a bad one gets its codes back, for a code is the way to the next.
 *
 * ```
 *   plain          11 22 00 33     crc
 *   as it came  03 11 22 02 33 …   (codes at 0 and 3)
 * ```
 */
export class Deframer {
  readonly #raw = new Uint8Array(maxEncodedFrame);
  readonly #decoded = new Uint8Array(maxEncodedFrame);
  #length = 0;
  /** Bytes of a run that is too long for a frame, after those that are kept; −1 while it is not. */
  #overflow = -1;
  /** Bytes discarded so far. */
  discardedBytes = 0;

  /** Takes a chunk of any size and calls `emit` for each frame and each discarded run, in order. */
  push(chunk: Uint8Array, emit: (item: Deframed) => void): void {
    const raw = this.#raw;
    const room = raw.length;
    const end = chunk.length;
    let length = this.#length;
    let at = 0;
    while (at < end) {
      const byte = chunk[at++]!;
      if (byte === 0) {
        this.#length = 0;
        if (length !== 0) this.#finish(length, emit);
        length = 0;
      } else if (length < room) {
        raw[length++] = byte;
      } else {
        // Garbage up to the next delimiter. The count is kept whole, of the bytes only what fits.
        let stop = chunk.indexOf(0, at);
        if (stop < 0) stop = end;
        this.#overflow = Math.max(0, this.#overflow) + stop - at + 1;
        at = stop;
      }
    }
    this.#length = length;
  }

  #finish(length: number, emit: (item: Deframed) => void): void {
    if (this.#overflow >= 0) {
      const more = this.#overflow;
      this.#overflow = -1;
      return this.#discard(length, "too-long", emit, more);
    }
    let body = this.#raw;
    let from = 1;
    let to = this.#zeroCodes(length);
    if (to === MOVED) {
      body = this.#decoded;
      from = 0;
      to = this.#cobsDecode(length);
    }
    if (to < 0) return this.#discard(length, "bad-cobs", emit);
    const why = judge(body, from, to);
    if (why !== undefined) {
      if (from === 1) this.#restoreCodes(length);
      return this.#discard(length, why, emit);
    }
    const kind = body[from]!;
    emit({
      frame: {
        channel: kind >> 6,
        session: kind & 0x1f,
        more: (kind & MORE) !== 0,
        seq: body[from + 1]!,
        ack: body[from + 2]!,
        tag: body[from + 3]!,
        payload: body.slice(from + HEADER, to - CRC),
      },
    });
  }

  /**
   * Writes zeros over the codes of `#raw[0..length)`; the plain bytes stand at 1 then and end where the result says. MOVED: a full run
   * moved the bytes behind it; BAD: a code points past the end; both with the codes in place. The input has no zeros.
   */
  #zeroCodes(length: number): number {
    const raw = this.#raw;
    let at = 0;
    for (;;) {
      const code = raw[at]!;
      const next = at + code;
      if (next < length && code !== FULL) {
        raw[at] = 0;
        at = next;
      } else if (next === length) {
        raw[at] = 0;
        return length;
      } else {
        this.#restoreCodes(at);
        return next > length ? BAD : MOVED;
      }
    }
  }

  /** Puts codes back where `#zeroCodes` wrote zeros in `#raw[0..end)`. */
  #restoreCodes(end: number): void {
    const raw = this.#raw;
    let next = end;
    for (let at = end - 1; at >= 0; at--)
      if (raw[at] === 0) {
        raw[at] = next - at;
        next = at;
      }
  }

  /** Decodes `#raw[0..length)` into `#decoded`; BAD when a code points past the end. The input has no zeros. */
  #cobsDecode(length: number): number {
    const raw = this.#raw;
    const out = this.#decoded;
    let at = 0;
    let i = 0;
    while (i < length) {
      const code = raw[i++]!;
      const end = i + code - 1;
      if (end > length) return BAD;
      while (i < end) out[at++] = raw[i++]!;
      if (code < FULL && i < length) out[at++] = 0;
    }
    return at;
  }

  #discard(length: number, reason: DiscardReason, emit: (item: Deframed) => void, more = 0): void {
    this.discardedBytes += length + more;
    emit({ discarded: this.#raw.slice(0, length), reason });
  }
}

/** What is wrong with the plain bytes `body[from..to)`. */
function judge(body: Uint8Array, from: number, to: number): DiscardReason | undefined {
  const end = to - CRC;
  if (end < from + HEADER) return "too-short";
  const said = body[end]! | (body[end + 1]! << 8) | (body[end + 2]! << 16) | (body[end + 3]! << 24);
  if (crc32(body, from, end) !== said >>> 0) return "bad-crc";
  const kind = body[from]!;
  return (kind >> 6 === channel.session) !== (kind & 0x1f) > 0 ? "bad-kind" : undefined;
}
