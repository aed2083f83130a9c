import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InkanError } from "@inkan/sdk";

/** The firmware's sources, in a checkout. */
function firmwareFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.resolve("@inkan/device-proto/firmware"))); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "firmware/link/frame.c"))) return join(folder, "firmware");
    if (folder === dirname(folder))
      throw new InkanError("unsupported", { detail: "the firmware's sources are not here: run it in a checkout" });
  }
}

let program: string | undefined;
/** Compiles the program once per process. @throws InkanError program-missing (exit 8) */
function compiled(): string {
  if (program !== undefined) return program;
  const folder = firmwareFolder();
  const out = mkdtempSync(join(tmpdir(), "inkan-link-noise-"));
  process.once("exit", () => rmSync(out, { recursive: true, force: true }));
  const path = join(out, "link_noise");
  const sources = ["campaign/link_noise.c", "link/frame.c"].map((name) => join(folder, name));
  const run = spawnSync("gcc", ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", folder, ...sources, "-o", path], {
    encoding: "utf8",
  });
  if (run.error)
    throw new InkanError("program-missing", { program: "gcc", command: "sudo apt install gcc libc6-dev" }, { cause: run.error });
  if (run.status !== 0) throw new InkanError("unexpected", { detail: `link_noise.c: ${run.stderr}` });
  return (program = path);
}

/** Plays the cases on the C deframer. */
export async function playNative(seed: number, from: number, to: number, failed: (number: number, why: string) => void): Promise<void> {
  const child = spawn(compiled(), [seed, from, to].map(String), { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString("latin1")));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new InkanError("unexpected", { detail: `link_noise ended with ${code}` });
  for (const [, number, why] of said.matchAll(/^fail (\d+) (.+)$/gm)) failed(Number(number), `the firmware: ${why}`);
}
