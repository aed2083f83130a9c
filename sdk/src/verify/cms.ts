import { DerError, sameBytes } from "../der/index.js";
import { InkanError } from "../errors.js";
import { looksLikeSignedData } from "../signing/cms.js";
import type { HashName } from "../signing/signer.js";
import { signatureAlgorithmOf } from "../trust/algorithm.js";
import type { KeyCache } from "../trust/backend.js";
import type { Certificate } from "../trust/certificate.js";
import { parseCertificate } from "../trust/certificate.js";
import { Oid, hashAlgorithms } from "../trust/oids.js";
import { sharedKeys } from "../trust/path.js";
import { judgeCertificate } from "./certificate.js";
import type { Report } from "./report.js";
import { Findings } from "./report.js";
import type { SignedData, SignerInfo } from "./signed-data.js";
import { parseSignedData } from "./signed-data.js";
import { sentences } from "./words.js";

/** What to verify, and by which rules. */
export interface VerifyCmsOptions {
  /** CMS, DER. */
  readonly signature: Uint8Array;
  /** Digest of the document. May be left out for an attached signature; when both are there, both must agree. */
  readonly digestOf?: (hash: HashName) => Promise<Uint8Array>;
  /** Pinned roots. Nothing else is trusted, and nothing in the message adds to them. */
  readonly trust: readonly Certificate[];
  /** The moment to judge. */
  readonly at: Date;
  /** `required`: without revocation data the verdict is INDETERMINATE. `none`: the caller does without, and the report says so. */
  readonly revocation: "required" | "none";
  /** Which certificate is expected: JPKI's for signatures (default), JPKI's for authentication, or any whose use the caller judges himself. */
  readonly purpose?: "sign" | "auth" | "any";
  /** `optional` accepts plain CMS without signing-certificate-v2, as other programs write it. */
  readonly binding?: "required" | "optional";
  readonly keys?: KeyCache;
}

/**
 * Validates one CMS signature after EN 319 102-1 §5: format, content, signer's certificate, cryptography, path, time, rights and
 * revocation, each its own line. Throws `InkanError` `not-a-signature` only when the input is no CMS at all.
 */
export async function verifyCms(options: VerifyCmsOptions): Promise<Report> {
  const { at, revocation } = options;
  const findings = new Findings();
  const keys = options.keys ?? sharedKeys();
  if (!looksLikeSignedData(options.signature)) throw new InkanError("not-a-signature", { detail: "CMS SignedData" });
  const parsed = parse(options.signature, findings);
  const signer = parsed === undefined ? undefined : await judge(parsed.data, parsed.info, options, keys, findings);
  return { ...findings.conclude(), at, revocation, ...(signer === undefined ? {} : { signer }) };
}

function parse(signature: Uint8Array, findings: Findings): { data: SignedData; info: SignerInfo } | undefined {
  let data: SignedData;
  try {
    data = parseSignedData(signature.slice());
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    findings.fail("format", "FORMAT_FAILURE", sentences.formatBad(error.message));
    return undefined;
  }
  const [info, ...more] = data.signers;
  if (info === undefined || more.length > 0) {
    findings.pass("format", sentences.formatOk);
    findings.fail("signer-count", "SIG_CONSTRAINTS_FAILURE", sentences.signerCount(data.signers.length));
    return undefined;
  }
  if (!data.digestAlgorithms.includes(info.digestAlgorithm.oid)) {
    findings.fail("format", "FORMAT_FAILURE", sentences.formatBad("digestAlgorithms lacks the signer's"));
    return undefined;
  }
  findings.pass("format", sentences.formatOk);
  findings.pass("signer-count", sentences.oneSigner);
  return { data, info };
}

async function judge(
  data: SignedData,
  info: SignerInfo,
  options: VerifyCmsOptions,
  keys: KeyCache,
  findings: Findings,
): Promise<Report["signer"]> {
  const hash = judgeAlgorithms(info, findings);
  judgeContentType(data, info, findings);
  await judgeDigest(data, info, hash, options, keys, findings);
  const found = findCertificate(data, info, keys, findings);
  if (found === undefined) return undefined;
  const { certificate, others } = found;
  judgeBinding(certificate, info, options.binding ?? "required", keys, findings);
  judgeSignature(certificate, info, hash, keys, findings);
  judgeCertificate(certificate, others, { ...options, keys }, findings);
  return {
    certificate,
    ...(hash === undefined ? {} : { hash }),
    ...(info.signingTime === undefined ? {} : { claimedTime: info.signingTime }),
  };
}

/** The one hash that digest and signature both use; `undefined` when an algorithm is not accepted. */
function judgeAlgorithms(info: SignerInfo, findings: Findings): HashName | undefined {
  const bad = (what: string): undefined => {
    findings.fail("algorithms", "CRYPTO_CONSTRAINTS_FAILURE", sentences.algorithmBad(what));
    return undefined;
  };
  const hash = hashAlgorithms.get(info.digestAlgorithm.oid);
  if (hash === undefined || !absentOrNull(info.digestAlgorithm.parameters?.bytes)) return bad(info.digestAlgorithm.oid);
  // rsaEncryption leaves the hash to digestAlgorithm (RFC 3370 §3.2); the others name it, and then it must be the same.
  if (info.signatureAlgorithm.oid === Oid.rsaEncryption) {
    if (!absentOrNull(info.signatureAlgorithm.parameters?.bytes)) return bad(Oid.rsaEncryption);
  } else {
    try {
      if (signatureAlgorithmOf(info.signatureAlgorithm)?.hash !== hash) return bad(info.signatureAlgorithm.oid);
    } catch {
      return bad(info.signatureAlgorithm.oid);
    }
  }
  findings.pass("algorithms", sentences.algorithmsOk(hash));
  return hash;
}

