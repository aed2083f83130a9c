import { hex } from "@inkan/device-proto";
import { isInkanError } from "@inkan/sdk";
import { parseAtr } from "@inkan/sdk/iso7816";
import { openJpki } from "@inkan/sdk/jpki";
import type { Context } from "../cli/context.js";
import { noteVirtual, withCard } from "../cli/readers.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan card info`: the ATR decoded and what the card says it is. A card is recognised by its applications, never by its ATR. */
export async function run(context: Context): Promise<Result> {
  const { language, output } = context;
  return withCard(context, async (card) => {
    const atr = parseAtr(card.atr);
    noteVirtual(context);
    output.line(`ATR: ${spaced(card.atr)}`);
    output.line(say(language, "card.protocols", { list: atr.protocols.map(({ t }) => `T=${t}`).join(" ") }));
    output.line(say(language, "card.speed", { f: atr.fi, d: atr.di }));
    const jpki = await openJpki(card, { signal: context.signal }).catch((error: unknown) => {
      if (isInkanError(error, "card-unknown")) return undefined;
      throw error;
    });
    output.line(jpki === undefined ? say(language, "card.no-jpki") : say(language, "card.jpki", { token: jpki.token }));
    const applications = jpki === undefined ? [] : [{ name: "JPKI", aid: "D392F000260100000001", token: jpki.token }];
    return {
      document: {
        ok: true,
        card: {
          atr: hex(card.atr),
          protocols: atr.protocols,
          fi: atr.fi,
          di: atr.di,
          historicalBytes: hex(atr.historical.bytes),
          deviations: atr.deviations,
          applications,
        },
      },
    };
  });
}

function spaced(bytes: Uint8Array): string {
  return (hex(bytes).toUpperCase().match(/../g) ?? []).join(" ");
}
