import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ApduCard, T0Card, T1Card, type T1CardOptions } from "../src/cards/index.js";
import { CardRig, echoCard, makeAtr, type Said } from "./card-rig.js";

/** CCID 1.1 table 6.2-2. */
const ICC_MUTE = 0xfe;
const HW_ERROR = 0xfb;
const PROTOCOL_NOT_SUPPORTED = 0xf6;

let rig: CardRig;
beforeAll(async () => {
  rig = await CardRig.boot(process.env["INKAN_IMAGE"]);
});
afterEach(() => {
  rig.slot.remove();
  rig.pass(50);
});

/** Keeps what its contacts saw: classes (0 = off) and resets (R). */
class Watched extends T1Card {
  readonly contacts: (number | "R")[] = [];
  override onVcc(voltageClass: 0 | 1 | 2 | 3): void {
    this.contacts.push(voltageClass);
    super.onVcc(voltageClass);
  }
  override onReset(level: 0 | 1, atNs: number): void {
    if (level === 1) this.contacts.push("R");
    super.onReset(level, atNs);
  }
}
const command = Uint8Array.of(0, 0xa4, 0, 12);
const seen = (said: Said): unknown[] => [said.status & 0xc3, said.error];

function withCard(apdu: ApduCard, options: T1CardOptions, use: (card: Watched) => void): void {
  const card = new Watched(apdu, { atrDelayClocks: 500, ...options });
  rig.slot.insert(card);
  rig.pass(300);
  try {
    use(card);
  } finally {
    rig.slot.overCurrent(false);
    rig.powerOff();
  }
}
const works = (): void => expect(Buffer.from(rig.apdu(command).data).toString("hex")).toBe("00a4000c9000");

const plain = makeAtr({ y: 0x9, bytes: "95 81 31 FE 46" });
/** TA of T=15 says which classes the card can be used at (§8.3): 1 = A, 2 = B, 4 = C. */
const withClasses = (indicator: number): Uint8Array => makeAtr({ y: 0x9, bytes: `95 81 B1 FE 46 1F ${indicator.toString(16).padStart(2, "0")}` }); // prettier-ignore

describe("voltage classes: 5 V, 3 V, 1.8 V, in this order (§6.2.1)", () => {
  test.each<[string, Uint8Array, T1CardOptions, number, (number | "R")[]]>([
    ["answers at all", plain, {}, 0, [1, "R"]],
    ["answers at A only", plain, { classes: [1] }, 0, [1, "R"]],
    ["answers at B only", plain, { classes: [2] }, 0, [1, "R", "R", 0, 2, "R"]],
    ["answers at C only", plain, { classes: [3] }, 0, [1, "R", "R", 0, 2, "R", "R", 0, 3, "R"]],
    ["says A, B, C", withClasses(7), {}, 0, [1, "R"]],
    ["says A", withClasses(1), {}, 0, [1, "R"]],
    ["says B", withClasses(2), {}, 0, [1, "R", 0, 2, "R"]],
    ["says C", withClasses(4), {}, 0, [1, "R", 0, 3, "R"]],
    ["says B and C", withClasses(6), {}, 0, [1, "R", 0, 2, "R"]],
    ["is asked for at A", plain, {}, 1, [1, "R"]],
    ["is asked for at B", plain, {}, 2, [2, "R"]],
    ["is asked for at C", plain, {}, 3, [3, "R"]],
  ])("a card that %s", (_, atr, options, asked, contacts) => {
    withCard(echoCard(atr), options, (card) => {
      expect(seen(rig.powerOn(asked))).toEqual([0, 0]);
      expect(card.contacts).toEqual(contacts);
      works();
    });
  });
  test("asked for at a class it does not answer at: that class only, a warm reset, off", () => {
    withCard(echoCard(plain), { classes: [1] }, (card) => {
      expect(seen(rig.powerOn(3))).toEqual([0x41, ICC_MUTE]);
      expect(card.contacts).toEqual([3, "R", "R", 0]);
    });
  });
});

describe("over-current", () => {
  test.each([0, 3, 6, 12])("%d ms into the activation: off, no other class, a named error; the next attempt works", (ms) => {
    withCard(echoCard(plain), { atrDelayClocks: 39_000 }, (card) => {
      const said = rig.command(0x62, undefined, {
        during: () => {
          rig.until(() => rig.slot.contacts.voltageClass !== 0, 100);
          rig.pass(ms);
          rig.slot.overCurrent(true);
          rig.pass(1);
          expect(rig.slot.contacts).toEqual({ voltageClass: 0, rst: 0, hz: 0 });
          rig.slot.overCurrent(false);
        },
      });
      expect(seen(said)).toEqual([0x41, HW_ERROR]);
      expect(card.contacts.filter((one) => one !== "R")).toEqual([1, 0]);
      expect(seen(rig.powerOn())).toEqual([0, 0]);
      works();
    });
  });
});