const absentOrNull = (parameters: Uint8Array | undefined): boolean =>
  parameters === undefined || sameBytes(parameters, Uint8Array.of(5, 0));

function judgeContentType(data: SignedData, info: SignerInfo, findings: Findings): void {
  // Without signed attributes the signature would be over the document itself, and one could be passed off as the other (RFC 5652 §5.4).
  if (info.signedBytes === undefined) findings.fail("content-type", "SIG_CONSTRAINTS_FAILURE", sentences.noSignedAttributes);
  else if (info.contentType === data.contentType) findings.pass("content-type", sentences.contentTypeOk);
  else findings.fail("content-type", "FORMAT_FAILURE", sentences.contentTypeBad);
}

async function judgeDigest(
  data: SignedData,
  info: SignerInfo,
  hash: HashName | undefined,
  { digestOf }: VerifyCmsOptions,
  keys: KeyCache,
  findings: Findings,
): Promise<void> {
  // Without signed attributes there is no place for a digest; that was said under content-type already.
  if (info.signedBytes === undefined) return;
  if (info.messageDigest === undefined) return findings.fail("message-digest", "FORMAT_FAILURE", sentences.digestMissing);
  if (hash === undefined) return;
  const digests: Uint8Array[] = [];
  if (data.content !== undefined) digests.push(keys.backend.hash(hash, data.content));
  if (digestOf !== undefined) digests.push(await digestOf(hash));
  if (digests.length === 0) return findings.open("message-digest", "SIGNED_DATA_NOT_FOUND", sentences.documentMissing);
  const expected = info.messageDigest;
  if (digests.every((digest) => sameBytes(digest, expected))) findings.pass("message-digest", sentences.digestOk(hash));
  else findings.fail("message-digest", "HASH_FAILURE", sentences.digestBad);
}

function findCertificate(
  data: SignedData,
  info: SignerInfo,
  keys: KeyCache,
  findings: Findings,
): { certificate: Certificate; others: Certificate[] } | undefined {
  let why: string | undefined;
  const all = data.certificates.flatMap((der) => {
    try {
      return [parseCertificate(der)];
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      return [];
    }
  });
  const { sid } = info;
  const matches = (each: Certificate): boolean =>
    "issuer" in sid
      ? each.serial === sid.serial && sameBytes(each.issuer.der, sid.issuer)
      : each.extensions.subjectKeyIdentifier !== undefined && sameBytes(each.extensions.subjectKeyIdentifier, sid.subjectKeyIdentifier);
  // Two certificates with one issuer and serial number: the bound one is the signer's, so the binding decides which to take.
  const candidates = all.filter(matches);
  const certificate = candidates.find((each) => essMatches(each, info, keys) === true) ?? candidates[0];
  if (certificate === undefined) {
    findings.fail(
      "signer-certificate",
      "NO_SIGNING_CERTIFICATE_FOUND",
      why === undefined ? sentences.certificateMissing : sentences.certificateBad(why),
    );
    return undefined;
  }
  findings.pass("signer-certificate", sentences.certificateOk(certificate.subject.text));
  return { certificate, others: all.filter((each) => each !== certificate) };
}

/** True or false as the first ESSCertIDv2 says (RFC 5035 §5.4: it identifies the signer's certificate); `undefined` without the attribute. */
function essMatches(certificate: Certificate, info: SignerInfo, keys: KeyCache): boolean | undefined {
  const id = info.signingCertificates?.[0];
  if (id === undefined) return undefined;
  const hash = id.algorithm === undefined ? "sha256" : hashAlgorithms.get(id.algorithm.oid);
  if (hash === undefined || !sameBytes(id.hash, keys.backend.hash(hash, certificate.der))) return false;
  const { issuerSerial } = id;
  return (
    issuerSerial === undefined ||
    (issuerSerial.serial === certificate.serial && issuerSerial.names.some((name) => sameBytes(name, certificate.issuer.der)))
  );
}

function judgeBinding(
  certificate: Certificate,
  info: SignerInfo,
  binding: "required" | "optional",
  keys: KeyCache,
  findings: Findings,
): void {
  const bound = essMatches(certificate, info, keys);
  if (bound === true) findings.pass("signing-certificate", sentences.essOk);
  else if (bound === false) findings.fail("signing-certificate", "NO_SIGNING_CERTIFICATE_FOUND", sentences.essBad);
  else if (binding === "required") findings.fail("signing-certificate", "SIG_CONSTRAINTS_FAILURE", sentences.essMissing);
  else findings.waive("signing-certificate", sentences.essWaived);
}

function judgeSignature(certificate: Certificate, info: SignerInfo, hash: HashName | undefined, keys: KeyCache, findings: Findings): void {
  if (hash === undefined || info.signedBytes === undefined) return;
  const rsa = certificate.publicKey.family === "rsa";
  const named = info.signatureAlgorithm.oid === Oid.rsaEncryption ? true : signatureAlgorithmOf(info.signatureAlgorithm)?.family === "rsa";
  if (rsa === named && keys.verify(certificate.publicKey, hash, info.signedBytes, info.signature))
    findings.pass("signature", sentences.signatureOk);
  else findings.fail("signature", "SIG_CRYPTO_FAILURE", sentences.signatureBad);
}
