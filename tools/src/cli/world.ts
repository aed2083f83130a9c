import type { openUri, listReaders } from "@inkan/sdk/node";
import type * as Authority from "@inkan/hwtest/authority";
import type * as Campaigns from "@inkan/hwtest/campaigns";
import type * as Board from "@inkan/hwtest/board";
import type * as Usbredir from "@inkan/hwtest/usbredir";
import { processInput, type Input } from "./input.js";
import type { Stream } from "./output.js";

/** Everything outside that a run touches; tests bring their own. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly stdin: Input;
  /** Calls back on SIGINT, SIGTERM, SIGHUP until the answer is called. */
  onSignal(listener: (signal: "SIGINT" | "SIGTERM" | "SIGHUP") => void): () => void;
  /** The SDK's Node door, loaded when the first reader is wanted. */
  door(): Promise<{ readonly openUri: typeof openUri; readonly listReaders: typeof listReaders }>;
  /** The bench. Rejects where @inkan/hwtest is not installed. */
  bench(): Promise<typeof Board>;
  /** The bench's cable to virtual machines, likewise. */
  usbredir(): Promise<typeof Usbredir>;
  /** The bench's test authority, likewise. */
  authority(): Promise<typeof Authority>;
  /** The bench's campaigns, likewise. */
  campaigns(): Promise<typeof Campaigns>;
}

/** The world of a real process. */
export function processWorld(): World {
  // Whoever read our output may have had enough (`| head -1`): the work still ends properly, unheard.
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  return {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: processInput(process.stdin),
    onSignal(listener) {
      const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
    door: () => import("@inkan/sdk/node"),
    bench: () => import("@inkan/hwtest/board"),
    usbredir: () => import("@inkan/hwtest/usbredir"),
    authority: () => import("@inkan/hwtest/authority"),
    campaigns: () => import("@inkan/hwtest/campaigns"),
  };
}
