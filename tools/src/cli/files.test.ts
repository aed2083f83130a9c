import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OutputFiles, checkInput, readInput, writeOutput } from "./files.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "inkan-files-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const plain = { force: false, language: "en" } as const;
const force = { force: true, language: "en" } as const;

test("several files appear together, and nothing of them before", async () => {
  const files = new OutputFiles(plain);
  await files.write(at("a"), "first");
  await files.write(at("b"), "second");
  expect(existsSync(at("a")) || existsSync(at("b"))).toBe(false);
  await files.commit();
  expect([readFileSync(at("a"), "utf8"), readFileSync(at("b"), "utf8")]).toEqual(["first", "second"]);
  expect(readdirSync(folder).sort()).toEqual(["a", "b"]);
});

test("a discarded run leaves nothing, its own folder neither", async () => {
  const files = new OutputFiles(plain);
  await files.folder(at("made/here"));
  await files.write(at("made/here/a"), "never");
  await files.discard();
  expect(readdirSync(folder)).toEqual([]);
});

test("an existing file is refused before anything is made, and kept", async () => {
  writeFileSync(at("a"), "old");
  await expect(new OutputFiles(plain).plan(at("a"))).rejects.toMatchObject({ code: "output-exists", exit: 2 });
  expect(readFileSync(at("a"), "utf8")).toBe("old");
});

test("a file that came meanwhile is not replaced, and what was already placed is taken back", async () => {
  const files = new OutputFiles(plain);
  await files.write(at("a"), "ours");
  await files.write(at("b"), "ours");
  writeFileSync(at("b"), "theirs");
  await expect(files.commit()).rejects.toMatchObject({ code: "output-exists" });
  await files.discard();
  expect(readdirSync(folder)).toEqual(["b"]);
  expect(readFileSync(at("b"), "utf8")).toBe("theirs");
});

test("--force replaces, also through a link, which stays a link", async () => {
  writeFileSync(at("real"), "old");
  symlinkSync("real", at("link"));
  await writeOutput(at("link"), "new", force);
  expect(readFileSync(at("real"), "utf8")).toBe("new");
});

test("a folder in the way, a missing folder and a file as a folder each have their sentence", async () => {
  mkdirSync(at("folder"));
  writeFileSync(at("file"), "");
  await expect(writeOutput(at("folder"), "x", force)).rejects.toMatchObject({
    code: "file-unwritable",
    details: { reason: "it is a folder" },
  });
  await expect(writeOutput(at("none/x"), "x", plain)).rejects.toMatchObject({
    code: "file-unwritable",
    details: { reason: "there is none" },
  });
  await expect(writeOutput(at("file/x"), "x", plain)).rejects.toMatchObject({
    code: "file-unwritable",
    details: { reason: "not a folder" },
  });
  await expect(new OutputFiles(plain).folder(at("file"))).rejects.toMatchObject({ code: "folder-unwritable", exit: 2 });
  await expect(new OutputFiles(plain).folder(at("file/deeper"))).rejects.toMatchObject({ code: "folder-unwritable" });
  expect(readdirSync(folder).sort()).toEqual(["file", "folder"]);
});

test("a device is written to and stays a device", async () => {
  await writeOutput("/dev/null", "gone", force);
  expect((await import("node:fs")).statSync("/dev/null").isCharacterDevice()).toBe(true);
});

test("the same output twice is a slip", async () => {
  const files = new OutputFiles(plain);
  await files.plan(at("a"));
  await expect(files.plan(at("a"))).resolves.toBeUndefined(); // the same path is the same plan
  await expect(files.plan(`${folder}//a`)).rejects.toMatchObject({ code: "usage" });
});

test("unreadable inputs", async () => {
  await expect(readInput(at("none"), "en")).rejects.toMatchObject({
    code: "file-unreadable",
    exit: 2,
    details: { reason: "there is none" },
  });
  await expect(checkInput(folder, "ja")).rejects.toMatchObject({ code: "file-unreadable", details: { reason: "フォルダーです" } });
  writeFileSync(at("a"), "");
  await expect(checkInput(at("a"), "en")).resolves.toBeUndefined();
});

test("a copy is whole and stands still where it is hashed", async () => {
  writeFileSync(at("source"), "content");
  const files = new OutputFiles(plain);
  const temporary = await files.copy(at("copy"), at("source"));
  expect(readFileSync(temporary, "utf8")).toBe("content");
  writeFileSync(at("source"), "changed");
  await files.commit();
  expect(readFileSync(at("copy"), "utf8")).toBe("content");
  await expect(new OutputFiles(plain).copy(at("other"), at("none"))).rejects.toMatchObject({ code: "file-unreadable" });
});
