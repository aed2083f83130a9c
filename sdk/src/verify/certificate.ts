import type { KeyCache } from "../trust/backend.js";
import type { Certificate } from "../trust/certificate.js";
import { Oid } from "../trust/oids.js";
import type { PathProblem } from "../trust/path.js";
import { checkPath } from "../trust/path.js";
import type { CheckId, Findings } from "./report.js";
import { japanTime, sentences } from "./words.js";

/** The rules for the signer's certificate; the same for every signature format. */
export interface CertificateRules {
  readonly trust: readonly Certificate[];
  readonly at: Date;
  readonly revocation: "required" | "none";
  readonly purpose?: "sign" | "auth" | "any";
  readonly keys: KeyCache;
}

/** What each JPKI certificate is for: its key usage and its policies (production and J-LIS's test environment). */
const purposes = {
  sign: { usage: "nonRepudiation", policies: [Oid.jpkiSignPolicy, Oid.jpkiTestSignPolicy] },
  auth: { usage: "digitalSignature", policies: [Oid.jpkiAuthPolicy, Oid.jpkiTestAuthPolicy] },
} as const;

/** Judges path, time, rights, use, policy and revocation of one certificate and writes the lines. */
export function judgeCertificate(
  certificate: Certificate,
  others: readonly Certificate[],
  rules: CertificateRules,
  findings: Findings,
): void {
  const path = checkPath(certificate, { roots: rules.trust, at: rules.at, intermediates: others, keys: rules.keys });
  for (const problem of path.problems) write(problem, rules.at, findings);
  if (path.root !== undefined) {
    findings.pass("path", sentences.pathOk(path.root.subject.text));
    findings.pass("validity", sentences.validityOk(japanTime(rules.at), japanTime(certificate.notAfter)));
    findings.pass("authority", sentences.authorityOk);
    findings.pass("critical-extensions", sentences.criticalOk);
  }
  judgePurpose(certificate, rules.purpose ?? "sign", findings);
  if (rules.revocation === "none") findings.waive("revocation", sentences.revocationNotChecked);
  else findings.open("revocation", "TRY_LATER", sentences.revocationMissing);
}

function write(problem: PathProblem, at: Date, findings: Findings): void {
  const chain = (id: CheckId, text: Parameters<Findings["fail"]>[2]): void => findings.fail(id, "CHAIN_CONSTRAINTS_FAILURE", text);
  switch (problem.kind) {
    case "no-roots":
      return findings.fail("path", "NO_CERTIFICATE_CHAIN_FOUND", sentences.noRoots);
    case "no-issuer":
      return findings.fail("path", "NO_CERTIFICATE_CHAIN_FOUND", sentences.noIssuer(problem.subject.issuer.text, problem.nameMatched));
    case "too-long":
      return findings.fail("path", "NO_CERTIFICATE_CHAIN_FOUND", sentences.tooLong);
    case "expired":
      return findings.fail(
        "validity",
        "OUT_OF_BOUNDS_NO_POE",
        sentences.expired(problem.certificate.subject.text, japanTime(problem.certificate.notAfter), japanTime(at)),
      );
    case "not-yet-valid":
      return findings.fail(
        "validity",
        "OUT_OF_BOUNDS_NO_POE",
        sentences.notYetValid(problem.certificate.subject.text, japanTime(problem.certificate.notBefore), japanTime(at)),
      );
    case "not-a-ca":
      return chain("authority", sentences.authorityBad("basicConstraints"));
    case "no-cert-sign":
      return chain("authority", sentences.authorityBad("keyCertSign"));
    case "path-length":
      return chain("authority", sentences.authorityBad("pathLenConstraint"));
    case "name-constraints":
      return chain("authority", sentences.authorityBad("nameConstraints"));
    case "unknown-critical":
      return chain("critical-extensions", sentences.criticalBad(problem.oids.join(", ")));
  }
}

/** anyExtendedKeyUsage, emailProtection (S/MIME) and documentSigning (RFC 9336): the extended uses under which a document may be signed. */
const documentUses: ReadonlySet<string> = new Set(["2.5.29.37.0", "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"]);

function judgePurpose(certificate: Certificate, purpose: "sign" | "auth" | "any", findings: Findings): void {
  const { keyUsage, extendedKeyUsage, policies = [], basicConstraints } = certificate.extensions;
  if (purpose === "any") {
    findings.waive("key-usage", sentences.purposeWaived);
    findings.waive("policy", sentences.purposeWaived);
    return;
  }
  const { usage, policies: expected } = purposes[purpose];
  const uses = [...(keyUsage ?? ["keyUsage?"]), ...(extendedKeyUsage ?? [])].join(", ");
  const extendedFits = extendedKeyUsage === undefined || purpose === "auth" || extendedKeyUsage.some((oid) => documentUses.has(oid));
  if (keyUsage?.has(usage) === true && basicConstraints?.ca !== true && extendedFits)
    findings.pass("key-usage", sentences.keyUsageOk(uses));
  else findings.fail("key-usage", "CHAIN_CONSTRAINTS_FAILURE", sentences.keyUsageBad(uses));
  const policy = policies.find(({ oid }) => (expected as readonly string[]).includes(oid));
  if (policy !== undefined) findings.pass("policy", sentences.policyOk(policy.oid));
  else findings.fail("policy", "CHAIN_CONSTRAINTS_FAILURE", sentences.policyBad(policies.map(({ oid }) => oid).join(", ") || "–"));
}
