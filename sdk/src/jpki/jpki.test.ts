import { describe, expect, test } from "vitest";
import { standardMaterial } from "@inkan/hwtest/authority";
import { JpkiTestCard, standardPersonality, type CardFile, type CardPersonality } from "../../testing/index.js";
import { toHex } from "../der/index.js";
import { hashBytes } from "../hashing/index.js";
import { signCms } from "../signing/index.js";
import { parseCertificate } from "../trust/index.js";
import { verifyCms } from "../verify/index.js";
import type { Card } from "../reader/card.js";
import { holderOf, openJpki, type JpkiPort, type JpkiResponse } from "./index.js";

const material = standardMaterial();
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** A port straight into the card; the pad types `pad`. Keeps what was sent, VERIFY data left out. */
function portTo(card: JpkiTestCard, pad = material.signPassword): JpkiPort & { readonly sent: string[] } {
  const sent: string[] = [];
  const send = (apdu: Uint8Array): JpkiResponse => {
    sent.push(toHex(apdu[1] === 0x20 ? apdu.subarray(0, 5) : apdu));
    const { response } = card.transmit(apdu);
    const at = response.length - 2;
    return { data: response.subarray(0, at), sw: (response[at]! << 8) | response[at + 1]! };
  };
  return {
    sent,
    transmit: async (apdu) => send(apdu),
    verifyOnPad: async ({ header }) => send(Uint8Array.from([...header, pad.length, ...bytes(pad)])),
  };
}
/** A `Card` is a port: this line compiles or the rooms have parted. */
export const cardIsPort = (card: Card): JpkiPort => card;
const standard = (): JpkiTestCard => {
  const card = JpkiTestCard.standard(material);
  card.powerOn();
  return card;
};
/** The standard card with its JPKI files changed. */
function changed(change: (file: CardFile) => CardFile | undefined): JpkiTestCard {
  const base = standardPersonality(material);
  const applications = base.applications.map((each) =>
    each.name === "jpki" ? { ...each, files: each.files.flatMap((file) => change(file) ?? []) } : each,
  );
  return new JpkiTestCard({ ...base, applications } satisfies CardPersonality);
}

