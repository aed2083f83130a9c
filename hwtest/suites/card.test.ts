import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { T0Card, type T0CardOptions, T1Card, type T1CardOptions } from "../src/cards/index.js";
import { CardRig, echoCard, makeAtr, type Said } from "./card-rig.js";

/** The contact ATR of a My Number Card: TA1 = 13 (372/4), TC1 = FF, T=1, IFSC 251, BWI 4, CWI 6. */
const myNumber = Uint8Array.from(Buffer.from("3BDA13FF8131FB468012392F31C173C601C03B", "hex"));
/** CCID 1.1 table 6.2-2. */
const ICC_MUTE = 0xfe;
const BAD_ATR = 0xf8;
const BAD_TCK = 0xf7;

let rig: CardRig;
/** False while a story runs, and for good when it failed: then the next one boots anew. */
let usable = false;
const folder = process.env["INKAN_IMAGE"];
beforeEach(async () => {
  if (!usable) rig = await CardRig.boot(folder);
  usable = true;
});
afterAll(() => rig.slot.remove());

/** Puts a card in, powers it, runs `use`, powers off, takes it out. */
function withCard<T>(atr: Uint8Array, options: T1CardOptions, use: (card: T1Card, seen: Uint8Array[], atr: Said) => T, thinkMs = 1): T {
  const apdu = echoCard(atr, thinkMs);
  const card = new T1Card(apdu, { atrDelayClocks: 500, ...options });
  rig.slot.insert(card);
  rig.pass(300); // the reader settles and debounces
  usable = false;
  const on = rig.powerOn();
  const result = use(card, apdu.seen, on);
  rig.powerOff();
  rig.slot.remove();
  rig.pass(50);
  usable = true;
  return result;
}
const bytes = (length: number, first = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (first + i * 7) & 0xff);
const write = (length: number): Uint8Array => Uint8Array.of(0, 0xd6, 0, 0, length, ...bytes(length));
const echoes = (said: Said, command: Uint8Array): void =>
  expect([said.status, said.error, Buffer.from(said.data).toString("hex")]).toEqual([0, 0, `${Buffer.from(command).toString("hex")}9000`]);

describe("answers to reset and rates", () => {
  test.each<[string, Uint8Array, number, T1CardOptions?]>([
    ["the My Number Card", myNumber, 93],
    ["no TA1: 372/1", makeAtr({ y: 0xc, bytes: "FF 81 31 FE 45" }), 372],
    ["the old Juki card", Uint8Array.from(Buffer.from("3BE000FF8131FE4514", "hex")), 372],
    ["specific mode: TA2, 512/1 at once, no PPS", Uint8Array.from(Buffer.from("3BF59100FF918171FE400042000100D1D6", "hex")), 512],
    ["512/16", makeAtr({ y: 0x9, bytes: "95 81 31 FE 46" }), 32],
    ["512/32", makeAtr({ y: 0xd, bytes: "96 FF 81 31 FE 46" }), 16],
    ["372/12", makeAtr({ y: 0x9, bytes: "18 81 31 FE 46" }), 31],
    ["512/64, the shortest etu offered", makeAtr({ y: 0xd, bytes: "97 FF 81 31 FE 46" }), 8],
    ["372/64 is too short for this reader: 372/1 stays", makeAtr({ y: 0x9, bytes: "17 81 31 FE 46" }), 372],
    ["inverse convention", makeAtr({ ts: 0x3f, y: 0x9, bytes: "13 81 31 FE 46", historical: "0055AAFF" }), 93],
    ["inverse at 512/32", makeAtr({ ts: 0x3f, y: 0xd, bytes: "96 FF 81 31 FE 46" }), 16],
    ["CRC", makeAtr({ y: 0x9, bytes: "13 81 71 FE 46 01" }), 93],
    ["extra guard time 7", makeAtr({ y: 0xd, bytes: "13 07 81 31 FE 46" }), 93],
    ["extra guard time 254", makeAtr({ y: 0xd, bytes: "95 FE 81 31 FE 49" }), 32],
    ["33 characters", makeAtr({ y: 0xf, bytes: "13 00 FF 81 31 FE 46", historical: "00".repeat(15) }), 93],
    ["T=1 in the second place: a PPS must ask for it", makeAtr({ y: 0x9, bytes: "13 80 31 FE 46" }), 93],
    ["PPS answered without PPS1: 372/1 stays", myNumber, 372, { pps: "default" }],
    ["PPS refused: warm reset, 372/1", myNumber, 372, { pps: "refuse" }],
    ["class B only", myNumber, 93, { classes: [2] }],
    ["class C only", myNumber, 93, { classes: [3] }],
    ["the slowest ATR", myNumber, 93, { atrDelayClocks: 39_500 }],
    ["a slow card", myNumber, 93, { turnEtu: 300 }],
    ["another clock phase", myNumber, 93, { phaseNs: 133 }],
  ])("%s", (_, atr, etu, options = {}) => {
    withCard(atr, options, (card, seen, on) => {
      expect([on.status, on.error, Buffer.from(on.data).toString("hex")]).toEqual([0, 0, Buffer.from(atr).toString("hex")]);
      expect(card.etuClocks).toBe(etu);
      for (const command of [Uint8Array.of(0, 0xa4, 0, 0), write(20), write(200)]) echoes(rig.apdu(command), command);
      expect(seen).toHaveLength(3);
    });
  });

  test.each<[string, Uint8Array, number, T1CardOptions?]>([
    ["a mute card", myNumber, ICC_MUTE, { mute: true }],
    ["wrong TCK", Uint8Array.from([...myNumber.slice(0, -1), 0x3a]), BAD_TCK],
    ["an ATR that announces more than 33 bytes", Uint8Array.from([0x3b, 0xff, ...new Array(5).fill([0x11, 0x00, 0xff, 0xf1]).flat(), ...bytes(20)]), BAD_ATR], // prettier-ignore
    ["an ATR that ends early", myNumber.slice(0, 9), BAD_ATR],
  ])("%s ends in a named error, contacts off", (_, atr, error, options = {}) => {
    withCard(atr, options, (_card, _seen, on) => {
      expect([on.status & 0xc3, on.error]).toEqual([0x41, error]);
      expect(on.ms).toBeLessThan(10_000);
      expect(rig.slot.contacts).toEqual({ voltageClass: 0, rst: 0, hz: 0 });
    });
  });
});

