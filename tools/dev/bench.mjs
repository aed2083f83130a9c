// npm run bench -- [--json] [NAME…]: the figures, each held against a peer or a limit. With --json one object per line, else a table and
// "N held, N missed". Exit 0 all held, 2 no such figure, 5 one missed or not taken, 8 a program to compare with is missing.
import { ensureBuilt, ensureInstalled, needNode, script } from "./toolchain.mjs";

/** The whole run ends within six minutes; this leaves some for the way out. In ms. */
const budgetMs = 355_000;

await script(async () => {
  needNode();
  ensureInstalled();
  ensureBuilt();
  const { figures, take } = await import("../bench/figures.mjs");
  const { bench, choose, line, row } = await import("../bench/run.mjs");
  const { json, chosen } = choose(process.argv.slice(2), figures);
  process.on("SIGINT", () => process.exit(130));
  const print = (text) => process.stdout.write(text);
  if (!json) print(row("figure", "median", "least … most", "n", "goal", "", "against"));
  const report = (result) => print(json ? `${JSON.stringify(result)}\n` : line(result));
  const { held, missed, missing, exit } = await bench(chosen, take, report, budgetMs - performance.now());
  if (!json) print(`${held} held, ${missed} missed\n`);
  if (missing) process.stderr.write(`${missing.message}\n`);
  process.exit(exit); // also out of a figure that hangs
});
