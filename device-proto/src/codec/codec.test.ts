import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, CodecError, crc32, crc32Mpeg2, hex, rest, struct, u16be, u16le, u32le, u8, unhex } from "./index.js";

const shape = struct({ id: u8, length: u32le, tag: u16le, sw: u16be, key: bytes(3), data: rest });

describe("a layout declared once", () => {
  it("puts every field where the declaration says, in its byte order", () => {
    const message = shape.encode({ id: 1, length: 0x04030201, tag: 0x0605, sw: 0x9000, key: unhex("0a0b0c"), data: unhex("ff") });
    expect(hex(message)).toBe("01" + "01020304" + "0506" + "9000" + "0a0b0c" + "ff");
    expect(shape.offsets).toEqual({ id: 0, length: 1, tag: 5, sw: 7, key: 9, data: 12 });
    expect(shape.size).toBe(12);
  });

  it("gives back what was put in", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        byte,
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.uint8Array({ minLength: 3, maxLength: 3 }),
        fc.uint8Array(),
        (id, length, tag, sw, key, data) => {
          const value = { id, length, tag, sw, key, data };
          expect(shape.decode(shape.encode(value))).toEqual(value);
        },
      ),
    );
  });

  it("names the byte and the rule when a value does not fit", () => {
    const good = { id: 1, length: 2, tag: 3, sw: 4, key: new Uint8Array(3), data: new Uint8Array() };
    expect(() => shape.encode({ ...good, id: 256 })).toThrow(new CodecError(0, "id: must be 0..255, is 256"));
    expect(() => shape.encode({ ...good, tag: -1 })).toThrow(new CodecError(5, "tag: must be 0..65535, is -1"));
    expect(() => shape.encode({ ...good, key: new Uint8Array(2) })).toThrow(new CodecError(9, "key: must be 3 bytes, is 2"));
    expect(() => shape.decode(new Uint8Array(11))).toThrow("byte 11: must be at least 12 bytes, is 11");
    expect(() => struct({ a: u8 }).decode(new Uint8Array(2))).toThrow("byte 1: must be 1 bytes, is 2");
    expect(() => struct({ a: rest, b: u8 })).toThrow("cannot follow");
  });

  it("copies, so that a value outlives the buffer it came from", () => {
    const input = shape.encode({ id: 1, length: 2, tag: 3, sw: 4, key: unhex("010203"), data: unhex("0405") });
    const value = shape.decode(input);
    input.fill(0xee);
    expect(hex(value.key)).toBe("010203");
    expect(hex(value.data)).toBe("0405");
  });
});

describe("checks", () => {
  it("CRC-32 has the catalogue's check value at every length around the slices", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (data) => {
        let c = 0xffffffff;
        for (const byte of data) for (let k = 0, b = (c ^= byte) & 0; k < 8; k++, b++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
        expect(crc32(data)).toBe((c ^ 0xffffffff) >>> 0);
      }),
    );
  });
  it("boot2's check is CRC-32/MPEG-2", () => {
    expect(crc32Mpeg2(new TextEncoder().encode("123456789"))).toBe(0x0376e6e7);
  });
  it("hexadecimal says which digit is wrong", () => {
    expect(hex(unhex("00 ff:0A"))).toBe("00ff0a");
    expect(() => unhex("00g0")).toThrow('"g" is not');
    expect(() => unhex("000")).toThrow("odd");
  });
});
