/** The test authority and the standard test material. */
export { TestAuthority, type AuthorityState, type Issued } from "./authority.js";
export { generateMaterial, standardMaterial, type StandardMaterial } from "./material.js";
export { era, reasons, type CertificateRequest, type Person, type Reason, type Revoked, type Which } from "./profile.js";