describe("blocks", () => {
  test("long commands and answers go in chained blocks both ways", () => {
    withCard(makeAtr({ y: 0xd, bytes: "96 FF 81 31 20 46" }), {}, (card) => {
      const command = write(255);
      echoes(rig.apdu(command), command);
      expect(card.counts.received).toBeGreaterThan(9); // IFSC 32: nine blocks, the answer in two
    });
  });
  test("extended length through chaining", () => {
    withCard(makeAtr({ y: 0xd, bytes: "96 FF 81 31 FE 46" }), {}, () => {
      const command = Uint8Array.of(0, 0xd6, 0, 0, 0, 0x0f, 0xa0, ...bytes(4000, 3));
      echoes(rig.apdu(command), command);
    });
  });
  test("the card asks for time, again and again", () => {
    withCard(
      myNumber,
      {},
      (card) => {
        const command = write(4);
        const said = rig.apdu(command);
        echoes(said, command);
        expect(said.ms).toBeGreaterThan(9000);
        expect(card.counts.sent).toBeGreaterThan(7); // BWT is 1.6 s
      },
      9000,
    );
  });
  test("the card asks for smaller blocks", () => {
    withCard(myNumber, { askIfsd: 40 }, (card) => {
      const command = write(100);
      echoes(rig.apdu(command), command);
      expect(card.counts.sent).toBeGreaterThan(4);
    });
  });

  /** Block 0 both ways is the IFS request and its response; 1 is the first command's. */
  const faults: [string, T1CardOptions["faults"] & object][] = [
    ["IFS response with a wrong check", { sent: { 0: "edc" } }],
    ["IFS request not heard", { received: { 0: "mute" } }],
    ["answer with a wrong check", { sent: { 1: "edc" } }],
    ["answer with a wrong check twice", { sent: { 1: "edc", 2: "edc" } }],
    ["answer with a parity error", { sent: { 1: "parity" } }],
    ["answer cut short", { sent: { 1: "cut" } }],
    ["answer with a wrong N(S)", { sent: { 1: "sequence" } }],
    ["answer lost", { sent: { 1: "silence" } }],
    ["command garbled", { received: { 1: "nak" } }],
    ["command garbled twice", { received: { 1: "nak", 2: "nak" } }],
    ["command lost", { received: { 1: "mute" } }],
    ["command lost, then its repeat garbled", { received: { 1: "mute", 3: "nak" } }],
    ["a block in the middle of a chain garbled", { received: { 3: "nak" } }],
    ["an acknowledgement lost", { sent: { 2: "silence" } }],
    ["an acknowledgement with a wrong check", { sent: { 2: "edc" } }],
    ["an acknowledgement with a wrong N(R)", { sent: { 2: "sequence" } }],
    ["our acknowledgement lost", { received: { 9: "mute" } }],
    ["our acknowledgement garbled", { received: { 9: "nak" } }],
  ];
  test.each(faults)("%s: recovered, executed once", (_, fault) => {
    withCard(makeAtr({ y: 0xd, bytes: "96 FF 81 31 20 46" }), { faults: fault }, (_card, seen, on) => {
      expect([on.status, on.error]).toEqual([0, 0]);
      const command = write(240); // eight blocks of 32
      echoes(rig.apdu(command), command);
      echoes(rig.apdu(command), command);
      expect(seen).toHaveLength(2);
    });
  });

  const every = <T>(value: T, from = 1): Record<number, T> => Object.fromEntries(Array.from({ length: 60 }, (_, i) => [i + from, value]));
  test.each<[string, T1CardOptions["faults"] & object]>([
    ["every answer garbled", { sent: every("edc") }],
    ["every command garbled", { received: every("nak") }],
    ["a card that falls silent", { sent: every("silence") }],
    ["a card that contradicts itself", { sent: every("sequence") }],
  ])("%s: a named error in bounded time, and at most one execution", (_, fault) => {
    withCard(makeAtr({ y: 0xd, bytes: "96 FF 81 31 FE 46" }), { faults: fault }, (_card, seen) => {
      const said = rig.apdu(write(10));
      expect(said.status & 0x40).toBe(0x40);
      expect(said.error).not.toBe(0);
      expect(said.ms).toBeLessThan(30_000);
      expect(seen.length).toBeLessThanOrEqual(1);
    });
    // The next card is none the worse for it.
    withCard(myNumber, {}, () => echoes(rig.apdu(write(5)), write(5)));
  });
});

