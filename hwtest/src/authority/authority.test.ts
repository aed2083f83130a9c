import { X509Certificate, createPrivateKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { holderOf } from "@inkan/sdk/jpki";
import { der } from "@inkan/sdk/testing";
import { Oid, checkPath, parseCertificate } from "@inkan/sdk/trust";
import { TestAuthority, era, generateMaterial, standardMaterial, type AuthorityState, type Person } from "./index.js";

const person: Person = {
  name: "試験　花子",
  address: "試験県見本市",
  birth: "20100430",
  sex: "2",
  prefecture: "Shiken-ken",
  municipality: "Mihon-shi",
};
const from = new Date("2026-11-01T00:00:00+09:00");
const until = new Date("2031-04-30T23:59:59+09:00");
const authority = TestAuthority.create(from, new Date("2036-10-31T23:59:59+09:00"));

describe("the checked-in material", () => {
  const material = standardMaterial();

  test("is unmistakably a test, and says so in every name", () => {
    for (const certificate of [material.signCa, material.authCa, material.signCertificate, material.authCertificate].map(
      parseCertificate,
    )) {
      expect(certificate.issuer.text).toMatch(/O=JPKI-TEST, .*not valid for anything/);
      expect(certificate.notBefore).toEqual(from);
    }
    expect(material.person.address).toContain("見本市");
  });

  test("lasts: five years for the card, ten for the roots, ends at the last second of a day in Japan", () => {
    for (const [bytes, years] of [
      [material.signCertificate, 5],
      [material.authCertificate, 5],
      [material.signCa, 9],
      [material.authCa, 9],
    ] as const) {
      const { notAfter } = parseCertificate(bytes);
      expect(notAfter.getTime() - from.getTime()).toBeGreaterThan(years * 365.25 * 86_400_000);
      expect(notAfter.toISOString()).toMatch(/T14:59:59\.000Z$/);
    }
  });

  test("keys and certificates belong together", () => {
    const pairs = [
      [material.signCertificate, material.signKey],
      [material.authCertificate, material.authKey],
      [material.signCa, material.authority.keys.sign],
      [material.authCa, material.authority.keys.auth],
    ] as const;
    for (const [certificate, key] of pairs) expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test("goes on: the authority issues more from its checked-in state", () => {
    const more = new TestAuthority(material.authority);
    const { certificate, serial } = more.issue("sign", person, from, until);
    expect(serial).toBe(material.authority.nextSerial);
    const root = parseCertificate(material.signCa);
    expect(checkPath(parseCertificate(certificate), { roots: [root], at: from }).problems).toEqual([]);
  });

  test("can be made anew, whole", () => {
    const files = generateMaterial();
    expect(Object.keys(files).sort()).toEqual([
      "auth-ca.pem",
      "auth-ca.test-key.pem",
      "auth.crl.pem",
      "auth.pem",
      "auth.test-key.pem",
      "card.json",
      "sign-ca.pem",
      "sign-ca.test-key.pem",
      "sign.crl.pem",
      "sign.pem",
      "sign.test-key.pem",
    ]);
    expect(JSON.parse(files["card.json"]!)).toMatchObject({
      authPin: material.authPin,
      signPassword: material.signPassword,
      cardRecord: material.cardRecord,
    });
  });
});

describe("the authority", () => {
  test("issues both certificates in the JPKI profile; only one names its holder", () => {
    const sign = parseCertificate(authority.issue("sign", person, from, until).certificate);
    const auth = parseCertificate(authority.issue("auth", person, from, until).certificate);
    expect(holderOf(sign)).toEqual({ name: person.name, address: person.address, birth: "2010-04-30", sex: "2", substituted: false });
    expect(auth.extensions.subjectAltName).toBeUndefined();
    expect(auth.subject.attributes.map(({ oid }) => oid)).toEqual([Oid.countryName, Oid.commonName]);
    expect([...auth.extensions.keyUsage!]).toEqual(["digitalSignature"]);
    expect(auth.extensions.policies!.map(({ oid }) => oid)).toEqual([Oid.jpkiTestAuthPolicy]);
    expect(sign.serial).not.toBe(auth.serial);
  });

  test("keeps everything it knows in a state that survives JSON", () => {
    const { serial } = authority.issue("sign", person, from, until);
    const copy = new TestAuthority(JSON.parse(JSON.stringify(authority.state)) as AuthorityState);
    copy.revoke(serial, from, "affiliationChanged");
    expect(copy.state.issued.find((each) => each.serial === serial)?.revoked).toEqual({
      at: from.toISOString(),
      reason: "affiliationChanged",
    });
    expect(authority.state.issued.find((each) => each.serial === serial)?.revoked).toBeUndefined();
    expect(() => copy.revoke(serial, from, "superseded")).toThrow(RangeError);
    expect(() => copy.revoke(1, from, "superseded")).toThrow(RangeError);
  });

  test("lists what is revoked and not expired, with a rising number and the reason", () => {
    const own = TestAuthority.create(from, new Date("2036-10-31T23:59:59+09:00"));
    const [a, b, c] = (["sign", "sign", "auth"] as const).map((which) => own.issue(which, person, from, until).serial) as [
      number,
      number,
      number,
    ];
    own.revoke(a, from, "superseded");
    own.revoke(c, from, "certificateHold");
    const entries = (which: "sign" | "auth", at: Date): bigint[] => {
      const list = own.crl(which, at);
      der.checkDer(list);
      const tbs = der.DerReader.inside(der.DerReader.inside(der.DerReader.single(list, 0x30, "crl")).next());
      for (let skip = 0; skip < 5; skip++) tbs.next();
      const revoked = tbs.maybe(0x30, "revokedCertificates");
      return revoked === undefined
        ? []
        : der.eachItem(revoked, "entries", 1, (item) => der.integerValue(der.DerReader.inside(item).next()));
    };
    expect(entries("sign", from)).toEqual([BigInt(a)]);
    expect(entries("auth", from)).toEqual([BigInt(c)]);
    own.revoke(b, from, "unspecified");
    expect(entries("sign", from)).toEqual([BigInt(a), BigInt(b)]);
    expect(entries("sign", new Date(until.getTime() + 1000))).toEqual([]);
    expect(own.state.nextCrl).toBe(5);
  });

  test.each([
    ["18680124", "0"],
    ["18680125", "1"],
    ["19120729", "1"],
    ["19120730", "2"],
    ["19261225", "3"],
    ["19890107", "3"],
    ["19890108", "4"],
    ["20190430", "4"],
    ["20190501", "5"],
  ])("era of %s is %s", (birth, digit) => {
    expect(era(birth)).toBe(digit);
  });
});
