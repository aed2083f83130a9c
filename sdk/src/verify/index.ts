/** Verdicts in the words of EN 319 102-1. */
export { verifyCms, type VerifyCmsOptions } from "./cms.js";
export { checkIds, type Check, type CheckId, type Report, type SubIndication, type Verdict } from "./report.js";
export { readSignatureFile } from "./file.js";
export { parseSignedData, type EssCertId, type SignedData, type SignerIdentifier, type SignerInfo } from "./signed-data.js";
export { japanTime, type Words } from "./words.js";
