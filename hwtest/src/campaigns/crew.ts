import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { StatusCode } from "@inkan/device-proto";
import { InkanError, type ErrorDetails } from "@inkan/sdk";
import type { CampaignRange } from "./campaign.js";

/** What a worker is asked to run. */
export interface Order {
  /** URL of a module that exports `campaigns` in place of the registry. */
  readonly registry?: string;
  readonly name: string;
  readonly range: CampaignRange;
}

/** What a worker tells. */
export type Report =
  | { readonly ran: number }
  | { readonly failed: number; readonly why: string }
  | { readonly done: true }
  | { readonly error: { readonly code: StatusCode; readonly details: ErrorDetails } };

/** Called while an order is worked on. */
export interface Listener {
  ran(cases: number): void;
  failed(number: number, why: string): void;
}

/** How an order ended: the whole range ran, or the process died under it after that many cases. */
export type End = { readonly died: false } | { readonly died: true; readonly why: string };

// From src/ (tests) and from dist/src/ alike: a process of its own runs what was built.
const program = ["./worker.js", "../../dist/src/campaigns/worker.js"]
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

/** A process that runs ranges of cases, one after the other. A new one is started when the last one died. */
export class Worker {
  #child: ChildProcess | undefined;

  /** @throws InkanError what the campaign threw: its cases cannot be run at all. */
  async run(order: Order, listener: Listener): Promise<End> {
    const child = (this.#child ??= start());
    return new Promise<End>((resolve, reject) => {
      const leave = (): void => {
        child.off("message", hear);
        child.off("exit", died);
      };
      const hear = (report: Report): void => {
        if ("ran" in report) return listener.ran(report.ran);
        if ("failed" in report) return listener.failed(report.failed, report.why);
        leave();
        if ("done" in report) return resolve({ died: false });
        reject(new InkanError(report.error.code, report.error.details));
      };
      const died = (code: number | null, signal: string | null): void => {
        leave();
        this.#child = undefined;
        resolve({ died: true, why: `the process that ran it ended with ${signal ?? `exit ${code}`}` });
      };
      child.on("message", hear);
      child.once("exit", died);
      child.send(order);
    });
  }

  /** Ends the process and whatever it has started, in the middle of a case if need be. */
  stop(): void {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null) return;
    try {
      // Its own process group, see start(): a compiled program it runs goes with it.
      process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

function start(): ChildProcess {
  // Our own Node options (a debugger's, a test runner's) are not the worker's. A group of its own: Ctrl-C at the terminal reaches only
  // the parent, which then stops every worker as a whole.
  return fork(program!, [], { detached: true, execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
}
