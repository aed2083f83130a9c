import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex, unhex } from "../codec/index.js";
import { referenceProduct } from "../product/index.js";
import {
  type AnswerName,
  ccidClaims,
  ccidClassDescriptor,
  type CommandName,
  configurationDescriptor,
  dataRates,
  decodeAnswer,
  decodeCommand,
  deviceDescriptor,
  encodeAnswer,
  encodeCommand,
  PC_to_RDR,
  ratePairs,
  RDR_to_PC,
  slotErrorName,
} from "./index.js";

describe("CCID messages", () => {
  it("PC_to_RDR_XfrBlock with an APDU, byte for byte", () => {
    const message = encodeCommand({ name: "XfrBlock", slot: 0, sequence: 5, specific: [0, 0, 0], data: unhex("00a4040c") });
    expect(hex(message)).toBe("6f" + "04000000" + "00" + "05" + "00" + "0000" + "00a4040c");
  });
  it("RDR_to_PC_DataBlock with an ATR, as libccid sees it", () => {
    const answer = decodeAnswer(unhex("80 09000000 00 14 00 00 00 3be000ff8131fe4514"));
    expect(answer).toEqual({
      name: "DataBlock",
      slot: 0,
      sequence: 0x14,
      icc: "active",
      status: "ok",
      error: 0,
      specific: 0,
      data: unhex("3be000ff8131fe4514"),
    });
  });
  it("both directions give back what was put in", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(PC_to_RDR) as CommandName[])),
        byte,
        byte,
        fc.tuple(byte, byte, byte),
        fc.uint8Array(),
        (name, slot, sequence, specific, data) => {
          const command = { name, slot, sequence, specific, data };
          expect(decodeCommand(encodeCommand(command))).toEqual(command);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(RDR_to_PC) as AnswerName[])),
        byte,
        byte,
        fc.constantFrom("active" as const, "inactive" as const, "absent" as const),
        fc.constantFrom("ok" as const, "failed" as const, "timeExtension" as const),
        byte,
        fc.uint8Array(),
        (name, slot, sequence, icc, status, error, data) => {
          const answer = { name, slot, sequence, icc, status, error, specific: 0, data };
          expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
        },
      ),
    );
  });
  it("any bytes are an answer, nothing, or a named error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (input) => {
        try {
          decodeAnswer(input);
          decodeCommand(input);
        } catch (error) {
          expect((error as Error).name).toBe("CodecError");
        }
      }),
    );
    expect(() => decodeAnswer(unhex("80 05000000 00 00 00 00 00 01"))).toThrow("dwLength: says 5, 1 bytes follow");
    expect(decodeAnswer(unhex("99 00000000 00 00 00 00 00"))).toBeUndefined();
    expect(decodeAnswer(unhex("80 00000000 00 00 c0 00 00"))).toBeUndefined();
  });
  it("slot errors have the standard's names", () => {
    expect(slotErrorName(0xef)).toBe("PIN_CANCELLED");
    expect(slotErrorName(0x07)).toBeUndefined();
  });
});

describe("descriptors", () => {
  it("the device is a composite under an IAD, with the test ids", () => {
    expect(hex(deviceDescriptor(referenceProduct))).toBe("1201" + "0002" + "ef0201" + "40" + "0912" + "0100" + "1000" + "010203" + "01");
  });
  it("the configuration is 159 bytes, its parts tile it, and CCID is interface 0", () => {
    const configuration = configurationDescriptor();
    expect(configuration.length).toBe(159);
    expect(configuration[2]! | (configuration[3]! << 8)).toBe(159);
    const types: number[] = [];
    for (let at = 0; at < configuration.length; at += configuration[at]!) types.push(configuration[at + 1]!);
    expect(types).toEqual([2, 4, 0x21, 5, 5, 5, 11, 4, 0x24, 0x24, 0x24, 0x24, 5, 4, 5, 5]);
    expect(ccidClassDescriptor.decode(configuration.subarray(18, 72))).toEqual(ccidClaims);
    expect(ccidClaims.dwFeatures & 0x80, "bit 80h would make libccid send its own PPS").toBe(0);
  });
  it("the rates are those of a 3.571 MHz clock", () => {
    expect(dataRates[0]).toBe(9600);
    expect(dataRates.at(-1)).toBe(446428);
    const byTa1 = new Map(ratePairs.map((pair) => [pair.ta1, pair.rate]));
    expect(byTa1.get(0x11)).toBe(9600);
    expect(byTa1.get(0x13)).toBe(38402);
    expect(byTa1.get(0x95)).toBe(111607);
    expect(byTa1.get(0x97)).toBe(446428);
  });
});
