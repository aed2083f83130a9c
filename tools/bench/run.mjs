// What `npm run bench` does with its figures: choose, take, print. Knows none of them.
import { setTimeout as delay } from "node:timers/promises";
import { Stop } from "../dev/toolchain.mjs";
import { PeerMissing, conclude } from "./measure.mjs";

/** Splits the arguments; throws a Stop (exit 2) for what is neither --json nor a figure. */
export function choose(args, known) {
  const names = args.filter((each) => each !== "--json");
  const wrong = names.find((name) => !known.some((figure) => figure.name === name));
  if (wrong !== undefined)
    throw new Stop(
      `There is no figure ${wrong}. Usage: npm run bench -- [--json] [NAME…]; NAME: ${known.map(({ name }) => name).join(", ")}`,
      2,
    );
  return { json: args.includes("--json"), chosen: names.length === 0 ? known : known.filter(({ name }) => names.includes(name)) };
}

/** One line of the table. */
export const row = (name, value, range, n, goal, holds, against) =>
  `${name.padEnd(16)} ${value.padStart(11)}  ${range.padEnd(19)} ${String(n).padStart(2)}  ${goal.padEnd(8)} ${holds.padEnd(6)} ${against}\n`;

/** One figure for people. */
export function line({ name, value, min, max, n, unit, against, goal, holds, why }) {
  const wanted = goal.min === undefined ? `≤ ${goal.max}` : `≥ ${goal.min}`;
  if (holds === null) return row(name, "–", "", n, wanted, "–", `not taken: ${why.split("\n")[0]}`);
  const short = (number) => String(Number(number.toPrecision(4)));
  return row(name, `${short(value)} ${unit}`, `${short(min)} … ${short(max)}`, n, wanted, holds ? "held" : "MISSED", against);
}

/** Takes figures one after the other and gives each to `report`. What is not done when `budgetMs` are over is not taken. */
export async function bench(chosen, take, report, budgetMs) {
  const cancel = new AbortController();
  const over = delay(budgetMs, undefined, { signal: cancel.signal }).then(() => {
    throw new Error(`the run's ${budgetMs / 1000} s were over`);
  });
  over.catch(() => undefined);
  let held = 0;
  let missing;
  for (const figure of chosen) {
    let values;
    let why;
    try {
      values = await Promise.race([over, take(figure)]);
    } catch (error) {
      if (error instanceof PeerMissing) missing = error;
      why = error.message;
    }
    const result = conclude(figure, values, why);
    if (result.holds === true) held++;
    report(result);
  }
  cancel.abort();
  const missed = chosen.length - held;
  return { held, missed, missing, exit: missing ? 8 : missed > 0 ? 5 : 0 };
}
