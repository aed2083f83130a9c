// Programs beside this process: children of our own, and OpenSSL as the one to compare with.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { PeerMissing } from "./measure.mjs";

/** Nothing the bench starts takes longer than this, in ms. */
const longest = 60_000;

/** None outlives this process. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Runs a program to its end; resolves with what it wrote on stdout and the wall seconds it took. */
export function run(program, args) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: longest });
    running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (status, signal) => {
      running.delete(child);
      if (status === 0) resolve({ stdout, seconds: (performance.now() - started) / 1000 });
      else reject(new Error(`${program} ${args.join(" ")}: ${signal ?? `exit ${status}`}\n${stderr}`));
    });
  });
}

/** Runs `openssl`. */
export async function openssl(...args) {
  try {
    return await run("openssl", args);
  } catch (error) {
    if (error.code === "ENOENT") throw new PeerMissing("openssl is missing. Install it: apt-get install openssl");
    throw error;
  }
}

/** Runs a script of `child/` in a fresh Node and gives the JSON it printed. */
export async function fresh(script, args = [], flags = []) {
  const { stdout } = await run(process.execPath, [...flags, fileURLToPath(new URL(`child/${script}`, import.meta.url)), ...args]);
  return JSON.parse(stdout);
}
