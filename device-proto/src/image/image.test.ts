import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CodecError, hex } from "../codec/index.js";
import { boot2Sealed, buildImage, buildUf2, imageHeader, parseImage, sealBoot2 } from "./index.js";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
const body = Uint8Array.from({ length: 500 }, (_, i) => i * 7);

describe("firmware images", () => {
  it("come apart into what they were made of", () => {
    const image = parseImage(buildImage(body, "1.2.3", sha256));
    expect(image.body).toEqual(body);
    expect(image.header).toMatchObject({ iv_major: 1, iv_minor: 2, iv_revision: 3, ih_load_addr: 0x20000000, ih_hdr_size: 0x100 });
    expect(hex(image.sha256)).toBe(hex(sha256(image.hashed)));
  });
  it("every flipped bit of the header's fields and of the TLV heads is refused, or leaves the hash wrong", () => {
    const good = buildImage(body, "1.2.3", sha256);
    const tlv = 0x100 + body.length;
    for (const at of [...Array(imageHeader.size).keys(), ...Array.from({ length: 8 }, (_, i) => tlv + i)])
      for (let bit = 0; bit < 8; bit++) {
        const bad = good.slice();
        bad[at]! ^= 1 << bit;
        let refused = false;
        try {
          const image = parseImage(bad);
          refused = hex(sha256(image.hashed)) !== hex(image.sha256);
        } catch (error) {
          refused = error instanceof CodecError;
        }
        expect(refused, `byte ${at} bit ${bit}`).toBe(true);
      }
  });
  it("any bytes are an image or a CodecError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
        expect(() => parseImage(input)).toThrow(CodecError);
      }),
    );
  });
  it("a version that is not three numbers, or too much code, is refused", () => {
    expect(() => buildImage(body, "1.2", sha256)).toThrow("major.minor.patch");
    expect(() => buildImage(new Uint8Array(112 * 1024), "1.2.3", sha256)).toThrow("at most 114688");
  });
});

describe("what the mask ROM wants", () => {
  it("boot2 carries a check over its first 252 bytes, and one wrong bit shows", () => {
    const block = sealBoot2(body.subarray(0, 76));
    expect(block.length).toBe(256);
    expect(boot2Sealed(block)).toBe(true);
    block[5]! ^= 4;
    expect(boot2Sealed(block)).toBe(false);
    expect(() => sealBoot2(new Uint8Array(253))).toThrow("at most 252");
  });
  it("UF2 blocks carry 256 bytes each, filled up with FF, with their flash address", () => {
    const uf2 = buildUf2([{ at: 0x10000, data: body }]);
    const view = new DataView(uf2.buffer);
    expect(uf2.length).toBe(1024);
    expect([view.getUint32(0, true), view.getUint32(512 + 12, true), view.getUint32(24, true)]).toEqual([0x0a324655, 0x10010100, 2]);
    expect(uf2[512 + 32 + 244]).toBe(0xff);
    expect(() => buildUf2([{ at: 1, data: body }])).toThrow("256-byte page");
  });
});
