import { openJpki } from "@inkan/sdk/jpki";
import type { Context } from "../cli/context.js";
import { withCard } from "../cli/readers.js";
import { keyName, type KeyName } from "../cli/secrets.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan pin status [which]`: tries left of the card's secrets; asking costs no try. */
export async function run(context: Context, args: readonly string[]): Promise<Result> {
  const { language, output } = context;
  const wanted: readonly KeyName[] = args[0] === undefined ? ["auth", "sign"] : [keyName(args[0], context)];
  return withCard(context, async (card) => {
    const jpki = await openJpki(card, { signal: context.signal });
    const secrets: { which: KeyName; triesLeft: number | null; blocked: boolean }[] = [];
    for (const which of wanted) {
      const tries = await jpki.triesLeft(which, { signal: context.signal });
      secrets.push({ which, triesLeft: tries ?? null, blocked: tries === 0 });
      const name = say(language, which === "sign" ? "secret.sign" : "secret.auth");
      output.line(
        tries === undefined
          ? say(language, "secret.tries-unknown", { name })
          : tries === 0
            ? say(language, "secret.blocked", { name })
            : say(language, "secret.tries", { name, tries }),
      );
    }
    return { document: { ok: true, secrets } };
  });
}
