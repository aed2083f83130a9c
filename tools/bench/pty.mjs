// An APDU's way over a pseudo-terminal to a reader that takes no time: the SDK by its link, against pcscd with libccid's serial driver and a
// client in C. Both readers are the same program (pty/reader.c); each side compares every answer, and its framing checks every frame.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Sandbox } from "../dev/interop/sandbox.mjs";
import { root } from "../dev/toolchain.mjs";
import { PeerMissing } from "./measure.mjs";
import { run } from "./programs.mjs";

const DRIVER = "/usr/lib/pcsc/drivers/serial/libccidtwin.so";
const apdus = 3000;
const rounds = 7;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The value that `share` of the sorted numbers do not exceed. */
export const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

/** Median and 99th percentile of the lines. */
export function percentiles(text) {
  const sorted = text
    .trim()
    .split("\n")
    .map(Number)
    .sort((a, b) => a - b);
  if (sorted.length !== apdus || !sorted.every((time) => time > 0)) throw new Error(`${sorted.length} of ${apdus} times`);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

function compile(folder, name, sources, flags) {
  const out = join(folder, name);
  const done = spawnSync("gcc", ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", ...sources, ...flags, "-o", out], { encoding: "utf8" });
  if (done.error) throw new PeerMissing("gcc is missing. Install it: apt-get install gcc libc6-dev");
  if (done.status !== 0) {
    if (/cannot find -l:libpcsclite/.test(done.stderr))
      throw new PeerMissing("libpcsclite is missing. Install it: apt-get install libpcsclite1");
    throw new Error(done.stderr);
  }
  return out;
}

/** A reader on a terminal of its own. */
async function reader(program, framing) {
  const child = spawn(program, [framing], { stdio: ["pipe", "pipe", "inherit"] });
  const [path] = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve([line]));
    child.once("error", reject);
    child.once("close", (status) => reject(new Error(`the reader ended with ${status}`)));
  });
  return { path, close: () => child.stdin.end() };
}

/** Everything that is compared, side by side; `use` gets one measurement of each. */
async function withBoth(use) {
  for (const [path, name] of [
    ["/usr/sbin/pcscd", "pcscd"],
    [DRIVER, "libccid"],
  ])
    if (!existsSync(path)) throw new PeerMissing(`${name} is missing. Install it: apt-get install pcscd libccid`);
  const folder = mkdtempSync(join(tmpdir(), "inkan-bench-"));
  const open = [];
  try {
    const firmware = join(root, "device-proto/firmware");
    const program = compile(folder, "reader", [here("pty/reader.c"), join(firmware, "link/frame.c")], ["-I", firmware]);
    const client = compile(folder, "client", [here("pty/client.c")], ["-l:libpcsclite.so.1"]);
    const ours = await reader(program, "link");
    open.push(ours);
    const theirs = await reader(program, "pcscd");
    open.push(theirs);
    const sandbox = await Sandbox.open();
    open.push(sandbox);
    const conf = join(folder, "conf");
    spawnSync("mkdir", [conf]);
    writeFileSync(join(conf, "bench"), `FRIENDLYNAME "Bench"\nDEVICENAME ${theirs.path}:GemPCTwin\nLIBPATH ${DRIVER}\nCHANNELID 1\n`);
    const daemon = sandbox.spawn("/usr/sbin/pcscd", ["--foreground", "--config", conf], { stdio: "ignore" });
    process.once("exit", () => daemon.kill("SIGKILL")); // it would outlive a run whose time is over
    const ended = new Promise((resolve) => daemon.once("close", resolve));
    open.push({ close: () => (daemon.kill("SIGTERM"), ended) });
    const peer = async (count) => {
      const { status, said } = await sandbox.run(client, [String(count)]);
      if (status !== 0) throw new Error(`client.c: ${said}`);
      return said;
    };
    // the daemon opens its reader in a second or so
    for (let tries = 0; ; tries++) {
      try {
        await peer(1);
        break;
      } catch (error) {
        if (tries === 40) throw error;
        await delay(250);
      }
    }
    return await use({
      ours: async () => percentiles((await run(process.execPath, [here("child/apdus.mjs"), ours.path, String(apdus)])).stdout),
      theirs: async () => percentiles(await peer(apdus)),
    });
  } finally {
    for (const one of open.reverse()) await one.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Pairs in turns, who begins changes; one run gives both figures. */
let taken;
const both = () =>
  (taken ??= withBoth(async ({ ours, theirs }) => {
    const ratios = [];
    for (let i = 0; i < rounds; i++) {
      const first = i % 2 ? theirs : ours;
      const a = await first();
      const b = await (first === ours ? theirs : ours)();
      const [our, their] = first === ours ? [a, b] : [b, a];
      ratios.push({ p50: our.p50 / their.p50, p99: our.p99 / their.p99 });
      if (process.env.INKAN_BENCH_SHOW) process.stderr.write(`${JSON.stringify({ our, their })}\n`);
    }
    return ratios;
  }));

export const figures = {
  "apdu-pty-p50": async () => (await both()).map(({ p50 }) => p50),
  "apdu-pty-p99": async () => (await both()).map(({ p99 }) => p99),
};
