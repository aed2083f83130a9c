import type { VirtualReader } from "@inkan/hwtest/board";
import { keypadLayout, type KeyName } from "@inkan/device-proto";
import { isInkanError } from "@inkan/sdk";
import type { Context } from "../cli/context.js";
import { say } from "../texts.js";
import type { VirtualDoor } from "./virtual-door.js";

/** What the lines work on. */
export interface Bench {
  readonly reader: VirtualReader;
  readonly doors: readonly VirtualDoor[];
}

class NotUnderstood extends Error {}

/** One line on the standard input of `virtual run`. A line that is not understood is said and otherwise ignored. */
export async function benchLine(line: string, bench: Bench, context: Context): Promise<"quit" | undefined> {
  const [word = "", ...rest] = line.trim().split(/\s+/);
  if (word === "") return undefined;
  if (word === "quit") return "quit";
  try {
    const order = Object.hasOwn(orders, word) ? orders[word] : undefined;
    if (order === undefined) throw new NotUnderstood();
    await order(bench, rest);
  } catch (error) {
    if (context.signal.aborted) return undefined;
    const text =
      error instanceof NotUnderstood
        ? say(context.language, "virtual.unknown-line", { line: line.trim() })
        : isInkanError(error)
          ? error.sentence(context.language)
          : say(context.language, "virtual.refused", { line: line.trim(), detail: (error as Error).message });
    context.output.document({ event: "refused", line: line.trim(), message: text });
    context.output.note(text);
  }
  return undefined;
}

const orders: Readonly<Record<string, (bench: Bench, rest: readonly string[]) => Promise<void>>> = {
  insert: async ({ reader }, [name = "standard"]) => {
    if (name !== "standard") throw new NotUnderstood();
    await reader.insert(name);
  },
  remove: ({ reader }) => reader.remove(),
  press: ({ reader }, keys) => reader.board.type(keys.flatMap(keyNames)),
  reset: async ({ reader, doors }) => {
    for (const door of doors) await door.down();
    reader.board.usb.detach();
    reader.board.reset();
    for (const door of doors) await door.up();
  },
  power: async ({ reader, doors }, [state]) => {
    if (state !== "on" && state !== "off") throw new NotUnderstood();
    const has = reader.board.state !== "off";
    if (state === "off" && has) {
      for (const door of doors) await door.down();
      reader.board.powerOff();
    }
    if (state === "on" && !has) {
      reader.board.powerOn();
      for (const door of doors) await door.up();
    }
  },
};

const names: ReadonlySet<string> = new Set(keypadLayout.flat());

/** Keys by name (`ok`, `mode`, …) or as they are printed: digits in a row, `*` and `#`. */
function keyNames(word: string): KeyName[] {
  const lower = word.toLowerCase();
  if (names.has(lower)) return [lower as KeyName];
  if (!/^[0-9*#]+$/.test(lower)) throw new NotUnderstood();
  return [...lower].map((key) => (key === "*" ? "mode" : key === "#" ? "next" : (key as KeyName)));
}
