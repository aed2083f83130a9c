import { hex, unhex } from "@inkan/device-proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CommandApdu,
  findTlv,
  Iso7816Error,
  parseAtr,
  readHistorical,
  readTlv,
  readTlvs,
  ResponseApdu,
  statusWord,
  triesLeft,
} from "./index.js";

const byte = fc.integer({ min: 0, max: 255 });
const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });

describe("command APDU", () => {
  test.each([
    ["1", "00a4040c"],
    ["2S", "00b0000000"],
    ["2S", "00b00000fe"],
    ["3S", "00a4040c0ad392f000260100000001"],
    ["4S", "802a008002010200"],
    ["2E", "00b00000000000"],
    ["2E", "00b00000000101"],
    ["3E", "00d60000000002aabb"],
    ["4E", "00d60000000002aabb0000"],
  ])("case %s: %s", (shape, text) => {
    const parsed = CommandApdu.parse(unhex(text));
    expect(parsed.case).toBe(shape);
    expect(hex(parsed.toBytes())).toBe(text);
  });

  test("every APDU survives parse(build)", () => {
    fc.assert(
      fc.property(
        byte,
        byte,
        byte,
        byte,
        fc.oneof(bytes(300), bytes(65535)),
        fc.option(fc.integer({ min: 1, max: 65536 }), { nil: undefined }),
        fc.boolean(),
        (cla, ins, p1, p2, data, ne, extended) => {
          const apdu = new CommandApdu({ cla, ins, p1, p2, data, extended, ...(ne !== undefined && { ne }) });
          const again = CommandApdu.parse(apdu.toBytes());
          expect([again.cla, again.ins, again.p1, again.p2, again.ne, again.case]).toEqual([cla, ins, p1, p2, ne, apdu.case]);
          expect(hex(again.data)).toBe(hex(data));
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each(["", "00a404", "00a4040c0500", "00a4040c0000", "00d600000000", "00d600000000000100", "00d60000020102030405"])(
    "is no APDU: %s",
    (text) => {
      expect(() => CommandApdu.parse(unhex(text))).toThrow(Iso7816Error);
    },
  );

  test.each([{ cla: 256 }, { ins: -1 }, { p1: 1.5 }, { ne: 0 }, { ne: 65537 }, { data: new Uint8Array(65536) }])(
    "a field out of range is refused",
    (wrong) => {
      expect(() => new CommandApdu({ cla: 0, ins: 0, p1: 0, p2: 0, ...wrong })).toThrow(Iso7816Error);
    },
  );
});

describe("response APDU and status words", () => {
  test("splits data and status word", () => {
    const response = ResponseApdu.parse(unhex("01026282"));
    expect([hex(response.data), response.sw, response.sw1, response.sw2, response.ok]).toEqual(["0102", 0x6282, 0x62, 0x82, false]);
    expect(hex(response.toBytes())).toBe("01026282");
  });
  test.each(["", "90", "6000", "0000", "8000"])("is no response: %s", (text) =>
    expect(() => ResponseApdu.parse(unhex(text))).toThrow(Iso7816Error),
  );
  test("every status word has words in both languages", () => {
    for (let sw = 0x6000; sw <= 0x9fff; sw++) {
      expect(statusWord(sw).ja).not.toBe("");
      expect(statusWord(sw).en).not.toBe("");
    }
    expect(statusWord(0x63c2).en).toContain("2 tries left");
    expect(statusWord(0x6100).en).toContain("256 bytes");
  });
  test("tries left", () =>
    expect([0x63c0, 0x63cf, 0x6983, 0x6984, 0x9000, 0x6300].map(triesLeft)).toEqual([0, 15, 0, 0, undefined, undefined]));
});

describe("ATR", () => {
  test("the standard test card: T=1, TA1=13", () => {
    const atr = parseAtr(unhex("3bda13ff8131fb468012392f31c173c601c03b"));
    expect(atr).toMatchObject({ convention: "direct", fi: 372, di: 4, extraGuard: 255, deviations: [], tck: 0x3b });
    expect(atr.protocols).toEqual([{ t: 1, ifsc: 251, cwi: 6, bwi: 4, edc: "lrc" }]);
  });
  test("T=0 by default, no check byte", () => {
    const atr = parseAtr(unhex("3b00"));
    expect(atr).toMatchObject({ fi: 372, di: 1, extraGuard: 0, protocols: [{ t: 0, wi: 10 }] });
    expect(atr.tck).toBeUndefined();
    expect(atr.specificMode).toBeUndefined();
  });
  test("inverse convention, TC2, specific mode", () => {
    const atr = parseAtr(unhex("3f90" + "96" + "50" + "80" + "05"));
    expect(atr).toMatchObject({
      convention: "inverse",
      fi: 512,
      di: 32,
      specificMode: { t: 0, fixed: true, implicit: false },
      protocols: [{ t: 0, wi: 5 }],
    });
  });
  test("T=0 and T=1 and T=15 with classes and clock stop, status in the historical bytes", () => {
    // T0 TD1 TD2 TD3 TA4, then historical bytes whose category 00 leaves no room for anything but a status
    const body = unhex("83" + "80" + "81" + "1f" + "c3" + "006f12");
    const atr = parseAtr(
      Uint8Array.of(
        0x3b,
        ...body,
        body.reduce((a, b) => a ^ b, 0),
      ),
    );
    expect(atr.protocols).toEqual([
      { t: 0, wi: 10 },
      { t: 1, ifsc: 32, cwi: 13, bwi: 4, edc: "lrc" },
    ]);
    expect(atr).toMatchObject({ classes: ["A", "B"], clockStop: "either", historical: { category: 0, wellFormed: false } });
  });
  test("a wrong check byte, a cut-off and a tail are named", () => {
    const good = unhex("3bda13ff8131fb468012392f31c173c601c03b");
    expect(() => parseAtr(Uint8Array.of(...good, 0))).toThrow(/follow the end/);
    for (let n = 0; n < good.length; n++) expect(() => parseAtr(good.subarray(0, n))).toThrow(Iso7816Error);
    for (let i = 2; i < good.length; i++) {
      const bad = good.slice();
      bad[i]! ^= 0x01;
      expect(() => parseAtr(bad)).toThrow(Iso7816Error);
    }
  });
  test("what the standard forbids but a reader can live with is said, not refused", () => {
    const atr = parseAtr(Uint8Array.of(0x3b, 0x80, 0x81, 0x00, 0x80 ^ 0x81)); // T=1 before T=0
    expect(atr.deviations).toEqual(["protocols are not offered in ascending order (§8.2.3)"]);
    expect(parseAtr(unhex("3b1077")).deviations.length).toBe(1);
  });
  test("historical bytes: COMPACT-TLV with capabilities and status", () => {
    const read = readHistorical(unhex("8073c021c0"));
    expect(read.objects.map((object) => [object.tag, hex(object.value)])).toEqual([[7, "c021c0"]]);
    expect(read).toMatchObject({ extendedLength: true, commandChaining: true, wellFormed: true });
    expect(readHistorical(unhex("8083059000")).status).toEqual({ lifeCycle: 5, sw: 0x9000 });
    expect(readHistorical(unhex("8073c0")).wellFormed).toBe(false);
    expect(readHistorical(unhex("0073c021c0059000")).status).toEqual({ lifeCycle: 5, sw: 0x9000 });
  });
});

describe("BER-TLV", () => {
  test("reads one object and a path", () => {
    expect(readTlv(unhex("5f2003414243"))).toMatchObject({ tag: 0x5f20, constructed: false, at: 0, end: 6 });
    expect(hex(findTlv(unhex("6f088406a00000000101"), 0x6f, 0x84)!)).toBe("a00000000101");
    expect(findTlv(unhex("6f00"), 0x6f, 0x84)).toBeUndefined();
    expect(readTlvs(unhex("00008001aa008101bb00")).map((object) => object.tag)).toEqual([0x80, 0x81]);
  });
  test.each([
    ["no tag", ""],
    ["no length", "80"],
    ["cut value", "8002aa"],
    ["indefinite", "3080"],
    ["not minimal 81", "80817f" + "00".repeat(127)],
    ["not minimal 82", "808200ff" + "00".repeat(255)],
    ["5-byte length", "80850000000001aa"],
    ["cut length", "8082ff"],
    ["tag number below 31 in two bytes", "1f1e00"],
    ["tag with leading zero", "5f800100"],
    ["tag of 4 bytes", "5f81818100"],
    ["cut tag", "5f"],
    ["length beyond any input", "8084ffffffff00"],
  ])("%s is refused", (_, text) => expect(() => readTlv(unhex(text))).toThrow(Iso7816Error));
});

describe("fuzz", () => {
  const doors: readonly [string, (input: Uint8Array) => unknown][] = [
    ["command APDU", (input) => CommandApdu.parse(input)],
    ["response APDU", (input) => ResponseApdu.parse(input)],
    ["ATR", (input) => parseAtr(input)],
    ["ATR behind a good start", (input) => parseAtr(Uint8Array.of(0x3b, ...input.subarray(0, 40)))],
    ["TLV", (input) => readTlvs(input)],
    ["historical bytes", (input) => readHistorical(input)],
  ];
  test.each(doors)("%s: arbitrary bytes end in a value or in an Iso7816Error", (_, door) => {
    fc.assert(
      fc.property(fc.oneof(bytes(40), bytes(400)), (input) => {
        try {
          door(input);
        } catch (error) {
          expect(error).toBeInstanceOf(Iso7816Error);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
