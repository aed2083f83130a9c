import { createPublicKey, generateKeyPairSync, sign as nodeSign, createPrivateKey, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { standardMaterial } from "@inkan/hwtest/authority";
import { extension, hostSigner, testCertificate } from "../../testing/index.js";
import { concat, write } from "../der/index.js";
import { hashBytes } from "../hashing/index.js";
import { CmsOid, signCms, type HashName, type Signer } from "../signing/index.js";
import { KeyCache, Oid, parseCertificate, portableBackend, writePem, type Certificate } from "../trust/index.js";
import { checkIds, japanTime, readSignatureFile, verifyCms, type CheckId, type Report, type VerifyCmsOptions } from "./index.js";

const material = standardMaterial();
const root = parseCertificate(material.signCa);
const authRoot = parseCertificate(material.authCa);
const at = new Date("2026-11-22T03:00:00Z");
const content = new TextEncoder().encode("a document\n");
const digestOf = async (hash: HashName): Promise<Uint8Array> => hashBytes(hash, content);
const cardSigner = hostSigner(material.signCertificate, material.signKey);
const cms = (changes: Partial<Parameters<typeof signCms>[0]> = {}): Promise<Uint8Array> =>
  signCms({ hash: "sha256", content, signer: cardSigner, signingTime: at, ...changes });
const verify = (signature: Uint8Array, changes: Partial<VerifyCmsOptions> = {}): Promise<Report> =>
  verifyCms({ signature, digestOf, trust: [root], at, revocation: "none", ...changes });
const state = (report: Report, id: CheckId): string => report.checks.find((check) => check.id === id)!.state;
const failed = (report: Report): string[] => report.checks.filter((check) => check.state === "failed").map((check) => check.id);
const good = await cms();

describe("a good signature", () => {
  test("passes, every check is listed, and only what the caller chose is left out", async () => {
    const report = await verify(good);
    expect(report).toMatchObject({ verdict: "TOTAL-PASSED", revocation: "none", signer: { hash: "sha256", claimedTime: at } });
    expect(report.subIndication).toBeUndefined();
    expect(report.checks.map(({ id }) => id)).toEqual([...checkIds]);
    expect(report.checks.filter(({ state }) => state !== "passed").map(({ id }) => id)).toEqual(["revocation"]);
    for (const { text } of report.checks) expect([text.ja.length > 0, text.en.length > 0]).toEqual([true, true]);
  });

  test("with revocation required it is indeterminate: nobody here may ask", async () => {
    expect(await verify(good, { revocation: "required" })).toMatchObject({ verdict: "INDETERMINATE", subIndication: "TRY_LATER" });
  });

  test.each(["sha256", "sha384", "sha512"] as const)("%s, detached and attached, same bytes each time", async (hash) => {
    for (const attached of [false, true]) {
      const signature = await cms({ hash, attached });
      expect(await cms({ hash, attached })).toEqual(signature);
      expect(await verify(signature)).toMatchObject({ verdict: "TOTAL-PASSED", signer: { hash } });
    }
  });

  test("an attached one needs no document, but one that is given must agree", async () => {
    const signature = await cms({ attached: true });
    const without: VerifyCmsOptions = { signature, trust: [root], at, revocation: "none" };
    expect(await verifyCms(without)).toMatchObject({ verdict: "TOTAL-PASSED" });
    const other = async (hash: HashName): Promise<Uint8Array> => hashBytes(hash, new Uint8Array(1));
    expect(await verify(signature, { digestOf: other })).toMatchObject({ verdict: "TOTAL-FAILED", subIndication: "HASH_FAILURE" });
    expect(await verifyCms({ ...without, signature: good })).toMatchObject({
      verdict: "INDETERMINATE",
      subIndication: "SIGNED_DATA_NOT_FOUND",
    });
  });

  test("is read from PEM too, and judged alike without Node's crypto", async () => {
    const pem = new TextEncoder().encode(writePem(good, "CMS"));
    expect(await verify(readSignatureFile(pem))).toMatchObject({ verdict: "TOTAL-PASSED" });
    expect(await verify(good, { keys: new KeyCache(portableBackend) })).toMatchObject({ verdict: "TOTAL-PASSED" });
  });

  test("the issuer is found by its key among roots of one name", async () => {
    const stranger = impostor();
    expect(stranger.subject.der).toEqual(root.subject.der);
    expect(await verify(good, { trust: [stranger, root] })).toMatchObject({ verdict: "TOTAL-PASSED" });
    expect(await verify(good, { trust: [stranger] })).toMatchObject({
      verdict: "INDETERMINATE",
      subIndication: "NO_CERTIFICATE_CHAIN_FOUND",
    });
  });
});

describe("what must not pass", () => {
  test("another document", async () => {
    const other = async (hash: HashName): Promise<Uint8Array> => hashBytes(hash, concat(content, Uint8Array.of(0)));
    const report = await verify(good, { digestOf: other });
    expect(report).toMatchObject({ verdict: "TOTAL-FAILED", subIndication: "HASH_FAILURE" });
    expect(failed(report)).toEqual(["message-digest"]);
  });

  test("no roots, or the other authority's", async () => {
    expect(await verify(good, { trust: [] })).toMatchObject({ verdict: "INDETERMINATE", subIndication: "NO_CERTIFICATE_CHAIN_FOUND" });
    expect(await verify(good, { trust: [authRoot] })).toMatchObject({
      verdict: "INDETERMINATE",
      subIndication: "NO_CERTIFICATE_CHAIN_FOUND",
    });
  });

  test("a certificate is valid to its last second in Japan and not one more", async () => {
    const end = new Date("2031-12-24T14:59:59.999Z");
    expect(await verify(good, { at: end })).toMatchObject({ verdict: "TOTAL-PASSED" });
    const after = await verify(good, { at: new Date("2031-12-24T15:00:00Z") });
    expect(after).toMatchObject({ verdict: "INDETERMINATE", subIndication: "OUT_OF_BOUNDS_NO_POE" });
    expect(after.checks.find(({ id }) => id === "validity")!.text).toEqual({
      ja: expect.stringContaining("2031年12月24日 23:59:59（日本時間）") as string,
      en: expect.stringContaining("2031-12-24 23:59:59 Japan time") as string,
    });
    expect(await verify(good, { at: new Date("2026-10-31T14:59:59Z") })).toMatchObject({ subIndication: "OUT_OF_BOUNDS_NO_POE" });
    expect(await verify(good, { at: new Date("2026-10-31T15:00:00Z") })).toMatchObject({ verdict: "TOTAL-PASSED" });
  });

  test("the authentication certificate is not for documents", async () => {
    const signature = await cms({ signer: hostSigner(material.authCertificate, material.authKey) });
    const report = await verify(signature, { trust: [authRoot] });
    expect(report).toMatchObject({ verdict: "INDETERMINATE", subIndication: "CHAIN_CONSTRAINTS_FAILURE" });
    expect(failed(report)).toEqual(["key-usage", "policy"]);
    expect(await verify(signature, { trust: [authRoot], purpose: "auth" })).toMatchObject({ verdict: "TOTAL-PASSED" });
  });

  test("what is no CMS at all is said so, not judged", async () => {
    for (const bytes of [new Uint8Array(0), content, material.signCertificate, Uint8Array.of(0x30)])
      await expect(verify(bytes)).rejects.toMatchObject({ code: "not-a-signature" });
  });

  test("every single flipped bit of the signature file, and every cut", async () => {
    const verdicts = new Map<string, number>();
    for (let bit = 0; bit < good.length * 8; bit += 1) {
      const bad = good.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      const verdict = await verify(bad).then(
        (report) => report.verdict,
        (error: { code?: string }) => error.code ?? "crash",
      );
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
    expect([...verdicts.keys()].sort()).toEqual(["INDETERMINATE", "TOTAL-FAILED", "not-a-signature"]);
    for (let length = 0; length < good.length; length += 7) {
      const outcome = await verify(good.subarray(0, length)).then(
        (report) => report.verdict,
        (error: { code?: string }) => error.code,
      );
      expect(outcome).not.toBe("TOTAL-PASSED");
      expect(outcome).toBeDefined();
    }
  });

  test("random damage: bytes replaced, removed, inserted, blocks moved", async () => {
    const edit = fc.oneof(
      fc.tuple(fc.constant("set"), fc.nat(good.length - 1), fc.nat(255)),
      fc.tuple(fc.constant("cut"), fc.nat(good.length - 1), fc.integer({ min: 1, max: 40 })),
      fc.tuple(fc.constant("add"), fc.nat(good.length), fc.nat(255)),
      fc.tuple(fc.constant("copy"), fc.nat(good.length - 1), fc.nat(good.length - 1)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let bad: Uint8Array = good.slice();
        for (const [kind, where, value] of edits) {
          if (kind === "set") bad[where % bad.length] = value;
          else if (kind === "cut") bad = concat(bad.subarray(0, where), bad.subarray(where + value));
          else if (kind === "add") bad = concat(bad.subarray(0, where), Uint8Array.of(value), bad.subarray(where));
          else bad = concat(bad.subarray(0, where), bad.subarray(value, value + 32), bad.subarray(where + 32));
        }
        if (bad.length === good.length && bad.every((octet, i) => octet === good[i])) return;
        const outcome = await verify(bad).then(
          (report) => report.verdict,
          (error: { code?: string }) => error.code,
        );
        expect(outcome).toBeDefined();
        expect(outcome).not.toBe("TOTAL-PASSED");
      }),
      { numRuns: 1500 },
    );
  });
});

/** An authority of its own, to build certificates with one thing wrong. */
const subject = { ca: name("JPKI-TEST odd authority"), person: name("odd person") };
function name(text: string): Uint8Array {
  return write.sequence(write.setOfItems([write.sequence(write.oid(Oid.commonName), write.utf8String(text))]));
}
const keys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();
function key(id: string, curve?: string): { publicKey: KeyObject; privateKey: KeyObject } {
  const found = keys.get(id);
  if (found !== undefined) return found;
  const pair = curve === undefined ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: curve });
  keys.set(id, pair);
  return pair;
}
const caUsage = extension(Oid.keyUsage, true, write.bits(5, 6));
const caFlag = extension(Oid.basicConstraints, true, write.sequence(write.booleanTrue()));
const signUsage = extension(Oid.keyUsage, true, write.bits(0, 1));
const signPolicy = extension(Oid.certificatePolicies, true, write.sequence(write.sequence(write.oid(Oid.jpkiSignPolicy))));
const validity = { notBefore: new Date("2026-11-01T00:00:00Z"), notAfter: new Date("2031-11-01T14:59:59Z") };

