import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { standardMaterial } from "@inkan/hwtest/authority";
import { extension, hostSigner, testCertificate } from "../../testing/index.js";
import { DerError, concat, fromHex, write } from "../der/index.js";
import { hashBytes } from "../hashing/index.js";
import type { HashName } from "../signing/index.js";
import {
  KeyCache,
  Oid,
  checkPath,
  fingerprint,
  issuedBy,
  nodeBackend,
  parseCertificate,
  portableBackend,
  readPem,
  writePem,
  type Certificate,
  type CryptoBackend,
} from "./index.js";

const material = standardMaterial();
const sign_ = parseCertificate(material.signCertificate);
const root = parseCertificate(material.signCa);
const at = new Date("2026-11-22T03:00:00Z");
const node = nodeBackend()!;

describe("parseCertificate", () => {
  test("reads the JPKI profile", () => {
    expect(sign_).toMatchObject({
      serialHex: "0705d991",
      serial: 0x0705d991n,
      notBefore: new Date("2026-10-31T15:00:00Z"),
      notAfter: new Date("2031-12-24T14:59:59Z"),
    });
    expect(sign_.subject.text).toBe("C=JP, L=Shiken-ken, L=Mihon-shi, CN=TEST0117823889S");
    expect(sign_.issuer.text).toBe(
      "C=JP, O=JPKI-TEST, OU=JPKI-TEST for digital signature, OU=Inkan test authority\\, not valid for anything",
    );
    const { extensions } = sign_;
    expect([...extensions.keyUsage!]).toEqual(["digitalSignature", "nonRepudiation"]);
    expect(extensions.policies).toEqual([{ oid: Oid.jpkiTestSignPolicy, cps: "http://www.jpki.go.jp/cps.html" }]);
    expect([...extensions.critical]).toEqual([Oid.keyUsage, Oid.certificatePolicies]);
    expect(extensions.unknownCritical).toEqual([]);
    expect(extensions.subjectAltName!.otherNames.map(({ oid }) => oid.split(".").at(-1))).toEqual(["1", "4", "3", "5", "2", "6"]);
    expect(extensions.issuerAltName!.directoryNames[0]!.text).toContain("試験用");
    expect(extensions.crlDistributionPoints!.directoryNames[0]!.text).toMatch(
      /OU=CRL Distribution Points, OU=Shiken-ken, CN=Mihon-shi CRLDP$/,
    );
    expect(extensions.order.at(-1)).toBe(Oid.subjectKeyIdentifier);
    expect(root.extensions.basicConstraints).toEqual({ ca: true });
    expect(root.issuer.der).toEqual(root.subject.der);
    expect(fingerprint(root)).toMatch(/^[0-9a-f]{64}$/);
    // SKI is the SHA-1 of the RSAPublicKey (jpki-card.md §7.2).
    expect(extensions.subjectKeyIdentifier).toEqual(portableBackend.sha1(sign_.publicKey.bits));
    expect(node.sha1(sign_.publicKey.bits)).toEqual(extensions.subjectKeyIdentifier);
  });

  test("keeps its own copy of the bytes", () => {
    const der = material.authCertificate.slice();
    const parsed = parseCertificate(der);
    der.fill(0);
    expect(issuedBy(parsed, parseCertificate(material.authCa))).toBe(true);
  });

  test("no damaged certificate verifies, and none crashes the reader", () => {
    let parsed = 0;
    const der = material.signCertificate;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }), (edits) => {
        const bad = der.slice();
        for (const [where, mask] of edits) bad[where]! ^= mask;
        if (bad.every((octet, i) => octet === der[i])) return;
        let certificate: Certificate;
        try {
          certificate = parseCertificate(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(DerError);
          return;
        }
        parsed++;
        expect(issuedBy(certificate, root)).toBe(false);
      }),
      { numRuns: 2000 },
    );
    expect(parsed).toBeGreaterThan(50);
    for (let length = 0; length < der.length; length += 13) expect(() => parseCertificate(der.subarray(0, length))).toThrow(DerError);
    expect(() => parseCertificate(concat(der, Uint8Array.of(0)))).toThrow("the certificate ends here, but 1 octets follow");
  });
});

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const name = (text: string): Uint8Array =>
  write.sequence(write.setOfItems([write.sequence(write.oid(Oid.commonName), write.utf8String(text))]));
