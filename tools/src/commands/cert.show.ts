import { certificateNamed, describe } from "../cli/certificates.js";
import type { Context } from "../cli/context.js";
import type { Options, Result } from "../cli/verb.js";

/** `inkan cert show WHICH`: a certificate's fields in words. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const certificate = await certificateNamed(context, args[0]!, options);
  const { rows, document } = describe(certificate, context);
  for (const [label, value] of rows) context.output.line(`${label}: ${value}`);
  return { document: { ok: true, certificate: document } };
}
