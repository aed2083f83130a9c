import type { DerElement } from "../der/index.js";
import {
  DerError,
  DerReader,
  Tag,
  booleanValue,
  contextConstructed,
  contextPrimitive,
  eachItem,
  namedBits,
  oidValue,
  smallInteger,
  textValue,
} from "../der/index.js";
import type { GeneralNames } from "./general-names.js";
import { distributionPoints, generalNames } from "./general-names.js";
import { Oid } from "./oids.js";

/** Names of the key usage bits, in the order of RFC 5280 §4.2.1.3. */
export const keyUsageNames = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
/** One key usage. `nonRepudiation` is X.509's contentCommitment. */
export type KeyUsage = (typeof keyUsageNames)[number];

/** What a certificate says in its extensions. Absent extensions are absent here. */
export interface Extensions {
  /** OIDs in the order of the certificate. */
  readonly order: readonly string[];
  /** OIDs marked critical. */
  readonly critical: ReadonlySet<string>;
  /** Critical extensions this reader does not process: a path with one of them is not valid (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[];
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly policies?: readonly { readonly oid: string; readonly cps?: string }[];
  readonly subjectAltName?: GeneralNames;
  readonly issuerAltName?: GeneralNames;
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
  readonly crlDistributionPoints?: GeneralNames;
  readonly extendedKeyUsage?: readonly string[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Out = Partial<Writable<Extensions>>;

/** One reader for each extension that is processed; each gets the content of extnValue. */
const readers: Readonly<Record<string, (value: DerReader, out: Out, at: DerElement) => void>> = {
  [Oid.keyUsage]: (value, out, at) => {
    const set = namedBits(value.take(Tag.bitString, "keyUsage"));
    if (set.length === 0) throw new DerError(at.contentOffset, "keyUsage must name at least one use");
    if (set.some((bit) => bit >= keyUsageNames.length)) throw new DerError(at.contentOffset, "keyUsage has an unknown bit");
    out.keyUsage = new Set(set.map((bit) => keyUsageNames[bit]!));
  },
  [Oid.basicConstraints]: (value, out) => {
    const list = DerReader.inside(value.take(Tag.sequence, "basicConstraints"));
    const flag = list.maybe(Tag.boolean, "cA");
    if (flag !== undefined && !booleanValue(flag)) throw new DerError(flag.offset, "cA FALSE is the default and must not be written");
    const limit = list.maybe(Tag.integer, "pathLenConstraint");
    if (limit !== undefined && flag === undefined) throw new DerError(limit.offset, "a path length without cA");
    out.basicConstraints = {
      ca: flag !== undefined,
      ...(limit === undefined ? {} : { pathLength: smallInteger(limit, "pathLenConstraint") }),
    };
    list.end("basicConstraints");
  },
  [Oid.certificatePolicies]: (value, out, at) => {
    out.policies = eachItem(value.take(Tag.sequence, "certificatePolicies"), "certificatePolicies", 1, readPolicy);
    if (new Set(out.policies.map((policy) => policy.oid)).size !== out.policies.length)
      throw new DerError(at.offset, "the same policy twice");
  },
  [Oid.subjectAltName]: (value, out) => {
    out.subjectAltName = generalNames(value.take(Tag.sequence, "subjectAltName"), "subjectAltName");
  },
  [Oid.issuerAltName]: (value, out) => {
    out.issuerAltName = generalNames(value.take(Tag.sequence, "issuerAltName"), "issuerAltName");
  },
  [Oid.cRLDistributionPoints]: (value, out) => {
    out.crlDistributionPoints = distributionPoints(value.take(Tag.sequence, "cRLDistributionPoints"));
  },
  [Oid.subjectKeyIdentifier]: (value, out) => {
    out.subjectKeyIdentifier = value.take(Tag.octetString, "subjectKeyIdentifier").content;
  },
  [Oid.authorityKeyIdentifier]: (value, out) => {
    const list = DerReader.inside(value.take(Tag.sequence, "authorityKeyIdentifier"));
    const id = list.maybe(contextPrimitive(0), "keyIdentifier");
    const issuer = list.maybe(contextConstructed(1), "authorityCertIssuer");
    const serial = list.maybe(contextPrimitive(2), "authorityCertSerialNumber");
    if ((issuer === undefined) !== (serial === undefined))
      throw new DerError(list.offset, "authorityCertIssuer and its serial number come together");
    if (id !== undefined) out.authorityKeyIdentifier = id.content;
    list.end("authorityKeyIdentifier");
  },
  [Oid.extKeyUsage]: (value, out) => {
    out.extendedKeyUsage = eachItem(value.take(Tag.sequence, "extKeyUsage"), "extKeyUsage", 1, (item) =>
      oidValue(DerReader.single(item.bytes, Tag.oid, "a purpose", item.offset)),
    );
  },
};

function readPolicy(element: DerElement): { oid: string; cps?: string } {
  const reader = DerReader.sequence(element, "a policy");
  const oid = oidValue(reader.take(Tag.oid, "policyIdentifier"));
  const qualifiers = reader.maybe(Tag.sequence, "policyQualifiers");
  reader.end("the policy");
  let cps: string | undefined;
  if (qualifiers !== undefined)
    eachItem(qualifiers, "policyQualifiers", 1, (item) => {
      const inside = DerReader.sequence(item, "a qualifier");
      const kind = oidValue(inside.take(Tag.oid, "the qualifier's type"));
      const value = inside.next("the qualifier");
      inside.end("the qualifier");
      if (kind === Oid.cpsQualifier) cps ??= textValue(value);
    });
  return { oid, ...(cps === undefined ? {} : { cps }) };
}

/**
 * Extensions that are read but whose constraints are not enforced by `checkPath`: critical, they must stop a path just like unknown
 * ones. None of them is critical in a JPKI certificate.
 */
const informative: ReadonlySet<string> = new Set([
  Oid.subjectKeyIdentifier,
  Oid.authorityKeyIdentifier,
  Oid.issuerAltName,
  Oid.cRLDistributionPoints,
  Oid.extKeyUsage,
]);

/** Reads `[3] EXPLICIT Extensions`. */
export function readExtensions(element: DerElement): Extensions {
  const list = DerReader.single(element.content, Tag.sequence, "extensions", element.contentOffset);
  const out: Out = {};
  // a set, since a hostile certificate may have a hundred thousand of them
  const seen = new Set<string>();
  const critical = new Set<string>();
  eachItem(list, "extensions", 1, (item) => {
    const reader = DerReader.sequence(item, "an extension");
    const oid = oidValue(reader.take(Tag.oid, "the extension's type"));
    if (seen.has(oid)) throw new DerError(item.offset, `extension ${oid} is here twice (RFC 5280 §4.2)`);
    seen.add(oid);
    const flag = reader.maybe(Tag.boolean, "critical");
    if (flag !== undefined && !booleanValue(flag)) throw new DerError(flag.offset, "critical FALSE is the default and must not be written");
    if (flag !== undefined) critical.add(oid);
    const value = reader.take(Tag.octetString, "extnValue");
    reader.end("the extension");
    const inner = new DerReader(value.content, value.contentOffset);
    const read = readers[oid];
    if (read === undefined) return;
    read(inner, out, value);
    inner.end(`extension ${oid}`);
  });
  const unknownCritical = [...critical].filter((oid) => readers[oid] === undefined || informative.has(oid));
  return { order: [...seen], critical, unknownCritical, ...out };
}
