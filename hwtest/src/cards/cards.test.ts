import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PioBench, PioReader } from "../board/pio-bench.js";
import { pins } from "@inkan/device-proto";
import { characterLevels } from "./characters.js";
import {
  crc16,
  decodeBlock,
  encodeBlock,
  etuClocks,
  lineParameters,
  lrc,
  Responder,
  T1Card,
  type ApduCard,
  type T1CardOptions,
} from "./index.js";

const hex = (text: string): number[] => (text.replace(/\s/g, "").match(/../g) ?? []).map((pair) => parseInt(pair, 16));
const text = (bytes: readonly number[] | Uint8Array): string => Buffer.from(bytes).toString("hex");
const myNumber = Uint8Array.from(hex("3BDA13FF8131FB468012392F31C173C601C03B"));
const parameters = lineParameters(myNumber);

describe("interface bytes", () => {
  test("the My Number Card", () => {
    expect(parameters).toEqual({
      inverse: false,
      fidi: 0x13,
      extraGuard: 255,
      specific: false,
      ifsc: 0xfb,
      bwi: 4,
      cwi: 6,
      crc: false,
      clockStop: 0,
    });
    expect(etuClocks(0x13)).toBe(93);
  });
  test("specific mode, CRC, defaults", () => {
    expect(lineParameters(Uint8Array.from(hex("3BF59100FF918171FE400042000100D1D6")))).toMatchObject({
      specific: true,
      fidi: 0x91,
      ifsc: 0xfe,
      bwi: 4,
      cwi: 0,
    });
    expect(lineParameters(Uint8Array.from(hex("3F908171FE4601B8")))).toMatchObject({ inverse: true, fidi: 0x81, ifsc: 32 });
    expect(lineParameters(Uint8Array.from(hex("3B80 81 71 FE 46 01 00")))).toMatchObject({ crc: true, ifsc: 0xfe, cwi: 6 });
    expect(() => lineParameters(Uint8Array.from(hex("3B1011")))).toThrow(RangeError);
    expect(() => etuClocks(0x7f)).toThrow(RangeError);
  });
});

describe("blocks", () => {
  test("LRC and CRC by hand", () => {
    expect(lrc(hex("00C101FE"))).toBe(0x3e);
    // Bit by bit: one byte 00 into register FFFF gives 0F87.
    expect(crc16([0])).toBe(0x0f87);
    expect(text(encodeBlock({ nad: 0, pcb: 0xc1, inf: [0xfe] }, false))).toBe("00c101fe3e");
  });
  test("what is encoded is decoded; any changed bit is refused", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.array(fc.nat(255), { maxLength: 254 }), fc.boolean(), fc.nat(), (pcb, inf, crc, flip) => {
        const bytes = encodeBlock({ nad: 0, pcb, inf }, crc);
        expect(decodeBlock(bytes, crc)).toEqual({ nad: 0, pcb, inf });
        const at = flip % (bytes.length * 8);
        bytes[at >> 3]! ^= 1 << (at & 7);
        expect(decodeBlock(bytes, crc)).toBeUndefined();
      }),
    );
  });
  test("characters: start bit low, even parity, both conventions", () => {
    // TS as ISO 7816-3 §8.1 draws it: direct A Z Z A Z Z Z A A Z, inverse A Z Z A A A A A A Z (A = low).
    expect(characterLevels(0x3b, false).map((low) => (low ? "A" : "Z")).join("")).toBe("AZZAZZZAAZ"); // prettier-ignore
    expect(characterLevels(0x3f, true).map((low) => (low ? "A" : "Z")).join("")).toBe("AZZAAAAAAZ"); // prettier-ignore
  });
});

/** "< block" = from the reader, "> block" = the card's reply, "-" = nothing or garbage. Blocks without their LRC; I-blocks run the echo. */
type Story = [name: string, ...lines: string[]];
const echo = (command: Uint8Array): { response: Uint8Array; thinkMs: number } => ({
  response: Uint8Array.of(...command, 0x90, 0),
  thinkMs: 0,
});

