import { fill, referenceProduct, type Product } from "@inkan/device-proto";
import { checkProductText, type ProductProblem, productRules } from "@inkan/device-proto/product";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import { readInput } from "./files.js";

/**
 * The product of a definition file, or the reference product. Every problem is a line on standard error (and is in the failure's details),
 * before the failure itself. @throws InkanError file-unreadable, product-invalid
 */
export async function readProduct(path: string | undefined, context: Context): Promise<Product> {
  if (path === undefined) return referenceProduct;
  const { problems, product } = checkProductText(new TextDecoder().decode(await readInput(path, context.language)));
  if (product !== undefined) return product;
  for (const problem of problems) context.output.note(problemLine(problem, context.language));
  throw stop("product-invalid", { path, count: problems.length, problems: problems.map((each) => problemLine(each, "en")).join("\n") });
}

/** `field: what is wrong. What to do.` */
export function problemLine({ field, rule, details }: ProductProblem, language: Context["language"]): string {
  const { message, try: todo } = productRules[rule];
  return `${field === "" ? "" : `${field}: `}${fill(message[language], details)} ${fill(todo[language], details)}`;
}