const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2027-01-01T00:00:00Z") };
interface Odd {
  serial?: bigint;
  issuer?: Uint8Array;
  subject?: Uint8Array;
  notBefore?: Date;
  notAfter?: Date;
  publicKey?: KeyObject;
  extensions?: Uint8Array[];
}
const make = (odd: Odd = {}, key = privateKey): Uint8Array =>
  testCertificate(
    {
      serial: 5n,
      issuer: name("a"),
      subject: name("b"),
      ...validity,
      publicKey,
      extensions: [extension(Oid.keyUsage, true, write.bits(0))],
      ...odd,
    },
    key,
  );
const weak = (bits: number, exponent = 65537): KeyObject =>
  generateKeyPairSync("rsa", { modulusLength: bits, publicExponent: exponent }).publicKey;

describe("parseCertificate refuses by name", () => {
  const usage = extension(Oid.keyUsage, true, write.bits(0));
  test.each<readonly [string, Odd, RegExp]>([
    ["serial zero", { serial: 0n }, /serial number is positive/],
    ["serial negative", { serial: -5n }, /serial number is positive/],
    ["serial of 21 octets", { serial: 1n << 160n }, /at most 20 octets/],
    ["an empty issuer", { issuer: write.sequence() }, /issuer's name must not be empty/],
    ["an end before the beginning", { notAfter: new Date("2025-01-01T00:00:00Z") }, /notAfter is before notBefore/],
    ["RSA 1024", { publicKey: weak(1024) }, /RSA modulus of 129 octets is not accepted/],
    ["Ed25519", { publicKey: generateKeyPairSync("ed25519").publicKey }, /key algorithm 1\.3\.101\.112 is not accepted/],
    ["P-521", { publicKey: generateKeyPairSync("ec", { namedCurve: "secp521r1" }).publicKey }, /curve 1\.3\.132\.0\.35 is not accepted/],
    ["no extensions", { extensions: [] }, /extensions: at least 1/],
    ["an extension twice", { extensions: [usage, usage] }, /is here twice/],
    [
      "critical FALSE written out",
      { extensions: [write.sequence(write.oid(Oid.keyUsage), fromHex("010100"), write.octetString(write.bits(0)))] },
      /critical FALSE is the default/,
    ],
    ["keyUsage without a bit", { extensions: [extension(Oid.keyUsage, true, write.bits())] }, /at least one use/],
    [
      "keyUsage with trailing zero bits",
      { extensions: [extension(Oid.keyUsage, true, fromHex("03020080"))] },
      /must not end with zero bits/,
    ],
    ["keyUsage with an unknown bit", { extensions: [extension(Oid.keyUsage, true, write.bits(0, 9))] }, /unknown bit/],
    [
      "rubbish behind an extension's value",
      { extensions: [extension(Oid.keyUsage, true, concat(write.bits(0), write.nullValue()))] },
      /2 octets follow/,
    ],
    [
      "cA FALSE written out",
      { extensions: [extension(Oid.basicConstraints, true, write.sequence(fromHex("010100")))] },
      /cA FALSE is the default/,
    ],
    [
      "a path length without cA",
      { extensions: [extension(Oid.basicConstraints, true, write.sequence(write.integer(0)))] },
      /path length without cA/,
    ],
    [
      "the same policy twice",
      { extensions: [extension(Oid.certificatePolicies, true, write.sequence(...[1, 2].map(() => write.sequence(write.oid("1.2.3")))))] },
      /same policy twice/,
    ],
    ["an empty subjectAltName", { extensions: [extension(Oid.subjectAltName, false, write.sequence())] }, /at least 1/],
    [
      "a distribution point of nothing",
      { extensions: [extension(Oid.cRLDistributionPoints, false, write.sequence(write.sequence()))] },
      /neither name nor issuer/,
    ],
    [
      "a name attribute in a SET of two in the wrong order",
      {
        subject: write.sequence(
          write.tlv(0x31, ...["b", "a"].map((text) => write.sequence(write.oid(Oid.commonName), write.utf8String(text)))),
        ),
      },
      /ascending order/,
    ],
  ])("%s", (_name, odd, rule) => {
    expect(() => parseCertificate(make(odd))).toThrow(rule);
    expect(() => parseCertificate(make(odd))).toThrow(DerError);
  });

  test("an RSA exponent that is even, one, or too large", () => {
    const der = make();
    const at_ = Buffer.from(der).indexOf(fromHex("0203010001"));
    for (const octets of ["0203010000", "0203010002", "0200".padEnd(10, "0")]) {
      const bad = der.slice();
      bad.set(fromHex(octets), at_);
      expect(() => parseCertificate(bad)).toThrow(DerError);
    }
    const even = der.slice();
    even.set(fromHex("0203010002"), at_);
    expect(() => parseCertificate(even)).toThrow(/exponent must be odd and 3 or more/);
  });

  test("SHA-1, and an outer algorithm that is not the inner", () => {
    const der = make();
    const sha1 = write.sequence(write.oid("1.2.840.113549.1.1.5"), write.nullValue());
    const sha256 = write.sequence(write.oid(Oid.sha256WithRsa), write.nullValue());
    const text = Buffer.from(der);
    const first = text.indexOf(sha256);
    const second = text.indexOf(sha256, first + 1);
    const swap = (...places: number[]): Uint8Array => {
      const copy = der.slice();
      for (const place of places) copy.set(sha1, place);
      return copy;
    };
    expect(() => parseCertificate(swap(second))).toThrow(/must equal the one inside/);
    expect(() => parseCertificate(swap(first, second))).toThrow(/is not accepted/);
  });
});

test("a hundred thousand extensions cost no more than their length", () => {
  const many = Buffer.concat(Array.from({ length: 100_000 }, (_, i) => extension(`1.2.${i}`, false, write.nullValue())));
  const der = make({ extensions: [many] });
  const began = performance.now();
  expect(parseCertificate(der).extensions.order.length).toBe(100_000);
  expect(performance.now() - began).toBeLessThan(3000);
});

describe("checkPath", () => {
  const caExtensions = (pathLength?: number): Uint8Array[] => [
    extension(Oid.keyUsage, true, write.bits(5)),
    extension(
      Oid.basicConstraints,
      true,
      write.sequence(write.booleanTrue(), pathLength === undefined ? undefined : write.integer(pathLength)),
    ),
  ];
  const pairs = [0, 1, 2, 3, 4, 5].map(() => generateKeyPairSync("ec", { namedCurve: "prime256v1" }));
  /** names[0] signs itself, names[i] is signed by names[i-1]. */
  const chainOf = (length: number, rootLimit?: number): Certificate[] =>
    Array.from({ length }, (_, i) => {
      const extensions = i === length - 1 ? [extension(Oid.keyUsage, true, write.bits(0))] : caExtensions(i === 0 ? rootLimit : undefined);
      const above = Math.max(0, i - 1);
      const fields = {
        serial: i + 1,
        issuer: name(`n${above}`),
        subject: name(`n${i}`),
        ...validity,
        publicKey: pairs[i]!.publicKey,
        extensions,
      };
      return parseCertificate(testCertificate(fields, pairs[above]!.privateKey));
    });
  const kinds = (length: number, limit?: number): string[] => {
    const chain = chainOf(length, limit);
    return checkPath(chain.at(-1)!, { roots: [chain[0]!], at, intermediates: chain.slice(1, -1) }).problems.map(({ kind }) => kind);
  };

  test("straight to a root, and through helpers", () => {
    expect(checkPath(sign_, { roots: [root], at })).toMatchObject({ problems: [], root, chain: [sign_, root] });
    expect(kinds(2)).toEqual([]);
    expect(kinds(4)).toEqual([]);
    expect(kinds(6)).toEqual(["too-long"]);
  });
  test("path length counts the authorities below", () => {
    expect(kinds(2, 0)).toEqual([]);
    expect(kinds(3, 0)).toEqual(["path-length"]);
    expect(kinds(3, 1)).toEqual([]);
  });
  test("a person's certificate signs nobody", () => {
    const chain = chainOf(2);
    const under = parseCertificate(
      testCertificate(
        { serial: 9, issuer: name("n1"), subject: name("x"), ...validity, publicKey, extensions: caExtensions() },
        pairs[1]!.privateKey,
      ),
    );
    const result = checkPath(under, { roots: [chain[0]!], at, intermediates: [chain[1]!] });
    expect(result.problems.map(({ kind }) => kind).sort()).toEqual(["no-cert-sign", "not-a-ca"]);
  });
  test("of two roots with one key, the one that is valid counts", () => {
    const old = { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("2021-01-01T00:00:00Z") };
    const rootOf = (times: typeof old): Certificate =>
      parseCertificate(
        testCertificate(
          { serial: 1, issuer: name("n0"), subject: name("n0"), ...times, publicKey: pairs[0]!.publicKey, extensions: caExtensions() },
          pairs[0]!.privateKey,
        ),
      );
    const [expired, renewed] = [rootOf(old), rootOf(validity)];
    const leaf = chainOf(2)[1]!;
    for (const roots of [
      [expired, renewed],
      [renewed, expired],
    ])
      expect(checkPath(leaf, { roots, at })).toMatchObject({ problems: [], root: renewed });
    expect(checkPath(leaf, { roots: [expired], at }).problems).toMatchObject([{ kind: "expired" }]);
  });
  test("no time, no verdict", () => {
    expect(() => checkPath(sign_, { roots: [root], at: new Date("tomorrow") })).toThrow(RangeError);
  });
  test("the first and the last second are valid, to the millisecond", () => {
    const on = (time: number): string[] => checkPath(sign_, { roots: [root], at: new Date(time) }).problems.map(({ kind }) => kind);
    expect(on(sign_.notBefore.getTime() - 1)).toContain("not-yet-valid");
    expect(on(sign_.notBefore.getTime())).toEqual([]);
    expect(on(sign_.notAfter.getTime() + 999)).toEqual([]);
    expect(on(sign_.notAfter.getTime() + 1000)).toEqual(["expired"]);
  });
  test("says whether only the name fitted", () => {
    const stranger = parseCertificate(make({ subject: root.subject.der, extensions: caExtensions() }));
    expect(checkPath(sign_, { roots: [stranger], at }).problems).toMatchObject([{ kind: "no-issuer", nameMatched: true }]);
    expect(checkPath(sign_, { roots: [parseCertificate(material.authCa)], at }).problems).toMatchObject([
      { kind: "no-issuer", nameMatched: false },
    ]);
    expect(checkPath(sign_, { roots: [], at }).problems).toEqual([{ kind: "no-roots" }]);
  });
  test("a message full of helpers costs a handful of verifications", () => {
    const chain = chainOf(3);
    let tried = 0;
    const keys = new KeyCache({ ...node, verify: (...all) => (tried++, node.verify(...all)) });
    const crowd = Array.from({ length: 1000 }, () => ({ ...chain[1]!, publicKey: chain[0]!.publicKey }));
    const strangers = Array.from({ length: 1000 }, () => ({ ...chain[1]!, publicKey: sign_.publicKey, subject: root.subject }));
    checkPath(chain[2]!, { roots: [chain[0]!], at, intermediates: crowd, keys });
    expect(tried).toBeLessThan(100);
    expect(checkPath(chain[2]!, { roots: [chain[0]!], at, intermediates: [...strangers, chain[1]!] }).problems).toEqual([]);
  });
  test("a circle of helpers ends", () => {
    const pair = (subject: string, issuer: string, own: number, by: number): Certificate =>
      parseCertificate(
        testCertificate(
          {
            serial: 1,
            issuer: name(issuer),
            subject: name(subject),
            ...validity,
            publicKey: pairs[own]!.publicKey,
            extensions: caExtensions(),
          },
          pairs[by]!.privateKey,
        ),
      );
    const [a, b] = [pair("a", "b", 0, 1), pair("b", "a", 1, 0)];
    expect(checkPath(a, { roots: [root], at, intermediates: [a, b] }).problems.map(({ kind }) => kind)).toContain("no-issuer");
  });
});

describe("both backends give one verdict", () => {
  const backends: readonly CryptoBackend[] = [node, portableBackend];
  const message = new TextEncoder().encode("message");
  const agree = (key: Certificate["publicKey"], hash: HashName, bytes: Uint8Array, signature: Uint8Array): boolean => {
    const verdicts = backends.map((backend) => backend.verify(backend.importKey(key), hash, bytes, signature));
    expect(verdicts[0]).toBe(verdicts[1]);
    return verdicts[0]!;
  };

  test("hashes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const hash of ["sha256", "sha384", "sha512"] as const)
          expect(portableBackend.hash(hash, bytes)).toEqual(node.hash(hash, bytes));
      }),
    );
  });

  test("RSA: good ones, hundreds of damaged ones, and forged blocks that only a careless check takes", async () => {
    const signer = hostSigner(material.signCertificate, material.signKey);
    for (const hash of ["sha256", "sha384", "sha512"] as const) {
      const good = await signer.sign(hash, hashBytes(hash, message));
      expect(agree(sign_.publicKey, hash, message, good)).toBe(true);
      fc.assert(
        fc.property(fc.nat(255), fc.integer({ min: 1, max: 255 }), (where, mask) => {
          const bad = good.slice();
          bad[where]! ^= mask;
          expect(agree(sign_.publicKey, hash, message, bad)).toBe(false);
        }),
        { numRuns: 150 },
      );
      for (const bad of [
        good.subarray(1),
        concat(Uint8Array.of(0), good),
        concat(good, Uint8Array.of(0)),
        new Uint8Array(256),
        new Uint8Array(256).fill(0xff),
        new Uint8Array(0),
      ])
        expect(agree(sign_.publicKey, hash, message, bad)).toBe(false);
    }
    const digest = hashBytes("sha256", message);
    const prefix = "3031300d060960864801650304020105000420";
    const block = (middle: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(0, 1), new Uint8Array(256 - 3 - middle.length).fill(0xff), Uint8Array.of(0), middle);
    const forged: readonly (readonly [string, Uint8Array])[] = [
      [
        "bytes behind the digest (Bleichenbacher 2006)",
        concat(
          Uint8Array.of(0, 1),
          new Uint8Array(10).fill(0xff),
          Uint8Array.of(0),
          fromHex(prefix),
          digest,
          new Uint8Array(256 - 13 - 51),
        ),
      ],
      ["parameters left out", block(concat(fromHex("302f300b0609608648016503040201" + "0420"), digest))],
      ["parameters not NULL", block(concat(fromHex("3034301006096086480165030402010403000000" + "0420"), digest))],
      ["a long-form length", block(concat(fromHex("308131300d060960864801650304020105000420"), digest))],
      ["the digest alone", block(digest)],
      ["block type 2", concat(Uint8Array.of(0, 2), new Uint8Array(202).fill(0xff), Uint8Array.of(0), fromHex(prefix), digest)],
      [
        "seven octets of padding",
        concat(Uint8Array.of(0, 1), new Uint8Array(7).fill(0xff), Uint8Array.of(0), block(concat(fromHex(prefix), digest)).subarray(10)),
      ],
      ["padding with a hole", ((b) => (b.set([0xfe], 20), b))(block(concat(fromHex(prefix), digest)))],
    ];
    const { constants, privateEncrypt } = await import("node:crypto");
    const raw = (bytes: Uint8Array): Uint8Array =>
      privateEncrypt({ key: createPrivateKey(material.signKey), padding: constants.RSA_NO_PADDING }, bytes);
    expect(agree(sign_.publicKey, "sha256", message, raw(block(concat(fromHex(prefix), digest))))).toBe(true);
    for (const [words, bytes] of forged) expect([words, agree(sign_.publicKey, "sha256", message, raw(bytes))]).toEqual([words, false]);
  });

  test.each(["prime256v1", "secp384r1"])("ECDSA %s: good ones, damaged ones, and other encodings of good ones", (namedCurve) => {
    const pair = generateKeyPairSync("ec", { namedCurve });
    const key = parseCertificate(make({ publicKey: pair.publicKey })).publicKey;
    const hash = namedCurve === "prime256v1" ? "sha256" : "sha384";
    const good = sign(hash, message, pair.privateKey);
    expect(agree(key, hash, message, good)).toBe(true);
    for (let where = 0; where < good.length; where++) {
      const bad = good.slice();
      bad[where]! ^= 1;
      expect(agree(key, hash, message, bad)).toBe(false);
    }
    const order = namedCurve === "prime256v1" ? BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") : undefined;
    const pairOf = (r: bigint, s: bigint): Uint8Array => write.sequence(write.integer(r), write.integer(s));
    for (const bad of [
      pairOf(0n, 0n),
      pairOf(1n, 0n),
      pairOf(0n, 1n),
      concat(good, Uint8Array.of(0)),
      new Uint8Array(0),
      fromHex("3000"),
      ...(order === undefined ? [] : [pairOf(order, order), pairOf(1n, order + 1n)]),
    ])
      expect(agree(key, hash, message, bad)).toBe(false);
    const longForm = concat(Uint8Array.of(0x30, 0x81), good.subarray(1));
    expect(agree(key, hash, message, longForm)).toBe(false);
  });

  test("a point off its curve is no key", () => {
    const pair = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const key = parseCertificate(make({ publicKey: pair.publicKey })).publicKey;
    const bits = key.bits.slice();
    bits[64]! ^= 1;
    const spki = concat(key.spki.subarray(0, key.spki.length - 65), bits);
    for (const backend of backends) {
      expect(() => backend.importKey({ ...key, bits, spki })).toThrow();
      expect(new KeyCache(backend).verify({ ...key, bits, spki }, "sha256", message, sign("sha256", message, pair.privateKey))).toBe(false);
    }
  });
});

