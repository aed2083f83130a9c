import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The command as people start it: the stub, the build, real processes, real signals, a real serial port. */
const stub = fileURLToPath(new URL("../bin/inkan.mjs", import.meta.url));
let folder: string;
const children = new Set<ChildProcess>();
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "inkan-process-"))));
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<number | string>;
  /** stdout so far. */
  out(): string;
  /** Resolves when stdout has this text. */
  says(text: string): Promise<void>;
}

function start(program: string, argv: readonly string[]): Started {
  const child = spawn(program, argv, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, LANG: "en_US.UTF-8", INKAN_READER: "" } });
  children.add(child);
  let out = "";
  let err = "";
  const wake = new Set<() => void>();
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const each of [...wake]) each();
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (err += text));
  const exit = new Promise<number | string>((resolve) =>
    child.once("close", (code, signal) => {
      children.delete(child);
      resolve(code ?? signal ?? "?");
      for (const each of [...wake]) each();
    }),
  );
  const says = async (text: string): Promise<void> => {
    while (!out.includes(text)) {
      if (!children.has(child)) throw new Error(`it ended without saying ${text}: ${out}${err}`);
      await new Promise<void>((resolve) => {
        const each = (): void => {
          wake.delete(each);
          resolve();
        };
        wake.add(each);
      });
    }
  };
  return { child, exit, out: () => out, says };
}
const inkan = (...argv: string[]): Started => start(process.execPath, [stub, ...argv]);

test("the stub runs the command and hands on its exit code", { timeout: 120_000 }, async () => {
  const version = inkan("--version");
  expect([await version.exit, version.out()]).toEqual([0, "0.1.0\n"]);
  expect(await inkan("nonsense").exit).toBe(2);
  expect(await inkan("card", "info", "--reader", `serial:${join(folder, "none")}`).exit).toBe(7);
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s in the middle of the demo: exit 130, and nothing is left",
  { timeout: 60_000 },
  async (signal) => {
    const demo = inkan("demo", "--out", join(folder, "out"), "--json");
    await demo.says('"step":"card"');
    demo.child.kill(signal);
    expect(await demo.exit).toBe(130);
    expect(JSON.parse(demo.out().trim().split("\n").at(-1)!)).toMatchObject({ ok: false, error: { code: "interrupted", exit: 130 } });
    expect(readdirSync(folder)).toEqual([]);
  },
);

test("who closes the pipe early breaks nothing", { timeout: 60_000 }, async () => {
  const demo = inkan("demo", "--out", join(folder, "out"), "--json");
  await demo.says('"step":"boot"');
  demo.child.stdout!.destroy();
  expect(await demo.exit).toBe(0);
  expect(existsSync(join(folder, "out/signature.p7s"))).toBe(true);
});

test(
  "the virtual reader for other programs: a real port, one owner at a time, SIGTERM is its proper end",
  { timeout: 120_000 },
  async () => {
    const path = join(folder, "port");
    const virtual = inkan("virtual", "run", "--pty", path, "--fingers", "auto", "--json");
    await virtual.says('"event":"ready"');
    const reader = `serial:${path}`;
    const info = inkan("card", "info", "--reader", reader, "--json");
    expect([await info.exit, info.out()]).toEqual([0, expect.stringContaining("JPKIAPICCTOKEN2")]);
    const first = inkan("pin", "verify", "sign", "--reader", reader, "--json");
    await virtual.says('"event":"lamp","lit":true');
    const second = inkan("card", "info", "--reader", reader, "--json");
    expect([await second.exit, second.out()]).toEqual([7, expect.stringContaining('"code":"port-in-use"')]);
    expect([await first.exit, first.out()]).toEqual([0, expect.stringContaining('"verified":true')]);
    virtual.child.kill("SIGTERM");
    expect(await virtual.exit).toBe(0);
    expect(existsSync(path)).toBe(false);
  },
);

test("it ends with its parent", { timeout: 60_000 }, async () => {
  const path = join(folder, "port");
  const parent = start(process.execPath, [
    "-e",
    `require("node:child_process").spawn(process.execPath, ${JSON.stringify([stub, "virtual", "run", "--pty", path, "--json"])}, { stdio: ["pipe", 1, 2] })`,
  ]);
  await parent.says('"event":"ready"');
  parent.child.kill("SIGKILL");
  // Its output is ours, too: the pipe closes when the last of them has ended.
  await parent.exit;
  expect(existsSync(path)).toBe(false);
});
