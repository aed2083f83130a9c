import type { DerElement } from "../der/index.js";
import { DerError, DerReader, Tag, checkNull, oidValue } from "../der/index.js";
import type { HashName } from "../signing/signer.js";
import type { SignatureAlgorithm } from "./oids.js";
import { hashAlgorithms, signatureAlgorithms } from "./oids.js";

/** AlgorithmIdentifier, with its parameters still encoded. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: DerElement | undefined;
  readonly element: DerElement;
}

/** Reads an AlgorithmIdentifier. */
export function readAlgorithm(element: DerElement): AlgorithmIdentifier {
  const reader = DerReader.sequence(element, "an algorithm identifier");
  const oid = oidValue(reader.take(Tag.oid, "the algorithm"));
  const parameters = reader.done ? undefined : reader.next("the parameters");
  reader.end("the algorithm identifier");
  return { oid, parameters, element };
}

/** A hash algorithm: parameters absent, or NULL as older writers have it (RFC 5754 §2). */
export function readHashAlgorithm(element: DerElement): HashName {
  const algorithm = readAlgorithm(element);
  const hash = hashAlgorithms.get(algorithm.oid);
  if (hash === undefined) throw new DerError(element.offset, `hash algorithm ${algorithm.oid} is not accepted`);
  if (algorithm.parameters !== undefined) requireNull(algorithm.parameters);
  return hash;
}

/** A signature algorithm with its hash: NULL parameters for RSA (RFC 4055 §5), none for ECDSA (RFC 5758 §3.2). `undefined` when unknown. */
export function signatureAlgorithmOf(algorithm: AlgorithmIdentifier): SignatureAlgorithm | undefined {
  const known = signatureAlgorithms.get(algorithm.oid);
  if (known === undefined) return undefined;
  if (known.family === "rsa") {
    if (algorithm.parameters === undefined) throw new DerError(algorithm.element.offset, "RSA signature parameters must be NULL");
    requireNull(algorithm.parameters);
  } else if (algorithm.parameters !== undefined)
    throw new DerError(algorithm.parameters.offset, "ECDSA signature parameters must be absent");
  return known;
}

/** Parameters that must be NULL. */
export function requireNull(parameters: DerElement): void {
  if (parameters.tag !== Tag.null) throw new DerError(parameters.offset, "the parameters must be NULL");
  checkNull(parameters);
}
