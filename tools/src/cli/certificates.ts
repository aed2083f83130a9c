import { parseCertificate, readPem, type Certificate } from "@inkan/sdk/trust";
import { openJpki, type JpkiCard } from "@inkan/sdk/jpki";
import { say, type TextKey } from "../texts.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import { readInput } from "./files.js";
import { withCard } from "./readers.js";
import { presentSecret } from "./secrets.js";
import type { Options } from "./verb.js";

/** The certificates on a card. */
export const onCard = ["auth", "sign", "auth-ca", "sign-ca"] as const;
/** Name of a certificate on a card. */
export type CertificateName = (typeof onCard)[number];

/** Reads a certificate from the card (`sign` wants its password first) or, for any other name, from a file. */
export async function certificateNamed(context: Context, which: string, options: Options): Promise<Certificate> {
  if (!(onCard as readonly string[]).includes(which)) {
    const found = certificatesIn(await readInput(which, context.language), which);
    return found[0]!;
  }
  const name = which as CertificateName;
  return withCard(context, async (card) => readFromCard(context, await openJpki(card), name, options));
}

/** Reads one from an opened card. @throws InkanError certificate-unreadable and what reading throws */
export async function readFromCard(context: Context, jpki: JpkiCard, which: CertificateName, options: Options): Promise<Certificate> {
  // JPKI EF 0001 answers 6982 until its password was right.
  if (which === "sign") await presentSecret(context, jpki, "sign", options);
  return parsed(await jpki.readCertificate(which), which);
}

/** Every certificate of a file: PEM (one or more) or one DER. @throws InkanError certificate-unreadable */
export function certificatesIn(content: Uint8Array, source: string): Certificate[] {
  const text = new TextDecoder("latin1").decode(content.subarray(0, 1 << 20));
  try {
    const blocks = text.includes("-----BEGIN ") ? readPem(text) : [content];
    if (blocks.length === 0) throw new Error("PEM without CERTIFICATE");
    return blocks.map(parseCertificate);
  } catch (error) {
    throw stop("certificate-unreadable", { detail: `${source}: ${(error as Error).message}` }, error);
  }
}

function parsed(der: Uint8Array, source: string): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    throw stop("certificate-unreadable", { detail: `${source}: ${(error as Error).message}` }, error);
  }
}

/** otherName OIDs of the signature certificate (JPKI profile): what each says. */
const personal: Readonly<Record<string, TextKey>> = {
  "1.2.392.200149.8.5.5.1": "cert.name",
  "1.2.392.200149.8.5.5.4": "cert.birth",
  "1.2.392.200149.8.5.5.3": "cert.sex",
  "1.2.392.200149.8.5.5.5": "cert.address",
};

/** A certificate's fields for people and for JSON, dates as ISO 8601. */
export function describe(certificate: Certificate, context: Context): { rows: readonly (readonly [string, string])[]; document: object } {
  const { language } = context;
  const { subject, issuer, serialHex, notBefore, notAfter, extensions } = certificate;
  const names = extensions.subjectAltName?.otherNames ?? [];
  const own = names.flatMap(({ oid, value }) =>
    personal[oid] === undefined ? [] : [[say(language, personal[oid]), inWords(oid, value, context)] as const],
  );
  const rows = [
    [say(language, "cert.subject"), subject.text],
    [say(language, "cert.issuer"), issuer.text],
    [say(language, "cert.serial"), serialHex],
    [say(language, "cert.from"), inJapan(notBefore, language)],
    [say(language, "cert.until"), inJapan(notAfter, language)],
    [say(language, "cert.usage"), [...(extensions.keyUsage ?? [])].join(", ")],
    ...own,
  ] as const;
  const by = (suffix: string): string | undefined => names.find(({ oid }) => oid === `1.2.392.200149.8.5.5.${suffix}`)?.value;
  const document = {
    subject: subject.text,
    issuer: issuer.text,
    serial: serialHex,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    keyUsage: [...(extensions.keyUsage ?? [])],
    policies: (extensions.policies ?? []).map(({ oid }) => oid),
    ...(own.length === 0 ? {} : { holder: { name: by("1"), birthDate: by("4"), sex: by("3"), address: by("5") } }),
  };
  return { rows, document };
}

/** Sex and birth date are codes in the certificate: 1 male, 2 female; era digit and YYYYMMDD. */
function inWords(oid: string, value: string, context: Context): string {
  if (oid.endsWith(".3"))
    return value === "1" ? say(context.language, "cert.male") : value === "2" ? say(context.language, "cert.female") : value;
  const date = /^\d(\d{4})(\d{2})(\d{2})$/.exec(value);
  return oid.endsWith(".4") && date !== null ? `${date[1]}-${date[2]}-${date[3]}` : value;
}

/** An instant as a clock on the wall in Japan shows it: a JPKI certificate ends at 23:59:59 there. */
export function inJapan(instant: Date, language: "ja" | "en"): string {
  const japan = new Date(instant.getTime() + 9 * 3_600_000).toISOString();
  return `${japan.slice(0, 10)} ${japan.slice(11, 19)} ${language === "ja" ? "日本時間" : "JST"}`;
}
