import { fromHex } from "../der/index.js";

/** The JPKI application's name (jpki-card.md §1.1: all sources agree). */
export const jpkiAid = fromHex("D392F000260100000001");

/** Which of the two certificates, keys and secrets: user authentication or signature. */
export type Which = "auth" | "sign";
/** What `readCertificate` reads. */
export type CertificateName = Which | "auth-ca" | "sign-ca";

/** Elementary files of the application by identifier (jpki-card.md §3.1). */
export const files = {
  token: 0x0006,
  certificate: { auth: 0x000a, sign: 0x0001, "auth-ca": 0x000b, "sign-ca": 0x0002 },
  key: { auth: 0x0017, sign: 0x001a },
  secret: { auth: 0x0018, sign: 0x001b },
} as const;

/** Rules for the secrets (jpki-card.md §4.1): characters, fewest, most. */
export const secretRules: Readonly<Record<Which, { readonly characters: RegExp; readonly minimum: number; readonly maximum: number }>> = {
  auth: { characters: /^[0-9]$/, minimum: 4, maximum: 4 },
  sign: { characters: /^[0-9A-Z]$/, minimum: 6, maximum: 16 },
};

/** What the token file's name tells (jpki-card.md §3.2). */
export const tokens: Readonly<Record<string, "card" | "old-card" | "android" | "iphone">> = {
  JPKIAPICCTOKEN2: "card",
  JPKIAPICCTOKEN: "old-card",
  JPKIAPGPSETOKEN: "android",
  JPKIAPIOSTOKEN: "iphone",
};
