import { createHash, type KeyObject } from "node:crypto";
import { Oid } from "@inkan/sdk/trust";
import { der, extension, seal, testCertificate } from "@inkan/sdk/testing";
import type { Part } from "./names.js";
import { authorityNames, authorityNamesJa, directoryName, distributionPointName, name } from "./names.js";

const { sequence, oid, integer, octetString, booleanTrue, bits, context, time, utf8String, ia5String, tlv } = der.write;

/** Which of the two authorities, and so which of the two certificates. */
export type Which = "sign" | "auth";

/** A person as a signature certificate has him. Synthetic in this repository. */
export interface Person {
  /** Family and given name separated by a full-width space. */
  readonly name: string;
  readonly address: string;
  /** YYYYMMDD. */
  readonly birth: string;
  /** 1 male, 2 female, 9 not applicable. */
  readonly sex: "1" | "2" | "9";
  readonly prefecture: string;
  readonly municipality: string;
}

/** What a certificate is made of besides the issuer. */
export interface CertificateRequest {
  readonly which: Which;
  readonly serial: number;
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly publicKey: KeyObject;
  readonly person: Person;
}

const otherName = (type: string, value: string): Uint8Array => context(0, oid(type), context(0, utf8String(value)));

/** SHA-1 of the RSAPublicKey, as JPKI's are (jpki-card.md §7.2). */
function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash("sha1")
    .update(key.export({ format: "der", type: "pkcs1" }))
    .digest();
}

/** A root in the profile of JPKI's own (jpki-card.md §7.1): keyUsage and basicConstraints critical, no path length, no AKI. */
export function rootCertificate(
  which: Which,
  serial: number,
  notBefore: Date,
  notAfter: Date,
  publicKey: KeyObject,
  key: KeyObject,
): Uint8Array {
  const own = name(authorityNames[which]);
  const extensions = [
    extension(Oid.keyUsage, true, bits(5, 6)),
    extension(Oid.subjectAltName, false, sequence(directoryName(authorityNamesJa[which]))),
    extension(Oid.basicConstraints, true, sequence(booleanTrue())),
    extension(Oid.cRLDistributionPoints, false, distributionPoint(authorityNames[which])),
    extension(Oid.subjectKeyIdentifier, false, octetString(keyIdentifier(publicKey))),
  ];
  return testCertificate({ serial, issuer: own, subject: own, notBefore, notAfter, publicKey, extensions }, key);
}

function distributionPoint(parts: readonly Part[]): Uint8Array {
  return sequence(sequence(context(0, context(0, directoryName(parts)))));
}

/** An end-entity certificate in the JPKI profile (jpki-card.md §7.2); the key identifier comes last. */
export function personCertificate(request: CertificateRequest, issuerKey: KeyObject): Uint8Array {
  const { which, person, publicKey, commonName } = request;
  const issuer = name(authorityNames[which]);
  const subject =
    which === "sign"
      ? name([
          ["C", "JP"],
          ["L", person.prefecture],
          ["L", person.municipality],
          ["CN", commonName],
        ])
      : name([
          ["C", "JP"],
          ["CN", commonName],
        ]);
  const policy = which === "sign" ? Oid.jpkiTestSignPolicy : Oid.jpkiTestAuthPolicy;
  const cps = sequence(oid(Oid.cpsQualifier), ia5String("http://www.jpki.go.jp/cps.html"));
  const extensions = [
    extension(Oid.keyUsage, true, which === "sign" ? bits(0, 1) : bits(0)),
    extension(Oid.certificatePolicies, true, sequence(sequence(oid(policy), sequence(cps)))),
    // Only the signature certificate names its holder.
    ...(which === "sign" ? [extension(Oid.subjectAltName, false, sequence(...attributes(person)))] : []),
    extension(Oid.issuerAltName, false, sequence(directoryName(authorityNamesJa[which]))),
    extension(Oid.cRLDistributionPoints, false, distributionPoint(distributionPointName(which, person.prefecture, person.municipality))),
    extension(Oid.subjectKeyIdentifier, false, octetString(keyIdentifier(publicKey))),
  ];
  return testCertificate(
    { serial: request.serial, issuer, subject, notBefore: request.notBefore, notAfter: request.notAfter, publicKey, extensions },
    issuerKey,
  );
}

/** The otherNames in the order of real certificates: .1 .4 .3 .5 .2 .6 (jpki-card.md §7.3). */
function attributes(person: Person): Uint8Array[] {
  const unsubstituted = (text: string): string => "0".repeat([...text].length);
  return [
    otherName(Oid.jpkiName, person.name),
    otherName(Oid.jpkiBirth, `${era(person.birth)}${person.birth}`),
    otherName(Oid.jpkiSex, person.sex),
    otherName(Oid.jpkiAddress, person.address),
    otherName(Oid.jpkiNameSubstitution, unsubstituted(person.name)),
    otherName(Oid.jpkiAddressSubstitution, unsubstituted(person.address)),
  ];
}

/** Era digit before the Gregorian date of birth: 1 Meiji, 2 Taisho, 3 Showa, 4 Heisei, 5 Reiwa (jpki-card.md §7.3). */
export function era(birth: string): string {
  const first = ["18680125", "19120730", "19261225", "19890108", "20190501"];
  return String(first.filter((day) => birth >= day).length);
}

/** Revocation reasons JPKI uses (RFC 5280 §5.3.1; jpki-card.md §7.5). */
export const reasons = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
} as const;
/** One of {@link reasons}. */
export type Reason = keyof typeof reasons;

/** A revoked certificate. */
export interface Revoked {
  readonly serial: number;
  readonly at: Date;
  readonly reason: Reason;
}

/** A CRL v2 of one authority (RFC 5280 §5). An entry's reason is left out when unspecified, as §5.3.1 asks. */
export function revocationList(
  which: Which,
  number: number,
  thisUpdate: Date,
  nextUpdate: Date,
  revoked: readonly Revoked[],
  key: KeyObject,
): Uint8Array {
  const entries = revoked.map(({ serial, at, reason }) => {
    const code = reasons[reason] === 0 ? undefined : sequence(extension("2.5.29.21", false, tlv(0x0a, Uint8Array.of(reasons[reason]))));
    return sequence(integer(serial), time(at), code);
  });
  const list = entries.length === 0 ? undefined : sequence(...entries);
  const extensions = context(0, sequence(extension(Oid.cRLNumber, false, integer(number))));
  return seal(
    (algorithm) => sequence(integer(1), algorithm, name(authorityNames[which]), time(thisUpdate), time(nextUpdate), list, extensions),
    key,
  );
}
