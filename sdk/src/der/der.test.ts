import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DerError,
  DerReader,
  Tag,
  bitStringOctets,
  bitStringValue,
  booleanValue,
  checkDer,
  checkNull,
  compareDer,
  concat,
  eachItem,
  fromHex,
  integerValue,
  namedBits,
  oidValue,
  setOf,
  smallInteger,
  textValue,
  timeValue,
  toHex,
  write,
  type DerElement,
} from "./index.js";

const first = (hex: string): DerElement => new DerReader(fromHex(hex)).next();
/** The rule and offset of the refusal. */
function refusal(action: () => unknown): [number, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof DerError) return [error.offset, error.rule];
    throw error;
  }
  throw new Error("accepted");
}

describe("DerReader refuses each form that is not DER by its own rule", () => {
  test.each([
    ["", 0, "an element is missing"],
    ["0000", 0, "end-of-contents octets belong to the indefinite form, which DER forbids"],
    ["1f2a00", 0, "tag numbers above 30 are not used here"],
    ["bf8100", 0, "tag numbers above 30 are not used here"],
    ["1000", 0, "a SEQUENCE or SET must be constructed"],
    ["1100", 0, "a SEQUENCE or SET must be constructed"],
    ["2400", 0, "DER forbids the constructed form of a string or simple type"],
    ["2203020100", 0, "DER forbids the constructed form of a string or simple type"],
    ["04", 1, "the length is missing"],
    ["30800000", 1, "DER forbids the indefinite length"],
    ["04ff", 1, "length octet FF is reserved"],
    ["04850000000001aa", 1, "a length of more than four octets is not used here"],
    ["0482ff", 3, "the length is cut off"],
    ["04820080", 2, "a length must not begin with a zero octet"],
    ["04817f", 1, "a length below 128 must use the short form"],
    ["0403aabb", 1, "the length 3 runs past the end, 2 octets are left"],
    ["0484ffffffff00", 1, "the length 4294967295 runs past the end, 1 octets are left"],
  ])("%s", (hex, offset, rule) => {
    expect(refusal(() => first(hex))).toEqual([offset, rule]);
  });

  test("offsets count from the outermost input", () => {
    const outer = first("300830060201050401ff");
    const inner = DerReader.inside(DerReader.inside(outer).next());
    inner.next();
    expect(refusal(() => inner.take(Tag.integer, "the second"))).toEqual([7, "the second must be integer, found octetString"]);
    expect(refusal(() => inner.end("the inner one"))).toEqual([7, "the inner one ends here, but 3 octets follow"]);
    expect(refusal(() => DerReader.inside(inner.next()))).toEqual([7, "octetString is primitive and has nothing inside"]);
    expect(refusal(() => inner.take(Tag.null, "the third"))).toEqual([10, "the third is missing"]);
    expect(inner.maybe(Tag.null, "the fourth")).toBeUndefined();
  });

  test("single means single", () => {
    expect(refusal(() => DerReader.single(fromHex("0500 0500"), Tag.null, "it"))).toEqual([2, "it ends here, but 2 octets follow"]);
    expect(refusal(() => eachItem(first("3000"), "the list", 1, (item) => item))).toEqual([0, "the list: at least 1 must be here"]);
  });
});

