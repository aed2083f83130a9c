import { access, open, type FileHandle } from "node:fs/promises";
import { hashFile } from "@inkan/sdk/hashing";
import { looksLikeSignedData } from "@inkan/sdk/signing";
import type { Certificate } from "@inkan/sdk/trust";
import { readSignatureFile, verifyCms } from "@inkan/sdk/verify";
import { certificatesIn, describe } from "../cli/certificates.js";
import type { Context } from "../cli/context.js";
import { failureDocument, stop } from "../cli/failure.js";
import { checkInput, readInput, reason } from "../cli/files.js";
import type { Language } from "../cli/language.js";
import { verdictExit } from "../cli/verdict.js";
import type { Options, Result } from "../cli/verb.js";
import { say } from "../texts.js";

/**
 * `inkan verify FILE`: FILE is the signature, or a document with its `.p7s` beside it. Every check is reported, the one not made too.
 * The verdict is the exit code: 0 TOTAL-PASSED, 5 TOTAL-FAILED, 9 INDETERMINATE.
 */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, signal } = context;
  const revocation = revocationOf(options["revocation"], context);
  const at = timeOf(options["at"], context);
  const { signature, path, content } = await inputs(args[0]!, options["content"], context);
  const trust: Certificate[] =
    typeof options["trust"] === "string" ? certificatesIn(await readInput(options["trust"], language), options["trust"]) : [];
  const report = await verifyCms({
    signature,
    trust,
    at,
    revocation,
    ...(content === undefined
      ? {}
      : {
          digestOf: async (hash) => {
            const { digests } = await hashFile(content, [hash], {
              signal,
              onProgress: ({ done, total }) => output.progress(say(language, "sign.hashing"), total === 0 ? 1 : done / total),
            });
            return digests[hash];
          },
        }),
  });
  for (const check of report.checks) output.line(`${marks[check.state]} ${check.text[language]}`);
  output.line();
  output.line(
    `${report.verdict}${report.subIndication === undefined ? "" : ` (${report.subIndication})`}: ${say(language, `verdict.${report.verdict}`)}`,
  );
  const detail =
    report.checks.find((check) => check.state === (report.verdict === "TOTAL-FAILED" ? "failed" : "not-checked"))?.text[language] ??
    report.subIndication ??
    "";
  const failure =
    report.verdict === "TOTAL-PASSED"
      ? { ok: true }
      : failureDocument(
          stop(report.verdict === "TOTAL-FAILED" ? "verification-failed" : "verification-indeterminate", { detail }),
          language,
        );
  return {
    exit: verdictExit[report.verdict],
    document: {
      ...failure,
      verdict: report.verdict,
      subIndication: report.subIndication,
      signature: path,
      content: content ?? null,
      at: at.toISOString(),
      revocation,
      checks: report.checks.map((check) => ({ id: check.id, state: check.state, text: check.text[language] })),
      ...(report.signer === undefined
        ? {}
        : {
            signer: {
              ...describe(report.signer.certificate, context).document,
              hash: report.signer.hash,
              claimedTime: report.signer.claimedTime?.toISOString(),
            },
          }),
    },
  };
}

const marks = { passed: "✓", failed: "✗", "not-checked": "–" } as const;

/**
 * Which file is the signature and which the document. With --content, or a name that says so, FILE is the signature, however broken it
 * is (then the verdict says FORMAT_FAILURE); else FILE's first bytes decide.
 */
async function inputs(file: string, named: string | boolean | undefined, context: Context): Promise<Inputs> {
  const { language } = context;
  const content = typeof named === "string" ? named : undefined;
  if (content !== undefined) await checkInput(content, language);
  await checkInput(file, language);
  if (content !== undefined || /\.(p7s|p7m)$/i.test(file) || beginsAsSignature(await head(file, language))) {
    const beside = file.replace(/\.p7s$/i, "");
    const document = content ?? (beside !== file && (await isThere(beside)) ? beside : undefined);
    return { signature: await readSignature(file, language), path: file, content: document };
  }
  const path = `${file}.p7s`;
  if (!(await isThere(path))) throw stop("not-a-signature", { detail: file });
  return { signature: await readSignature(path, language), path, content: file };
}
interface Inputs {
  readonly signature: Uint8Array;
  readonly path: string;
  readonly content: string | undefined;
}

function beginsAsSignature(bytes: Uint8Array): boolean {
  const text = new TextDecoder("latin1").decode(bytes);
  return looksLikeSignedData(bytes) || text.includes("-----BEGIN CMS-----") || text.includes("-----BEGIN PKCS7-----");
}

/** Reads a signature file, DER or PEM. @throws InkanError file-unreadable, not-a-signature */
async function readSignature(path: string, language: Language): Promise<Uint8Array> {
  const bytes = await readInput(path, language);
  try {
    return readSignatureFile(bytes);
  } catch (error) {
    throw stop("not-a-signature", { detail: `${path}: ${(error as Error).message}` }, error);
  }
}

/** The first bytes of a file of any size. */
async function head(path: string, language: Language): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw stop("file-unreadable", { path, reason: reason(error, language) }, error);
  } finally {
    await handle?.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** `--revocation`: asking an authority arrives with its own verb; until then what is not looked up is not claimed. */
function revocationOf(value: string | boolean | undefined, context: Context): "required" | "none" {
  if (value === undefined || value === "required") return "required";
  if (value === "none") return "none";
  if (typeof value === "string" && /^(crl|ocsp):./.test(value))
    throw stop("unsupported", { detail: `--revocation ${value.split(":")[0]}:` });
  throw stop("usage", { detail: say(context.language, "usage.bad-value", { name: "--revocation" }) });
}

/** `--at`: an instant in ISO 8601, with its zone; without one it would mean another instant on another machine. */
function timeOf(value: string | boolean | undefined, context: Context): Date {
  if (value === undefined) return new Date();
  const at =
    typeof value === "string" && /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value)
      ? new Date(value)
      : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw stop("usage", { detail: say(context.language, "usage.bad-time", { name: "--at" }) });
  return at;
}