/** The scenarios of ISO 7816-3 annex A that have a card in them, and what lies beside them. */
const stories: Story[] = [
  [
    "1: I-blocks with alternating N(S)",
    "< 00 00 01 A0",
    "> 00 00 03 A0 90 00",
    "< 00 40 01 A1",
    "> 00 40 03 A1 90 00",
    "< 00 00 01 A2",
    "> 00 00 03 A2 90 00",
  ],
  ["3: IFS request of the reader", "< 00 C1 01 FE", "> 00 E1 01 FE", "< 00 00 01 01", "> 00 00 03 01 90 00"],
  [
    "5: chaining by the reader",
    "< 00 20 02 01 02",
    "> 00 90 00",
    "< 00 60 02 03 04",
    "> 00 80 00",
    "< 00 00 01 05",
    "> 00 00 07 01 02 03 04 05 90 00",
  ],
  [
    "6: chaining by the card",
    "< 00 C1 01 04",
    "> 00 E1 01 04",
    "< 00 00 04 01 02 03 04",
    "> 00 20 04 01 02 03 04",
    "< 00 90 00",
    "> 00 40 02 90 00",
  ],
  [
    "8: the card's answer is garbled",
    "< 00 00 01 A0",
    "> 00 00 03 A0 90 00",
    "< 00 81 00",
    "> 00 00 03 A0 90 00",
    "< 00 40 01 A1",
    "> 00 40 03 A1 90 00",
  ],
  ["9: the reader's block is garbled", "-", "> 00 81 00", "< 00 00 01 A0", "> 00 00 03 A0 90 00"],
  ["10: the request to repeat is garbled too", "-", "> 00 81 00", "-", "> 00 81 00", "< 00 00 01 A0", "> 00 00 03 A0 90 00"],
  [
    "11: the card is asked to repeat its request to repeat",
    "-",
    "> 00 81 00",
    "< 00 80 00",
    "> 00 81 00",
    "< 00 00 01 A0",
    "> 00 00 03 A0 90 00",
  ],
  [
    "17: an acknowledgement in a chain is lost",
    "< 00 20 01 01",
    "> 00 90 00",
    "< 00 80 00",
    "> 00 90 00",
    "< 00 40 01 02",
    "> 00 00 04 01 02 90 00",
  ],
  ["a block sent twice is not executed twice", "< 00 00 01 A0", "> 00 00 03 A0 90 00", "< 00 00 01 A0", "> 00 92 00"],
  ["an acknowledgement of everything", "< 00 00 01 A0", "> 00 00 03 A0 90 00", "< 00 80 00", "> 00 00 03 A0 90 00"],
  [
    "a longer block than IFSC, a node address, a reserved bit",
    "< 01 00 00",
    "> 00 82 00",
    "< 00 01 00",
    "> 00 82 00",
    "< 00 84 00",
    "> 00 82 00",
  ],
  ["RESYNCH starts anew", "< 00 00 01 A0", "> 00 00 03 A0 90 00", "< 00 C0 00", "> 00 E0 00", "< 00 00 01 A1", "> 00 00 03 A1 90 00"],
  ["RESYNCH with contents is none", "< 00 C0 01 00", "> 00 82 00"],
  ["ABORT drops the reader's chain", "< 00 20 01 01", "> 00 90 00", "< 00 C2 00", "> 00 E2 00", "< 00 40 01 05", "> 00 00 03 05 90 00"],
  ["a response nobody asked for", "< 00 E3 01 01", "> 00 82 00", "< 00 E1 01 20", "> 00 82 00"],
  ["IFS of 0 and of 255", "< 00 C1 01 00", "> 00 82 00", "< 00 C1 01 FF", "> 00 82 00"],
];
test.each(stories)("T=1: %s", (_, ...lines) => {
  const responder = new Responder(echo, {});
  responder.start(parameters, 0);
  let said: number[] = [];
  for (const line of lines) {
    if (line.startsWith(">")) {
      const block = hex(line.slice(1));
      expect(text(said)).toBe(text([...block, lrc(block)]));
      continue;
    }
    const block = hex(line.slice(1));
    let step = responder.receive(line === "-" ? null : [...block, lrc(block)], line === "-");
    if (step.kind === "think") step = responder.answer();
    expect(step.kind).toBe("send");
    said = step.kind === "send" ? step.bytes : [];
  }
});
test("T=1: the card asks for time, and for smaller blocks; requests are repeated until answered", () => {
  const responder = new Responder(echo, {});
  responder.start(parameters, 4);
  const receive = (block: string): unknown => responder.receive([...hex(block), lrc(hex(block))], false);
  expect(receive("00 00 03 01 02 03")).toEqual({ kind: "think", ms: 0 });
  const wtx = { kind: "send", bytes: hex("00 C3 01 01 C3") };
  expect(responder.moreTime(1)).toEqual(wtx);
  expect(responder.receive(null, true)).toEqual(wtx);
  expect(receive("00 80 00")).toEqual(wtx);
  expect(receive("00 E3 01 02")).toEqual(wtx); // another multiplier is no answer
  expect(receive("00 E3 01 01")).toEqual({ kind: "go-on" });
  expect(responder.answer()).toEqual({ kind: "send", bytes: hex("00 C1 01 04 C4") });
  expect(receive("00 E1 01 04")).toEqual({ kind: "send", bytes: hex("00 20 04 01 02 03 90 B4") });
  expect(receive("00 90 00")).toEqual({ kind: "send", bytes: hex("00 40 01 00 41") });
});

