// `npm run print` writes what is printed from device-proto's tables; with --check it compares instead and fails on a stale file.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const built = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "device-proto"], {
  cwd: root,
  stdio: "inherit",
});
if (built.status !== 0) process.exit(built.status ?? 1);
const { printed } = await import(new URL("../../device-proto/dist/gen/print.js", import.meta.url).href);
const check = process.argv.includes("--check");
const stale = [];
for (const { path, text } of printed()) {
  const file = join(root, "device-proto", path);
  let old;
  try {
    old = readFileSync(file, "utf8");
  } catch {
    old = undefined;
  }
  if (old === text) continue;
  stale.push(path);
  if (check) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
if (check && stale.length > 0) {
  console.error(`printed files are stale: ${stale.join(", ")}\nrun: npm run print`);
  process.exitCode = 1;
} else {
  console.log(check ? "printed files are up to date" : `printed: ${stale.join(", ") || "nothing changed"}`);
}
