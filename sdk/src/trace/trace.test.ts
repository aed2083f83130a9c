import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../der/index.js";
import { TraceRecorder, secretInApdu, type TraceEvent } from "./index.js";

const event = (
  at: number,
  kind: TraceEvent["kind"],
  direction: TraceEvent["direction"],
  hex: string,
  redactedAt: TraceEvent["redactedAt"] = [],
  text?: string,
): TraceEvent => ({
  at,
  kind,
  direction,
  bytes: fromHex(hex),
  redactedAt,
  ...(text === undefined ? {} : { text }),
});
const xfr = (apdu: string, level = "0000"): string =>
  `6f${(apdu.length / 2).toString(16).padStart(2, "0")}000000 00 05 00 ${level} ${apdu}`.replaceAll(" ", "");

describe("TraceRecorder", () => {
  test("writes JSON lines with hidden octets as dots", () => {
    const recorder = new TraceRecorder();
    recorder.event(event(1.5, "ccid", "to-reader", xfr("0020008004 00000000".replace(" ", "")), [[15, 4]]));
    recorder.event(event(2, "note", "none", "", [], "pad: OK"));
    const lines = recorder
      .toJsonLines()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual([
      { schema: 1, type: "inkan-trace", startedAt: "1970-01-01T00:00:00.000Z", events: 2, dropped: 0, stopped: 0 },
      { at: 1.5, kind: "ccid", direction: "to-reader", bytes: "6f090000000005000000" + "0020008004" + "••••••••", redacted: 4 },
      { at: 2, kind: "note", direction: "none", bytes: "", text: "pad: OK" },
    ]);
    expect(recorder.stopped).toBe(0);
  });

  test.each([
    ["VERIFY", "ccid", [xfr("00200080044a4b4c4d")]],
    ["VERIFY with chaining class and short identifier", "ccid", [xfr("1020009b064a4b4c4d4a4b")]],
    ["VERIFY with extended length", "ccid", [xfr("00200080000004" + "4a4b4c4d")]],
    ["CHANGE", "ccid", [xfr("00240180044a4b4c4d")]],
    ["JICSAP CHANGE KEY", "ccid", [xfr("80320080044a4b4c4d")]],
    ["32 in any class", "ccid", [xfr("81320080044a4b4c4d")]],
    ["ENVELOPE", "ccid", [xfr("00c20000044a4b4c4d")]],
    ["RESET RETRY COUNTER", "ccid", [xfr("002c0000044a4b4c4d")]],
    ["spread over three messages", "ccid", [xfr("002000800c", "0100") + "4a".slice(2), xfr("4a4b4c4d", "0300"), xfr("4a4b4c4d", "0200")]],
    ["in a T=1 block", "ccid", [xfr("000009" + "00200080044a4b4c4d" + "ee")]],
    ["an APDU event", "apdu", ["00200080044a4b4c4d"]],
  ] as const)("hides a secret that arrives unredacted: %s", (_name, kind, messages) => {
    const recorder = new TraceRecorder();
    for (const hex of messages) recorder.event(event(0, kind, "to-reader", hex));
    expect(recorder.toJsonLines()).not.toMatch(/4a4b/);
    expect(toHex(recorder.toPcapng())).not.toMatch(/4a4b/);
    expect(recorder.stopped).toBeGreaterThan(0);
  });

  test("what PC_to_RDR_Secure answers besides the status word is hidden, later answers are not", () => {
    const recorder = new TraceRecorder();
    recorder.event(event(0, "ccid", "to-reader", "69000000000001000000"));
    recorder.event(event(1, "ccid", "from-reader", "800600000000010000004a4b4c4d9000"));
    recorder.event(event(2, "ccid", "to-reader", xfr("00a4020c020018")));
    recorder.event(event(3, "ccid", "from-reader", "800600000000050000004a4b4c4d9000"));
    expect(recorder.events.map(({ redactedAt }) => redactedAt)).toEqual([[], [[10, 4]], [], []]);
  });

  test("asking for the tries left hides nothing", () => {
    expect(secretInApdu(fromHex("00200080"))).toBeUndefined();
    expect(secretInApdu(fromHex("00b0000004"))).toBeUndefined();
    expect(secretInApdu(fromHex("0020008000"))).toBeUndefined();
  });

  test("keeps its own copy and its limit", () => {
    const recorder = new TraceRecorder({ limit: 30 });
    const bytes = fromHex("81000000000001000000");
    for (let at = 0; at < 5; at++) recorder.event({ at, kind: "ccid", direction: "from-reader", bytes, redactedAt: [] });
    bytes.fill(0xee);
    expect(recorder.events.map(({ at }) => at)).toEqual([2, 3, 4]);
    expect(recorder.dropped).toBe(2);
    expect(recorder.events[0]!.bytes[0]).toBe(0x81);
  });

  test("writes pcapng whose blocks add up, with the descriptors first", () => {
    const recorder = new TraceRecorder({ startedAt: new Date("2026-11-22T00:00:00Z") });
    recorder.event(event(0, "discarded", "from-reader", "ffff", [], "crc"));
    recorder.event(event(5, "ccid", "to-reader", "62000000000000010000"));
    recorder.event(event(9, "notice", "from-reader", "5003"));
    recorder.event(event(10, "note", "none", "", [], "the end"));
    const file = recorder.toPcapng();
    const view = new DataView(file.buffer);
    const types: number[] = [];
    for (let at = 0; at < file.length; ) {
      const length = view.getUint32(at + 4, true);
      types.push(view.getUint32(at, true));
      expect(length % 4).toBe(0);
      expect(view.getUint32(at + length - 4, true)).toBe(length);
      at += length;
    }
    expect(types).toEqual([0x0a0d0d0a, 1, ...Array<number>(8).fill(6), 5]);
    const text = toHex(file);
    expect(text).toContain(toHex(concat(new TextEncoder().encode("discarded 2 bytes: ffff; crc"))));
    expect(text).toContain(toHex(new TextEncoder().encode("the end")));
    // usbmon's S record of the power-on: bulk (3), endpoint 1 out, device 2, bus 1, data present.
    expect(text).toMatch(/5303010201002d00/);
  });
});
