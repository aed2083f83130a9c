import { constants, createPublicKey, publicDecrypt } from "node:crypto";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { standardMaterial } from "@inkan/hwtest/authority";
import { fromHex, toHex } from "../../src/der/index.js";
import { parseAtr } from "../../src/iso7816/index.js";
import { JpkiTestCard } from "./index.js";

const material = standardMaterial();
let card: JpkiTestCard;
const send = (hex: string): string => toHex(card.transmit(fromHex(hex)).response);
/** Sends each command and expects each answer: `command → answer`. */
const talk = (...lines: readonly string[]): void => {
  for (const line of lines) {
    const [command, answer] = line.split(" → ") as [string, string];
    expect(`${command} → ${send(command)}`).toBe(`${command} → ${answer}`);
  }
};
const jpki = "00a4040c0ad392f000260100000001 → 9000";
const pin = "31323334";
const password = "414243313233";
const info = `3031300d060960864801650304020105000420${"ab".repeat(32)}`;

beforeEach(() => {
  card = JpkiTestCard.standard(material);
  card.powerOn();
});

describe("what OpenSC asks (jpki-card.md §8)", () => {
  test("the ATR is the standard one and its check character is right", () => {
    expect(toHex(card.powerOn())).toBe("3bda13ff8131fb46801239" + "2f31c173c601c03b");
    expect(parseAtr(card.atr).protocols.map(({ t }) => t)).toEqual([1]);
  });

  test("all probes of other drivers are refused", () => {
    const cac = Array.from({ length: 16 }, (_, n) => `00a4040c07a000000079010${n.toString(16)}00`);
    const selects = [
      "00a4040007627601ff000000",
      "00a4040006a00000000101",
      "00a404000be82b0601040181c31f020100",
      "00a4040c0fd23300000045737445494420763335",
      "00a4040009a0000003080000100000",
      "00a4040c07a000000116db0000",
      "00a4040c07a000000079100000",
      "00a404000cf276a288bcfba69d34f31001",
      "00a4040009a0000003974254465900",
      "00a4040006d2760001240100",
    ];
    for (const probe of [...selects, ...cac]) talk(`${probe} → 6a82`);
    talk("00cadf3005 → 6d00", "00cb3fff035c017e08 → 6d00");
  });

  test("binding, then login and signature with both keys", () => {
    talk(jpki, "00a4020c020018 → 9000", "00200080 → 63c3", "00a4020c02001b → 9000", "00200080 → 63c5");
    for (const [fid, der] of [
      ["000a", material.authCertificate],
      ["000b", material.authCa],
      ["0002", material.signCa],
    ] as const) {
      talk(`00a4020c02${fid} → 9000`, `00b0000004 → ${toHex(der.subarray(0, 4))}9000`);
      let read = "";
      for (let at = 0; at < der.length; at += 256) {
        const le = Math.min(256, der.length - at);
        const answer = send(`00b0${at.toString(16).padStart(4, "0")}${(le & 0xff).toString(16).padStart(2, "0")}`);
        expect(answer.slice(-4)).toBe("9000");
        read += answer.slice(0, -4);
      }
      expect(read).toBe(toHex(der));
    }
    talk("00a4020c020001 → 9000", "00b0000004 → 6982");
    talk("00a4020c020018 → 9000", `0020008004${pin} → 9000`, "00200080 → 63c3", "00a4020c020017 → 9000");
    const auth = send(`802a008033${info}00`);
    talk("00a4020c02001b → 9000", `0020008006${password} → 9000`, "00a4020c02001a → 9000");
    const sign = send(`802a008033${info}00`);
    for (const [answer, key] of [
      [auth, material.authKey],
      [sign, material.signKey],
    ] as const) {
      expect(answer.slice(-4)).toBe("9000");
      expect(toHex(publicDecrypt({ key: createPublicKey(key), padding: constants.RSA_PKCS1_PADDING }, fromHex(answer.slice(0, -4))))).toBe(
        info,
      );
    }
    talk(`802a009733${info}00 → ${auth}`, `802a009a33${info}00 → ${sign}`);
    talk("00a4020c020001 → 9000", `00b0000004 → ${toHex(material.signCertificate.subarray(0, 4))}9000`);
  });

  test("certificates are long enough for the 2-octet length OpenSC expects", () => {
    for (const der of [material.authCertificate, material.signCertificate, material.authCa, material.signCa]) {
      expect(der.length).toBeGreaterThan(256);
      expect(toHex(der.subarray(0, 2))).toBe("3082");
    }
  });
});

