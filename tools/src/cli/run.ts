import { readFile } from "node:fs/promises";
import { CommanderError } from "commander";
import type { Context } from "./context.js";
import { named, report, stop, usageError } from "./failure.js";
import { chooseLanguage } from "./language.js";
import { Output } from "./output.js";
import { makeProgram, type Parsed } from "./program.js";
import { readerDocument } from "./readers.js";
import { startTrace } from "./trace.js";
import type { Options, Verb } from "./verb.js";
import type { World } from "./world.js";
import { say } from "../texts.js";

/** Parses the arguments, runs the verb and says how it ended. Never throws: every end has its exit code. */
export async function runVerbs(verbs: readonly Verb[], argv: readonly string[], world: World): Promise<number> {
  const language = chooseLanguage(argv, world.env);
  // Before commander has read them: a usage error obeys --json, too.
  const typed = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  const json = typed.includes("--json");
  const output = new Output(world.stdout, world.stderr, { language, json, quiet: typed.includes("--quiet") });
  let parsed: Parsed | undefined;
  try {
    const program = makeProgram(
      verbs,
      await version(),
      language,
      (text) => void world.stdout.write(text),
      (found) => (parsed = found),
    );
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(named(error), output, language);
    if (error.code === "commander.helpDisplayed" || error.code === "commander.version") return 0;
    // A group without its second word, or nothing at all: commander shows the help as an error.
    if (error.code === "commander.help") return report(stop("usage", { detail: say(language, "usage.no-verb") }), output, language);
    return report(usageError(error, language), output, language);
  }
  return runVerb(parsed!, output, world, { language, json });
}

async function runVerb(
  { verb, args, options }: Parsed,
  output: Output,
  world: World,
  manner: Pick<Context, "language" | "json">,
): Promise<number> {
  const { language } = manner;
  const stopper = new AbortController();
  let interrupts = 0;
  const forget = world.onSignal(() => {
    // The second time the person means it: nothing is waited for.
    if (++interrupts > 1) process.exit(130);
    stopper.abort(stop("interrupted"));
  });
  let context: Context | undefined;
  let trace: Awaited<ReturnType<typeof startTrace>>;
  let code: number;
  try {
    const signal = withDeadline(stopper.signal, options, language);
    trace = await startTrace(text(options["trace"]), options["force"] === true, language);
    context = {
      ...manner,
      world,
      output,
      signal,
      readerUri: text(options["reader"]),
      force: options["force"] === true,
      fingers: text(options["fingers"]),
      pinFromInput: options["pinStdin"] === true || args.includes("-"),
      face: "usb",
      trace: trace?.sink,
      reader: undefined,
    };
    const result = await (await verb.load()).run(context, args, options);
    await trace?.finish();
    if (result.print !== false)
      output.document({ ...result.document, reader: context.reader === undefined ? null : readerDocument(context.reader) });
    code = result.exit ?? 0;
  } catch (error) {
    // What led to the failure is what the trace was asked for.
    const lost: unknown = await trace?.finish().then(
      () => undefined,
      (problem: unknown) => problem,
    );
    if (lost !== undefined) output.note(named(lost).sentence(language));
    const extra = context?.reader === undefined ? {} : { reader: readerDocument(context.reader) };
    code = report(named(error, context?.signal ?? stopper.signal), output, language, extra);
  } finally {
    forget();
  }
  return code;
}

const text = (value: string | boolean | undefined): string | undefined => (typeof value === "string" ? value : undefined);

/** `--timeout S`: the whole run's, in seconds of the wall clock, fractions allowed. */
function withDeadline(signal: AbortSignal, options: Options, language: Context["language"]): AbortSignal {
  const value = options["timeout"];
  if (value === undefined) return signal;
  const seconds = Number(value);
  if (!(seconds > 0 && seconds <= 86_400)) throw stop("usage", { detail: say(language, "usage.bad-value", { name: "--timeout" }) });
  const ms = Math.round(seconds * 1000);
  const deadline = new AbortController();
  AbortSignal.timeout(ms).addEventListener("abort", () => deadline.abort(stop("deadline-passed", { ms })), { once: true });
  return AbortSignal.any([signal, deadline.signal]);
}

/** The version in the package's own package.json, from the sources as from the build. */
async function version(): Promise<string> {
  for (const path of ["../../package.json", "../../../package.json"]) {
    const found = await readFile(new URL(path, import.meta.url), "utf8").catch(() => undefined);
    if (found !== undefined) return (JSON.parse(found) as { version: string }).version;
  }
  return "0";
}
