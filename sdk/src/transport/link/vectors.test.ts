import { readFileSync } from "node:fs";
import { Deframer, encodeFrame, type Frame, hex, unhex } from "@inkan/device-proto";
import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../testing/fake-clock.js";
import type { ByteStream } from "../byte-stream.js";
import { LinkTransport } from "./transport.js";

interface Vectors {
  readonly frames: readonly (Omit<Frame, "payload"> & { readonly name: string; readonly payload: string; readonly wire: string })[];
  readonly garbage: readonly { readonly name: string; readonly wire: string; readonly frames: number; readonly discarded: number }[];
  readonly sessions: readonly { readonly name: string; readonly nonce: string; readonly steps: readonly (readonly string[])[] }[];
}
/** The same file as firmware/test/test_link.c reads. */
const vectors = JSON.parse(readFileSync(new URL("../../../../device-proto/vectors/link.json", import.meta.url), "utf8")) as Vectors;

describe("frames of the shared vectors", () => {
  test.each(vectors.frames)("$name", ({ payload, wire, channel, session, more, seq, ack, tag }) => {
    const frame: Frame = { channel, session, more, seq, ack, tag, payload: unhex(payload) };
    expect(hex(encodeFrame(frame))).toBe(wire);
    const found: unknown[] = [];
    new Deframer().push(unhex(wire), (item) => found.push(item));
    expect(found).toEqual([{ frame }]);
  });
  test.each(vectors.garbage)("$name", ({ wire, frames, discarded }) => {
    for (const size of [1, 7, 100_000]) {
      const deframer = new Deframer();
      const bytes = unhex(wire);
      let good = 0;
      for (let at = 0; at < bytes.length; at += size)
        deframer.push(bytes.subarray(at, at + size), (item) => (good += "frame" in item ? 1 : 0));
      expect([good, deframer.discardedBytes]).toEqual([frames, discarded]);
    }
  });
});

/** Recorded when there was only version 1. */
describe("a host of version 1 in a recorded session says the recorded bytes", () => {
  test.each(vectors.sessions)("$name", async ({ nonce, steps }) => {
    const clock = new FakeClock();
    let said = "";
    const stream: ByteStream = {
      onData: undefined,
      write: async (bytes) => void (said += hex(bytes)),
      closed: new Promise(() => undefined),
      close: async () => undefined,
    };
    const got: string[] = [];
    let transport: LinkTransport | undefined;
    const address = { uri: "serial:", name: "test", virtual: true };
    for (const [word, value = ""] of steps) {
      switch (word) {
        case "open":
          void LinkTransport.open(stream, { address, clock, versionMax: 1, entropy: (bytes) => bytes.set(unhex(nonce)) }).then((opened) => {
            transport = opened;
            opened.onMessage = (message) => got.push(hex(message));
          });
          break;
        case "send":
          void transport!.send(unhex(value));
          break;
        case "identify":
          void transport!.identify().then((identity) => got.push(identity.product));
          break;
        case "bye":
          void transport!.close();
          break;
        case "host":
          expect(said).toBe(value);
          said = "";
          break;
        case "reader":
          stream.onData!(unhex(value));
          break;
        case "receive":
          expect(got.shift()).toBe(value);
          break;
        case "wait":
          await clock.advance(Number(value));
          break;
      }
      await settle();
    }
    expect(said).toBe("");
    expect(got).toEqual(["Inkan reference reader"]);
    expect(clock.pending).toBe(0);
  });
});
