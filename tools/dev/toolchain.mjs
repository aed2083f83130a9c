// What `npm start`, `npm test`, `npm run check` and the `inkan` stub share: is Node new enough, are the packages installed, is the
// build current. No dependencies: it runs before there are any, and it must still be readable by the old Node it turns away.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout this file belongs to. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Packages in the order they build; `tools` references the other three. */
const packages = ["device-proto", "sdk", "hwtest", "tools"];
const sources = ["src", "testing", "gen"];

/** A step that cannot go on: one sentence of what happened, one of what to do. `exit` is the command line contract's. */
export class Stop extends Error {
  constructor(message, exit = 8) {
    super(message);
    this.exit = exit;
  }
}

/** Throws when this Node cannot run the project. */
export function needNode(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Stop(
    `This project needs Node 20.19 or newer; this is ${version}. Install a current Node from https://nodejs.org and run the same command again.\n` +
      `Node 20.19 以降が必要です（今は ${version}）。https://nodejs.org から新しい Node を入れて、同じコマンドをもう一度実行してください。`,
  );
}

/** True when `npm ci` has not run since the lock file last changed. */
export function installIsOld(at = root) {
  const installed = join(at, "node_modules/.package-lock.json");
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(at, "package-lock.json")).mtimeMs;
}

/** Runs `npm ci` when node_modules is missing or older than the lock. */
export function ensureInstalled() {
  if (!installIsOld()) return;
  process.stderr.write("installing the packages (npm ci) …\n");
  // npm names its own entry file to the scripts it runs; without npm around us the one on the path is asked.
  const npm = process.env.npm_execpath?.endsWith(".js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const [program, ...before] = npm;
  const done = spawnSync(program, [...before, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32" && npm.length === 1,
  });
  if (done.signal) throw new Stop("interrupted while installing the packages.", 130);
  if (done.error ?? done.status !== 0)
    throw new Stop(
      "npm ci failed; its own message is above. Check the network or the registry setting of npm, then run the same command again.",
    );
}

/** Newest modification in a tree, in ms; folders count too, so that a deleted file is noticed. */
function newest(path) {
  const own = statSync(path, { throwIfNoEntry: false });
  if (!own) return 0;
  if (!own.isDirectory()) return own.mtimeMs;
  let time = own.mtimeMs;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory() || /\.(ts|json)$/.test(entry.name)) time = Math.max(time, newest(join(path, entry.name)));
  }
  return time;
}

/** True when a package's sources are newer than what `tsc -b` last made of them. */
export function buildIsStale(at = root) {
  return packages.some((name) => {
    const built = statSync(join(at, name, "dist/.tsbuildinfo"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const inputs = [
      ...sources.map((folder) => join(at, name, folder)),
      join(at, name, "package.json"),
      join(at, name, "tsconfig.json"),
      join(at, "tsconfig.base.json"),
    ];
    return built === 0 || inputs.some((input) => newest(input) > built);
  });
}

/** Builds when stale. Quiet unless it fails; two commands started at once build once. */
export function ensureBuilt() {
  if (!buildIsStale()) return;
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  if (!existsSync(tsc)) throw new Stop("The packages are not built and TypeScript is not installed here. Run: npm ci");
  const release = lock(join(root, "node_modules/.cache/inkan-build.lock"));
  try {
    if (!buildIsStale()) return;
    // --force when only times differ would rebuild all; plain -b looks at contents and renews the times.
    const built = spawnSync(process.execPath, [tsc, "-b", "tools", "--pretty", "false"], { cwd: root, encoding: "utf8" });
    if (built.signal) throw new Stop("interrupted while building.", 130);
    if (built.status !== 0) {
      forget();
      throw new Stop(
        `The sources do not build:\n${(built.stdout + built.stderr).trim()}\nMend them (npm run check shows the same), or get a clean copy: git stash && npm ci`,
      );
    }
  } finally {
    release();
  }
}

/** A failed build leaves its state behind, newer than the sources; without it the next start would take the build for good. */
function forget() {
  for (const name of packages) rmSync(join(root, name, "dist/.tsbuildinfo"), { force: true });
}

/** Takes a lock folder holding our pid; waits for a living owner, clears a dead one's. */
function lock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 1200; tries++) {
    try {
      mkdirSync(path);
      writeFileSync(join(path, "pid"), String(process.pid));
      return () => rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== "EEXIST")
        throw new Stop(`Cannot write ${path}: ${error.message}. Build once as the owner of this folder: npm run build`);
      if (!ownerLives(path)) rmSync(path, { recursive: true, force: true });
      else Atomics.wait(pause, 0, 0, 100);
    }
  }
  throw new Stop(`Another build has held ${path} for two minutes. Remove that folder if no build is running.`, 7);
}

function ownerLives(path) {
  try {
    const pid = Number(readFileSync(join(path, "pid"), "utf8"));
    if (!pid) return Date.now() - statSync(path).mtimeMs < 2000;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error.code === "EPERM") return true;
    // The owner has made the folder but not yet written its pid.
    return error.code === "ENOENT" && Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 2000;
  }
}

/** Runs `main`, turning a Stop into its message and exit code. */
export async function script(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exit;
  }
}