describe("KeyCache", () => {
  test("imports once, forgets the least recently used", () => {
    let imports = 0;
    const counting: CryptoBackend = { ...node, importKey: (key) => (imports++, node.importKey(key)) };
    const cache = new KeyCache(counting, 2);
    const auth = parseCertificate(material.authCertificate);
    for (let i = 0; i < 5; i++) cache.get(sign_.publicKey);
    expect(imports).toBe(1);
    cache.get(root.publicKey);
    cache.get(sign_.publicKey);
    cache.get(auth.publicKey);
    expect([imports, cache.size]).toEqual([3, 2]);
    cache.get(sign_.publicKey);
    expect(imports).toBe(3);
    cache.get(root.publicKey);
    expect(imports).toBe(4);
    expect(() => new KeyCache(node, 0)).toThrow(RangeError);
  });
});

describe("PEM", () => {
  test("both roots from one file, text between them passed over, other labels too", () => {
    const text = `subject=...\n${material.caPem}\n${writePem(new Uint8Array(3), "X509 CRL")}`;
    expect(readPem(text)).toEqual([Uint8Array.from(material.signCa), Uint8Array.from(material.authCa)]);
    expect(readPem("nothing")).toEqual([]);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => void expect(readPem(writePem(bytes))).toEqual([bytes])),
    );
  });
  test.each([
    ["no end", "-----BEGIN CERTIFICATE-----\nAAAA\n"],
    ["another end", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CMS-----\n"],
    ["an end alone", "-----END CERTIFICATE-----\n"],
    ["nested", "-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
    ["no base64", "-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----\n"],
    ["cut base64", "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"],
    ["empty", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
  ])("%s is refused", (_name, text) => {
    expect(() => readPem(text)).toThrow(DerError);
  });
});