function odd(changes: { ca?: Uint8Array[]; person?: Uint8Array[]; caValidity?: typeof validity; curve?: string } = {}): {
  trust: Certificate;
  signer: Signer;
} {
  const [ca, person] = [key(`ca${changes.curve ?? ""}`, changes.curve), key(`person${changes.curve ?? ""}`, changes.curve)];
  const trust = parseCertificate(
    testCertificate(
      {
        serial: 1,
        issuer: subject.ca,
        subject: subject.ca,
        ...(changes.caValidity ?? validity),
        publicKey: ca.publicKey,
        extensions: changes.ca ?? [caUsage, caFlag],
      },
      ca.privateKey,
    ),
  );
  const certificate = testCertificate(
    {
      serial: 2,
      issuer: subject.ca,
      subject: subject.person,
      ...validity,
      publicKey: person.publicKey,
      extensions: changes.person ?? [signUsage, signPolicy],
    },
    ca.privateKey,
  );
  const pem = person.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return {
    trust,
    signer:
      changes.curve === undefined ? hostSigner(certificate, pem) : { ...hostSigner(certificate, material.signKey), key: "ecdsa-p384" },
  };
}
function impostor(): Certificate {
  const { publicKey, privateKey } = key("impostor");
  return parseCertificate(
    testCertificate(
      { serial: 9, issuer: root.subject.der, subject: root.subject.der, ...validity, publicKey, extensions: [caUsage, caFlag] },
      privateKey,
    ),
  );
}

