import { productPrints } from "@inkan/device-proto/product";
import type { Context } from "../cli/context.js";
import { OutputFiles } from "../cli/files.js";
import { readProduct } from "../cli/product.js";
import type { Options, Result } from "../cli/verb.js";

/** `inkan product print [FILE] --what …`: to standard output, or whole into a file. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, force } = context;
  const what = typeof options["what"] === "string" ? options["what"] : "manifest";
  const text = productPrints[what]!(await readProduct(args[0], context));
  const path = options["out"];
  if (typeof path !== "string") {
    output.line(text.trimEnd());
    return { document: { ok: true, what, text } };
  }
  const files = new OutputFiles({ force, language });
  try {
    await files.write(path, text);
    await files.commit();
  } finally {
    await files.discard();
  }
  return { document: { ok: true, what, file: path } };
}
