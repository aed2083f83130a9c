/** Signatures over one `Signer`: CMS today. */
export { CmsOid } from "./cms-oids.js";
export { looksLikeSignedData, signCms, type SignCmsOptions } from "./cms.js";
export { digestInfo } from "./digest-info.js";
export type { HashName, Signer } from "./signer.js";