describe("each rule on the certificates alone turns the verdict", () => {
  const unknown = extension("1.2.3.4", true, write.nullValue());
  test.each([
    ["all in order", {}, undefined, undefined],
    [
      "unknown critical extension, signer",
      { person: [signUsage, signPolicy, unknown] },
      "critical-extensions",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    ["unknown critical extension, authority", { ca: [caUsage, caFlag, unknown] }, "critical-extensions", "CHAIN_CONSTRAINTS_FAILURE"],
    [
      "an unknown extension that is not critical",
      { person: [signUsage, signPolicy, extension("1.2.3.4", false, write.nullValue())] },
      undefined,
      undefined,
    ],
    ["authority without basicConstraints", { ca: [caUsage] }, "authority", "CHAIN_CONSTRAINTS_FAILURE"],
    [
      "authority with cA absent",
      { ca: [caUsage, extension(Oid.basicConstraints, true, write.sequence())] },
      "authority",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    [
      "authority without keyCertSign",
      { ca: [extension(Oid.keyUsage, true, write.bits(6)), caFlag] },
      "authority",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    ["authority without keyUsage", { ca: [caFlag] }, "authority", "CHAIN_CONSTRAINTS_FAILURE"],
    [
      "authority with name constraints",
      { ca: [caUsage, caFlag, extension(Oid.nameConstraints, false, write.sequence())] },
      "authority",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    [
      "authority expired",
      { caValidity: { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("2026-11-21T14:59:59Z") } },
      "validity",
      "OUT_OF_BOUNDS_NO_POE",
    ],
    [
      "signer without nonRepudiation",
      { person: [extension(Oid.keyUsage, true, write.bits(0)), signPolicy] },
      "key-usage",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    ["signer without keyUsage", { person: [signPolicy] }, "key-usage", "CHAIN_CONSTRAINTS_FAILURE"],
    ["signer that is an authority", { person: [signUsage, signPolicy, caFlag] }, "key-usage", "CHAIN_CONSTRAINTS_FAILURE"],
    [
      "signer only for clients",
      { person: [signUsage, signPolicy, extension(Oid.extKeyUsage, false, write.sequence(write.oid("1.3.6.1.5.5.7.3.2")))] },
      "key-usage",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    [
      "signer with another policy",
      { person: [signUsage, extension(Oid.certificatePolicies, true, write.sequence(write.sequence(write.oid("1.2.3"))))] },
      "policy",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
    [
      "signer without a policy",
      { person: [signUsage, extension(Oid.subjectKeyIdentifier, false, write.octetString(new Uint8Array(20)))] },
      "policy",
      "CHAIN_CONSTRAINTS_FAILURE",
    ],
  ] as const)("%s", async (_name, changes, id, subIndication) => {
    const { trust, signer } = odd(changes as Parameters<typeof odd>[0]);
    for (const backend of [undefined, new KeyCache(portableBackend)]) {
      const report = await verify(await cms({ signer }), { trust: [trust], ...(backend === undefined ? {} : { keys: backend }) });
      expect(failed(report)).toEqual(id === undefined ? [] : [id]);
      expect(report.verdict).toBe(id === undefined ? "TOTAL-PASSED" : "INDETERMINATE");
      expect(report.subIndication).toBe(subIndication);
    }
  });

  test.each(["secp384r1", "prime256v1"])("ECDSA %s", async (curve) => {
    const { trust, signer } = odd({ curve });
    // Sign as a next-generation card would: (r, s) in DER over the attributes' digest. Node cannot sign a bare digest, so the whole
    // message is signed in a second pass over the attributes that the first pass showed.
    const hash = curve === "secp384r1" ? "sha384" : "sha256";
    const report = await verify(await ecdsaCms(signer, hash, key(`person${curve}`).privateKey), { trust: [trust] });
    expect(report).toMatchObject({ verdict: "TOTAL-PASSED", signer: { hash } });
    expect(await verify(await ecdsaCms(signer, hash, key(`ca${curve}`).privateKey), { trust: [trust] })).toMatchObject({
      subIndication: "SIG_CRYPTO_FAILURE",
    });
  });
});

interface Parts {
  attributes?: Uint8Array[];
  signedWith?: (bytes: Uint8Array) => Uint8Array;
  algorithm?: Uint8Array;
  digestAlgorithm?: Uint8Array;
  noAttributes?: boolean;
  signers?: number;
  certificates?: Uint8Array[];
  serial?: bigint;
}
const sha256Algorithm = write.sequence(write.oid(Oid.sha256));
const attribute = (type: string, ...values: Uint8Array[]): Uint8Array => write.sequence(write.oid(type), write.setOfItems(values));
const contentType = attribute(CmsOid.contentType, write.oid(CmsOid.data));
const messageDigest = attribute(CmsOid.messageDigest, write.octetString(hashBytes("sha256", content)));
const essOf = (der: Uint8Array): Uint8Array =>
  attribute(CmsOid.signingCertificateV2, write.sequence(write.sequence(write.sequence(write.octetString(hashBytes("sha256", der))))));
const ess = essOf(material.signCertificate);
const rsaSign = (bytes: Uint8Array): Uint8Array => nodeSign("sha256", bytes, createPrivateKey(material.signKey));

/** A CMS with one thing done differently, properly signed all the same. */
function crafted(parts: Parts, certificate = parseCertificate(material.signCertificate)): Uint8Array {
  const set = write.setOfItems(parts.attributes ?? [contentType, messageDigest, ess]);
  const signature = (parts.signedWith ?? rsaSign)(parts.noAttributes === true ? content : set);
  const info = (serial: bigint): Uint8Array =>
    write.sequence(
      write.integer(1),
      write.sequence(certificate.issuer.der, write.integer(serial)),
      parts.digestAlgorithm ?? sha256Algorithm,
      parts.noAttributes === true ? undefined : concat(Uint8Array.of(0xa0), set.subarray(1)),
      parts.algorithm ?? write.sequence(write.oid(Oid.rsaEncryption), write.nullValue()),
      write.octetString(signature),
    );
  const signers = Array.from({ length: parts.signers ?? 1 }, (_, i) => info((parts.serial ?? certificate.serial) + BigInt(i)));
  return write.sequence(
    write.oid(CmsOid.signedData),
    write.context(
      0,
      write.sequence(
        write.integer(1),
        write.setOfItems([parts.digestAlgorithm ?? sha256Algorithm]),
        write.sequence(write.oid(CmsOid.data)),
        ...(parts.certificates?.length === 0
          ? []
          : [concat(Uint8Array.of(0xa0), write.setOfItems(parts.certificates ?? [certificate.der]).subarray(1))]),
        write.setOfItems(signers),
      ),
    ),
  );
}

async function ecdsaCms(signer: Signer, hash: "sha256" | "sha384", privateKey: KeyObject): Promise<Uint8Array> {
  const certificate = parseCertificate(signer.certificate);
  const [digestAlgorithm, algorithm] = hash === "sha384" ? [Oid.sha384, Oid.ecdsaWithSha384] : [Oid.sha256, Oid.ecdsaWithSha256];
  const attributes = [contentType, attribute(CmsOid.messageDigest, write.octetString(hashBytes(hash, content))), essOf(signer.certificate)];
  const signedWith = (bytes: Uint8Array): Uint8Array => nodeSign(hash, bytes, privateKey);
  return crafted(
    {
      attributes,
      signedWith,
      algorithm: write.sequence(write.oid(algorithm)),
      digestAlgorithm: write.sequence(write.oid(digestAlgorithm)),
    },
    certificate,
  );
}

describe("each rule on the message alone turns the verdict", () => {
  const sameKeyOtherCertificate = (): Uint8Array => {
    const { trust } = odd();
    return testCertificate(
      {
        serial: 2,
        issuer: trust.subject.der,
        subject: name("another name"),
        ...validity,
        publicKey: createPublicKey(material.signKey),
        extensions: [signUsage, signPolicy],
      },
      key("ca").privateKey,
    );
  };
  test.each<readonly [string, Parts, CheckId | undefined, string | undefined]>([
    ["all in order", {}, undefined, undefined],
    ["named RSA algorithm", { algorithm: write.sequence(write.oid(Oid.sha256WithRsa), write.nullValue()) }, undefined, undefined],
    [
      "an unknown signed attribute",
      { attributes: [contentType, messageDigest, ess, attribute("1.2.3", write.nullValue())] },
      undefined,
      undefined,
    ],
    ["digest parameters NULL", { digestAlgorithm: write.sequence(write.oid(Oid.sha256), write.nullValue()) }, undefined, undefined],
    ["no signed attributes", { noAttributes: true }, "content-type", "SIG_CONSTRAINTS_FAILURE"],
    ["no contentType", { attributes: [messageDigest, ess] }, "content-type", "FORMAT_FAILURE"],
    [
      "another contentType",
      { attributes: [attribute(CmsOid.contentType, write.oid("1.2.3")), messageDigest, ess] },
      "content-type",
      "FORMAT_FAILURE",
    ],
    ["no messageDigest", { attributes: [contentType, ess] }, "message-digest", "FORMAT_FAILURE"],
    [
      "two messageDigests",
      { attributes: [contentType, messageDigest, attribute(CmsOid.messageDigest, write.octetString(new Uint8Array(32))), ess] },
      "format",
      "FORMAT_FAILURE",
    ],
    [
      "a messageDigest with two values",
      {
        attributes: [
          contentType,
          attribute(CmsOid.messageDigest, write.octetString(hashBytes("sha256", content)), write.octetString(new Uint8Array(32))),
          ess,
        ],
      },
      "format",
      "FORMAT_FAILURE",
    ],
    ["no binding", { attributes: [contentType, messageDigest] }, "signing-certificate", "SIG_CONSTRAINTS_FAILURE"],
    [
      "bound to another certificate",
      { attributes: [contentType, messageDigest, essOf(material.authCertificate)] },
      "signing-certificate",
      "NO_SIGNING_CERTIFICATE_FOUND",
    ],
    [
      "signed by another key",
      { signedWith: (bytes) => nodeSign("sha256", bytes, createPrivateKey(material.authKey)) },
      "signature",
      "SIG_CRYPTO_FAILURE",
    ],
    [
      "signed with another hash than it says",
      { signedWith: (bytes) => nodeSign("sha384", bytes, createPrivateKey(material.signKey)) },
      "signature",
      "SIG_CRYPTO_FAILURE",
    ],
    [
      "signature algorithm of another hash",
      { algorithm: write.sequence(write.oid(Oid.sha384WithRsa), write.nullValue()) },
      "algorithms",
      "CRYPTO_CONSTRAINTS_FAILURE",
    ],
    ["ECDSA named for an RSA key", { algorithm: write.sequence(write.oid(Oid.ecdsaWithSha256)) }, "signature", "SIG_CRYPTO_FAILURE"],
    [
      "SHA-1",
      { digestAlgorithm: write.sequence(write.oid("1.3.14.3.2.26"), write.nullValue()) },
      "algorithms",
      "CRYPTO_CONSTRAINTS_FAILURE",
    ],
    [
      "RSA-PSS",
      { algorithm: write.sequence(write.oid("1.2.840.113549.1.1.10"), write.sequence()) },
      "algorithms",
      "CRYPTO_CONSTRAINTS_FAILURE",
    ],
    ["two signers", { signers: 2 }, "signer-count", "SIG_CONSTRAINTS_FAILURE"],
    ["no signer", { signers: 0 }, "signer-count", "SIG_CONSTRAINTS_FAILURE"],
    ["no certificates", { certificates: [] }, "signer-certificate", "NO_SIGNING_CERTIFICATE_FOUND"],
    ["only the authority's certificate", { certificates: [material.signCa] }, "signer-certificate", "NO_SIGNING_CERTIFICATE_FOUND"],
    ["another serial number", { serial: 7n }, "signer-certificate", "NO_SIGNING_CERTIFICATE_FOUND"],
    [
      "a signing time that is no time",
      { attributes: [contentType, messageDigest, ess, attribute(CmsOid.signingTime, write.nullValue())] },
      "format",
      "FORMAT_FAILURE",
    ],
  ])("%s", async (_name, parts, id, subIndication) => {
    const report = await verify(crafted(parts));
    expect(failed(report)[0]).toBe(id);
    expect(report.subIndication).toBe(subIndication);
    expect(report.verdict === "TOTAL-PASSED").toBe(id === undefined);
  });

  test("the binding may be waived, and the report says so", async () => {
    const report = await verify(crafted({ attributes: [contentType, messageDigest] }), { binding: "optional" });
    expect([report.verdict, state(report, "signing-certificate")]).toEqual(["TOTAL-PASSED", "not-checked"]);
  });

  test("another certificate for the same key cannot be put in", async () => {
    const swapped = sameKeyOtherCertificate();
    const report = await verify(crafted({ certificates: [swapped] }, parseCertificate(swapped)), { trust: [odd().trust] });
    expect(report).toMatchObject({ verdict: "INDETERMINATE", subIndication: "NO_SIGNING_CERTIFICATE_FOUND" });
    expect(failed(report)).toEqual(["signing-certificate"]);
  });

  test("the message's own certificates are never trusted", async () => {
    const { trust, signer } = odd();
    const attributes = [contentType, messageDigest, essOf(signer.certificate)];
    const signedWith = (bytes: Uint8Array): Uint8Array => nodeSign("sha256", bytes, key("person").privateKey);
    const signature = crafted(
      { attributes, signedWith, certificates: [signer.certificate, trust.der] },
      parseCertificate(signer.certificate),
    );
    expect(await verify(signature, { trust: [trust] })).toMatchObject({ verdict: "TOTAL-PASSED" });
    expect(await verify(signature)).toMatchObject({ verdict: "INDETERMINATE", subIndication: "NO_CERTIFICATE_CHAIN_FOUND" });
  });

  test("the set that is signed must be in DER order", async () => {
    const wrongOrder = [ess, messageDigest, contentType];
    const set = write.tlv(0x31, ...wrongOrder);
    const inner = crafted({});
    const right = write.setOfItems(wrongOrder);
    const text = Buffer.from(inner);
    const at = text.indexOf(Buffer.from(right.subarray(1)));
    const bad = concat(inner.subarray(0, at), set.subarray(1), inner.subarray(at + set.length - 1));
    expect(await verify(bad)).toMatchObject({ verdict: "TOTAL-FAILED", subIndication: "FORMAT_FAILURE" });
  });
});

describe("signCms", () => {
  test("gives nothing out that does not verify", async () => {
    const faulty: Signer = {
      ...cardSigner,
      sign: async (...args) => (await cardSigner.sign(...args)).map((octet, i) => (i === 100 ? octet ^ 1 : octet)),
    };
    await expect(cms({ signer: faulty })).rejects.toMatchObject({ code: "protocol" });
    await expect(cms({ signer: { ...cardSigner, certificate: material.authCertificate } })).rejects.toMatchObject({ code: "protocol" });
  });
  test("takes content or a digest, and refuses what does not fit together", async () => {
    const digest = hashBytes("sha256", content);
    const rest = { hash: "sha256", signer: cardSigner, signingTime: at } as const;
    expect(await signCms({ ...rest, digests: { sha256: digest } })).toEqual(good);
    await expect(signCms(rest)).rejects.toThrow(TypeError);
    await expect(signCms({ ...rest, digests: { sha256: new Uint8Array(20) } })).rejects.toThrow(RangeError);
    await expect(signCms({ ...rest, digests: { sha256: digest }, attached: true })).rejects.toThrow(TypeError);
    await expect(cms({ digests: { sha256: new Uint8Array(32) } })).rejects.toThrow(TypeError);
  });
});

test.each([
  ["2031-12-24T14:59:59Z", "2031-12-24 23:59:59", "2031年12月24日 23:59:59"],
  ["9999-12-31T23:59:59Z", "10000-01-01 08:59:59", "10000年1月1日 08:59:59"],
])("%s as people in Japan read it", (time, en, ja) => {
  expect(japanTime(new Date(time))).toEqual({ en: `${en} Japan time`, ja: `${ja}（日本時間）` });
});
