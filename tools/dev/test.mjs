// npm test: installs and builds what is missing (some tests start the built command), runs vitest with the given arguments, and
// fails when a test left a process behind. Every process of the run carries the run's id in its environment; that is how it is found.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, needNode, root, script } from "./toolchain.mjs";

const mark = `INKAN_TEST_RUN=${randomUUID()}`;

/** Processes, other than this one, that carry the run's mark. Linux only: elsewhere nothing is said about them. */
function marked() {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(mark)) return [];
        return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim() }];
      } catch {
        return []; // gone meanwhile, or somebody else's
      }
    });
}

/** The leftovers, after giving those that are just ending a moment. */
async function leftovers() {
  for (let tries = 0; tries < 20 && marked().length > 0; tries++) await new Promise((done) => setTimeout(done, 100));
  return marked();
}

await script(async () => {
  needNode();
  ensureInstalled();
  ensureBuilt();
  const started = process.hrtime.bigint();
  const [name, id] = mark.split("=");
  const vitest = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, [name]: id },
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => vitest.kill(signal));
  const [code, signal] = await new Promise((done, fail) => {
    vitest.on("error", fail);
    vitest.on("close", (...how) => done(how));
  });
  const left = await leftovers();
  for (const { pid, command } of left) {
    process.stderr.write(`left behind: process ${pid}: ${command}\n`);
    process.kill(pid, "SIGKILL");
  }
  const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
  process.stdout.write(`npm test: ${code === 0 ? "passed" : "failed"} in ${seconds.toFixed(1)} s, ${left.length} processes left behind\n`);
  process.exitCode = signal ? 130 : code !== 0 ? code : left.length > 0 ? 1 : 0;
});