describe("values refuse each form that is not DER by its own rule", () => {
  const cases: readonly (readonly [string, (element: DerElement) => unknown, number, string])[] = [
    ["0200", integerValue, 2, "an INTEGER has at least one octet"],
    ["02020001", integerValue, 2, "an INTEGER must not begin with a redundant 00"],
    ["0202ff80", integerValue, 2, "an INTEGER must not begin with a redundant FF"],
    ["0201ff", (e) => smallInteger(e, "version"), 2, "version must be between 0 and 2147483647"],
    ["020106", (e) => smallInteger(e, "version", 5), 2, "version must be between 0 and 5"],
    ["0100", booleanValue, 2, "a BOOLEAN has one octet"],
    ["010101", booleanValue, 2, "TRUE is FF in DER"],
    ["050100", checkNull, 2, "a NULL has no content"],
    ["0600", oidValue, 2, "an OBJECT IDENTIFIER has at least one octet"],
    ["06032a8001", oidValue, 3, "an arc must not begin with 80"],
    ["06028001", oidValue, 2, "an arc must not begin with 80"],
    ["06022a86", oidValue, 3, "the last arc is cut off"],
    [`0615 2a ${"ff".repeat(19)}7f`, oidValue, 22, "an arc of more than 19 octets is not used here"],
    ["0300", bitStringValue, 2, "a BIT STRING begins with the count of unused bits"],
    ["03020800", bitStringValue, 2, "at most 7 bits of a BIT STRING are unused"],
    ["030101", bitStringValue, 2, "an empty BIT STRING has no unused bits"],
    ["03020301", bitStringValue, 3, "unused bits of a BIT STRING must be zero"],
    ["03020780", (e) => bitStringOctets(e, "a key"), 2, "a key is a whole number of octets"],
    ["03020080", namedBits, 2, "a named bit list must not end with zero bits"],
    [`030a00${"00".repeat(8)}80`, namedBits, 2, "a named bit list of more than 64 bits is not used here"],
    ["0c01ff", textValue, 2, "a UTF8String that is not UTF-8"],
    ["0c03eda080", textValue, 2, "a UTF8String that is not UTF-8"],
    ["13012a", textValue, 2, "a PrintableString with another character"],
    ["160180", textValue, 2, "an IA5String with an octet above 7F"],
    ["120141", textValue, 2, "a NumericString with another character"],
    ["1a0107", textValue, 2, "a VisibleString with another character"],
    ["1e0100", textValue, 2, "a BMPString has two octets a character"],
    ["1e02d800", textValue, 2, "a BMPString with a surrogate"],
    ["140141", textValue, 0, "teletexString is not a character string read here"],
    ["3106020102020101", (e) => setOf(e, "the set"), 5, "the set: a SET OF must be in ascending order"],
    ["3106020101020101", (e) => setOf(e, "the set"), 5, "the set: the same value twice"],
    ["170b3236313132323030303030", timeValue, 2, "a UTCTime is YYMMDDHHMMSSZ"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("2611220000Z"))), timeValue, 2, "a UTCTime is YYMMDDHHMMSSZ"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("261122000000+0900"))), timeValue, 2, "a UTCTime is YYMMDDHHMMSSZ"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("270229000000Z"))), timeValue, 2, "there is no such date and time"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("261122240000Z"))), timeValue, 2, "there is no such date and time"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("261122235960Z"))), timeValue, 2, "there is no such date and time"],
    [toHex(write.tlv(Tag.utcTime, new TextEncoder().encode("261301000000Z"))), timeValue, 2, "there is no such date and time"],
    [
      toHex(write.tlv(Tag.generalizedTime, new TextEncoder().encode("20261122000000Z"))),
      timeValue,
      2,
      "a time before 2050 must be a UTCTime",
    ],
    [
      toHex(write.tlv(Tag.generalizedTime, new TextEncoder().encode("20501122000000.5Z"))),
      timeValue,
      2,
      "a GeneralizedTime is YYYYMMDDHHMMSSZ",
    ],
    ["0500", timeValue, 0, "a time must be utcTime or generalizedTime, found null"],
  ];
  test.each(cases)("%s", (hex, read, offset, rule) => {
    expect(refusal(() => read(first(hex)))).toEqual([offset, rule]);
  });

  test("a nest deeper than any certificate is refused, not followed", () => {
    let nest: Uint8Array = write.nullValue();
    for (let i = 0; i < 40; i++) nest = write.sequence(nest);
    expect(refusal(() => checkDer(nest))[1]).toBe("nested deeper than 32");
    expect(refusal(() => checkDer(fromHex("3003010101")))).toEqual([4, "TRUE is FF in DER"]);
  });
});

