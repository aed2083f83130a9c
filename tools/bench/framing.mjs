// The receiving half of the link on this machine: frames of 64 bytes of payload, arriving in pieces of 64 bytes as USB brings them.
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { Deframer, encodeFrame } from "@inkan/device-proto";
import { PeerMissing, cpuNow, cpuRate, pairs, samples } from "./measure.mjs";

const count = 4000;
const size = 64;
/** Bulk payload of full-speed USB: 19 packets of 64 bytes in a frame of 1 ms (USB 2.0 table 5-9), in bytes per second. */
export const usbBytesPerSecond = 1_216_000;

const payloads = Array.from({ length: count }, () => new Uint8Array(randomBytes(size)));

function inPieces(stream) {
  const pieces = [];
  for (let at = 0; at < stream.length; at += size) pieces.push(new Uint8Array(stream.subarray(at, at + size)));
  return pieces;
}

/** COBS, CRC-32, header. One delimiter between two frames. */
function ourPieces() {
  const frames = payloads.map((payload, i) => encodeFrame({ channel: 1, session: 0, more: false, seq: i & 255, ack: 0, tag: 1, payload }));
  return inPieces(Buffer.concat(frames.map((frame, i) => (i === 0 ? frame : frame.subarray(1)))));
}

/** SLIP (RFC 1055) without any check: less work than ours. */
function slipPieces() {
  const escaped = { 0xc0: [0xdb, 0xdc], 0xdb: [0xdb, 0xdd] };
  return inPieces(Buffer.from(payloads.flatMap((payload) => [...[...payload].flatMap((byte) => escaped[byte] ?? [byte]), 0xc0])));
}

/** Our receiver's payload bytes per second. */
function ours(pieces) {
  return cpuRate(() => {
    const deframer = new Deframer();
    let bytes = 0;
    for (const piece of pieces)
      deframer.push(piece, (item) => {
        if (!("frame" in item)) throw new Error(`a good stream was discarded: ${item.reason}`);
        bytes += item.frame.payload.length;
      });
    if (bytes !== count * size) throw new Error(`${bytes} of ${count * size} bytes came through`);
    return bytes;
  });
}

/** serialport's receiver's. Fed as a stream wants it: it may ask to wait. */
async function theirs(pieces, SlipDecoder) {
  const start = cpuNow();
  let bytes = 0;
  do {
    const decoder = new SlipDecoder();
    let came = 0;
    decoder.on("data", (frame) => (came += frame.length));
    for (const piece of pieces) if (!decoder.write(piece)) await once(decoder, "drain");
    decoder.end();
    await once(decoder, "end");
    if (came !== count * size) throw new Error(`SlipDecoder let ${came} of ${count * size} bytes through`);
    bytes += came;
  } while (cpuNow() - start < 0.25);
  return bytes / (cpuNow() - start);
}

export const figures = {
  "deframe-64-bus": async () => {
    const pieces = ourPieces();
    ours(pieces);
    return samples(7, () => ours(pieces) / usbBytesPerSecond);
  },
  "deframe-64-slip": async () => {
    const { SlipDecoder } = await import("@serialport/parser-slip-encoder").catch(() => {
      throw new PeerMissing("@serialport/parser-slip-encoder is not installed. Install the packages: npm ci");
    });
    const pieces = ourPieces();
    const slip = slipPieces();
    ours(pieces);
    await theirs(slip, SlipDecoder);
    return pairs(
      7,
      () => ours(pieces),
      () => theirs(slip, SlipDecoder),
    );
  },
};
