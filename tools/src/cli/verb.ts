import type { PlainKey } from "../texts.js";
import type { Context } from "./context.js";

/** Values of a verb's options, by commander's camel-case name. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** What a verb leaves behind: the JSON result, and its exit code where that is a verdict and not a failure. */
export interface Result {
  readonly document: object;
  readonly exit?: number;
  /** False when the verb has already printed its own last object. */
  readonly print?: boolean;
}

/** The work of a verb. Everything it says goes through the context. */
export type Command = (context: Context, args: readonly string[], options: Options) => Promise<Result>;

/** An option's row: commander's flags, what it means, and the values it takes when they are few. */
export type OptionRow = readonly [flags: string, meaning: PlainKey, choices?: readonly string[]];

/** One row of the table of verbs (`main.ts`): what is typed, in one place; what is done is loaded when it is wanted. */
export interface Verb {
  /** The words and arguments, e.g. `cert export <which>`. */
  readonly syntax: string;
  readonly summary: PlainKey;
  readonly options?: readonly OptionRow[];
  /** Printed under --help, ready to be typed. */
  readonly example: string;
  readonly load: () => Promise<{ readonly run: Command }>;
}
