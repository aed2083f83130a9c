/** Files and bytes to digests, at the machine's speed. */
export { hashBytes, hashFile, type FileDigests, type HashFileOptions, type HashProgress } from "./hash-file.js";
export type { HashName } from "../signing/signer.js";
