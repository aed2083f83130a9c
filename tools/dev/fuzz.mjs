// npm run fuzz -- [door…] [--seconds N] [--runs N] [--seed S] [--jobs N] [--grow] [--minimize] [--coverage [--missing]] [--replay FILE] [--programs FOLDER]
// Fuzz doors of the firmware (device-proto/firmware/fuzz, one file each): libFuzzer on the real C sources with the address and
// undefined-behaviour sanitizers; a broken promise of the door or an input that takes too long counts like a crash.
//   --seconds N, --runs N   how long per door (default 10 s); a door ends with whichever comes first
//   --seed S                libFuzzer's seed (default 1; 0 = another one every time)
//   --grow                  what is found new is merged into the checked-in corpus; --minimize merges without fuzzing
//   --coverage              runs only the corpora and prints the branches of the parsers they take; exit 5 below 95 % of them all
//   --missing               with --coverage: also every branch that is not taken
//   --programs FOLDER       doors built there are used again
//   --replay FILE           one input through one door, with everything it says
// Prints executions per door and "N passed, N failed". Exit 1: something was found. Exit 8: a Debian package is missing, it says which.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeSeeds } from "./fuzz-seeds.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const firmware = join(root, "device-proto/firmware");
const folder = join(firmware, "fuzz");
const corpora = join(folder, "corpus");
const found = join(firmware, "build/fuzz");
const FOUND = 1;
const USAGE = 2;
const BELOW = 5;
const MISSING = 8;
/** Branches of the parsers that the checked-in corpora take, in percent. Nothing is left out of the count; docs/bench/fuzz.md names what no input reaches. */
const COVERAGE_MIN = 95;
/** Linked by some doors, and no parser: printed, not counted. */
const NO_PARSER = /^(app|front)\//;
const PACKAGES = "clang libclang-rt-14-dev llvm";
/** A checked-in corpus stays small: so many files, so many bytes each. */
const FILES_MAX = 500;
const BYTES_MAX = 4096;

class Refusal extends Error {
  constructor(exit, message) {
    super(message);
    this.exit = exit;
  }
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: "string" },
        runs: { type: "string" },
        seed: { type: "string", default: "1" },
        jobs: { type: "string", default: String(availableParallelism()) },
        grow: { type: "boolean", default: false },
        minimize: { type: "boolean", default: false },
        coverage: { type: "boolean", default: false },
        missing: { type: "boolean", default: false },
        replay: { type: "string" },
        programs: { type: "string" },
      },
    });
    for (const name of ["seconds", "runs", "seed", "jobs"]) {
      if (values[name] !== undefined && !/^\d{1,10}$/.test(values[name])) throw new Error(`--${name} wants a whole number`);
    }
    const all = readdirSync(folder)
      .filter((name) => name.endsWith(".c"))
      .map((name) => name.slice(0, -2))
      .sort();
    const unknown = positionals.filter((name) => !all.includes(name));
    if (unknown.length > 0) throw new Error(`no door ${unknown.join(", ")}: there are ${all.join(" ")}`);
    if (values.replay !== undefined && positionals.length !== 1) throw new Error("--replay wants the name of one door");
    return { ...values, doors: positionals.length > 0 ? positionals : all };
  } catch (error) {
    throw new Refusal(USAGE, error.message);
  }
}

/** Runs a program to its end. `said` is all it wrote, the last part of it when that was much. */
function run(program, args, { live = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: firmware, stdio: ["ignore", live ? "inherit" : "pipe", live ? "inherit" : "pipe"] });
    let said = "";
    const hear = (data) => (said = (said + data).slice(-1 << 20));
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.on("error", (error) => reject(error.code === "ENOENT" ? missing(program) : error));
    child.on("close", (code) => resolve({ code: code ?? -1, said }));
  });
}

const missing = (what) => new Refusal(MISSING, `${what} is missing. On Debian: sudo apt-get install ${PACKAGES}`);

