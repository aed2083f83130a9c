import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex, unhex } from "../codec/index.js";
import {
  channel,
  Deframer,
  type Deframed,
  encodeFrame,
  encodeFrameInto,
  type Frame,
  linkLimits,
  maxEncodedFrame,
  sessionKind,
} from "./index.js";

const frames = fc.record({
  channel: fc.integer({ min: 1, max: 3 }),
  session: fc.constant(0),
  more: fc.boolean(),
  seq: fc.integer({ min: 0, max: 255 }),
  ack: fc.integer({ min: 0, max: 255 }),
  tag: fc.integer({ min: 0, max: 255 }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 1024 }),
    fc.integer({ min: 0, max: 1024 }).map((n) => new Uint8Array(n).fill(n & 1 ? 7 : 0)),
  ),
});

function receive(deframer: Deframer, chunk: Uint8Array): Deframed[] {
  const items: Deframed[] = [];
  deframer.push(chunk, (item) => items.push(item));
  return items;
}

describe("frames on the wire", () => {
  it("a hello looks like this", () => {
    const frame: Frame = {
      channel: channel.session,
      session: sessionKind.hello,
      more: false,
      seq: 0,
      ack: 0,
      tag: 0,
      payload: unhex("0101 0102030405060708"),
    };
    expect(hex(encodeFrame(frame))).toBe("0002010101" + "0f010101020304050607" + "08" + hex(encodeFrame(frame)).slice(32));
    expect(receive(new Deframer(), encodeFrame(frame))).toEqual([{ frame }]);
  });

  it("come back whole in any chunking, with one delimiter between them", () => {
    fc.assert(
      fc.property(fc.array(frames, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 90 }), (sent, step) => {
        const wire = new Uint8Array(1 + sent.length * (maxEncodedFrame + 1));
        const scratch = new Uint8Array(4 + 1024 + 4);
        let at = 1;
        for (const frame of sent) at += encodeFrameInto(frame, wire, at, scratch);
        expect(wire.subarray(1, at).filter((b) => b === 0).length).toBe(sent.length);
        const deframer = new Deframer();
        const got: Deframed[] = [];
        for (let i = 0; i < at; i += step) deframer.push(wire.subarray(i, Math.min(at, i + step)), (item) => got.push(item));
        expect(got).toEqual(sent.map((frame) => ({ frame })));
        expect(deframer.discardedBytes).toBe(0);
      }),
    );
  });

  it("after any garbage the very next good frame is received, and every garbage byte is accounted for", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), frames, (garbage, frame) => {
        const deframer = new Deframer();
        const good = encodeFrame(frame);
        const items = receive(deframer, Uint8Array.from([...garbage, ...good]));
        expect(items.at(-1)).toEqual({ frame });
        expect(items.length - 1).toBe(items.filter((item) => "discarded" in item).length);
        expect(deframer.discardedBytes).toBe(garbage.filter((b) => b !== 0).length);
      }),
    );
  });

  it("a bad frame is handed over as it came, whatever its check failed on", () => {
    const spoiled = fc.tuple(frames, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([frame, at, flip]) => {
      const bytes = encodeFrame(frame);
      bytes[1 + (at % (bytes.length - 2))]! ^= flip;
      return bytes;
    });
    const fullRuns = fc.integer({ min: 250, max: 1030 }).map((n) => Uint8Array.of(0, ...new Uint8Array(n).fill(255), 0));
    fc.assert(
      fc.property(fc.oneof(spoiled, fullRuns, fc.uint8Array({ maxLength: 600 })), frames, (bad, next) => {
        const items = receive(new Deframer(), Uint8Array.of(...bad, ...encodeFrame(next)));
        expect(items.at(-1)).toEqual({ frame: next });
        const kept = items.flatMap((item) => ("discarded" in item ? [...item.discarded] : []));
        expect(kept).toEqual([...bad].filter((byte) => byte !== 0));
      }),
    );
  });

  it("one flipped bit anywhere is never delivered", () => {
    const frame: Frame = {
      channel: 1,
      session: 0,
      more: false,
      seq: 3,
      ack: 9,
      tag: 77,
      payload: Uint8Array.from({ length: 80 }, (_, i) => i * 5),
    };
    const good = encodeFrame(frame);
    for (let bit = 0; bit < 8 * good.length; bit++) {
      const bad = good.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const delivered = receive(new Deframer(), bad).filter((item) => "frame" in item);
      // A flipped delimiter at either end leaves the frame unfinished or glued, never altered.
      expect(delivered.length === 0, `bit ${bit}`).toBe(true);
    }
  });

  it("are as lean as promised under continuous load", () => {
    const size = (n: number): number =>
      encodeFrame({ channel: 1, session: 0, more: false, seq: 1, ack: 1, tag: 1, payload: new Uint8Array(n).fill(1) }).length - 1;
    expect(64 / size(64)).toBeGreaterThanOrEqual(0.85);
    expect(linkLimits.maxPayload / size(linkLimits.maxPayload)).toBeGreaterThanOrEqual(0.98);
  });

  it("a run that is too long for a frame is dropped up to the next delimiter, with its whole length counted", () => {
    const deframer = new Deframer();
    const [item] = receive(deframer, Uint8Array.from([...new Uint8Array(5000).fill(1), 0]));
    expect(item && "discarded" in item && item.reason).toBe("too-long");
    expect(deframer.discardedBytes).toBe(5000);
  });
});
