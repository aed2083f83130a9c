// Runs after `npm ci`: builds the packages. An install without TypeScript (npm ci --omit=dev) has nothing to build with, and says nothing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const tsc = new URL("../../node_modules/typescript/bin/tsc", import.meta.url).pathname;
if (existsSync(tsc)) {
  const built = spawnSync(process.execPath, [tsc, "-b"], { cwd: new URL("../..", import.meta.url), stdio: "inherit" });
  process.exitCode = built.status ?? 1;
}
