import { productManifest } from "@inkan/device-proto/product";
import type { Context } from "../cli/context.js";
import { readProduct } from "../cli/product.js";
import type { Result } from "../cli/verb.js";
import { say, type PlainKey } from "../texts.js";

/** `inkan product check [FILE]`: every problem of a definition with what to do; for a good one what a buyer should know. */
export async function run(context: Context, args: readonly string[]): Promise<Result> {
  const { language, output } = context;
  const product = await readProduct(args[0], context);
  output.line(say(language, "product.good", { name: product.productName }));
  const notes: PlainKey[] = [];
  if (product.testIds) notes.push("product.test-ids");
  if (product.testKey) notes.push("product.test-key");
  if (product.keys.length === 0) notes.push("product.no-keys");
  for (const note of notes) output.line(say(language, note));
  return { document: { ok: true, product: productManifest(product), notes } };
}
