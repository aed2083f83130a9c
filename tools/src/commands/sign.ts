import { openJpki } from "@inkan/sdk/jpki";
import { checkInput, OutputFiles, readInput } from "../cli/files.js";
import type { Context } from "../cli/context.js";
import { withCard } from "../cli/readers.js";
import { keyName, presentSecret } from "../cli/secrets.js";
import type { Options, Result } from "../cli/verb.js";
import { signFile } from "../flows/sign.js";
import { say } from "../texts.js";

/** `inkan sign FILE`: a CMS signature beside the file. Everything that can be refused is refused before a secret is asked for. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, signal, force } = context;
  const file = args[0]!;
  const key = keyName((options["key"] as string | undefined) ?? "sign", context);
  const out = typeof options["out"] === "string" ? options["out"] : `${file}.p7s`;
  const files = new OutputFiles({ force, language });
  try {
    await checkInput(file, language);
    await files.plan(out);
    const attached = options["format"] === "cms-attached" ? await readInput(file, language) : undefined;
    return await withCard(context, async (card) => {
      const jpki = await openJpki(card, { signal });
      await presentSecret(context, jpki, key, options);
      const signed = await signFile(
        jpki,
        key,
        file,
        { hash: "sha256", at: new Date(), signal, ...(attached === undefined ? {} : { attached }) },
        {
          hashed: (part) => output.progress(say(language, "sign.hashing"), part),
          words: (words) => {
            output.note(say(language, "sign.compare"), { always: true });
            output.note(`  ${words.join(" ")}`, { always: true });
          },
        },
      );
      await files.write(out, signed.signature);
      await files.commit();
      output.line(say(language, "wrote", { path: out }));
      return {
        document: {
          ok: true,
          document: file,
          signature: out,
          key,
          format: options["format"] ?? "cms",
          words: signed.words,
          size: signed.size,
        },
      };
    });
  } finally {
    await files.discard();
  }
}
