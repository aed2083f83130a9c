import { publicDecrypt, X509Certificate } from "node:crypto";
import type { Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";

/** DigestInfo of SHA-256 (RFC 8017 §9.2), for the hash that is signed after it. */
const digestInfo = Buffer.from(`3031300d060960864801650304020105000420${"5a".repeat(32)}`, "hex");
/** SELECT of the authentication key, EF 0017. */
const selectKey = Uint8Array.of(0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, 0x17);

/**
 * The session after the bad one, with the other key: short (its PIN has four digits, no certificate is read), and yet from power-on over
 * the pad to a signature. True when the signature is right by `certificate`. Rejects as the SDK does.
 */
export async function signsAgain(reader: Reader, certificate: Uint8Array): Promise<boolean> {
  const card = await reader.connect();
  const jpki = await openJpki(card);
  await jpki.verify("auth", { on: "pad" });
  await card.transmit(selectKey);
  const { data, sw } = await card.transmit(Uint8Array.of(0x80, 0x2a, 0x00, 0x80, digestInfo.length, ...digestInfo, 0x00));
  return sw === 0x9000 && publicDecrypt(new X509Certificate(certificate).publicKey, data).equals(digestInfo);
}
