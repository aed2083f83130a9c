/**
 * One worker process of a campaign: runs the ranges its parent sends, one after the other, and tells what happened. It ends with its
 * parent.
 */
import { isInkanError } from "@inkan/sdk";
import type { Order, Report } from "./crew.js";
import { rowsOf } from "./registry.js";

/** Progress is told at most this often, in ms. */
const TELL_MS = 200;

const tell = (report: Report): void => void process.send!(report);

process.on("disconnect", () => process.exit(1));
process.on("message", (order: Order) => void work(order));

async function work({ registry, name, range }: Order): Promise<void> {
  let ran = 0;
  let told = performance.now();
  const tellRan = (): void => {
    if (ran > 0) tell({ ran });
    ran = 0;
    told = performance.now();
  };
  try {
    const campaign = await (await rowsOf(registry)).find((entry) => entry.name === name)!.load();
    await campaign.run(
      range,
      (number, why) => tell({ failed: number, why }),
      (cases) => {
        ran += cases;
        if (performance.now() - told >= TELL_MS) tellRan();
      },
    );
    tellRan();
    tell({ done: true });
  } catch (error) {
    if (isInkanError(error)) tell({ error: { code: error.code, details: error.details } });
    else
      tell({ error: { code: "unexpected", details: { detail: error instanceof Error ? (error.stack ?? error.message) : String(error) } } });
  }
}