/** The door's program. Its first comment names the sources, as in the firmware's tests. */
async function build(door, work, how, programs = work) {
  const source = join(folder, `${door}.c`);
  const text = readFileSync(source, "utf8");
  const sources = (/sources:([^*\n]*)/.exec(text)?.[1] ?? "").trim().split(/\s+/).filter(Boolean);
  const included = [...text.matchAll(/^#include "([^"]+\.c)"/gm)].map(([, name]) => name);
  const program = join(programs, door);
  if (programs !== work && existsSync(program)) return { door, program, sources };
  const { code, said } = await run("clang", [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-g",
    "-O1",
    "-fno-omit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-Werror",
    ...how,
    "-fno-sanitize-recover=all",
    "-I",
    firmware,
    source,
    join(firmware, "hal/host/unheard.c"),
    ...sources.map((name) => join(firmware, name)),
    "-o",
    program,
  ]);
  if (/cannot find .*libclang_rt|clang_rt.*No such file/.test(said)) throw missing("libclang_rt.fuzzer");
  if (code !== 0) throw new Refusal(FOUND, `fuzz/${door}.c does not compile\n${said}`);
  return { door, program, sources: [...sources, ...included] };
}

/** Seeds from vectors and tests plus the checked-in corpus, which is never written to by a run. */
function inputs(door, work) {
  const seeds = join(work, `${door}-seeds`);
  mkdirSync(seeds, { recursive: true });
  writeSeeds(door, seeds);
  const corpus = join(corpora, door);
  return existsSync(corpus) ? [corpus, seeds] : [seeds];
}

const number = (said, name) => Number(new RegExp(`stat::${name}:\\s+(\\d+)`).exec(said)?.[1] ?? 0);

async function fuzz({ door, program }, work, { seconds, runs, seed }) {
  const fresh = join(work, `${door}-new`);
  mkdirSync(fresh, { recursive: true });
  mkdirSync(found, { recursive: true });
  const limits = [];
  if (seconds !== undefined || runs === undefined) limits.push(`-max_total_time=${seconds ?? 10}`);
  if (runs !== undefined) limits.push(`-runs=${runs}`);
  const { code, said } = await run(program, [
    ...limits,
    `-seed=${seed}`,
    `-max_len=${BYTES_MAX}`,
    "-timeout=10",
    "-rss_limit_mb=1024",
    "-print_final_stats=1",
    "-reload=0",
    `-artifact_prefix=${found}/${door}-`,
    fresh,
    ...inputs(door, work),
  ]);
  const executed = number(said, "number_of_executed_units");
  if (code === 0 && executed > 0)
    return { good: true, executed, line: `${executed} executions, ${number(said, "average_exec_per_sec")} per second` };
  const file = /Test unit written to (\S+)/.exec(said)?.[1];
  const why = /^.*(broken promise|ERROR: AddressSanitizer|runtime error|ERROR: libFuzzer).*$/m.exec(said)?.[0] ?? said.slice(-2000);
  const replay = file === undefined ? "" : `\n    npm run fuzz -- ${door} --replay ${relative(root, file)}`;
  return { good: false, executed, line: `${why.trim().replaceAll(root, "")}${replay}` };
}

/** Keeps what covers most with least, within the bounds of a checked-in corpus. */
async function merge({ door, program }, work) {
  const merged = join(work, `${door}-merged`);
  mkdirSync(merged, { recursive: true });
  const fresh = join(work, `${door}-new`);
  const from = [...inputs(door, work), ...(existsSync(fresh) ? [fresh] : [])];
  const { code, said } = await run(program, ["-merge=1", `-max_len=${BYTES_MAX}`, "-timeout=10", merged, ...from]);
  if (code !== 0) return { good: false, executed: 0, line: said.slice(-2000) };
  const corpus = join(corpora, door);
  const files = readdirSync(merged)
    .map((name) => ({ name, size: statSync(join(merged, name)).size }))
    .filter(({ size }) => size <= BYTES_MAX)
    .sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
  /* Small inputs come first in a merge and so carry most; of the rest an even choice. */
  const kept =
    files.length <= FILES_MAX ? files : Array.from({ length: FILES_MAX }, (_, i) => files[Math.floor((i * files.length) / FILES_MAX)]);
  rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  for (const { name } of kept) copyFileSync(join(merged, name), join(corpus, name.slice(0, 16)));
  return { good: true, executed: 0, line: `corpus of ${kept.length} files, ${kept.reduce((sum, { size }) => sum + size, 0)} bytes` };
}

const SANITIZED = ["-fsanitize=fuzzer,address,undefined"];
const MEASURED = ["-fsanitize=fuzzer", "-fprofile-instr-generate", "-fcoverage-mapping"];

/** Branches of each room's sources that the corpora take, over all doors together. */
async function coverage(doors, work, missingToo) {
  const profiles = [];
  const programs = [];
  const sources = new Set();
  for (const door of doors) {
    const built = await build(door, work, MEASURED);
    const profile = join(work, `${door}.profraw`);
    const child = spawnSync(built.program, ["-runs=0", ...inputs(door, work)], {
      env: { ...process.env, LLVM_PROFILE_FILE: profile },
      encoding: "utf8",
    });
    if (child.status !== 0) throw new Refusal(FOUND, child.stderr);
    profiles.push(profile);
    programs.push(built.program);
    for (const source of built.sources) sources.add(join(firmware, source));
  }
  const tool = (name) => [name, `${name}-14`].find((each) => spawnSync(each, ["--help"]).error === undefined);
  const [profdata, cov] = [tool("llvm-profdata"), tool("llvm-cov")];
  if (profdata === undefined || cov === undefined) throw missing("llvm-cov");
  const data = join(work, "all.profdata");
  await run(profdata, ["merge", "-o", data, ...profiles]);
  const { status, stdout, stderr } = spawnSync(
    cov,
    ["export", "-skip-expansions", "-skip-functions", `-instr-profile=${data}`]
      .concat(programs.flatMap((program, i) => (i === 0 ? [program] : ["-object", program])))
      .concat(...sources),
    { encoding: "utf8", maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Refusal(FOUND, stderr);
  const files = JSON.parse(stdout).data[0].files.filter(({ filename }) => !/\/(test|hal)\//.test(filename));
  const sum = { count: 0, covered: 0 };
  for (const { filename, summary, branches } of files.sort((a, b) => (a.filename < b.filename ? -1 : 1))) {
    const name = relative(firmware, filename);
    const counts = !NO_PARSER.test(name);
    if (counts) {
      sum.count += summary.branches.count;
      sum.covered += summary.branches.covered;
    }
    console.log(
      `${name.padEnd(24)} ${percent(summary.branches)} of ${summary.branches.count} branches${counts ? "" : ", no parser: not counted"}`,
    );
    if (missingToo) notTaken(filename, branches);
  }
  console.log(`${"all parsers".padEnd(24)} ${percent(sum)} of ${sum.count} branches`);
  if (100 * sum.covered < COVERAGE_MIN * sum.count) throw new Refusal(BELOW, `below ${COVERAGE_MIN} %`);
}
const percent = ({ count, covered }) => `${count === 0 ? "  –  " : ((100 * covered) / count).toFixed(1).padStart(5)} %`;

/** Each condition that was never true, or never false; of a macro's several copies all are looked at together. */
function notTaken(filename, branches) {
  const text = readFileSync(filename, "utf8").split("\n");
  const seen = new Map();
  for (const [line, column, lastLine, lastColumn, yes, no] of branches) {
    const place = `${line}:${column}`;
    const before = seen.get(place) ?? { line, column, end: line === lastLine ? lastColumn : undefined, yes: 0, no: 0 };
    seen.set(place, { ...before, yes: before.yes + yes, no: before.no + no });
  }
  for (const { line, column, end, yes, no } of seen.values()) {
    if (yes > 0 && no > 0) continue;
    const never = yes + no === 0 ? "looked at" : yes === 0 ? "true" : "false";
    console.log(`    ${line}: never ${never}: ${text[line - 1].slice(column - 1, end === undefined ? undefined : end - 1)}`);
  }
}

async function main() {
  const wanted = options();
  const work = mkdtempSync(join(tmpdir(), "inkan-fuzz-"));
  process.on("exit", () => rmSync(work, { recursive: true, force: true }));
  if (wanted.coverage) return coverage(wanted.doors, work, wanted.missing);
  if (wanted.replay !== undefined) {
    const { program } = await build(wanted.doors[0], work, SANITIZED);
    const { code } = await run(program, ["-timeout=10", resolve(wanted.replay)], { live: true });
    if (code !== 0) throw new Refusal(FOUND, "");
    return undefined;
  }
  let [passed, failed, executions] = [0, 0, 0];
  const queue = [...wanted.doors];
  const worker = async () => {
    for (let door = queue.shift(); door !== undefined; door = queue.shift()) {
      const built = await build(door, work, SANITIZED, wanted.programs);
      let result = wanted.minimize ? undefined : await fuzz(built, work, wanted);
      executions += result?.executed ?? 0;
      if (result?.good ?? true) {
        if (wanted.minimize || wanted.grow) {
          const merged = await merge(built, work);
          result = { ...merged, line: [result?.line, merged.line].filter(Boolean).join("; ") };
        }
      }
      if (result.good) passed++;
      else failed++;
      console.log(`${result.good ? "ok  " : "FAIL"} ${door.padEnd(8)} ${result.line}`);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(wanted.jobs)) }, worker));
  if (!wanted.minimize) console.log(`${executions} executions, seed ${wanted.seed}`);
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) throw new Refusal(FOUND, "");
  return undefined;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  if (error.message !== "") console.error(error.message);
  process.exitCode = error.exit;
}