// ---- on the line, driven by the PIO program

const echoCard = (atr: Uint8Array): ApduCard => ({ atr, powerOn: () => atr, transmit: echo });

/** VCC, I/O, CLK, 500 clocks, RST: then the ATR comes. */
function powered(options: T1CardOptions = {}): { bench: PioBench; reader: PioReader; card: T1Card } {
  const bench = new PioBench();
  const card = new T1Card(echoCard(myNumber), { atrDelayClocks: 600, ...options });
  bench.sio(pins.cardIo, 0);
  for (const pin of [pins.cardRst, pins.cardVcc, pins.cardVsel0, pins.cardVsel1, pins.cardClk]) bench.sio(pin, 0);
  bench.pass(20e6);
  bench.slot.insert(card);
  bench.sio(pins.cardVsel0, 1);
  bench.sio(pins.cardVcc, 1);
  bench.pass(1e6);
  const reader = new PioReader(bench);
  bench.clock(25e6 / 7);
  bench.pass(500 * 280);
  bench.sio(pins.cardRst, 1);
  bench.until(() => reader.received.length === myNumber.length, 100);
  return { bench, reader, card };
}
/** Sends after `wait` etu in the guard loop and returns what comes back. */
function exchange({ bench, reader }: ReturnType<typeof powered>, bytes: string, answer: number, wait = 14): string {
  reader.received.length = 0;
  reader.send(hex(bytes), wait);
  bench.until(() => reader.received.length === answer, 1000);
  return text(reader.received.map((one) => one.byte));
}
const ppsAndIfs = (all: ReturnType<typeof powered>): void => {
  expect(exchange(all, "FF 11 13 FD", 4)).toBe("ff1113fd");
  all.bench.pass(22 * all.reader.etuNs);
  all.reader.rate(372, 4);
  all.reader.mode({ eleven: true });
  expect(exchange(all, "00 C1 01 FE 3E", 5)).toBe("00e101fe1e");
};

