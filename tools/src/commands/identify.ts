import type { Context } from "../cli/context.js";
import { withReader } from "../cli/readers.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan identify`: lights the reader's display for three seconds, to tell it from its neighbours. */
export async function run(context: Context): Promise<Result> {
  context.face = "link";
  return withReader(context, async (reader) => {
    await reader.blink({ signal: context.signal });
    context.output.line(say(context.language, "identify.done", { name: reader.address.name }));
    return { document: { ok: true, lit: true } };
  });
}
