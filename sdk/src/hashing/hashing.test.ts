import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { toHex } from "../der/index.js";
import { hashBytes, hashFile } from "./index.js";

const folder = mkdtempSync(join(tmpdir(), "inkan-hashing-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const MiB = 1 << 20;

describe("hashFile", () => {
  test.each([0, 1, MiB - 1, MiB, MiB + 1, 3 * MiB + 17])("%i bytes, three algorithms in one pass", async (length) => {
    const content = Buffer.alloc(length, 0x5a);
    for (let i = 0; i < length; i += 4099) content[i] = i % 253;
    const { size, digests } = await hashFile(file(`f${length}`, content), ["sha256", "sha384", "sha512"]);
    expect(size).toBe(length);
    for (const name of ["sha256", "sha384", "sha512"] as const) {
      expect(toHex(digests[name])).toBe(createHash(name).update(content).digest("hex"));
      expect(toHex(hashBytes(name, content))).toBe(toHex(digests[name]));
    }
  });

  test("only what was asked for, once, is there", async () => {
    const { digests } = await hashFile(file("one", Uint8Array.of(1)), ["sha384", "sha384"]);
    expect(Object.keys(digests)).toEqual(["sha384"]);
  });

  test("a large file: progress grows, the event loop keeps its turn, memory stays", async () => {
    const path = file("large", new Uint8Array(0));
    truncateSync(path, 192 * MiB);
    const seen: number[] = [];
    let turns = 0;
    let running = true;
    const spin = (): void => {
      turns++;
      if (running) setImmediate(spin);
    };
    setImmediate(spin);
    const before = process.memoryUsage().rss;
    const { size } = await hashFile(path, ["sha256"], { onProgress: ({ done, total }) => void seen.push(done / total) });
    running = false;
    expect(size).toBe(192 * MiB);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
    expect(turns).toBeGreaterThan(3);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  test("stops when asked, before and during", async () => {
    const path = join(folder, "large");
    writeFileSync(path, "");
    truncateSync(path, 256 * MiB);
    await expect(hashFile(path, ["sha512"], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted", exit: 130 });
    const stop = new AbortController();
    let done = 0;
    const hashing = hashFile(path, ["sha512"], {
      signal: stop.signal,
      onProgress: (progress) => {
        done = progress.done;
        stop.abort();
      },
    });
    await expect(hashing).rejects.toMatchObject({ code: "aborted" });
    expect(done).toBeLessThan(256 * MiB);
  });

  test("a file that grows, shrinks or is rewritten meanwhile is refused", async () => {
    for (const change of [
      (path: string) => appendFileSync(path, "x"),
      (path: string) => truncateSync(path, 1),
      (path: string) => writeFileSync(path, Buffer.alloc(64 * MiB)),
    ]) {
      const path = join(folder, "moving");
      writeFileSync(path, "");
      truncateSync(path, 64 * MiB);
      let changed = false;
      const hashing = hashFile(path, ["sha512"], {
        onProgress: () => {
          if (!changed) change(path);
          changed = true;
        },
      });
      await expect(hashing).rejects.toMatchObject({ code: "file-unreadable" });
    }
  });

  test.skipIf(process.platform === "win32")("a pipe or a device is refused at once, and nobody waits for its writer", async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    // in a program of its own: where it waits, this one would wait, too
    const program = `import { openSync } from "node:fs"; setTimeout(() => openSync(process.argv[1], "w"), 3000);`;
    const writer = spawn(process.execPath, ["--input-type=module", "-e", program, path], { stdio: "ignore" });
    try {
      const began = performance.now();
      for (const name of [path, "/dev/zero"])
        await expect(hashFile(name, ["sha256"])).rejects.toMatchObject({
          code: "file-unreadable",
          details: { path: name, reason: "not a regular file" },
        });
      expect(performance.now() - began).toBeLessThan(2000);
    } finally {
      writer.kill();
    }
  });

  test.each([
    ["missing", "ENOENT"],
    [".", "EISDIR"],
  ])("%s is named in the error: %s", async (name, reason) => {
    const path = join(folder, name);
    await expect(hashFile(path, ["sha256"])).rejects.toMatchObject({ code: "file-unreadable", exit: 2, details: { path, reason } });
  });
});
