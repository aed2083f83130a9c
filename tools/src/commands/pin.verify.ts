import { openJpki } from "@inkan/sdk/jpki";
import type { Context } from "../cli/context.js";
import { withCard } from "../cli/readers.js";
import { keyName, presentSecret } from "../cli/secrets.js";
import type { Options, Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan pin verify which`: one try of a secret, on the pad unless --pin-stdin. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const which = keyName(args[0], context);
  return withCard(context, async (card) => {
    const jpki = await openJpki(card, { signal: context.signal });
    const triesBefore = await presentSecret(context, jpki, which, options);
    context.output.line(say(context.language, "secret.right"));
    // A right secret puts the card's counter back to its full number; what it says now is what is left.
    const triesLeft = await jpki.triesLeft(which, { signal: context.signal }).catch(() => undefined);
    return { document: { ok: true, which, verified: true, triesBefore: triesBefore ?? null, triesLeft: triesLeft ?? null } };
  });
}