describe("reader and writer agree", () => {
  test("integers", () => {
    for (const [value, hex] of [
      [0n, "020100"],
      [127n, "02017f"],
      [128n, "02020080"],
      [-1n, "0201ff"],
      [-128n, "020180"],
      [-129n, "0202ff7f"],
    ] as const) {
      expect(toHex(write.integer(value))).toBe(hex);
    }
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(1n << 300n), max: 1n << 300n }),
        (value) => integerValue(first(toHex(write.integer(value)))) === value,
      ),
    );
  });
  test("object identifiers", () => {
    expect(toHex(write.oid("1.2.840.113549.1.1.11"))).toBe("06092a864886f70d01010b");
    expect(toHex(write.oid("2.999.1"))).toBe("0603883701");
    expect(() => write.oid("1.40")).toThrow(RangeError);
    expect(() => write.oid("3.1")).toThrow(RangeError);
    // a UUID as an arc is the longest there is (X.667 §7)
    const uuid = `2.25.${(1n << 128n) - 1n}`;
    expect(oidValue(new DerReader(write.oid(uuid)).next())).toBe(uuid);
    const arcs = fc.tuple(fc.constantFrom(0, 1, 2), fc.nat(39), fc.array(fc.bigInt({ min: 0n, max: 1n << 70n }), { maxLength: 8 }));
    fc.assert(
      fc.property(arcs, ([root, second, rest]) => {
        const dotted = [root, second, ...rest].join(".");
        return oidValue(new DerReader(write.oid(dotted)).next()) === dotted;
      }),
    );
  });
  test("hostile sizes cost no more than their length", () => {
    const began = performance.now();
    const million = new Uint8Array(1_000_000).fill(0xff);
    for (const [tag, read] of [
      [Tag.oid, oidValue],
      [Tag.bitString, namedBits],
      [Tag.integer, (e: DerElement) => smallInteger(e, "it")],
    ] as const) {
      million[0] = tag === Tag.integer ? 0x7f : tag === Tag.bitString ? 0 : 0x2a;
      expect(() => read(new DerReader(write.tlv(tag, million)).next())).toThrow(DerError);
    }
    expect(performance.now() - began).toBeLessThan(2000);
  });
  test("named bits, times, strings, lengths", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(20)), (set) => {
        expect(namedBits(new DerReader(write.bits(...set)).next())).toEqual([...set].sort((a, b) => a - b));
      }),
    );
    const times = fc.date({ min: new Date("1950-01-01T00:00:00Z"), max: new Date("2120-01-01T00:00:00Z"), noInvalidDate: true });
    fc.assert(
      fc.property(times, (date) => {
        const whole = Math.floor(date.getTime() / 1000) * 1000;
        return timeValue(new DerReader(write.time(date)).next()).getTime() === whole;
      }),
    );
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => textValue(new DerReader(write.utf8String(text)).next()) === text));
    for (const length of [0, 1, 127, 128, 255, 256, 65535, 65536])
      expect(first(toHex(write.octetString(new Uint8Array(length)))).content.length).toBe(length);
  });
  test("sets come out in DER order whatever order they went in", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uint8Array({ maxLength: 5 }), { selector: toHex, minLength: 1 }), (contents) => {
        const items = contents.map((content) => write.octetString(content));
        const set = write.setOfItems(items);
        expect(toHex(set)).toBe(toHex(write.setOfItems([...items].reverse())));
        expect(setOf(new DerReader(set).next(), "set")).toHaveLength(items.length);
      }),
    );
    expect(compareDer(fromHex("0401"), fromHex("040100"))).toBe(0);
  });
});

test("whatever the input, the reader ends in a value or a DerError, and a value writes back to the same bytes", () => {
  const rebuild = (element: DerElement): Uint8Array => {
    if ((element.tag & 0x20) === 0) return write.tlv(element.tag, element.content);
    const parts: Uint8Array[] = [];
    for (const reader = DerReader.inside(element); !reader.done; ) parts.push(rebuild(reader.next()));
    return write.tlv(element.tag, ...parts);
  };
  const seed = write.sequence(
    write.oid("1.2.3"),
    write.integer(70000),
    write.setOfItems([write.utf8String("あ"), write.octetString(new Uint8Array(200))]),
    write.booleanTrue(),
  );
  const mutated = fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((edits) => {
    const copy = seed.slice();
    for (const [at, value] of edits) copy[at] = value;
    return copy;
  });
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 64 }),
        mutated.map((bytes) => bytes.subarray(0, bytes.length >> 1)),
      ),
      (bytes) => {
        try {
          checkDer(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DerError);
          expect((error as DerError).offset).toBeLessThanOrEqual(bytes.length);
          return;
        }
        accepted++;
        expect(toHex(rebuild(new DerReader(bytes).next()))).toBe(toHex(bytes));
      },
    ),
    { numRuns: 4000 },
  );
  expect(accepted).toBeGreaterThan(20);
  expect(toHex(concat(rebuild(new DerReader(seed).next())))).toBe(toHex(seed));
});
