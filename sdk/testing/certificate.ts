import { sign, type KeyObject } from "node:crypto";
import { write } from "../src/der/index.js";
import { Oid } from "../src/trust/oids.js";

const { sequence, oid, integer, bitString, octetString, booleanTrue, context, nullValue, time } = write;

/** Fields of a test certificate; names and extensions are encoded already, so that a test can break them. */
export interface TestCertificateFields {
  readonly serial: number | bigint;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}

/** Signature algorithm of a key: SHA-256 with RSA and P-256, SHA-384 with P-384. */
function algorithmOf(key: KeyObject): readonly ["sha256" | "sha384", Uint8Array] {
  if (key.asymmetricKeyType === "rsa") return ["sha256", sequence(oid(Oid.sha256WithRsa), nullValue())];
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? ["sha384", sequence(oid(Oid.ecdsaWithSha384))]
    : ["sha256", sequence(oid(Oid.ecdsaWithSha256))];
}

/** One Extension. */
export function extension(type: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(oid(type), critical ? booleanTrue() : undefined, octetString(value));
}

/** `SEQUENCE { tbs, algorithm, signature }`: a certificate or a CRL. `tbs` gets the algorithm to put inside. */
export function seal(tbs: (algorithm: Uint8Array) => Uint8Array, key: KeyObject): Uint8Array {
  const [hash, algorithm] = algorithmOf(key);
  const body = tbs(algorithm);
  return sequence(body, algorithm, bitString(sign(hash, body, key)));
}

/** A signed X.509 v3 certificate, DER. */
export function testCertificate(fields: TestCertificateFields, signer: KeyObject): Uint8Array {
  const { serial, issuer, subject, notBefore, notAfter, publicKey, extensions } = fields;
  const spki = publicKey.export({ format: "der", type: "spki" });
  const validity = sequence(time(notBefore), time(notAfter));
  return seal(
    (algorithm) =>
      sequence(context(0, integer(2)), integer(serial), algorithm, issuer, validity, subject, spki, context(3, sequence(...extensions))),
    signer,
  );
}