describe("secrets", () => {
  test("wrong, exhausted, blocked: 63C2 63C1 63C0 6984, and the counter never answers 6984", () => {
    talk(jpki, "00a4020c020018 → 9000");
    talk("002000800439393939 → 63c2", "00200080 → 63c2", "002000800439393939 → 63c1", "002000800439393939 → 63c0");
    talk(`0020008004${pin} → 6984`, "00200080 → 63c0", "002400180431313131 → 6a86", "002401800431313131 → 6984");
    card.powerOn();
    talk(jpki, "00a4020c020018 → 9000", "00200080 → 63c0");
    expect(card.triesLeft("jpki", 0x18)).toBe(0);
    expect(card.triesLeft("jpki", 0x1b)).toBe(5);
  });

  test("the right one refills the counter; a wrong one takes the right back", () => {
    talk(jpki, "0020009b06414243313234 → 63c4", `0020009b06${password} → 9000`, "0020009b → 63c5");
    talk(`802a009a33${info}00 → ${send(`802a009a33${info}00`)}`, "0020009b06414243313234 → 63c4", `802a009a33${info}00 → 6982`);
  });

  test("each opens its own only", () => {
    talk(jpki, `0020009804${pin} → 9000`, "00a4020c020001 → 9000", "00b0000004 → 6982", `802a009a33${info}00 → 6982`);
    expect(send(`802a009733${info}00`)).toMatch(/9000$/);
  });

  test("selecting any application, also the same, ends it; so does a reset", () => {
    const opened = (): void => talk(jpki, `0020009804${pin} → 9000`);
    for (const end of [jpki, "00a4040c0ad3921000310001010408 → 9000"]) {
      opened();
      talk(end, jpki, `802a009733${info}00 → 6982`);
    }
    opened();
    card.powerOn();
    talk("00b0000004 → 6986", jpki, `802a009733${info}00 → 6982`);
    opened();
    // A selection that fails changes nothing.
    talk("00a4040c06a00000000101 → 6a82");
    expect(send(`802a009733${info}00`)).toMatch(/9000$/);
  });

  test("change takes the new secret only, after the old was verified", () => {
    talk(jpki, "00a4020c02001b → 9000", "00240180065a5a5a393939 → 6982", `0020008006${password} → 9000`);
    talk("00240180055a5a5a3939 → 6a80", "0024018011" + "41".repeat(17) + " → 6a80", "00240180065a5a5a393939 → 9000");
    talk(jpki, "00a4020c02001b → 9000", `0020008006${password} → 63c4`, "00200080065a5a5a393939 → 9000");
  });

  test("no secret is ever right when it is empty or only begins right", () => {
    talk(
      jpki,
      "00a4020c020018 → 9000",
      "0020008000 → 6700",
      "0020008003313233 → 63c2",
      "00200080053132333435 → 63c1",
      `0020008004${pin} → 9000`,
    );
    talk("0020008011" + "31".repeat(17) + " → 6700", "00200080 → 63c3");
  });

  test("the other applications' counters", () => {
    talk("00a4040c0ad3921000310001010408 → 9000", "00a4020c020002 → 9000", "00b0000007 → 6982");
    talk(
      "00a4020c020011 → 9000",
      "00200080 → 63c3",
      "00a4020c020014 → 9000",
      "00200080 → 63ca",
      "00a4020c020015 → 9000",
      "00200080 → 63ca",
    );
    talk("00a4020c020012 → 9000", "00200080 → 63c0", "002000800431323334 → 6984");
    talk(`0020009104${pin} → 9000`, "00a4020c020002 → 9000");
    expect(send("00b0000000")).toContain(toHex(new TextEncoder().encode(material.person.name)));
    talk("00a4040c0ad3921000310001010402 → 9000", "00a4020c020013 → 9000", "00200080 → 63ca");
    talk(
      "00a4040c0ad3921000310001010100 → 9000",
      `00b2010c00 → 011c${toHex(new TextEncoder().encode(material.cardRecord))}9000`,
      "00b2020c00 → 6a83",
    );
  });
});

