import { readPem } from "../trust/pem.js";

/** DER of a signature file that may also be PEM (labels CMS and PKCS7, as OpenSSL writes them). */
export function readSignatureFile(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, 11));
  if (text !== "-----BEGIN ") return bytes;
  const all = new TextDecoder("latin1").decode(bytes);
  return readPem(all, "CMS")[0] ?? readPem(all, "PKCS7")[0] ?? bytes;
}
