import { openJpki } from "@inkan/sdk/jpki";
import { describe, inJapan, readFromCard } from "../cli/certificates.js";
import type { Context } from "../cli/context.js";
import { withCard } from "../cli/readers.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan cert list`: what is on the card. The signature certificate is named but not read: it wants its password and holds personal data. */
export async function run(context: Context): Promise<Result> {
  const { language, output } = context;
  return withCard(context, async (card) => {
    const jpki = await openJpki(card, { signal: context.signal });
    const certificates: object[] = [];
    for (const which of ["auth", "auth-ca", "sign-ca"] as const) {
      const certificate = await readFromCard(context, jpki, which, {});
      certificates.push({ which, readable: true, ...describe(certificate, context).document });
      output.line(
        `${which.padEnd(8)} ${certificate.subject.text}  ${say(language, "cert.until")} ${inJapan(certificate.notAfter, language)}`,
      );
    }
    certificates.push({ which: "sign", readable: false });
    output.line(`${"sign".padEnd(8)} ${say(language, "cert.wants-password")}`);
    return { document: { ok: true, certificates } };
  });
}
