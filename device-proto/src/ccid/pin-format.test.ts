import { describe, expect, it } from "vitest";
import { pinApdu, pinFormat, unhex } from "../index.js";

const bytes = (text: string): Uint8Array => unhex(text.replaceAll(" ", ""));
const apdu = (format: readonly [number, number, number], command: string, current: string): string =>
  Buffer.from(pinApdu(pinFormat(...format), bytes(command), [0, 0], { current })).toString("hex");

/** Commands written out by hand: the oracle that the firmware is held to (vectors/pin.json) is held to these. */
describe("a secret in the command, as the template says", () => {
  it("digits as characters, as BCD, as bytes; Lc made from them", () => {
    expect(apdu([0x82, 0, 0], "00200080", "1234")).toBe("002000800431323334");
    expect(apdu([0x81, 0, 0], "0020008000", "12345")).toBe("002000800312345f");
    expect(apdu([0x80, 0, 0], "00200080", "1234")).toBe("002000800401020304");
  });
  it("a format 2 PIN block (ISO 9564-1): control nibble, length nibble, BCD, filled with F", () => {
    // position one byte, block seven bytes, a length of four bits at bit 4
    expect(apdu([0x89, 0x47, 0x04], "00200080 08 20ffffffffffffff", "1234")).toBe("0020008008241234ffffffffff");
  });
  it("right-justified: what is before it stays", () => {
    expect(apdu([0x86, 0x08, 0x00], "00200080 08 ffffffffffffffff", "1234")).toBe("0020008008ffffffff31323334");
  });
  it("a position in bits", () => {
    expect(apdu([0x21, 0x00, 0x00], "00200080 04 a5a5a5a5", "1234")).toBe("0020008004a12345a5");
  });
  it("a change: current and new, each at its offset or one after the other", () => {
    const typed = { current: "1234", new: "5678" };
    expect(Buffer.from(pinApdu(pinFormat(0x82, 0, 0), bytes("00240080"), [0, 0], typed)).toString("hex")).toBe(
      "00240080083132333435363738",
    );
    expect(Buffer.from(pinApdu(pinFormat(0x81, 0, 0), bytes("00240080 08 ffffffffffffffff"), [4, 0], typed)).toString("hex")).toBe(
      "00240080085678ffff1234ffff",
    );
  });
  it("what does not fit is an error", () => {
    expect(() => apdu([0x82, 0x03, 0], "00200080 08 ffffffffffffffff", "1234")).toThrow(RangeError);
    expect(() => apdu([0x82, 0, 0], "00200080 02 ffff", "1234")).toThrow(RangeError);
    expect(() => pinFormat(0x83, 0, 0)).toThrow(RangeError);
  });
});
