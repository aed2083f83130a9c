import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { abortError, InkanError } from "@inkan/sdk";
import type { Campaign, World } from "./campaign.js";
import { type End, Worker } from "./crew.js";
import { rowsOf } from "./registry.js";

/** What to run. */
export interface CampaignOptions {
  readonly name: string;
  /** Default: the campaign's first world. */
  readonly on?: World;
  /** Default: the campaign's own number. At least 1. */
  readonly cases?: number;
  /** 0 … 2³² − 1; default 1. */
  readonly seed?: number;
  /** Worker processes; default 1. */
  readonly jobs?: number;
  /** A file that an earlier run wrote at a failure: only its case runs, with its seed, in its world. */
  readonly replay?: string;
  /** Ends the run at once; `runCampaign` then rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Folder of the replay files; default `out` in the current folder. */
  readonly out?: string;
  /** After each batch of cases: how many have run, of how many. */
  readonly progress?: (ran: number, cases: number) => void;
  readonly failed?: (failure: CampaignFailure) => void;
  /** URL of another module that exports `campaigns`: the runner's own tests. */
  readonly registry?: string;
}

/** One case that went wrong. */
export interface CampaignFailure {
  readonly number: number;
  /** Holds no secret. */
  readonly why: string;
  /** The file that replays it; absent once twenty have been written. */
  readonly replay?: string;
}

/** What a run ends with. */
export interface CampaignResult {
  readonly campaign: string;
  readonly on: World;
  readonly cases: number;
  readonly failures: number;
  readonly seed: number;
  readonly seconds: number;
  /** The checkout's, with `-dirty` when it has changes; `unknown` outside a checkout. */
  readonly commit: string;
}

/** One case on disk: what a replay file holds. */
interface Replay {
  readonly campaign: string;
  readonly on: World;
  readonly seed: number;
  readonly case: number;
}

/** A campaign that fails everywhere writes no more replay files than this. */
const REPLAY_FILES = 20;
/** A campaign whose processes die this often is not run to its end. */
const DEATHS = 10;

/** A row of the list of campaigns. */
export type CampaignRow = Pick<Campaign, "name" | "on" | "cases" | "about">;

/** The campaigns there are. Loads each. */
export async function listCampaigns(): Promise<readonly CampaignRow[]> {
  return Promise.all((await rowsOf()).map((entry) => entry.load()));
}

/**
 * Runs a campaign in worker processes, over ranges that get smaller towards the end so that all of them finish together.
 *
 * @throws InkanError usage (no such campaign, world or replay file) · what the campaign says when it cannot run · the signal's reason
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const plan = await planOf(options);
  const { name, on, seed, from, to } = plan;
  const cases = to - from;
  const began = performance.now();
  const bad = new Set<number>();
  let next = from;
  let ran = 0;
  let deaths = 0;
  const jobs = Math.min(options.jobs ?? 1, cases);
  const aborted = (): boolean => options.signal?.aborted === true;
  const progress = (more: number): void => options.progress?.((ran += more), cases);
  const failed = (number: number, why: string): void => {
    if (bad.has(number)) return;
    bad.add(number);
    const file =
      options.replay ??
      (bad.size > REPLAY_FILES ? undefined : writeReplay(options.out ?? "out", { campaign: name, on, seed, case: number }));
    options.failed?.({ number, why, ...(file === undefined ? {} : { replay: file }) });
  };
  /** Runs a range; answers how many cases had been counted when its process died under it. */
  const order = async (worker: Worker, first: number, end: number): Promise<End & { readonly counted: number }> => {
    let counted = 0;
    const range = { on, seed, from: first, to: end };
    const ending = await worker.run(
      { name, range, ...(options.registry === undefined ? {} : { registry: options.registry }) },
      { failed, ran: (more) => ((counted += more), progress(more)) },
    );
    // Cases that were not run must not count as passed.
    if (!ending.died && counted !== end - first)
      throw new InkanError("unexpected", { detail: `${name}: ${counted} of the cases ${first} … ${end - 1} ran` });
    return { ...ending, counted };
  };
  /** Counts are told in batches: which case took the process down is known only when each of the rest runs alone. */
  const hunt = async (worker: Worker, from: number, end: number, why: string): Promise<void> => {
    const before = deaths;
    for (let number = from; number < end && !aborted(); number++) {
      const ending = await order(worker, number, number + 1);
      if (!ending.died || aborted()) continue;
      progress(1 - ending.counted);
      failed(number, ending.why);
      if (++deaths > DEATHS) throw new InkanError("unexpected", { detail: `${name}: ${ending.why}, ${deaths} times` });
    }
    if (deaths === before) failed(from, `${why} between this case and ${end - 1}, and at none of them alone`);
  };
  const labour = async (worker: Worker): Promise<void> => {
    while (next < to && !aborted()) {
      const first = next;
      const end = (next = Math.min(to, first + Math.max(1, Math.ceil((to - first) / (jobs * 4)))));
      const ending = await order(worker, first, end);
      if (ending.died && !aborted()) await hunt(worker, first + ending.counted, end, ending.why);
    }
  };
  const crew = Array.from({ length: jobs }, () => new Worker());
  const stop = (): void => crew.forEach((worker) => worker.stop());
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    if (!aborted()) await Promise.all(crew.map(labour));
    if (aborted()) throw abortError(options.signal!);
  } finally {
    options.signal?.removeEventListener("abort", stop);
    stop();
  }
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { campaign: name, on, cases, failures: bad.size, seed, seconds, commit: commit() };
}

interface Plan {
  readonly name: string;
  readonly on: World;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

async function planOf(options: CampaignOptions): Promise<Plan> {
  const { name } = options;
  const rows = await rowsOf(options.registry);
  const row = rows.find((entry) => entry.name === name);
  if (row === undefined) throw usage(`${name}: ${rows.map((entry) => entry.name).join(" ")}`);
  const campaign = await row.load();
  const replay = options.replay === undefined ? undefined : readReplay(options.replay);
  if (replay !== undefined && replay.campaign !== name) throw usage(`${options.replay}: campaign ${replay.campaign}`);
  const on = replay?.on ?? options.on ?? campaign.on[0]!;
  if (!campaign.on.includes(on)) throw usage(`--on ${on}: ${name} runs on ${campaign.on.join(", ")}`);
  if (replay !== undefined) return { name, on, seed: replay.seed, from: replay.case, to: replay.case + 1 };
  return { name, on, seed: options.seed ?? 1, from: 0, to: options.cases ?? campaign.cases };
}

function usage(detail: string): InkanError {
  return new InkanError("usage", { detail });
}

function writeReplay(folder: string, replay: Replay): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${replay.campaign}-${replay.on}-${replay.seed}-${replay.case}.json`);
  writeFileSync(path, `${JSON.stringify(replay)}\n`);
  return path;
}

function readReplay(path: string): Replay {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InkanError("file-unreadable", { path, reason: (error as NodeJS.ErrnoException).code ?? "?" });
  }
  try {
    const found = JSON.parse(text) as Partial<Record<keyof Replay, unknown>>;
    const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    if (typeof found.campaign === "string" && (found.on === "host" || found.on === "arm") && whole(found.seed) && whole(found.case))
      return found as Replay;
  } catch {
    // Not JSON: said below.
  }
  throw usage(`${path} is no replay file {campaign, on, seed, case}`);
}

function commit(): string {
  try {
    const cwd = dirname(fileURLToPath(import.meta.url));
    return execFileSync("git", ["describe", "--always", "--dirty", "--exclude", "*"], { cwd, encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return "unknown";
  }
}
