import { InkanError, isInkanError } from "@inkan/sdk";
import type { StatusCode } from "@inkan/device-proto";
import type { CommanderError } from "commander";
import type { Language } from "./language.js";
import { say } from "../texts.js";
import type { Output } from "./output.js";

/** A foreseeable end of a command: code and details of the status table; the sentences are its. */
export function stop(code: StatusCode, details: Readonly<Record<string, string | number>> = {}, cause?: unknown): InkanError {
  return new InkanError(code, details, cause instanceof Error ? { cause } : {});
}

/** The last JSON object of a failed run, as the command line's contract has it. */
export interface FailureDocument {
  readonly ok: false;
  readonly error: {
    readonly code: string;
    readonly exit: number;
    readonly message: string;
    readonly try: string;
    readonly secretTriesLeft?: number;
  };
}

/** Turns whatever was thrown into an error of the status table; what nobody foresaw is `unexpected`. */
export function named(error: unknown, signal?: AbortSignal): InkanError {
  // Whatever an abort broke on its way through, the reason for the abort is what happened.
  if (signal?.aborted === true && isInkanError(signal.reason))
    return isInkanError(error) && !passing.has(error.code) ? error : signal.reason;
  if (isInkanError(error)) return error;
  return stop("unexpected", { detail: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }, error);
}
/** Errors that only say that somebody else ended the operation. */
const passing: ReadonlySet<string> = new Set<StatusCode>([
  "aborted",
  "interrupted",
  "deadline-passed",
  "pin-cancelled",
  "consent-refused",
  "outcome-unknown",
]);

/** The failure as a document, in the run's language. */
export function failureDocument(error: InkanError, language: Language): FailureDocument {
  return {
    ok: false,
    error: {
      code: error.code,
      exit: error.exit,
      message: error.sentence(language),
      try: error.tryThis(language),
      ...(error.secretTriesLeft === undefined ? {} : { secretTriesLeft: error.secretTriesLeft }),
    },
  };
}

/** Says a failure: as the last JSON object on stdout, and for people on stderr in two sentences. */
export function report(error: InkanError, output: Output, language: Language, extra: object = {}): number {
  const document = failureDocument(error, language);
  output.document({ ...document, ...extra });
  output.note(`inkan: ${document.error.message}\n       ${document.error.try}`, { always: true });
  return document.error.exit;
}

/** Commander's complaint about the arguments, in the run's language. */
export function usageError(error: CommanderError, language: Language): InkanError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  const detail =
    error.code === "commander.unknownOption"
      ? say(language, "usage.unknown-option", { name: quoted })
      : error.code === "commander.unknownCommand"
        ? say(language, "usage.unknown-command", { name: quoted })
        : error.code === "commander.missingArgument"
          ? say(language, "usage.missing-argument", { name: quoted })
          : error.code === "commander.optionMissingArgument"
            ? say(language, "usage.missing-value", { name: quoted })
            : error.code === "commander.excessArguments"
              ? say(language, "usage.too-many")
              : error.code === "commander.invalidArgument"
                ? say(language, "usage.bad-value", { name: quoted })
                : error.message.replace(/^error: /, "");
  return stop("usage", { detail });
}
