import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsbredirParser } from "./parser.js";
import { type Body, encodePacket, MAX_DATA, ourCapabilities, type Packet, type PacketName, packets, UsbredirError } from "./wire.js";

const hello = (word: number): Uint8Array =>
  encodePacket("hello", 7n, { version: new Uint8Array(64), capabilities: Uint8Array.of(word, 0, 0, 0) }, false);
const parse = (chunks: Iterable<Uint8Array>, parser = new UsbredirParser("guest", ourCapabilities)): Packet[] =>
  [...chunks].flatMap((chunk) => [...parser.push(chunk)]);
const rule = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsbredirError);
    return (error as UsbredirError).rule;
  }
  return "none";
};
const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

const id = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const byte = fc.integer({ min: 0, max: 255 });
const word = fc.integer({ min: 0, max: 0xffff });
const data = fc.uint8Array({ maxLength: 700 });
const none = new Uint8Array(0);
/** Anything a guest may say after its hello. */
const said: fc.Arbitrary<Packet> = fc.oneof(
  ...(["reset", "get_configuration", "cancel_data_packet"] as const).map((name) =>
    fc.record({ name: fc.constant(name), id, body: fc.constant({}) }),
  ),
  fc.record({ name: fc.constant("set_configuration" as const), id, body: fc.record({ configuration: byte }) }),
  fc.record({ name: fc.constant("set_alt_setting" as const), id, body: fc.record({ interface: byte, alternate: byte }) }),
  fc.record({ name: fc.constant("start_interrupt_receiving" as const), id, body: fc.record({ endpoint: byte }) }),
  fc.tuple(id, byte, byte, byte, word, word, word, data).map(([id, request, requestType, status, value, index, length, data]) => {
    const into = (requestType & 0x80) !== 0;
    const body = { endpoint: requestType & 0x80, request, requestType, status, value, index };
    return { name: "control_packet" as const, id, body: { ...body, length: into ? length : data.length, data: into ? none : data } };
  }),
  fc.tuple(id, byte, byte, data).map(([id, endpoint, status, data]) => {
    const body = { endpoint, status, stream: 0, lengthHigh: 0, length: data.length };
    return { name: "bulk_packet" as const, id, body: { ...body, data: endpoint & 0x80 ? none : data } };
  }),
) as fc.Arbitrary<Packet>;
const encode = (packet: Packet, ids64 = true): Uint8Array => encodePacket(packet.name, packet.id, packet.body as Body<PacketName>, ids64);

describe("usbredir packets", () => {
  it("have the bytes of the protocol", () => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
    expect(hex(encodePacket("reset", 0x0102030405060708n, {}))).toBe("03000000" + "00000000" + "0807060504030201");
    expect(hex(encodePacket("set_configuration", 5n, { configuration: 1 }, false))).toBe("06000000" + "01000000" + "05000000" + "01");
    const body = { endpoint: 0x81, status: 0, length: 0x0302, stream: 0, lengthHigh: 1, data: none };
    expect(hex(encodePacket("bulk_packet", 1n, body))).toBe(
      "65000000" + "0a000000" + "0100000000000000" + "81" + "00" + "0203" + "00000000" + "0100",
    );
    const control = { endpoint: 0x80, request: 6, requestType: 0x80, status: 0, value: 0x100, index: 0, length: 18, data: none };
    expect(hex(encodePacket("control_packet", 1n, control))).toBe(
      "64000000" + "0a000000" + "0100000000000000" + "80068000" + "0001" + "0000" + "1200",
    );
    expect(packets.ep_info.layout.size).toBe(160);
    expect(packets.interface_info.layout.size).toBe(132);
    expect(packets.device_connect.layout.size).toBe(10);
  });

  it("come out as they went in, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(said, { maxLength: 8 }),
        fc.boolean(),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 20 }),
        (list, wide, cuts) => {
          const sent = list.map((packet) => (wide ? packet : { ...packet, id: packet.id & 0xffffffffn }));
          const bytes = join(hello(wide ? 0xff : 0xdf), ...sent.map((packet) => encode(packet, wide)));
          const chunks: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) chunks.push(bytes.subarray(at, (at = Math.min(bytes.length, at + cut))));
          chunks.push(bytes.subarray(at));
          expect(parse(chunks).slice(1)).toEqual(sent);
        },
      ),
    );
  });

  it("whatever comes, only named errors, and never more than one packet is kept", () => {
    const damaged = fc
      .tuple(fc.array(said, { minLength: 1, maxLength: 5 }), fc.array(fc.tuple(fc.nat(), byte), { maxLength: 6 }), fc.nat())
      .map(([list, flips, cut]) => {
        const bytes = join(hello(0xff), ...list.map((packet) => encode(packet)));
        for (const [at, value] of flips) bytes[at % bytes.length]! ^= value;
        return bytes.subarray(0, cut % 5 ? bytes.length : cut % bytes.length);
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), fc.constantFrom("guest", "host"), (bytes, sender) => {
        const parser = new UsbredirParser(sender, ourCapabilities);
        let first: unknown;
        try {
          for (const one of bytes) for (const packet of parser.push(Uint8Array.of(one))) expect(packets[packet.name]).toBeDefined();
        } catch (error) {
          first = error;
          expect(error).toBeInstanceOf(UsbredirError);
          expect(() => [...parser.push(none)]).toThrow(error as Error);
        }
        expect(parser.pending).toBeLessThanOrEqual(MAX_DATA + 32);
        if (first === undefined) expect(parser.pending).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  it("each rule has its name", () => {
    const head = (type: number, length: number): Uint8Array =>
      join(
        hello(0xff),
        Uint8Array.of(type, 0, 0, 0, length & 255, (length >> 8) & 255, (length >> 16) & 255, length >>> 24, 0, 0, 0, 0, 0, 0, 0, 0),
      );
    expect(rule(() => parse([encodePacket("reset", 0n, {}, false)]))).toBe("no-hello");
    expect(rule(() => parse([head(0, 68)]))).toBe("second-hello");
    expect(rule(() => parse([head(12, 4)]))).toBe("unknown-packet");
    expect(rule(() => parse([head(24, 0)]))).toBe("unknown-packet");
    expect(rule(() => parse([head(1, 10)]))).toBe("wrong-sender");
    expect(rule(() => parse([head(3, 1)]))).toBe("wrong-length");
    expect(rule(() => parse([head(101, 9)]))).toBe("wrong-length");
    expect(rule(() => parse([hello(0xff).subarray(0, 4), Uint8Array.of(67, 0, 0, 0, 0, 0, 0, 0), new Uint8Array(67)]))).toBe(
      "wrong-length",
    );
    // Refused by its header alone: no memory is kept for a body of 2 GiB.
    expect(rule(() => parse([head(101, 0x80000000)]))).toBe("too-long");
    expect(rule(() => parse([head(101, MAX_DATA + 11)]))).toBe("too-long");
    expect(rule(() => parse([head(101, MAX_DATA + 10)]))).toBe("none");
    const bulk = { endpoint: 1, status: 0, length: 3, stream: 0, lengthHigh: 0, data: new Uint8Array(2) };
    expect(rule(() => parse([hello(0xff), encodePacket("bulk_packet", 0n, bulk)]))).toBe("data-length");
    expect(rule(() => parse([hello(0xff), encodePacket("bulk_packet", 0n, { ...bulk, endpoint: 0x81 })]))).toBe("data-length");
  });
});
