import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const { houseProblems, importsOf } = (await import(new URL("../../dev/house.mjs", import.meta.url).href)) as {
  houseProblems: (root: string) => string[];
  importsOf: (text: string) => { from: string; kind: string }[];
};

let root: string;
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const manifest = (name: string, more: object = {}): void =>
  put(`${name}/package.json`, JSON.stringify({ name: `@inkan/${name}`, exports: { ".": "x", "./side": "x" }, ...more }));
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "inkan-house-"));
  manifest("device-proto");
  manifest("sdk", {
    dependencies: { "@noble/hashes": "1" },
    peerDependencies: { usb: "1" },
    peerDependenciesMeta: { usb: { optional: true } },
  });
  manifest("hwtest");
  manifest("tools", { dependencies: { commander: "1" } });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("a house in order has nothing to say", () => {
  put("device-proto/src/index.ts", `export * from "./a.js";`);
  put("device-proto/src/a.ts", `// import "@inkan/sdk" in a comment is none\nexport const a = 'import "node:fs"';`);
  put(
    "sdk/src/index.ts",
    `import { a } from "@inkan/device-proto";\nimport { h } from "@noble/hashes/sha2.js";\nexport const u = () => import("usb");`,
  );
  put("sdk/src/node.ts", `import { readFile } from "node:fs/promises";`);
  put("tools/src/main.ts", `import type { B } from "@inkan/hwtest";\nconst bench = () => import("@inkan/hwtest/side");`);
  put("tools/src/main.test.ts", `import { test } from "vitest";\nimport { x } from "@inkan/hwtest";`);
  expect(houseProblems(root)).toEqual([]);
});

test.each([
  ["device-proto/src/a.ts", `import "@inkan/sdk";`, "device-proto does not know @inkan/sdk"],
  ["device-proto/src/a.ts", `import "node:fs";`, "browser"],
  ["sdk/src/a.ts", `export const x = () => import("@inkan/hwtest");`, "sdk does not know @inkan/hwtest"],
  ["sdk/src/a.ts", `import type { X } from "@inkan/tools";`, "sdk does not know @inkan/tools"],
  ["sdk/src/a.ts", `import fs from "fs";`, "write node:fs"],
  ["sdk/src/a.ts", `import { usb } from "usb";`, "optional"],
  ["sdk/src/a.ts", `import "@inkan/sdk/side";`, "own door"],
  ["hwtest/src/a.ts", `import "@inkan/tools";`, "hwtest does not know @inkan/tools"],
  ["hwtest/src/a.ts", `import "@inkan/sdk/src/index.js";`, "no door"],
  ["tools/src/a.ts", `import { b } from "@inkan/hwtest";`, "import() it"],
  ["tools/src/a.ts", `export { b } from "@inkan/hwtest/side";`, "import() it"],
  ["tools/src/a.ts", `import "../../sdk/src/index.js";`, "reaches into a neighbour"],
  ["tools/src/a.ts", `import "./none.js";`, "is not there"],
  ["tools/src/a.ts", `import "./a";`, "needs its .js"],
  ["tools/src/a.ts", `import { test } from "vitest";`, "for tests"],
  ["tools/src/a.ts", `import left from "left-pad";`, "not among tools's dependencies"],
])("%s with %s is found", (path, text, sentence) => {
  put(path, text);
  const problems = houseProblems(root);
  expect(
    problems.some((problem) => problem.startsWith(`${path}:1: `) && problem.includes(sentence)),
    problems.join("\n"),
  ).toBe(true);
});

test("files that load each other are found, types alone are not", () => {
  put("sdk/src/a.ts", `import { b } from "./b.js";`);
  put("sdk/src/b.ts", `import type { A } from "./a.js";`);
  expect(houseProblems(root)).toEqual([]);
  put("sdk/src/b.ts", `import { type A, a } from "./a.js";`);
  expect(houseProblems(root)).toEqual(["sdk: these import each other: src/a.ts → src/b.ts → src/a.ts"]);
});

test("every way to import is seen", () => {
  const found = importsOf(
    `import a from "1"; import { type b } from "2"; import "3"; export * from "4"; export type { c } from "5"; type D = import("6").D; import("7"); require("8");`,
  );
  expect(found.map(({ from, kind }) => `${from}${kind[0]}`)).toEqual(["1s", "2t", "3s", "4s", "5t", "6t", "7d", "8s"]);
});
