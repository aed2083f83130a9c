import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const { buildIsStale, installIsOld, needNode } = (await import(new URL("../../dev/toolchain.mjs", import.meta.url).href)) as {
  buildIsStale: (root: string) => boolean;
  installIsOld: (root: string) => boolean;
  needNode: (version: string) => void;
};

let root: string;
const touch = (path: string, seconds: number): void => utimesSync(join(root, path), seconds, seconds);
const packages = ["device-proto", "sdk", "hwtest", "tools"];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "inkan-chain-"));
  writeFileSync(join(root, "tsconfig.base.json"), "");
  touch("tsconfig.base.json", 100);
  for (const name of packages) {
    mkdirSync(join(root, name, "src/deep"), { recursive: true });
    mkdirSync(join(root, name, "dist"));
    for (const file of ["package.json", "tsconfig.json", "src/deep/a.ts", "dist/.tsbuildinfo"]) writeFileSync(join(root, name, file), "");
    for (const path of ["package.json", "tsconfig.json", "src/deep/a.ts", "src/deep", "src"]) touch(join(name, path), 100);
    touch(join(name, "dist/.tsbuildinfo"), 200);
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a build newer than everything it is made of is current", () => {
  expect(buildIsStale(root)).toBe(false);
});

test.each(["sdk/src/deep/a.ts", "tools/tsconfig.json", "hwtest/package.json", "tsconfig.base.json", "device-proto/src/deep"])(
  "a newer %s makes it stale (a folder: a file is gone)",
  (path) => {
    touch(path, 300);
    expect(buildIsStale(root)).toBe(true);
  },
);

test("no build is stale", () => {
  rmSync(join(root, "sdk/dist/.tsbuildinfo"));
  expect(buildIsStale(root)).toBe(true);
});

test("packages are old when they are missing or older than the lock", () => {
  writeFileSync(join(root, "package-lock.json"), "");
  expect(installIsOld(root)).toBe(true);
  mkdirSync(join(root, "node_modules"));
  writeFileSync(join(root, "node_modules/.package-lock.json"), "");
  touch("package-lock.json", 100);
  expect(installIsOld(root)).toBe(false);
  touch("node_modules/.package-lock.json", 50);
  expect(installIsOld(root)).toBe(true);
});

test.each(["20.19.0", "20.20.2", "22.0.0", "24.1.0"])("Node %s will do", (version) => expect(() => needNode(version)).not.toThrow());
test.each(["20.18.3", "18.20.0", "16.0.0"])("Node %s is turned away in both languages", (version) =>
  expect(() => needNode(version)).toThrow(/20\.19[\s\S]*以降/),
);
