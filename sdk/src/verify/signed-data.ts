import type { DerElement } from "../der/index.js";
import {
  DerError,
  DerReader,
  Tag,
  checkDer,
  contextConstructed,
  contextPrimitive,
  eachItem,
  integerValue,
  oidValue,
  setOf,
  smallInteger,
  timeValue,
} from "../der/index.js";
import { CmsOid } from "../signing/cms-oids.js";
import type { AlgorithmIdentifier } from "../trust/algorithm.js";
import { readAlgorithm } from "../trust/algorithm.js";

/** How a signer points at his certificate. */
export type SignerIdentifier = { readonly issuer: Uint8Array; readonly serial: bigint } | { readonly subjectKeyIdentifier: Uint8Array };

/** One ESSCertIDv2 (RFC 5035 §4). */
export interface EssCertId {
  readonly algorithm: AlgorithmIdentifier | undefined;
  readonly hash: Uint8Array;
  /** IssuerSerial, if it is there: the issuer's directory names and the serial number. */
  readonly issuerSerial?: { readonly names: readonly Uint8Array[]; readonly serial: bigint };
}

/** A SignerInfo, read strictly. */
export interface SignerInfo {
  readonly sid: SignerIdentifier;
  readonly digestAlgorithm: AlgorithmIdentifier;
  readonly signatureAlgorithm: AlgorithmIdentifier;
  readonly signature: Uint8Array;
  /** The signed attributes as they were signed, with the tag of SET OF; absent when there are none. */
  readonly signedBytes?: Uint8Array;
  readonly contentType?: string;
  readonly messageDigest?: Uint8Array;
  readonly signingTime?: Date;
  readonly signingCertificates?: readonly EssCertId[];
  /** Types of unsigned attributes. Nothing in them is relied on. */
  readonly unsignedTypes: readonly string[];
}

/** A CMS SignedData, read strictly (RFC 5652 §5, DER only). */
export interface SignedData {
  readonly contentType: string;
  /** The embedded document; absent in a detached signature. */
  readonly content?: Uint8Array;
  /** Whole certificates, undecoded. */
  readonly certificates: readonly Uint8Array[];
  readonly digestAlgorithms: readonly string[];
  readonly signers: readonly SignerInfo[];
}

/** Parses ContentInfo with SignedData. Throws `DerError`. */
export function parseSignedData(der: Uint8Array): SignedData {
  const info = DerReader.inside(DerReader.single(der, Tag.sequence, "ContentInfo"));
  const type = info.take(Tag.oid, "contentType");
  if (oidValue(type) !== CmsOid.signedData) throw new DerError(type.offset, "the content is not SignedData");
  const wrapped = info.take(contextConstructed(0), "content");
  info.end("ContentInfo");
  const reader = DerReader.inside(DerReader.single(wrapped.content, Tag.sequence, "SignedData", wrapped.contentOffset));
  const version = reader.take(Tag.integer, "version");
  const digestAlgorithms = setOf(reader.take(Tag.set, "digestAlgorithms"), "digestAlgorithms").map((item) => readAlgorithm(item).oid);
  const encapsulated = DerReader.inside(reader.take(Tag.sequence, "encapContentInfo"));
  const contentType = oidValue(encapsulated.take(Tag.oid, "eContentType"));
  const explicit = encapsulated.maybe(contextConstructed(0), "eContent");
  encapsulated.end("encapContentInfo");
  const content =
    explicit === undefined ? undefined : DerReader.single(explicit.content, Tag.octetString, "eContent", explicit.contentOffset).content;
  const certificateSet = reader.maybe(contextConstructed(0), "certificates");
  const certificates: Uint8Array[] = [];
  if (certificateSet !== undefined)
    for (const item of setOf(certificateSet, "certificates")) {
      if (item.tag !== Tag.sequence) throw new DerError(item.offset, "only X.509 certificates may be embedded");
      checkDer(item.bytes, item.offset);
      certificates.push(item.bytes);
    }
  const crls = reader.maybe(contextConstructed(1), "crls");
  if (crls !== undefined) for (const item of setOf(crls, "crls")) checkDer(item.bytes, item.offset);
  const signers = setOf(reader.take(Tag.set, "signerInfos"), "signerInfos").map(readSigner);
  reader.end("SignedData");
  // RFC 5652 §5.1: 3 when a signer is named by key identifier or the content is not plain data, else 1.
  const expected = contentType !== CmsOid.data || signers.some(({ sid }) => "subjectKeyIdentifier" in sid) ? 3 : 1;
  if (smallInteger(version, "version", 5) !== expected)
    throw new DerError(version.contentOffset, `SignedData must have version ${expected} here`);
  return { contentType, certificates, digestAlgorithms, signers, ...(content === undefined ? {} : { content }) };
}

