import { Tag, sameBytes, write } from "../der/index.js";
import { InkanError } from "../errors.js";
import type { Certificate } from "../trust/certificate.js";
import { parseCertificate } from "../trust/certificate.js";
import { Oid, hashLength } from "../trust/oids.js";
import { sharedKeys } from "../trust/path.js";
import { CmsOid } from "./cms-oids.js";
import type { HashName, Signer } from "./signer.js";

/** What to sign, with what, and when. */
export interface SignCmsOptions {
  readonly hash: HashName;
  /** The document's digests as `hashFile` gives them; the one of `hash` is used. Leave out when `content` is given. */
  readonly digests?: Partial<Readonly<Record<HashName, Uint8Array>>>;
  /** The document itself, for small or attached ones. */
  readonly content?: Uint8Array;
  readonly signer: Signer;
  /** What the signature claims as its time, whole seconds. A claim, not a proof. */
  readonly signingTime: Date;
  /** True: the document travels inside the signature (needs `content`). Default false: detached. */
  readonly attached?: boolean;
  readonly signal?: AbortSignal;
}

const { sequence, setOfItems, oid, integer, octetString, nullValue, context } = write;
const hashOids: Readonly<Record<HashName, string>> = { sha256: Oid.sha256, sha384: Oid.sha384, sha512: Oid.sha512 };
const ecdsaOids: Readonly<Record<HashName, string>> = {
  sha256: Oid.ecdsaWithSha256,
  sha384: Oid.ecdsaWithSha384,
  sha512: Oid.ecdsaWithSha512,
};
/** RFC 5754 §2: parameters of SHA-2 are absent. */
const hashAlgorithm = (hash: HashName): Uint8Array => sequence(oid(hashOids[hash]));

/**
 * Makes a CMS SignedData (RFC 5652 §5) with the attributes of CAdES-B (EN 319 122-1 §6.3): contentType, signingTime,
 * messageDigest and signing-certificate-v2, DER throughout and the same bytes for the same input. What the signer gave back is
 * checked with the certificate's key before anything leaves: a fault on the card or the line cannot become a file.
 */
export async function signCms(options: SignCmsOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { hash, signer, signingTime } = options;
  const keys = sharedKeys();
  const certificate = parseCertificate(signer.certificate);
  const digest = documentDigest(options);
  const attributes = setOfItems([
    attribute(CmsOid.contentType, oid(CmsOid.data)),
    attribute(CmsOid.signingTime, write.time(signingTime)),
    attribute(CmsOid.messageDigest, octetString(digest)),
    attribute(CmsOid.signingCertificateV2, signingCertificate(certificate, hash)),
  ]);
  const signature = await signer.sign(
    hash,
    keys.backend.hash(hash, attributes),
    options.signal === undefined ? {} : { signal: options.signal },
  );
  if (!keys.verify(certificate.publicKey, hash, attributes, signature))
    throw new InkanError("protocol", { detail: "the signature does not fit the signer's certificate" });
  const content = options.attached === true ? context(0, octetString(options.content!)) : undefined;
  const signerInfo = sequence(
    integer(1),
    sequence(certificate.issuer.der, integer(certificate.serial)),
    hashAlgorithm(hash),
    // The set is signed with its own tag and written with an implicit one (RFC 5652 §5.4); only the first octet differs.
    Uint8Array.of(0xa0, ...attributes.subarray(1)),
    signatureAlgorithm(certificate, hash),
    octetString(signature),
  );
  const signedData = sequence(
    integer(1),
    setOfItems([hashAlgorithm(hash)]),
    sequence(oid(CmsOid.data), content),
    context(0, certificate.der),
    setOfItems([signerInfo]),
  );
  return sequence(oid(CmsOid.signedData), context(0, signedData));
}

function documentDigest({ hash, digests, content, attached }: SignCmsOptions): Uint8Array {
  if (attached === true && content === undefined) throw new TypeError("an attached signature needs the content");
  const given = digests?.[hash];
  const computed = content === undefined ? undefined : sharedKeys().backend.hash(hash, content);
  const digest = computed ?? given;
  if (digest === undefined) throw new TypeError(`neither content nor a ${hash} digest was given`);
  if (digest.length !== hashLength[hash]) throw new RangeError(`a ${hash} digest has ${hashLength[hash]} octets`);
  if (computed !== undefined && given !== undefined && !sameBytes(computed, given))
    throw new TypeError("content and digest do not belong together");
  return digest;
}

/** SigningCertificateV2 (RFC 5035 §3). The hash algorithm is left out where it is the default, SHA-256, as DER demands. */
function signingCertificate(certificate: Certificate, hash: HashName): Uint8Array {
  const certHash = octetString(sharedKeys().backend.hash(hash, certificate.der));
  return sequence(sequence(sequence(hash === "sha256" ? undefined : hashAlgorithm(hash), certHash)));
}

function attribute(type: string, value: Uint8Array): Uint8Array {
  return sequence(oid(type), setOfItems([value]));
}

/** rsaEncryption with NULL, as OpenSSL, myna and MOJ's software write and read it (RFC 3370 §3.2); ECDSA names its hash. */
function signatureAlgorithm(certificate: Certificate, hash: HashName): Uint8Array {
  return certificate.publicKey.family === "rsa" ? sequence(oid(Oid.rsaEncryption), nullValue()) : sequence(oid(ecdsaOids[hash]));
}

/** True when the bytes begin like a CMS SignedData, however damaged they are behind that. */
export function looksLikeSignedData(bytes: Uint8Array): boolean {
  if (bytes[0] !== Tag.sequence || bytes[1] === undefined) return false;
  const header = bytes[1] < 0x80 ? 2 : 2 + (bytes[1] & 0x7f);
  const type = oid(CmsOid.signedData);
  return sameBytes(bytes.subarray(header, header + type.length), type);
}