describe("on the line", () => {
  test("ATR, PPS, blocks at 11 etu, WTX by the clock", () => {
    const all = powered();
    expect(text(all.reader.received.map((one) => one.byte))).toBe(text(myNumber));
    ppsAndIfs(all);
    expect(exchange(all, "00 00 01 A5 A4", 7)).toBe("000003a5900036");
    expect(all.card.etuClocks).toBe(93);
  });

  const rule = (act: () => void): string => {
    try {
      act();
    } catch (error) {
      return (error as { rule?: string }).rule ?? String(error);
    }
    return "nothing";
  };
  test.each<[string, (all: ReturnType<typeof powered>) => void]>([
    ["card-line/turnaround", (all) => exchange(all, "FF 11 13 FD", 4, 1)],
    ["card-line/guard-time", (all) => (all.reader.mode({ eleven: true }), exchange(all, "FF 11 13 FD", 4))],
    [
      "card-line/pps-turnaround",
      (all) => (exchange(all, "FF 11 13 FD", 4), all.reader.rate(372, 4), exchange(all, "00 C1 01 FE 3E", 5, 20)),
    ],
    ["card-line/turnaround", (all) => (ppsAndIfs(all), exchange(all, "00 00 01 A5 A4", 7, 8))],
    ["card-line/character-waiting", (all) => (ppsAndIfs(all), (all.reader.budget = 2), exchange(all, "00 00 01 A5 A4", 7))],
    [
      "nothing",
      (all) => (
        ppsAndIfs(all),
        (all.reader.budget = 2),
        (all.bench.cpuAlive = false),
        all.reader.send(hex("00 00 01 A5 A4"), 14),
        all.bench.pass(50e6)
      ),
    ],
    ["card-line/bit-time", (all) => (all.reader.rate(372 * 1.05, 1), exchange(all, "FF 11 13 FD", 4))],
    [
      "card-line/while-sending",
      (all) => {
        all.reader.send(hex("FF 11 13 FD"), 14);
        all.bench.until(() => all.bench.nets.level(pins.cardIo) === 0 && !all.reader.sending, 100);
        all.bench.pass(3 * all.reader.etuNs);
        all.reader.send([0], 0);
        all.bench.pass(40 * all.reader.etuNs);
      },
    ],
    ["slot/io-conflict", (all) => (all.bench.nets.drive(pins.cardIo, "probe", null), exchange(all, "FF 11 13 FD", 4), both(all))],
    ["slot/deactivation-order", ({ bench }) => bench.sio(pins.cardVcc, 0)],
    ["slot/deactivation-order", ({ bench }) => (bench.clock(0), bench.pass(1))],
    ["slot/rst-early", ({ bench }) => (bench.sio(pins.cardRst, 0), bench.pass(300 * 280), bench.sio(pins.cardRst, 1))],
    ["slot/voltage-class", ({ bench }) => bench.sio(pins.cardVsel1, 1)],
    ["slot/vcc-without-card", ({ bench }) => (bench.slot.remove(), bench.pass(2e6))],
    ["slot/over-current", ({ bench }) => (bench.slot.overCurrent(true), bench.pass(2e6))],
    ["slot/clock-range", ({ bench }) => bench.clock(6e6)],
    ["slot/activation-order", (all) => (off(all), all.bench.clock(25e6 / 7))],
    ["slot/activation-order", (all) => (off(all), all.bench.pass(20e6), all.bench.sio(pins.cardVcc, 1), all.bench.sio(pins.cardRst, 1))],
    ["slot/activation-order", (all) => (off(all), all.bench.pass(20e6), all.bench.sio(pins.cardVcc, 1), all.bench.clock(25e6 / 7))],
    ["slot/power-cycle", (all) => (off(all), all.bench.pass(9e6), all.bench.sio(pins.cardVcc, 1))],
    ["slot/vcc-without-card", (all) => (off(all), all.bench.slot.remove(), all.bench.pass(20e6), all.bench.sio(pins.cardVcc, 1))],
    ["slot/io-high-drive", ({ bench }) => (bench.sio(pins.cardIo, 1), bench.write(0x40014004 + 8 * pins.cardIo, 5))],
    ["nothing", off],
  ])("%s", (name, act) => {
    const all = powered();
    expect(rule(() => act(all))).toBe(name);
  });
  /** As ISO 7816-3 §6.4 wants it: RST, CLK, I/O, VCC. */
  function off({ bench }: ReturnType<typeof powered>): void {
    bench.sio(pins.cardRst, 0);
    bench.clock(0);
    bench.sio(pins.cardIo, 0);
    bench.write(0x40014004 + 8 * pins.cardIo, 5);
    bench.sio(pins.cardVcc, 0);
  }
  /** The card answers; in the middle of one of its low bits the reader pulls too. */
  function both({ bench, reader }: ReturnType<typeof powered>): void {
    bench.sio(pins.cardRst, 0);
    bench.pass(500 * 280);
    bench.sio(pins.cardRst, 1);
    bench.until(() => bench.nets.level(pins.cardIo) === 0, 100);
    bench.pass(0.3 * reader.etuNs);
    bench.write(0x40014004 + 8 * pins.cardIo, 5); // SIO holds it low
  }

  test("a snapshot in the middle of an answer goes on to the same edge", () => {
    const run = (restore: boolean): [number, string][] => {
      const all = powered();
      const edges: [number, string][] = [];
      all.reader.send(hex("FF 11 13 FD"), 14);
      all.bench.pass(80 * all.reader.etuNs);
      if (restore) {
        const card = structuredClone(all.card.save());
        all.card.load({ ...card, card: { ...card.card, phase: "off" } }); // something else altogether …
        all.card.load(card); // … and back
      }
      all.bench.nets.listen(pins.cardIo, () => edges.push([all.bench.nowNs, `${all.bench.nets.level(pins.cardIo)}`]));
      all.bench.pass(60 * all.reader.etuNs);
      return edges;
    };
    expect(run(true)).toEqual(run(false));
    expect(run(false).length).toBeGreaterThan(10);
  });
});
