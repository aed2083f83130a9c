import { toHex } from "../der/index.js";
import { KeyCache } from "./backend.js";
import type { Certificate } from "./certificate.js";
import { sameBytes } from "../der/index.js";

/** What can be wrong with a path; each has its own name so that a report can say which. */
export type PathProblem =
  | { readonly kind: "no-roots" }
  | { readonly kind: "no-issuer"; readonly subject: Certificate; readonly nameMatched: boolean }
  | { readonly kind: "too-long" }
  | { readonly kind: "not-yet-valid" | "expired"; readonly certificate: Certificate }
  | { readonly kind: "not-a-ca" | "no-cert-sign" | "path-length" | "name-constraints"; readonly certificate: Certificate }
  | { readonly kind: "unknown-critical"; readonly certificate: Certificate; readonly oids: readonly string[] };

/** Result of `checkPath`. */
export interface PathResult {
  /** From the end entity to the root; the root is one of those passed in. Only the part that was found when the chain is broken. */
  readonly chain: readonly Certificate[];
  readonly root?: Certificate;
  /** Empty when the path is valid at the time asked for. */
  readonly problems: readonly PathProblem[];
}

/** What `checkPath` works with. */
export interface PathOptions {
  /** Pinned roots: the caller's, never the card's and never the message's. */
  readonly roots: readonly Certificate[];
  /** The moment to judge. `checkPath` throws `RangeError` for an invalid date. */
  readonly at: Date;
  /** Untrusted helpers between the two; JPKI has none. Of those with one name the first 16 are tried. */
  readonly intermediates?: readonly Certificate[];
  readonly keys?: KeyCache;
}

/** Certificates in a path, both ends counted. */
const longest = 5;
/** Helpers of the right name whose key is tried at each step: a message may carry ten thousand, and each costs a verification. */
const mostTried = 16;

/**
 * From an end-entity certificate to a pinned root (RFC 5280 §6, without policy mapping and name constraints: a CA that has name
 * constraints is refused). All generations of a JPKI authority share one name, so the issuer is the candidate whose key verifies,
 * never the first with the right name.
 */
export function checkPath(leaf: Certificate, options: PathOptions): PathResult {
  if (Number.isNaN(options.at.getTime())) throw new RangeError("the time to judge is not a time");
  const keys = options.keys ?? sharedKeys();
  const problems: PathProblem[] = [];
  const chain: Certificate[] = [leaf];
  let root: Certificate | undefined;
  if (options.roots.length === 0) return { chain, problems: [{ kind: "no-roots" }] };
  for (let subject = leaf; root === undefined; ) {
    if (chain.length >= longest) {
      problems.push({ kind: "too-long" });
      break;
    }
    const byName = (issuer: Certificate): boolean => sameBytes(issuer.subject.der, subject.issuer.der);
    const signed = (issuer: Certificate): boolean => issuedBy(subject, issuer, keys);
    const anchors = options.roots.filter(byName);
    const helpers = (options.intermediates ?? []).filter((each) => byName(each) && !chain.includes(each)).slice(0, mostTried);
    // a key may have been certified anew: of two roots with one key, the one that is valid at the time
    root = anchors.find((each) => validAt(each, options.at) && signed(each)) ?? anchors.find(signed);
    const issuer = root ?? helpers.find(signed);
    if (issuer === undefined) {
      problems.push({ kind: "no-issuer", subject, nameMatched: anchors.length + helpers.length > 0 });
      break;
    }
    chain.push(issuer);
    subject = issuer;
  }
  chain.forEach((certificate, depth) => checkOne(certificate, depth, options.at, problems));
  return { chain, problems, ...(root === undefined ? {} : { root }) };
}

function checkOne(certificate: Certificate, depth: number, at: Date, problems: PathProblem[]): void {
  const { extensions } = certificate;
  if (at < certificate.notBefore) problems.push({ kind: "not-yet-valid", certificate });
  else if (!validAt(certificate, at)) problems.push({ kind: "expired", certificate });
  if (extensions.unknownCritical.length > 0) problems.push({ kind: "unknown-critical", certificate, oids: extensions.unknownCritical });
  if (depth === 0) return;
  if (extensions.basicConstraints?.ca !== true) problems.push({ kind: "not-a-ca", certificate });
  if (extensions.keyUsage?.has("keyCertSign") !== true) problems.push({ kind: "no-cert-sign", certificate });
  const limit = extensions.basicConstraints?.pathLength;
  if (limit !== undefined && depth - 1 > limit) problems.push({ kind: "path-length", certificate });
  if (extensions.order.includes("2.5.29.30")) problems.push({ kind: "name-constraints", certificate });
}

/** The last second is valid to its end. */
const validAt = ({ notBefore, notAfter }: Certificate, at: Date): boolean => at >= notBefore && at.getTime() < notAfter.getTime() + 1000;

/** True when `issuer`'s key signed `subject`. Says nothing about names, times or rights. */
export function issuedBy(subject: Certificate, issuer: Certificate, keys: KeyCache = sharedKeys()): boolean {
  const { family, hash } = subject.signatureAlgorithm;
  if ((issuer.publicKey.family === "rsa") !== (family === "rsa")) return false;
  return keys.verify(issuer.publicKey, hash, subject.tbs, subject.signature);
}

/** The process's key cache, for callers that bring none. */
export function sharedKeys(): KeyCache {
  return (shared ??= new KeyCache());
}
let shared: KeyCache | undefined;

/** SHA-256 of the certificate in hexadecimal, as people compare it. */
export function fingerprint(certificate: Certificate, keys: KeyCache = sharedKeys()): string {
  return toHex(keys.backend.hash("sha256", certificate.der));
}
