#!/usr/bin/env node
// The `inkan` command. In a checkout it builds first when the sources are newer than the build; an installed package is already built.
import { existsSync } from "node:fs";

const toolchain = new URL("../dev/toolchain.mjs", import.meta.url);
const built = new URL("../dist/src/main.js", import.meta.url);

async function prepare() {
  if (existsSync(toolchain)) {
    const { ensureBuilt, needNode, Stop } = await import(toolchain.href);
    try {
      needNode();
      ensureBuilt();
      return true;
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      process.stderr.write(`inkan: ${error.message}\n`);
      process.exitCode = error.exit;
      return false;
    }
  }
  if (existsSync(built)) return true;
  process.stderr.write("inkan: this installation is incomplete (no dist folder). Install it again: npm install @inkan/tools\n");
  process.exitCode = 8;
  return false;
}

// Until the command has its own handlers (it then decides what an end means), a signal ends it with the contract's code.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(130);
  });

if (await prepare()) {
  const { main } = await import(built.href);
  process.exitCode = await main(process.argv.slice(2));
}
