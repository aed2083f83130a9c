import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inkan } from "../testing/run.js";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "inkan-product-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strict = readFileSync(new URL("../../device-proto/products/strict.json", import.meta.url), "utf8");
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe("product definitions on the command line", () => {
  test("a good one, and what a buyer should know of it", async () => {
    const { exit, stdout } = await inkan(["product", "check", file("strict.json", strict)]);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^Inkan strict reader: nothing is wrong\.\nNote: the USB ids are .*\nNote: without keys .*\n$/);
  });

  test.each([
    ["ja", "policies.padOnly: この項目がありません。"],
    ["en", "policies.padOnly: This field is missing."],
  ])("every problem is named with its field and what to do, in %s", async (language, line) => {
    const bad = JSON.parse(strict) as { policies: Record<string, unknown>; version: string };
    delete bad.policies["padOnly"];
    bad.version = "one";
    const path = file("bad.json", JSON.stringify(bad));
    for (const verb of ["check", "print"]) {
      const ended = await inkan(["product", verb, path, "--lang", language, "--json"]);
      expect(ended).toMatchObject({ exit: 2, last: { ok: false, error: { code: "product-invalid", exit: 2 } } });
      expect(ended.stderr).toContain(line);
      expect(ended.stderr).toContain("version: ");
      expect(JSON.stringify(ended.last)).toContain("2");
    }
  });

  test.each([
    ["plist", "<string>0x0002</string>"],
    ["udev", 'ENV{ID_MM_DEVICE_IGNORE}="1"'],
    ["descriptors", "12010002ef0201400912020010000102"],
    ["manifest", '"padOnly": true'],
    ["c", '#define PRODUCT_NAME "Inkan strict reader"'],
  ])("print --what %s", async (what, part) => {
    const path = file("strict.json", strict);
    expect((await inkan(["product", "print", path, "--what", what])).stdout).toContain(part);
    const out = join(folder, `out-${what}`);
    expect((await inkan(["product", "print", path, "--what", what, "--out", out])).exit).toBe(0);
    expect(readFileSync(out, "utf8")).toContain(part);
    expect((await inkan(["product", "print", path, "--what", what, "--out", out, "--json"])).last).toMatchObject({
      error: { code: "output-exists" },
    });
  });

  test("without a file it is the reference product; one that is not there is said so", async () => {
    expect((await inkan(["product", "print", "--json"])).last).toMatchObject({ ok: true, what: "manifest" });
    expect((await inkan(["product", "check", join(folder, "none.json"), "--json"])).last).toMatchObject({
      error: { code: "file-unreadable", exit: 2 },
    });
  });
});
