import { Command as Commander, Option } from "commander";
import { say } from "../texts.js";
import type { Language } from "./language.js";
import type { Options, Verb } from "./verb.js";

/** What commander found on the command line. */
export interface Parsed {
  readonly verb: Verb;
  readonly args: readonly string[];
  readonly options: Options;
}

/** Options every verb understands, wherever they stand. */
const everywhere = [
  ["--reader <uri>", "option.reader"],
  ["--json", "option.json"],
  ["--quiet", "option.quiet"],
  ["--lang <language>", "option.lang", ["ja", "en"]],
  ["--timeout <seconds>", "option.timeout"],
  ["--trace <file>", "option.trace"],
  ["--force", "option.force"],
  ["--fingers <how>", "option.fingers"],
] as const;

/** Makes commander's tree from the table of verbs. `chosen` is called with what was typed; help and version are written and thrown. */
export function makeProgram(
  verbs: readonly Verb[],
  version: string,
  language: Language,
  write: (text: string) => void,
  chosen: (parsed: Parsed) => void,
): Commander {
  const program = prepare(new Commander("inkan"), language, write)
    .description(say(language, "program.summary"))
    .version(version, "--version", say(language, "option.version"));
  for (const [flags, meaning, choices] of everywhere) program.addOption(option(flags, say(language, meaning), choices));
  for (const verb of verbs) {
    const words = verb.syntax.split(" ");
    const path = words.filter((word) => !/^[<[]/.test(word));
    const parent = path.slice(0, -1).reduce((above, word) => group(above, word, language, write), program);
    const command = prepare(new Commander(path.at(-1)!), language, write).description(say(language, verb.summary));
    for (const word of words.slice(path.length)) command.argument(word);
    for (const [flags, meaning, choices] of verb.options ?? []) command.addOption(option(flags, say(language, meaning), choices));
    command.addHelpText("after", `\n${say(language, "help.example")}\n  ${verb.example}`);
    command.action(() => chosen({ verb, args: command.args, options: command.optsWithGlobals<Options>() }));
    parent.addCommand(command);
  }
  return program;
}

function option(flags: string, meaning: string, choices?: readonly string[]): Option {
  const made = new Option(flags, meaning);
  return choices === undefined ? made : made.choices(choices);
}

/** `card`, `cert`, `pin`, …: words that only lead to others. */
function group(above: Commander, word: string, language: Language, write: (text: string) => void): Commander {
  const there = above.commands.find((command) => command.name() === word);
  if (there !== undefined) return there;
  const made = prepare(new Commander(word), language, write).description(
    say(language, `group.${word as "card" | "cert" | "pin" | "virtual" | "trace" | "hwtest"}`),
  );
  above.addCommand(made);
  return made;
}

function prepare(command: Commander, language: Language, write: (text: string) => void): Commander {
  return command
    .exitOverride()
    .helpOption("-h, --help", say(language, "option.help"))
    .helpCommand(false)
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: write, writeErr: () => undefined })
    .configureHelp({
      showGlobalOptions: true,
      optionDescription: ({ description, argChoices }) =>
        argChoices === undefined ? description : `${description} (${argChoices.join(", ")})`,
      styleTitle: (title) => titles[title]?.[language] ?? title,
    });
}

const titles: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  "Usage:": { en: "Usage:", ja: "使い方:" },
  "Arguments:": { en: "Arguments:", ja: "引数:" },
  "Options:": { en: "Options:", ja: "オプション:" },
  "Global Options:": { en: "Everywhere:", ja: "共通のオプション:" },
  "Commands:": { en: "Commands:", ja: "コマンド:" },
};
