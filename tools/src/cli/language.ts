import type { Sentence } from "@inkan/device-proto";

/** The languages the command line speaks. */
export type Language = keyof Sentence;

/** Names of the `{placeholders}` in a text. */
export type Holes<Text extends string> = Text extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never;

/**
 * The language of a run: `--lang` if it is there (also before the arguments were parsed, so that a usage error speaks it too), else
 * the locale's: LC_ALL, LC_MESSAGES, LANG in POSIX's order, else what the system says.
 */
export function chooseLanguage(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  system = systemLocale(),
): Language {
  const at = argv.findIndex((argument) => argument === "--lang" || argument.startsWith("--lang="));
  if (at >= 0 && !argv.slice(0, at).includes("--")) {
    const value = argv[at]!.includes("=") ? argv[at]!.slice("--lang=".length) : argv[at + 1];
    if (value === "ja" || value === "en") return value;
  }
  const locale = [env["LC_ALL"], env["LC_MESSAGES"], env["LANG"]].find((value) => value !== undefined && value !== "") ?? system;
  return /^ja(\b|_|$)/i.test(locale) ? "ja" : "en";
}

function systemLocale(): string {
  return new Intl.DateTimeFormat().resolvedOptions().locale;
}
