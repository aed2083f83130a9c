import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CardMaterial } from "@inkan/sdk/testing";
import { readPem, writePem } from "@inkan/sdk/trust";
import { TestAuthority, type AuthorityState } from "./authority.js";
import type { Person } from "./profile.js";

/** The standard test material: one card, its authority, and the roots to trust it by. */
export interface StandardMaterial extends CardMaterial {
  /** PEM of both roots, for `--trust` and `openssl -CAfile`. */
  readonly caPem: string;
  readonly authority: AuthorityState;
}

/** Who the standard card belongs to: nobody. The prefecture and the city do not exist. */
const person: Person = {
  name: "試験　太郎",
  address: "試験県見本市仮町一丁目１番１号",
  birth: "19801224",
  sex: "1",
  prefecture: "Shiken-ken",
  municipality: "Mihon-shi",
};

/**
 * Makes the files of `hwtest/material`, by name. Run once with `node hwtest/material/generate.mjs`; the result is checked in, because tests,
 * pictures and documents must not change with every clone. Dates: a renewal on 2026-11-01 within three months of the holder's birthday
 * on 12-24, so that the end is the sixth birthday (jpki-card.md §7.4); roots of ten years.
 */
export function generateMaterial(): Record<string, string> {
  const midnight = (day: string): Date => new Date(`${day}T00:00:00+09:00`);
  const lastSecond = (day: string): Date => new Date(`${day}T23:59:59+09:00`);
  const authority = TestAuthority.create(midnight("2026-11-01"), lastSecond("2036-10-31"));
  const sign = authority.issue("sign", person, midnight("2026-11-01"), lastSecond("2031-12-24"));
  const auth = authority.issue("auth", person, midnight("2026-11-01"), lastSecond("2031-12-24"));
  const crl = (which: "sign" | "auth"): string => writePem(authority.crl(which, midnight("2026-11-01")), "X509 CRL");
  const crls = { sign: crl("sign"), auth: crl("auth") };
  const { state } = authority;
  const card = {
    note: "Test values. Printed everywhere, valid for nothing.",
    authPin: "1234",
    signPassword: "ABC123",
    person: { name: person.name, address: person.address, birth: person.birth, sex: person.sex },
    cardRecord: "0000000000000010000020361224",
    issued: state.issued,
    nextSerial: state.nextSerial,
    nextCrl: state.nextCrl,
  };
  return {
    "sign-ca.pem": writePem(authority.root("sign")),
    "auth-ca.pem": writePem(authority.root("auth")),
    "sign-ca.test-key.pem": state.keys.sign,
    "auth-ca.test-key.pem": state.keys.auth,
    "sign.pem": writePem(sign.certificate),
    "auth.pem": writePem(auth.certificate),
    "sign.test-key.pem": sign.key,
    "auth.test-key.pem": auth.key,
    "sign.crl.pem": crls.sign,
    "auth.crl.pem": crls.auth,
    "card.json": `${JSON.stringify(card, null, 2)}\n`,
  };
}

/** The folder with the checked-in material: beside `src` in the sources, two levels further up when built. */
function folder(): URL {
  const candidates = ["../../material/", "../../../material/"].map((path) => new URL(path, import.meta.url));
  const found = candidates.find((url) => existsSync(fileURLToPath(new URL("card.json", url))));
  if (found === undefined) throw new Error("hwtest/material is missing");
  return found;
}

/** The checked-in material. Read once. */
export function standardMaterial(): StandardMaterial {
  return (standard ??= load());
}
let standard: StandardMaterial | undefined;

function load(): StandardMaterial {
  const base = folder();
  const read = (name: string): string => readFileSync(new URL(name, base), "utf8");
  const certificate = (name: string): Uint8Array => readPem(read(name))[0]!;
  const card = JSON.parse(read("card.json")) as Pick<StandardMaterial, "authPin" | "signPassword" | "person" | "cardRecord"> &
    Pick<AuthorityState, "issued" | "nextSerial" | "nextCrl">;
  const signCa = certificate("sign-ca.pem");
  const authCa = certificate("auth-ca.pem");
  const base64 = (der: Uint8Array): string => Buffer.from(der).toString("base64");
  return {
    signCertificate: certificate("sign.pem"),
    authCertificate: certificate("auth.pem"),
    signCa,
    authCa,
    signKey: read("sign.test-key.pem"),
    authKey: read("auth.test-key.pem"),
    authPin: card.authPin,
    signPassword: card.signPassword,
    person: card.person,
    cardRecord: card.cardRecord,
    caPem: read("sign-ca.pem") + read("auth-ca.pem"),
    authority: {
      keys: { sign: read("sign-ca.test-key.pem"), auth: read("auth-ca.test-key.pem") },
      roots: { sign: base64(signCa), auth: base64(authCa) },
      nextSerial: card.nextSerial,
      nextCrl: card.nextCrl,
      issued: card.issued,
    },
  };
}
