/** Certificates, pinned roots and paths. */
export { KeyCache, defaultBackend, type CryptoBackend, type ReadyKey } from "./backend.js";
export { parseCertificate, type Certificate } from "./certificate.js";
export { keyUsageNames, type Extensions, type KeyUsage } from "./extensions.js";
export type { GeneralNames } from "./general-names.js";
export { attributeOf, type DistinguishedName } from "./name.js";
export { nodeBackend } from "./node-backend.js";
export { Oid, type KeyFamily, type SignatureAlgorithm } from "./oids.js";
export { checkPath, fingerprint, issuedBy, sharedKeys, type PathOptions, type PathProblem, type PathResult } from "./path.js";
export { readPem, writePem } from "./pem.js";
export { portableBackend } from "./portable-backend.js";
export type { PublicKey } from "./public-key.js";
export { DerError } from "../der/index.js";
