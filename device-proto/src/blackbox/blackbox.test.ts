import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blackBoxAnswer,
  type BlackBoxEvent,
  blackBoxEvents,
  decodeBlackBox,
  decodeBlackBoxPage,
  encodeBlackBox,
  mergeBlackBox,
} from "./index.js";

const u = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const event = fc.record({ sequence: u(0xffff), boot: u(0xffff), ms: u(0xffffffff), kind: u(255), a: u(255), b: u(0xffff) });
const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const bare = ({ sequence, boot, ms, kind, a, b }: BlackBoxEvent): Omit<BlackBoxEvent, "name"> => ({ sequence, boot, ms, kind, a, b });

describe("the black box's records", () => {
  it("ids are different, and fit the mask of faults", () => {
    const ids = Object.values(blackBoxEvents).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id > 0 && id < 32).toBe(true);
  });

  it("a record is these bytes (CRC-32 by zlib)", () => {
    // python3: struct.pack("<HHIBBH", 0x1234, 2, 70000, 6, 0, 0x9000), then zlib.crc32
    expect(Buffer.from(encodeBlackBox({ sequence: 0x1234, boot: 2, ms: 70000, kind: 6, a: 0, b: 0x9000 })).toString("hex")).toBe(
      "341202007011010006000090" + "f47f54ed",
    );
  });

  it("what is written is read, in any number", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        expect(decodeBlackBox(join(events.map(encodeBlackBox))).map(bare)).toEqual(events);
      }),
    );
  });

  it("one changed bit, and that record is left out, no other", () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 8 }), fc.nat(), (events, where) => {
        const bytes = join(events.map(encodeBlackBox));
        const bit = where % (8 * bytes.length);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const left = events.filter((_, index) => index !== Math.floor(bit / 128));
        expect(decodeBlackBox(bytes).map(bare)).toEqual(left);
      }),
    );
  });

  it("erased and zeroed flash says nothing; any bytes are read without a throw", () => {
    expect(decodeBlackBox(new Uint8Array(4096).fill(0xff))).toEqual([]);
    expect(decodeBlackBox(new Uint8Array(4096))).toEqual([]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeBlackBox(bytes).length <= bytes.length / 16));
  });

  it("a page holds what it says, and one that is cut is refused", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), u(0xffff), (events, next) => {
        const page = join([blackBoxAnswer.encode({ next, count: events.length }), ...events.map(encodeBlackBox)]);
        expect(decodeBlackBoxPage(page)).toMatchObject({ next: next === 0xffff ? undefined : next, events });
        if (page.length > 0) expect(() => decodeBlackBoxPage(page.subarray(0, -1))).toThrow(/too short|missing|bytes/);
      }),
    );
  });

  it("ring and flash together: each event once, boots in flash's order, then by time", () => {
    const at = (boot: number, ms: number, sequence: number): BlackBoxEvent => ({ boot, ms, sequence, kind: 6, a: 0, b: 0, name: "apdu" });
    const flash = [at(7, 10, 65535), at(7, 20, 0), at(1, 5, 1)];
    const ring = [at(1, 9, 3), at(1, 5, 1), at(1, 5, 2), at(7, 20, 0)];
    expect(mergeBlackBox(ring, flash)).toEqual([at(7, 10, 65535), at(7, 20, 0), at(1, 5, 1), at(1, 5, 2), at(1, 9, 3)]);
  });
});
