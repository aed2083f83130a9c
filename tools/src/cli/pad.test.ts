import { expect, test } from "vitest";
import { main, type World } from "../main.js";
import type { Input } from "./input.js";

/** A person at a terminal: sees what is drawn, types when the lamp's prompt is there. */
function terminal(type: (drawn: number) => string | undefined): { world: World; written: () => string; raw: () => boolean } {
  let written = "";
  let raw = false;
  let drawn = 0;
  let listener: ((chunk: Uint8Array | undefined) => void) | undefined;
  const stdin: Input = {
    isTTY: true,
    setRawMode: (on) => (raw = on),
    listen: (each) => {
      listener = each;
      return () => (listener = undefined);
    },
  };
  const stderr = {
    isTTY: true,
    columns: 80,
    write: (text: string) => {
      written += text;
      if (!text.includes("┌")) return;
      const keys = type(++drawn);
      if (keys !== undefined) listener?.(new TextEncoder().encode(keys));
    },
  };
  const world = {
    env: { LANG: "en" },
    stdin,
    stdout: { isTTY: true, columns: 80, write: (text: string) => (written += text) },
    stderr,
    onSignal: () => () => undefined,
    door: () => import("@inkan/sdk/node"),
    bench: () => import("@inkan/hwtest/board"),
  } as unknown as World;
  return { world, written: () => written, raw: () => raw };
}

test("on a terminal the person types on the drawn pad, and the terminal is as before afterwards", { timeout: 60_000 }, async () => {
  let typed = false;
  // The prompt comes some pictures after the start; a key that comes too early is not taken.
  const at = terminal((drawn) => (!typed && drawn > 12 ? ((typed = true), "1234\r") : undefined));
  expect(await main(["pin", "verify", "auth", "--reader", "virtual:"], at.world)).toBe(0);
  expect(at.raw()).toBe(false);
  expect(at.written()).toContain("The secret is right.");
  // Digits are place-holders on the display and nothing anywhere else.
  expect(at.written()).not.toMatch(/1234/);
});

test("Esc is the pad's cancel", { timeout: 60_000 }, async () => {
  const at = terminal((drawn) => (drawn > 12 ? "\x1b" : undefined));
  expect(await main(["pin", "verify", "auth", "--reader", "virtual:"], at.world)).toBe(4);
  expect(at.raw()).toBe(false);
});

test("standard input that is the secret's is not the pad's", { timeout: 60_000 }, async () => {
  const at = terminal(() => undefined);
  const world = {
    ...at.world,
    stdin: {
      ...at.world.stdin,
      listen: (each: (chunk: Uint8Array | undefined) => void) => (
        queueMicrotask(() => each(new TextEncoder().encode("1234\n"))),
        () => undefined
      ),
    },
  };
  expect(await main(["pin", "verify", "auth", "--reader", "virtual:", "--pin-stdin"], world as World)).toBe(0);
  expect(at.written()).not.toContain("┌");
});