function readSigner(element: DerElement): SignerInfo {
  const reader = DerReader.sequence(element, "a SignerInfo");
  const versionElement = reader.take(Tag.integer, "version");
  const version = smallInteger(versionElement, "version", 5);
  const sid = readSid(reader);
  if (version !== ("issuer" in sid ? 1 : 3))
    throw new DerError(versionElement.contentOffset, "the version does not fit the signer identifier (RFC 5652 §5.3)");
  const digestAlgorithm = readAlgorithm(reader.take(Tag.sequence, "digestAlgorithm"));
  const signed = reader.maybe(contextConstructed(0), "signedAttrs");
  const signatureAlgorithm = readAlgorithm(reader.take(Tag.sequence, "signatureAlgorithm"));
  const signature = reader.take(Tag.octetString, "signature").content;
  const unsigned = reader.maybe(contextConstructed(1), "unsignedAttrs");
  reader.end("SignerInfo");
  const unsignedTypes = unsigned === undefined ? [] : readAttributes(unsigned).map((each) => each.type);
  const base = { sid, digestAlgorithm, signatureAlgorithm, signature, unsignedTypes };
  if (signed === undefined) return base;
  const signedBytes = signed.bytes.slice();
  signedBytes[0] = Tag.set;
  return { ...base, signedBytes, ...readSignedAttributes(signed) };
}

function readSid(reader: DerReader): SignerIdentifier {
  const key = reader.maybe(contextPrimitive(0), "subjectKeyIdentifier");
  if (key !== undefined) return { subjectKeyIdentifier: key.content };
  const inside = DerReader.inside(reader.take(Tag.sequence, "issuerAndSerialNumber"));
  const issuer = inside.take(Tag.sequence, "issuer");
  const serial = integerValue(inside.take(Tag.integer, "serialNumber"));
  inside.end("issuerAndSerialNumber");
  return { issuer: issuer.bytes, serial };
}

interface Attribute {
  readonly type: string;
  readonly element: DerElement;
  readonly values: readonly DerElement[];
}

function readAttributes(set: DerElement): Attribute[] {
  const attributes = setOf(set, "attributes").map((element): Attribute => {
    const reader = DerReader.sequence(element, "an attribute");
    const type = oidValue(reader.take(Tag.oid, "attrType"));
    const values = setOf(reader.take(Tag.set, "attrValues"), "attrValues");
    reader.end("the attribute");
    if (values.length === 0) throw new DerError(element.offset, "an attribute has at least one value");
    for (const value of values) checkDer(value.bytes, value.offset);
    return { type, element, values };
  });
  if (attributes.length === 0) throw new DerError(set.offset, "an empty set of attributes must be absent");
  return attributes;
}

function readSignedAttributes(set: DerElement): Partial<SignerInfo> {
  const attributes = readAttributes(set);
  const only = (type: string, what: string): DerElement | undefined => {
    const found = attributes.filter((attribute) => attribute.type === type);
    if (found.length === 0) return undefined;
    if (found.length > 1 || found[0]!.values.length !== 1)
      throw new DerError(found.at(-1)!.element.offset, `${what} must be there once, with one value`);
    return found[0]!.values[0];
  };
  const contentType = only(CmsOid.contentType, "content-type");
  const messageDigest = only(CmsOid.messageDigest, "message-digest");
  const signingTime = only(CmsOid.signingTime, "signing-time");
  const ess = only(CmsOid.signingCertificateV2, "signing-certificate-v2");
  return {
    ...(contentType === undefined ? {} : { contentType: oidValue(expect(contentType, Tag.oid, "content-type")) }),
    ...(messageDigest === undefined ? {} : { messageDigest: expect(messageDigest, Tag.octetString, "message-digest").content }),
    ...(signingTime === undefined ? {} : { signingTime: timeValue(signingTime) }),
    ...(ess === undefined ? {} : { signingCertificates: readEss(expect(ess, Tag.sequence, "signing-certificate-v2")) }),
  };
}

function expect(element: DerElement, tag: number, what: string): DerElement {
  return DerReader.single(element.bytes, tag, what, element.offset);
}

function readEss(element: DerElement): EssCertId[] {
  const reader = DerReader.inside(element);
  const list = reader.take(Tag.sequence, "certs");
  reader.maybe(Tag.sequence, "policies");
  reader.end("SigningCertificateV2");
  return eachItem(list, "certs", 1, (item) => {
    const inside = DerReader.sequence(item, "an ESSCertIDv2");
    const algorithm = inside.maybe(Tag.sequence, "hashAlgorithm");
    const hash = inside.take(Tag.octetString, "certHash").content;
    const issuerSerial = inside.maybe(Tag.sequence, "issuerSerial");
    inside.end("ESSCertIDv2");
    return {
      algorithm: algorithm === undefined ? undefined : readAlgorithm(algorithm),
      hash,
      ...(issuerSerial === undefined ? {} : { issuerSerial: readIssuerSerial(issuerSerial) }),
    };
  });
}

function readIssuerSerial(element: DerElement): NonNullable<EssCertId["issuerSerial"]> {
  const reader = DerReader.inside(element);
  const names = eachItem(reader.take(Tag.sequence, "issuer"), "issuer", 1, (item) => item).flatMap((item) =>
    item.tag === contextConstructed(4) ? [DerReader.single(item.content, Tag.sequence, "directoryName", item.contentOffset).bytes] : [],
  );
  const serial = integerValue(reader.take(Tag.integer, "serialNumber"));
  reader.end("issuerSerial");
  return { names, serial };
}
