// npm run check: everything about the sources that can be told without running them. All steps run, so that one visit shows all.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureInstalled, needNode, root, script } from "./toolchain.mjs";

const node = (...args) => spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
const bin = (path) => join(root, "node_modules", path);

const steps = {
  eslint: () => node(bin("eslint/bin/eslint.js"), ".", "--max-warnings", "0"),
  prettier: () => node(bin("prettier/bin/prettier.cjs"), "--check", "--log-level", "warn", "."),
  types: () => node(bin("typescript/bin/tsc"), "-b", "--pretty", "false"),
  house: async () => {
    const { countSources, houseProblems } = await import("./house.mjs");
    const problems = houseProblems(root);
    if (countSources(root) === 0) problems.push("no sources were found");
    return { status: problems.length, stdout: problems.join("\n"), stderr: "" };
  },
  "printed files": () => node("tools/dev/print.mjs", "--check"),
};

await script(async () => {
  needNode();
  ensureInstalled();
  let failed = 0;
  for (const [name, step] of Object.entries(steps)) {
    const { status, signal, stdout, stderr, error } = await step();
    if (signal) {
      process.exitCode = 130;
      return;
    }
    const good = status === 0 && !error;
    process.stdout.write(`${good ? "✓" : "✗"} ${name.trim()}\n`);
    if (good) continue;
    failed++;
    const said = `${error?.message ?? ""}${stdout}${stderr}`.trim();
    if (said) process.stdout.write(`${said.replaceAll(/^/gm, "  ")}\n`);
  }
  const count = Object.keys(steps).length;
  process.stdout.write(`${count - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
});
