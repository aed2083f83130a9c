import { writePem } from "@inkan/sdk/trust";
import { certificateNamed, describe } from "../cli/certificates.js";
import type { Context } from "../cli/context.js";
import { stop } from "../cli/failure.js";
import { OutputFiles } from "../cli/files.js";
import type { Options, Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan cert export WHICH`: PEM (DER with --der) to a file, or to standard output. */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, json, force } = context;
  const der = options["der"] === true;
  const out = typeof options["out"] === "string" ? options["out"] : undefined;
  if (out === undefined && der && !json && context.world.stdout.isTTY === true)
    throw stop("usage", { detail: say(language, "usage.der-terminal") });
  const files = new OutputFiles({ force, language });
  try {
    if (out !== undefined) await files.plan(out);
    const certificate = await certificateNamed(context, args[0]!, options);
    const content = der ? certificate.der : writePem(certificate.der);
    if (out !== undefined) {
      await files.write(out, content);
      await files.commit();
      output.line(say(language, "wrote", { path: out }));
    } else if (!json) output.bytes(content);
    const { document } = describe(certificate, context);
    const inline = out !== undefined ? { file: out } : der ? { der: Buffer.from(certificate.der).toString("base64") } : { pem: content };
    return { document: { ok: true, which: args[0], ...inline, certificate: document } };
  } finally {
    await files.discard();
  }
}