describe("the JPKI application", () => {
  test("is recognised by its name and token, and reads in pieces that fit one block", async () => {
    const port = portTo(standard());
    const jpki = await openJpki(port);
    expect([jpki.token, jpki.kind]).toEqual(["JPKIAPICCTOKEN2", "card"]);
    expect(port.sent).toEqual(["00a4040c0ad392f000260100000001", "00a4020c020006", "00b0000020"]);
    expect(toHex(await jpki.readCertificate("auth"))).toBe(toHex(material.authCertificate));
    expect(toHex(await jpki.readCertificate("auth-ca"))).toBe(toHex(material.authCa));
    expect(toHex(await jpki.readCertificate("sign-ca"))).toBe(toHex(material.signCa));
    const reads = port.sent.filter((apdu) => apdu.startsWith("00b0")).map((apdu) => Number.parseInt(apdu.slice(8), 16));
    expect(reads.every((le) => le > 0 && le <= 252)).toBe(true);
  });

  test("padding behind a certificate is not read", async () => {
    const padded = changed((file) =>
      file.kind === "data" && file.fid === 0x000a
        ? { ...file, bytes: Uint8Array.from([...file.bytes, ...Array<number>(300).fill(0xff)]) }
        : file,
    );
    expect(await (await openJpki(portTo(padded))).readCertificate("auth")).toEqual(material.authCertificate);
  });

  test("a card without it is unknown, whatever its ATR", async () => {
    const base = standardPersonality(material);
    const other = new JpkiTestCard({ ...base, applications: base.applications.slice(1) });
    await expect(openJpki(portTo(other))).rejects.toMatchObject({ code: "card-unknown" });
    const stranger = changed((file) =>
      file.kind === "data" && file.fid === 6 ? { ...file, bytes: bytes("SOMETHING ELSE".padEnd(160)) } : file,
    );
    await expect(openJpki(portTo(stranger))).rejects.toMatchObject({ code: "card-unknown" });
  });

  test("the signature certificate needs its secret, and the secret ends with the application", async () => {
    const jpki = await openJpki(portTo(standard()));
    await expect(jpki.readCertificate("sign")).rejects.toMatchObject({ code: "card-status", details: { sw: "6982" } });
    await jpki.verify("sign", { on: "pad" });
    expect(await jpki.readCertificate("sign")).toEqual(material.signCertificate);
    await jpki.reselect();
    await expect(jpki.readCertificate("sign")).rejects.toMatchObject({ code: "card-status" });
  });

  test("wrong secrets count down, the last try is refused, then allowed, then blocked", async () => {
    const card = standard();
    const jpki = await openJpki(portTo(card, "WRONG1"));
    for (const left of [4, 3, 2, 1])
      await expect(jpki.verify("sign", { on: "pad" })).rejects.toMatchObject({ code: "pin-wrong", secretTriesLeft: left });
    await expect(jpki.verify("sign", { on: "pad" })).rejects.toMatchObject({ code: "pin-last-try", secretTriesLeft: 1 });
    expect(card.triesLeft("jpki", 0x1b)).toBe(1);
    await expect(jpki.verify("sign", { on: "pad" }, { lastTry: true })).rejects.toMatchObject({ code: "pin-blocked", secretTriesLeft: 0 });
    await expect(jpki.verify("sign", { on: "pad" }, { lastTry: true })).rejects.toMatchObject({ code: "pin-blocked" });
    expect(await jpki.triesLeft("sign")).toBe(0);
    expect(await jpki.triesLeft("auth")).toBe(3);
  });

  test("calls at once take turns: no secret is tried on the other's counter, no key signs for the other", async () => {
    const card = standard();
    const jpki = await openJpki(portTo(card));
    const digest = new Uint8Array(32);
    const [, left, , certificate, signature] = await Promise.all([
      jpki.verify("auth", { on: "host", pin: bytes(material.authPin) }),
      jpki.triesLeft("sign"),
      jpki.verify("sign", { on: "pad" }),
      jpki.readCertificate("sign"),
      jpki.signer("auth").then((signer) => signer.sign("sha256", digest)),
      jpki.readCertificate("auth-ca"),
      jpki.triesLeft("auth"),
    ]);
    expect(left).toBe(5);
    expect([card.triesLeft("jpki", 0x18), card.triesLeft("jpki", 0x1b)]).toEqual([3, 5]);
    expect(certificate).toEqual(material.signCertificate);
    const again = await (await jpki.signer("auth")).sign("sha256", digest);
    expect(toHex(signature)).toBe(toHex(again));
  });

  test("a host's secret that never got its turn is overwritten, too", async () => {
    const jpki = await openJpki(portTo(standard()));
    const [before, queued] = [new AbortController(), new AbortController()];
    before.abort();
    const pins = [bytes(material.authPin), bytes(material.authPin)] as const;
    const reading = jpki.readCertificate("auth");
    const all = [
      jpki.verify("auth", { on: "host", pin: pins[0] }, { signal: before.signal }),
      jpki.verify("auth", { on: "host", pin: pins[1] }, { signal: queued.signal }),
    ];
    queued.abort();
    for (const each of all) await expect(each).rejects.toMatchObject({ code: "aborted" });
    for (const pin of pins) expect(pin.every((octet) => octet === 0)).toBe(true);
    await reading;
  });

  test("a host's secret is checked before a try is spent, folded, and overwritten", async () => {
    const card = standard();
    const jpki = await openJpki(portTo(card));
    const cases = [
      ["auth", "123", "pin-short"],
      ["auth", "12345", "pin-long"],
      ["auth", "12a4", "pin-characters"],
      ["sign", "AB12", "pin-short"],
      ["sign", "A2345678901234567", "pin-long"],
      ["sign", "ABC-123", "pin-characters"],
      ["sign", "", "pin-short"],
    ] as const;
    for (const [which, text, code] of cases) {
      const pin = bytes(text);
      await expect(jpki.verify(which, { on: "host", pin })).rejects.toMatchObject({ code });
      expect(pin.every((octet) => octet === 0)).toBe(true);
    }
    expect([card.triesLeft("jpki", 0x18), card.triesLeft("jpki", 0x1b)]).toEqual([3, 5]);
    const pin = bytes(material.signPassword.toLowerCase());
    expect(await jpki.verify("sign", { on: "host", pin })).toEqual({ folded: true });
    expect(pin.every((octet) => octet === 0)).toBe(true);
    expect(await jpki.verify("auth", { on: "host", pin: bytes(material.authPin) })).toEqual({ folded: false });
  });

  test("signs a DigestInfo with the verified key and nothing without", async () => {
    const port = portTo(standard());
    const jpki = await openJpki(port);
    await expect(jpki.signer("sign")).rejects.toMatchObject({ code: "card-status" });
    await jpki.verify("sign", { on: "pad" });
    const signer = await jpki.signer("sign");
    const digest = hashBytes("sha256", bytes("document"));
    const signature = await signCms({ hash: "sha256", digests: { sha256: digest }, signer, signingTime: new Date("2026-11-22T00:00:00Z") });
    expect(port.sent.at(-2)).toBe("00a4020c02001a");
    expect(port.sent.at(-1)).toMatch(/^802a0080333031300d060960864801650304020105000420[0-9a-f]{64}00$/);
    const trust = [parseCertificate(material.signCa)];
    const report = await verifyCms({
      signature,
      digestOf: async () => digest,
      trust,
      at: new Date("2026-11-22T00:00:00Z"),
      revocation: "none",
    });
    expect(report).toMatchObject({ verdict: "TOTAL-PASSED" });
    await expect(signer.sign("sha256", new Uint8Array(31))).rejects.toThrow(RangeError);
    await jpki.reselect();
    await expect(signer.sign("sha256", digest)).rejects.toMatchObject({ code: "card-status", details: { sw: "6982" } });
  });

  test.each([
    ["consent refused", 0x6401, "consent-refused"],
    ["nobody answered", 0x6400, "consent-timeout"],
  ])("the reader's consent screen: %s", async (_name, sw, code) => {
    const inner = portTo(standard());
    const port: JpkiPort = {
      ...inner,
      transmit: async (apdu) => (apdu[1] === 0x2a ? { data: new Uint8Array(0), sw } : inner.transmit(apdu)),
    };
    const jpki = await openJpki(port);
    await jpki.verify("auth", { on: "host", pin: bytes(material.authPin) });
    await expect((await jpki.signer("auth")).sign("sha256", new Uint8Array(32))).rejects.toMatchObject({ code });
  });

  test("every short or long answer of the card ends in a named error", async () => {
    const whole = material.authCertificate;
    for (const lie of [0, 1, 3, 253, 300]) {
      const inner = portTo(standard());
      const port: JpkiPort = {
        ...inner,
        transmit: async (apdu) => (apdu[1] === 0xb0 && apdu[4] === 252 ? { data: whole.slice(0, lie), sw: 0x9000 } : inner.transmit(apdu)),
      };
      const jpki = await openJpki(port);
      await expect(jpki.readCertificate("auth"), `${lie}`).rejects.toMatchObject({ name: "InkanError" });
    }
  });

  test("a child's card has no signature certificate", async () => {
    const child = changed((file) => (file.fid === 0x0001 ? undefined : file));
    const jpki = await openJpki(portTo(child));
    await expect(jpki.readCertificate("sign")).rejects.toMatchObject({ code: "unsupported" });
  });

  test("blocked answers of every card family mean blocked", async () => {
    for (const sw of [0x63c0, 0x6983, 0x6984]) {
      const inner = portTo(standard());
      const port: JpkiPort = {
        ...inner,
        transmit: async (apdu) => (apdu[1] === 0x20 ? { data: new Uint8Array(0), sw } : inner.transmit(apdu)),
      };
      const jpki = await openJpki(port);
      expect(await jpki.triesLeft("auth")).toBe(0);
      await expect(jpki.verify("auth", { on: "pad" }, { lastTry: true })).rejects.toMatchObject({ code: "pin-blocked" });
    }
  });

  test("the holder is what the certificate says", () => {
    expect(holderOf(parseCertificate(material.signCertificate))).toEqual({
      name: material.person.name,
      address: material.person.address,
      birth: "1980-12-24",
      sex: "1",
      substituted: false,
    });
    expect(holderOf(parseCertificate(material.authCertificate))).toBeUndefined();
  });
});
