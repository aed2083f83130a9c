import type { HashName } from "../signing/signer.js";

/** Object identifiers of X.509, CMS and JPKI that the SDK knows. */
export const Oid = {
  rsaEncryption: "1.2.840.113549.1.1.1",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  sha384WithRsa: "1.2.840.113549.1.1.12",
  sha512WithRsa: "1.2.840.113549.1.1.13",
  ecPublicKey: "1.2.840.10045.2.1",
  p256: "1.2.840.10045.3.1.7",
  p384: "1.3.132.0.34",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  ecdsaWithSha384: "1.2.840.10045.4.3.3",
  ecdsaWithSha512: "1.2.840.10045.4.3.4",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  issuerAltName: "2.5.29.18",
  basicConstraints: "2.5.29.19",
  cRLNumber: "2.5.29.20",
  nameConstraints: "2.5.29.30",
  cRLDistributionPoints: "2.5.29.31",
  certificatePolicies: "2.5.29.32",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  cpsQualifier: "1.3.6.1.5.5.7.2.1",
  countryName: "2.5.4.6",
  localityName: "2.5.4.7",
  organizationName: "2.5.4.10",
  organizationalUnitName: "2.5.4.11",
  commonName: "2.5.4.3",
  /** Policy of the signature certificate on a card, "class 20". */
  jpkiSignPolicy: "1.2.392.200149.8.5.1.1.20",
  /** The same in J-LIS's test environment. */
  jpkiTestSignPolicy: "1.2.392.200149.8.5.1.0.20",
  /** Policy of the user authentication certificate, "class 30". */
  jpkiAuthPolicy: "1.2.392.200149.8.5.1.3.30",
  /** No source names the test environment's authentication policy; this one is by analogy and used by our test authority only. */
  jpkiTestAuthPolicy: "1.2.392.200149.8.5.1.0.30",
  jpkiName: "1.2.392.200149.8.5.5.1",
  jpkiNameSubstitution: "1.2.392.200149.8.5.5.2",
  jpkiSex: "1.2.392.200149.8.5.5.3",
  jpkiBirth: "1.2.392.200149.8.5.5.4",
  jpkiAddress: "1.2.392.200149.8.5.5.5",
  jpkiAddressSubstitution: "1.2.392.200149.8.5.5.6",
} as const;

/** What a public key is. */
export type KeyFamily = "rsa" | "p256" | "p384";
/** A signature algorithm: family of the key and hash. */
export interface SignatureAlgorithm {
  readonly family: "rsa" | "ecdsa";
  readonly hash: HashName;
}

/** Signature algorithms of certificates and of CMS signers (RFC 4055, RFC 5754, RFC 5758). SHA-1 and MD5 are not here on purpose. */
export const signatureAlgorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  [Oid.sha256WithRsa, { family: "rsa", hash: "sha256" }],
  [Oid.sha384WithRsa, { family: "rsa", hash: "sha384" }],
  [Oid.sha512WithRsa, { family: "rsa", hash: "sha512" }],
  [Oid.ecdsaWithSha256, { family: "ecdsa", hash: "sha256" }],
  [Oid.ecdsaWithSha384, { family: "ecdsa", hash: "sha384" }],
  [Oid.ecdsaWithSha512, { family: "ecdsa", hash: "sha512" }],
]);

/** Hash algorithms by OID. */
export const hashAlgorithms: ReadonlyMap<string, HashName> = new Map([
  [Oid.sha256, "sha256"],
  [Oid.sha384, "sha384"],
  [Oid.sha512, "sha512"],
]);
/** Digest lengths in octets. */
export const hashLength: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };
