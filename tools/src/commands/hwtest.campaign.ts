import type { CampaignFailure, CampaignOptions, CampaignRow } from "@inkan/hwtest/campaigns";
import type { Context } from "../cli/context.js";
import { stop } from "../cli/failure.js";
import type { Options, Result } from "../cli/verb.js";
import { loadCampaigns } from "../cli/virtual.js";
import { say } from "../texts.js";

/** Where nobody watches a bar, a line says how far it is at most this often, in ms. */
const LINE_MS = 10_000;
/** Exit code of a campaign that found something. */
const FOUND = 5;

/** `inkan hwtest campaign NAME`: counted runs over random cases; without a name, the list of campaigns. */
export async function run(context: Context, [name]: readonly string[], options: Options): Promise<Result> {
  const { language, output } = context;
  const { listCampaigns, runCampaign } = await loadCampaigns(context.world);
  if (name === undefined) return list(context, await listCampaigns());
  let ran = 0;
  let failures = 0;
  let told = performance.now();
  let cases = 0;
  try {
    const result = await runCampaign({
      name,
      ...chosen(context, options),
      signal: context.signal,
      progress: (now, all) => {
        [ran, cases] = [now, all];
        output.progress(name, ran / cases);
        if (performance.now() - told < LINE_MS) return;
        told = performance.now();
        output.document({ event: "progress", ran, cases, failures });
        if (!output.barred) output.note(say(language, "campaign.progress", { name, ran, cases, failures }));
      },
      failed: (failure) => {
        failures++;
        tell(context, name, failure);
      },
    });
    output.document(result);
    output.line(JSON.stringify(result));
    output.line(`${result.cases - result.failures} passed, ${result.failures} failed`);
    return { document: result, print: false, exit: result.failures > 0 ? FOUND : 0 };
  } catch (error) {
    if (cases > 0) output.note(say(language, "campaign.stopped", { name, ran, cases }));
    throw error;
  }
}

function tell({ output, language, world }: Context, name: string, { number, why, replay }: CampaignFailure): void {
  const typed = world.env["npm_lifecycle_event"] === "campaign" ? "npm run campaign --" : "inkan hwtest campaign";
  const command = replay === undefined ? undefined : `${typed} ${name} --replay ${replay}`;
  output.document({ event: "failure", case: number, why, ...(command === undefined ? {} : { replay: command }) });
  output.note(say(language, "campaign.failure", { number, why }), { always: true });
  if (command !== undefined) output.note(`  ${say(language, "campaign.replay", { command })}`, { always: true });
}

function list({ output }: Context, rows: readonly CampaignRow[]): Result {
  for (const { name, on, cases, about } of rows)
    output.line(`${name.padEnd(16)} ${on.join(" ").padEnd(9)} ${String(cases).padStart(9)}  ${about}`);
  return { document: { ok: true, campaigns: rows.map(({ name, on, cases, about }) => ({ name, on, cases, about })) } };
}

/** The options that were typed. */
function chosen({ language }: Context, options: Options): Omit<CampaignOptions, "name"> {
  const number = (name: string, least: number): number | undefined => {
    const text = options[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > 0xffff_ffff)
      throw stop("usage", { detail: say(language, "usage.bad-value", { name: `--${name}` }) });
    return value;
  };
  const typed = {
    on: options["on"] as "host" | "arm" | undefined,
    cases: number("cases", 1),
    jobs: number("jobs", 1),
    seed: number("seed", 0),
  };
  const given = Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== undefined));
  const replay = options["replay"];
  if (typeof replay !== "string") return given;
  if (Object.keys(given).length > 0) throw stop("usage", { detail: say(language, "usage.replay-alone") });
  return { replay };
}
