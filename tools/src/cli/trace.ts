import type { TraceSink } from "@inkan/sdk";
import type { Language } from "./language.js";
import { say } from "../texts.js";
import { stop } from "./failure.js";
import { OutputFiles } from "./files.js";

/** A `--trace FILE` in the making: the sink, and the writing at the end, also of a failed run. */
export interface RunningTrace {
  readonly sink: TraceSink;
  finish(): Promise<void>;
}

/** Begins a trace; refuses a bad name or a file that is in the way before anything else happens. @throws InkanError usage, output-exists, file-unwritable */
export async function startTrace(path: string | undefined, force: boolean, language: Language): Promise<RunningTrace | undefined> {
  if (path === undefined) return undefined;
  const lines = path.endsWith(".jsonl");
  if (!lines && !path.endsWith(".pcapng")) throw stop("usage", { detail: say(language, "usage.trace-name") });
  const files = new OutputFiles({ force, language });
  await files.plan(path);
  const { TraceRecorder } = await import("@inkan/sdk/trace");
  const sink = new TraceRecorder();
  return {
    sink,
    async finish() {
      try {
        await files.write(path, lines ? sink.toJsonLines() : sink.toPcapng());
        await files.commit();
      } finally {
        await files.discard();
      }
    },
  };
}
