import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inkan, type Ended } from "../testing/run.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "inkan-demo-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const world = { bench: () => import("@inkan/hwtest/board"), authority: () => import("@inkan/hwtest/authority") };
const demo = (...argv: string[]): Promise<Ended> => inkan(["demo", "--out", join(folder, "out"), ...argv], { world });
const digest = (name: string): string => createHash("sha256").update(readFileSync(name)).digest("hex");

describe.each(["usb", "link"])("through %s", (face) => {
  test("the whole story, and every file of the contract", { timeout: 120_000 }, async () => {
    const { exit, last, stdout } = await demo("--face", face, "--json");
    expect(exit, stdout).toBe(0);
    const out = (name: string): string => relative(process.cwd(), join(folder, "out", name));
    expect(last).toMatchObject({
      schema: 1,
      ok: true,
      document: out("document"),
      signature: out("signature.p7s"),
      certificate: out("signer.pem"),
      ca: out("ca.pem"),
      trace: out("trace.jsonl"),
      verdict: "TOTAL-PASSED",
      revocation: "none",
      face,
      reader: { virtual: true },
    });
    const screens = last!["screens"] as string[];
    // At rest, the empty prompt, six place-holders, the words, signing.
    expect(screens.length).toBeGreaterThan(8);
    for (const path of [last!["document"], last!["signature"], last!["trace"], last!["capture"], ...screens])
      expect(existsSync(String(path))).toBe(true);
    expect(readdirSync(join(folder, "out")).sort()).toEqual(
      [
        "ca.pem",
        "document",
        "signature.p7s",
        "signer.pem",
        "trace.jsonl",
        "trace.pcapng",
        ...screens.map((path) => relative(out(""), path)),
      ].sort(),
    );
    // `inkan verify` judges what the demo made.
    const verified = await inkan([
      "verify",
      out("signature.p7s"),
      "--content",
      out("document"),
      "--trust",
      out("ca.pem"),
      "--revocation",
      "none",
    ]);
    expect(verified.exit).toBe(0);
    for (const name of ["trace.jsonl", "trace.pcapng"]) {
      const trace = readFileSync(join(folder, "out", name), "latin1");
      expect(trace).not.toContain("ABC123");
      expect(trace.toLowerCase()).not.toContain("414243313233");
    }
  });
});

test("a given file is signed as it is, and an existing folder's files are kept", { timeout: 120_000 }, async () => {
  const letter = join(folder, "letter.bin");
  writeFileSync(letter, Uint8Array.of(0));
  expect(await demo(letter)).toMatchObject({ exit: 0 });
  expect(digest(join(folder, "out/document"))).toBe(digest(letter));
  const before = digest(join(folder, "out/signature.p7s"));
  expect(await demo(letter)).toMatchObject({ exit: 2, stderr: expect.stringContaining("exists already") });
  expect(digest(join(folder, "out/signature.p7s"))).toBe(before);
  writeFileSync(join(folder, "out/screen-99.png"), "of an earlier run");
  writeFileSync(join(folder, "out/mine.txt"), "kept");
  const again = await demo(letter, "--force", "--lang", "ja");
  expect(again).toMatchObject({ exit: 0, stdout: expect.stringContaining("署名を検証") });
  expect(digest(join(folder, "out/signature.p7s"))).not.toBe(before);
  expect(readdirSync(join(folder, "out"))).toContain("mine.txt");
  expect(readdirSync(join(folder, "out"))).not.toContain("screen-99.png");
});

test("what cannot be read or written is said before the board boots, and nothing is left", async () => {
  expect(await demo(join(folder, "none"), "--json")).toMatchObject({ exit: 2, last: { error: { code: "file-unreadable" } } });
  writeFileSync(join(folder, "file"), "");
  const into = await inkan(["demo", "--out", join(folder, "file/out"), "--json"], { world });
  expect(into).toMatchObject({ exit: 2, last: { error: { code: "folder-unwritable" } } });
  expect(readdirSync(folder)).toEqual(["file"]);
});
