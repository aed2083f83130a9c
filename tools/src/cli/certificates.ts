import { parseCertificate, readPem, type Certificate } from "@inkan/sdk/trust";
import { holderOf, openJpki, type JpkiCard } from "@inkan/sdk/jpki";
import { say, type PlainKey } from "../texts.js";
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
  return withCard(context, async (card) => readFromCard(context, await openJpki(card, { signal: context.signal }), name, options));
}

/** Reads one from an opened card. @throws InkanError certificate-unreadable and what reading throws */
export async function readFromCard(context: Context, jpki: JpkiCard, which: CertificateName, options: Options): Promise<Certificate> {
  // JPKI EF 0001 answers 6982 until its password was right.
  if (which === "sign") await presentSecret(context, jpki, "sign", options);
  return parsed(await jpki.readCertificate(which, { signal: context.signal }), which);
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

/** A certificate's fields for people and for JSON, dates as ISO 8601. */
export function describe(certificate: Certificate, context: Context): { rows: readonly (readonly [string, string])[]; document: object } {
  const { language } = context;
  const { subject, issuer, serialHex, notBefore, notAfter, extensions } = certificate;
  const holder = holderOf(certificate);
  const own =
    holder === undefined
      ? []
      : ([
          [say(language, "cert.name"), holder.name],
          [say(language, "cert.birth"), holder.birth],
          [say(language, "cert.sex"), sexes[holder.sex] === undefined ? holder.sex : say(language, sexes[holder.sex]!)],
          [say(language, "cert.address"), holder.address],
        ] as const);
  const rows = [
    [say(language, "cert.subject"), subject.text],
    [say(language, "cert.issuer"), issuer.text],
    [say(language, "cert.serial"), serialHex],
    [say(language, "cert.from"), inJapan(notBefore, language)],
    [say(language, "cert.until"), inJapan(notAfter, language)],
    [say(language, "cert.usage"), [...(extensions.keyUsage ?? [])].join(", ")],
    ...own,
  ] as const;
  const document = {
    subject: subject.text,
    issuer: issuer.text,
    serial: serialHex,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    keyUsage: [...(extensions.keyUsage ?? [])],
    policies: (extensions.policies ?? []).map(({ oid }) => oid),
    ...(holder === undefined ? {} : { holder }),
  };
  return { rows, document };
}

const sexes: Readonly<Record<string, PlainKey>> = { "1": "cert.male", "2": "cert.female" };

/** An instant as a clock on the wall in Japan shows it: a JPKI certificate ends at 23:59:59 there. */
export function inJapan(instant: Date, language: "ja" | "en"): string {
  const japan = new Date(instant.getTime() + 9 * 3_600_000).toISOString();
  return `${japan.slice(0, 10)} ${japan.slice(11, 19)} ${language === "ja" ? "日本時間" : "JST"}`;
}
