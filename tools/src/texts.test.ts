import { status } from "@inkan/device-proto";
import { expect, test } from "vitest";
import { chooseLanguage } from "./cli/language.js";
import { say, texts } from "./texts.js";

const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort();
const japanese = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u;

test("every text has both languages with the same places to fill", () => {
  for (const [key, { ja, en }] of Object.entries(texts)) {
    expect(holes(ja), key).toEqual(holes(en));
    expect(japanese.test(ja), `${key} is Japanese`).toBe(true);
    if (key !== "demo.sample") expect(japanese.test(en), `${key} is English`).toBe(false);
  }
});

test("every refusal says in both languages what happened and what to do", () => {
  for (const [code, row] of Object.entries(status)) {
    expect(holes(row.message.ja), code).toEqual(holes(row.message.en));
    expect(holes(row.try.ja), code).toEqual(holes(row.try.en));
    for (const text of [row.message.ja, row.try.ja]) if (code !== "refused") expect(japanese.test(text), code).toBe(true);
    for (const text of [row.message.en, row.try.en]) expect(text.trim() === "" || japanese.test(text), code).toBe(false);
  }
});

test("values are put in", () => {
  expect(say("en", "secret.tries", { name: "PIN", tries: 3 })).toBe("PIN: 3 tries left");
  expect(say("ja", "secret.tries", { name: "PIN", tries: 3 })).toBe("PIN: 残り 3 回");
});

test.each([
  [["--lang", "ja"], { LANG: "en_US.UTF-8" }, "ja"],
  [["--lang=en"], { LANG: "ja_JP.UTF-8" }, "en"],
  [[], { LC_ALL: "", LC_MESSAGES: "ja_JP", LANG: "C" }, "ja"],
  [[], { LC_ALL: "C", LANG: "ja_JP.UTF-8" }, "en"],
  [[], { LANG: "ja" }, "ja"],
  [[], { LANG: "java" }, "en"],
  [["--lang", "fr"], { LANG: "ja_JP" }, "ja"],
  [["x", "--", "--lang", "en"], { LANG: "ja_JP" }, "ja"],
] as const)("language of %j with %j is %s", (argv, env, language) => {
  expect(chooseLanguage(argv, env, "en")).toBe(language);
});

test("without a locale in the environment the system's counts", () => {
  expect(chooseLanguage([], {}, "ja-JP")).toBe("ja");
  expect(chooseLanguage([], {}, "de-DE")).toBe("en");
});
