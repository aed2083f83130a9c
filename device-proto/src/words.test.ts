import { describe, expect, it } from "vitest";
import { FINGERPRINT_WORDS, fingerprintWordList, fingerprintWords } from "./words.js";

describe("fingerprint words", () => {
  it("is a list of 2048 different words that a person and a 5×8 font can tell apart", () => {
    expect(fingerprintWordList).toHaveLength(2048);
    expect(new Set(fingerprintWordList.map((word) => word.slice(0, 4))).size).toBe(2048);
    expect(fingerprintWordList.every((word) => /^[a-z]{3,8}$/.test(word))).toBe(true);
    expect([...fingerprintWordList]).toEqual([...fingerprintWordList].sort());
  });

  it("takes 11 bits a word, most significant first", () => {
    // the same vector as firmware/test/test_front.c: 2047, 1, 0, 0, 0, and bits 55..65 = 00000000010
    const bits = Uint8Array.of(0xff, 0xe0, 0x04, 0, 0, 0, 0, 0, 0x80);
    expect(fingerprintWords(bits)).toEqual(["zoo", "ability", "abandon", "abandon", "abandon", "able"]);
    expect(fingerprintWords(Uint8Array.of(0xff, 0xff), 1)).toEqual(["zoo"]);
  });

  it("has a word for every value, at every place", () => {
    for (let value = 0; value < 2048; value++) {
      for (let place = 0; place < FINGERPRINT_WORDS; place++) {
        const number = BigInt(value) << BigInt(72 - 11 * (place + 1));
        const hash = Uint8Array.from({ length: 9 }, (_, i) => Number((number >> BigInt(8 * (8 - i))) & 255n));
        expect(fingerprintWords(hash)[place]).toBe(fingerprintWordList[value]);
      }
    }
  });

  it("refuses a hash that is too short", () => {
    expect(() => fingerprintWords(new Uint8Array(8))).toThrow(RangeError);
    expect(fingerprintWords(new Uint8Array(9))).toHaveLength(6);
  });
});