test("a switch that bounces: no card until it stood still for 50 ms, and no contact before", () => {
  const card = new Watched(echoCard(plain));
  for (let i = 0; i < 6; i++) {
    rig.slot.insert(card);
    rig.pass(5);
    expect(seen(rig.powerOn())).toEqual([0x42, ICC_MUTE]);
    rig.slot.remove();
    rig.pass(3);
  }
  rig.slot.insert(card);
  rig.pass(40);
  expect(seen(rig.powerOn())).toEqual([0x42, ICC_MUTE]);
  expect(card.contacts).toEqual([]);
  rig.pass(15);
  expect(seen(rig.powerOn())).toEqual([0, 0]);
  works();
  rig.powerOff();
});

/** Another ATR after each reset. */
const changing = (...atrs: Uint8Array[]): ApduCard => {
  let resets = 0;
  return { ...echoCard(atrs[0]!), powerOn: () => atrs[Math.min(resets++, atrs.length - 1)]! };
};

describe("modes (§6.3.1, §8.3) and PPS (§9)", () => {
  const specific = (ta2: string): Uint8Array => makeAtr({ y: 0x9, bytes: `95 91 ${ta2} 31 FE 46` });
  test.each<[string, ApduCard, T1CardOptions, number, (number | "R")[]]>([
    ["specific mode: TA1 holds at once", echoCard(specific("81")), {}, 32, [1, "R"]],
    [
      "specific mode with implicit values, changeable: negotiable after a warm reset",
      changing(specific("11"), plain),
      {},
      32,
      [1, "R", "R"],
    ],
    ["specific mode for T=14, changeable: the same", changing(specific("0E"), plain), {}, 32, [1, "R", "R"]],
    ["a reserved TA1: 372/1", echoCard(makeAtr({ y: 0x9, bytes: "70 81 31 FE 46" })), {}, 372, [1, "R"]],
    ["T=0, T=1 and T=15, TD to the last", echoCard(makeAtr({ y: 0xf, bytes: "95 00 00 80 B1 FE 46 DF 07 00 1F 07" })), {}, 32, [1, "R"]],
    ["PPS1 left out: 372/1, no reset", echoCard(plain), { pps: "default" }, 372, [1, "R"]],
    ["PPS not answered: warm reset, 372/1", echoCard(plain), { pps: "refuse" }, 372, [1, "R", "R"]],
    ["PPS with another PPS1", echoCard(plain), { pps: () => [0xff, 0x11, 0x94, 0x7a] }, 372, [1, "R", "R"]],
    ["PPS with a wrong PCK", echoCard(plain), { pps: () => [0xff, 0x11, 0x95, 0x7a] }, 372, [1, "R", "R"]],
    ["PPS with another protocol", echoCard(plain), { pps: () => [0xff, 0x10, 0x95, 0x7a] }, 372, [1, "R", "R"]],
    ["PPS with a PPS2 nobody asked for", echoCard(plain), { pps: () => [0xff, 0x31, 0x95, 0x00, 0x5b] }, 372, [1, "R", "R"]],
    ["PPS that does not begin with FF", echoCard(plain), { pps: () => [0xfe, 0x11, 0x95, 0x7a] }, 372, [1, "R", "R"]],
    ["PPS cut short", echoCard(plain), { pps: () => [0xff, 0x11] }, 372, [1, "R", "R"]],
    ["PPS with wrong parity", echoCard(plain), { pps: () => [0xff, 0x111, 0x95, 0x7b] }, 372, [1, "R", "R"]],
  ])("%s", (_, apdu, options, etu, contacts) => {
    withCard(apdu, options, (card) => {
      expect(seen(rig.powerOn())).toEqual([0, 0]);
      expect(card.contacts).toEqual(contacts);
      expect(card.etuClocks).toBe(etu);
      works();
    });
  });
  test.each([
    ["implicit values for ever", changing(specific("11"))],
    ["implicit values, not changeable", echoCard(specific("91"))],
    ["a protocol nobody speaks", echoCard(specific("8E"))],
  ])("specific mode with %s: a named error, off", (_, apdu) => {
    withCard(apdu, {}, () => {
      expect(seen(rig.powerOn())).toEqual([0x41, PROTOCOL_NOT_SUPPORTED]);
      expect(rig.slot.contacts.voltageClass).toBe(0);
    });
  });
});

test.each([
  ["TC1 FF means 12 etu in T=0", Uint8Array.of(0x3b, 0x40, 0xff)],
  ["TC1 7: 19 etu", Uint8Array.of(0x3b, 0x40, 0x07)],
  ["inverse convention", Uint8Array.of(0x3f, 0x00)],
])("T=0: %s", (_, atr) => {
  const apdu = { ...echoCard(atr), transmit: () => ({ response: Uint8Array.of(0x90, 0), thinkMs: 0 }) };
  rig.slot.insert(new T0Card(apdu));
  rig.pass(300);
  expect(seen(rig.powerOn())).toEqual([0, 0]);
  expect(Buffer.from(rig.apdu(Uint8Array.of(0, 0xd6, 0, 0, 3, 1, 2, 3)).data).toString("hex")).toBe("9000");
  rig.powerOff();
});
