import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listCampaigns, runCampaign, type CampaignFailure } from "@inkan/hwtest/campaigns";
import { campaigns } from "./registry.js";

/** Campaigns of the runner's own: cases write their number down; some fail, die, throw or never end. */
const PROGRAM = `
import { appendFileSync } from "node:fs";
const campaign = (name, each, on = ["host"]) => ({ name, load: async () => ({ name, on, cases: 10, about: name,
  async run(range, failed, ran) {
    for (let number = range.from; number < range.to; number++) {
      appendFileSync(new URL("./ran", import.meta.url), range.on + " " + range.seed + " " + number + "\\n");
      await each(number, failed);
      if (name !== "idle" || number < 7) ran?.(1);
    }
  } }) });
export const campaigns = [
  campaign("good", () => {}, ["arm", "host"]),
  campaign("third", (number, failed) => { if (number % 3 === 2) { failed(number, "it is a third"); failed(number, "and again"); } }),
  campaign("dies", (number) => { if (number === 4) process.kill(process.pid, "SIGKILL"); }),
  campaign("broken", () => { throw Object.assign(new Error("no compiler")); }),
  campaign("idle", () => {}),
  campaign("endless", () => new Promise(() => setInterval(() => {}, 1000))),
];
`;
let folder: string;
let registry: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inkan-campaign-"));
  writeFileSync(join(folder, "registry.mjs"), PROGRAM);
  registry = pathToFileURL(join(folder, "registry.mjs")).href;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const ran = (): string[] => readFileSync(join(folder, "ran"), "utf8").trimEnd().split("\n");
const numbers = (): number[] =>
  ran()
    .map((line) => Number(line.split(" ")[2]))
    .sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test("every row of the registry is the campaign of its name, and says what it is", async () => {
  const listed = await listCampaigns();
  expect(listed.map(({ name }) => name)).toEqual(campaigns.map(({ name }) => name));
  for (const { on, cases, about } of listed) {
    expect(on.length).toBeGreaterThan(0);
    expect(cases).toBeGreaterThan(0);
    expect(about).toMatch(/\w+ \w+/);
  }
});

test("by default a campaign runs its own number of cases in its first world, with seed 1", async () => {
  const result = await runCampaign({ name: "good", registry });
  expect(result).toMatchObject({ campaign: "good", on: "arm", cases: 10, failures: 0, seed: 1 });
  expect(result.commit).toMatch(/^[0-9a-f]{7,}(-dirty)?$/);
  expect(ran()).toEqual(upTo(10).map((number) => `arm 1 ${number}`));
});

test("with several processes each case runs once", async () => {
  const seen: number[] = [];
  const result = await runCampaign({ name: "good", on: "host", cases: 101, jobs: 3, seed: 7, registry, progress: (n) => seen.push(n) });
  expect(result).toMatchObject({ on: "host", cases: 101, failures: 0, seed: 7 });
  expect(numbers()).toEqual(upTo(101));
  expect(seen.at(-1)).toBe(101);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test("each failing case is counted once, and its file replays it and nothing else", async () => {
  const failures: CampaignFailure[] = [];
  const told = { registry, out: join(folder, "out"), failed: (failure: CampaignFailure) => void failures.push(failure) };
  expect(await runCampaign({ name: "third", jobs: 2, seed: 5, ...told })).toMatchObject({ cases: 10, failures: 3 });
  expect(failures.map(({ number }) => number).sort()).toEqual([2, 5, 8]);
  const replay = failures.find(({ number }) => number === 5)!.replay!;
  expect(JSON.parse(readFileSync(replay, "utf8"))).toEqual({ campaign: "third", on: "host", seed: 5, case: 5 });
  rmSync(join(folder, "ran"));
  expect(await runCampaign({ name: "third", replay, ...told })).toMatchObject({ cases: 1, failures: 1, seed: 5 });
  expect(ran()).toEqual(["host 5 5"]);
  expect(failures.at(-1)).toMatchObject({ number: 5, replay });
});

test("a campaign that fails everywhere leaves twenty files, not thousands", async () => {
  const failures: CampaignFailure[] = [];
  await runCampaign({ name: "third", cases: 90, registry, out: join(folder, "out"), failed: (failure) => void failures.push(failure) });
  expect(failures).toHaveLength(30);
  expect(failures.filter(({ replay }) => replay !== undefined && existsSync(replay))).toHaveLength(20);
});

test("a case that takes its process down is one failure; the others still run", async () => {
  const failures: CampaignFailure[] = [];
  const result = await runCampaign({ name: "dies", registry, out: folder, failed: (failure) => void failures.push(failure) });
  expect([...new Set(numbers())]).toEqual(upTo(10));
  expect(result).toMatchObject({ cases: 10, failures: failures.length });
  expect(failures).toHaveLength(1);
  expect(failures[0]).toMatchObject({ number: 4, why: expect.stringContaining("SIGKILL") as string });
});

test("a campaign that cannot run at all is an error, not a failure", async () => {
  await expect(runCampaign({ name: "broken", registry })).rejects.toMatchObject({
    code: "unexpected",
    details: { detail: expect.stringContaining("no compiler") as string },
  });
});

test("cases that did not run are no cases that passed", async () => {
  await expect(runCampaign({ name: "idle", registry })).rejects.toMatchObject({
    code: "unexpected",
    details: { detail: expect.stringMatching(/idle: \d+ of the cases \d+ … \d+ ran/) as string },
  });
});

test("an abort ends the run at once, in the middle of a case", async () => {
  const stop = new AbortController();
  const run = runCampaign({ name: "endless", jobs: 2, registry, signal: stop.signal });
  stop.abort();
  await expect(run).rejects.toMatchObject({ code: "aborted" });
});

test.each([
  ["an unknown campaign", { name: "nonsense" }, /good third dies/],
  ["a world the campaign does not know", { name: "third", on: "arm" }, /host/],
] as const)("%s is a usage error that says what there is", async (_, options, sentence) => {
  await expect(runCampaign({ registry, ...options })).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(sentence) as string,
  });
});

test("a replay file of another campaign, or none at all, is refused", async () => {
  const other = join(folder, "other.json");
  for (const text of ['{"campaign":"good","on":"host","seed":1,"case":1}', '{"campaign":"third","on":"host","seed":1}', "not json"]) {
    writeFileSync(other, text);
    await expect(runCampaign({ name: "third", replay: other, registry })).rejects.toMatchObject({ code: "usage" });
  }
  await expect(runCampaign({ name: "third", replay: join(folder, "none"), registry })).rejects.toMatchObject({ code: "file-unreadable" });
});