describe("selecting and reading", () => {
  test("by prefix, by P1, outside an application", () => {
    talk("00a40000 → 6a86", "00a40000023f00 → 6a82", "00a4020c020018 → 6a82", "00b0000004 → 6986", "00200080 → 6a88");
    talk(
      "00a4040c05d392f00026 → 9000",
      "00a40000 → 9000",
      "00a4090c020018 → 6a86",
      "00a4020c02ffff → 6a82",
      "00a4020c0118 → 6700",
      "00a40400 → 6700",
    );
    talk("00a404000ad392f000260100000001 → 6a86", "00a4040c0bd392f00026010000000100 → 6a82");
  });

  test("offsets, lengths, short identifiers", () => {
    talk(jpki, "00a4020c020006 → 9000");
    const token = toHex(new TextEncoder().encode("JPKIAPICCTOKEN2".padEnd(160)));
    talk(
      `00b0000020 → ${token.slice(0, 64)}9000`,
      `00b0000000 → ${token}9000`,
      `00b0009f01 → 209000`,
      "00b000a001 → 6b00",
      "00b07fff01 → 6b00",
    );
    talk(`00b00000ff → ${token}6282`, "00b0009002 → 20209000", "00b0008800 → " + "20".repeat(24) + "9000");
    talk("00b0880003 → 8f8f009000", "00b09f0003 → 6a82", "00b0c80003 → 6a86", "00b00000 → 6700", "00b00000010004 → 6700");
    talk("00b0980004 → 6981", "00b0970004 → 6981");
  });

  test("extended length, other classes and instructions", () => {
    talk(
      jpki,
      "00b00000000100 → 6700",
      "0020008000000431323334 → 6700",
      "00d6000001ff → 6d00",
      "80320080023131 → 6d00",
      "a0a4000002 → 6e00",
    );
    talk("08b0000004 → 69fc", "0cb0000004 → 69fc", "00 → 6700", " → 6700", "00a4040c0ad392 → 6700");
  });

  test("signatures: parameters and lengths", () => {
    talk(
      jpki,
      `0020009804${pin} → 9000`,
      "00a4020c020018 → 9000",
      `802a008033${info}00 → 6985`,
      `802a019733${info}00 → 6a86`,
      `802a009933${info}00 → 6a86`,
    );
    talk(
      `802a009733${info} → 6700`,
      `802a009733${info}10 → 6700`,
      "802a009700 → 6700",
      `002a009733${info}00 → 6d00`,
      "802a0097f6" + "00".repeat(246) + "00 → 6700",
    );
    expect(send("802a0097f5" + "00".repeat(245) + "00")).toMatch(/^[0-9a-f]{512}9000$/);
    expect(card.transmit(fromHex(`802a009733${info}00`)).thinkMs).toBe(300);
  });

  test("challenges repeat from a saved state and differ otherwise", () => {
    const state = card.save();
    const first = send("0084000008");
    expect(send("0084000008")).not.toBe(first);
    card.load(state);
    expect(send("0084000008")).toBe(first);
    expect(send("0084000000")).toHaveLength(2 * 258);
  });
});

test("no sequence of commands without the right secret reaches what it protects", () => {
  const commands = [
    "00a4040c0ad392f000260100000001",
    "00a4040c0ad3921000310001010408",
    "00a4020c020001",
    "00a4020c020018",
    "00a4020c02001b",
    "00a4020c02001a",
    "00200080",
    "0020008006414243313234",
    "0020009b06414243313234",
    `0020009804${pin}`,
    "002401800641414131313131".slice(0, 22),
    "00b0000004",
    "00b0810004",
    `802a008033${info}00`,
    `802a009a33${info}00`,
    "00a40000",
  ];
  const secret = toHex(material.signCertificate.subarray(0, 4));
  const exhausted = (): number => card.triesLeft("jpki", 0x1b)!;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...commands), { maxLength: 24 }), (sequence) => {
      card = JpkiTestCard.standard(material);
      card.powerOn();
      let tries = exhausted();
      for (const command of sequence) {
        const before = card.save();
        const answer = send(command);
        expect(answer.startsWith(secret) && answer.endsWith("9000")).toBe(false);
        if (command.startsWith("802a009a")) expect(answer).not.toMatch(/9000$/);
        expect(exhausted()).toBeLessThanOrEqual(tries);
        tries = exhausted();
        // A saved state is the whole state: the same command gets the same answer from it.
        const copy = JpkiTestCard.standard(material);
        copy.load(JSON.parse(JSON.stringify(before)) as typeof before);
        expect(toHex(copy.transmit(fromHex(command)).response)).toBe(answer);
        expect(copy.save()).toEqual(card.save());
      }
    }),
    { numRuns: 150 },
  );
});
