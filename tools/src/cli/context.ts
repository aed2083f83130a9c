import type { ReaderAddress, TraceSink } from "@inkan/sdk";
import type { Language } from "./language.js";
import type { Output } from "./output.js";
import type { World } from "./world.js";

/** What a verb has around it: how to talk, when to stop, what the person chose for every verb. */
export interface Context {
  readonly world: World;
  readonly output: Output;
  readonly language: Language;
  readonly json: boolean;
  /** Ends when the person interrupts or `--timeout` has passed; its reason is the error to report. */
  readonly signal: AbortSignal;
  /** `--reader`, not yet resolved. */
  readonly readerUri: string | undefined;
  readonly force: boolean;
  /** `--fingers auto`: the bench types even where a person sits at a terminal. */
  readonly fingers: string | undefined;
  /** `--pin-stdin`: standard input is not the pad's. */
  readonly pinFromInput: boolean;
  /** The face of the virtual reader that the verb wants; only the link can say everything and blink. */
  face: "usb" | "link";
  /** Where exchanges are recorded when `--trace` was given. */
  trace: TraceSink | undefined;
  /** The reader in use, for the result. */
  reader: ReaderAddress | undefined;
}