describe("the card leaves", () => {
  test.each([0.3, 2, 7, 15, 30])("%d ms into a command: contacts off within 1 ms, a named error", (ms) => {
    const apdu = echoCard(myNumber, 20);
    rig.slot.insert(new T1Card(apdu));
    rig.pass(300);
    expect(rig.powerOn().error).toBe(0);
    const said = rig.apdu(write(30), {
      during: () => {
        rig.pass(ms);
        rig.slot.remove();
        rig.pass(1);
        expect(rig.slot.contacts.voltageClass).toBe(0);
      },
    });
    expect([said.status, said.error]).toEqual([0x42, ICC_MUTE]);
    rig.pass(50);
  });
  test("over-current: contacts off, a named error, and the next card works", () => {
    withCard(myNumber, {}, () => {
      const said = rig.apdu(write(30), {
        during: () => {
          rig.pass(1);
          rig.slot.overCurrent(true);
          rig.pass(2);
          expect(rig.slot.contacts.voltageClass).toBe(0);
          rig.slot.overCurrent(false);
        },
      });
      expect(said.status & 0x40).toBe(0x40);
    });
    withCard(myNumber, {}, () => echoes(rig.apdu(write(5)), write(5)));
  });
});

describe("T=0 with the error signal, both ways", () => {
  const every = (first: number, count: number, times: number): Record<number, number> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [first + i, times]));
  // Characters in: 5 of the header, then 20 of data. Out: 3 of the ATR, then procedure byte, status …
  test.each<[string, T0CardOptions, number]>([
    ["nothing wrong", {}, 0],
    ["the card complains about one character", { complain: { 7: 1 } }, 0],
    ["… about each, three times", { complain: every(0, 60, 3) }, 0],
    ["the card sends one character wrong", { wrong: { 4: 1 } }, 1],
    ["… each, twice", { wrong: every(3, 40, 2) }, 48],
    ["both", { complain: { 0: 2, 6: 1, 24: 3 }, wrong: { 3: 1, 4: 3, 5: 1 } }, 5],
  ])("%s", (_, options, complaints) => {
    for (const atr of [Uint8Array.of(0x3b, 0x10, 0x11), Uint8Array.of(0x3f, 0x10, 0x11)]) {
      const seen: string[] = [];
      const card = new T0Card(
        {
          atr,
          powerOn: () => atr,
          transmit: (command) => {
            seen.push(Buffer.from(command).toString("hex"));
            const read = command[1] === 0xb0;
            return { response: Uint8Array.of(...(read ? bytes(command[4]!, 9) : []), 0x90, 0), thinkMs: 0 };
          },
        },
        options,
      );
      rig.slot.insert(card);
      rig.pass(300);
      usable = false;
      const on = rig.powerOn();
      expect([on.status, on.error, Buffer.from(on.data).toString("hex")]).toEqual([0, 0, Buffer.from(atr).toString("hex")]);
      const command = write(20);
      expect(Buffer.from(rig.apdu(command).data).toString("hex")).toBe("9000");
      expect(Buffer.from(rig.apdu(Uint8Array.of(0, 0xb0, 0, 0, 18)).data).toString("hex")).toBe(
        `${Buffer.from(bytes(18, 9)).toString("hex")}9000`,
      );
      expect(seen).toEqual([Buffer.from(command).toString("hex"), "00b0000012"]);
      expect(card.complaints).toBe(complaints);
      rig.powerOff();
      rig.slot.remove();
      rig.pass(50);
      usable = true;
    }
  });
  test("a card that complains for ever: a named error", () => {
    const atr = Uint8Array.of(0x3b, 0x10, 0x11);
    rig.slot.insert(new T0Card(echoCard(atr), { complain: { 2: 100 } }));
    rig.pass(300);
    expect(rig.powerOn().error).toBe(0);
    const said = rig.apdu(write(20));
    expect(said.status & 0x40).toBe(0x40);
    expect(said.ms).toBeLessThan(5000);
    rig.slot.remove();
    rig.pass(50);
  });
});
