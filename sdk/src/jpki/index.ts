/** The JPKI application of a My Number card: secrets, certificates, signatures. */
export { JpkiCard, openJpki, type SecretSource, type Verified, type VerifyOptions } from "./jpki-card.js";
export { holderOf, type Holder } from "./holder.js";
export { jpkiAid, secretRules, type CertificateName, type Which } from "./layout.js";
export type { JpkiPort, JpkiResponse } from "./port.js";
