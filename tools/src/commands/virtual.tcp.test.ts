import { createServer } from "node:net";
import { openUri } from "@inkan/sdk/node";
import { isInkanError } from "@inkan/sdk";
import { expect, onTestFinished, test } from "vitest";
import { refuseClearNetwork } from "../cli/clear-network.js";
import type { Context } from "../cli/context.js";
import { inkan } from "../../testing/run.js";

/** A run of `virtual run --tcp` whose standard input is held by the test. */
function running(...argv: string[]) {
  const events: Record<string, unknown>[] = [];
  let say!: (line: string) => void;
  let news: (() => void)[] = [];
  const ended = inkan(["virtual", "run", ...argv, "--json"], {
    world: {
      bench: () => import("@inkan/hwtest/board"),
      stdin: {
        listen(listener) {
          say = (line) => listener(new TextEncoder().encode(`${line}\n`));
          return () => undefined;
        },
      },
      stdout: {
        write(text: string | Uint8Array) {
          for (const line of String(text).split("\n")) if (line !== "") events.push(JSON.parse(line) as Record<string, unknown>);
          for (const tell of news.splice(0)) tell();
          return true;
        },
      },
    },
  });
  const heard = async (wanted: Record<string, unknown>): Promise<Record<string, unknown>> => {
    for (;;) {
      const at = events.findIndex((event) => Object.entries(wanted).every(([key, value]) => event[key] === value));
      if (at >= 0) return events.splice(at, 1)[0]!;
      await new Promise<void>((resolve) => news.push(resolve));
    }
  };
  onTestFinished(() => void (news = []));
  return { ended, heard, say: (line: string) => say(line) };
}

test("a program reaches the reader by tcp://, a second one is told that it is taken, and a reset ends the connection", async () => {
  const bench = running("--tcp", "127.0.0.1:0", "--fingers", "auto");
  const ready = await bench.heard({ event: "ready" });
  const { uri } = ready["reader"] as { uri: string };
  expect(uri).toBe(`tcp://${String(ready["tcp"])}`);
  expect(uri).toMatch(/^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);

  const first = await openUri(uri);
  await bench.heard({ event: "client", state: "here" });
  const card = await first.connect();
  expect(card.atr[0]).toBe(0x3b);
  expect((await card.transmit(Uint8Array.of(0x00, 0xa4, 0x04, 0x0c, 10, 0xd3, 0x92, 0xf0, 0, 0x26, 1, 0, 0, 0, 1))).sw).toBe(0x9000);

  const second = await openUri(uri).catch((error: unknown) => error);
  expect(isInkanError(second, "slot-busy") && second.sentence("en")).toBe("Another connection is using the card.");
  await bench.heard({ event: "client", state: "refused" });
  expect((await card.transmit(Uint8Array.of(0x00, 0xa4, 0x02, 0x0c, 2, 0x00, 0x18))).sw).toBe(0x9000);
  await first.close();
  await bench.heard({ event: "client", state: "gone" });

  // Who comes after gets a fresh card; a verb finds the reader by its address alone.
  const shown = await inkan(["card", "info", "--reader", uri, "--json"], { world: { door: () => import("@inkan/sdk/node") } });
  expect(shown.exit).toBe(0);

  const third = await openUri(uri);
  bench.say("reset");
  await bench.heard({ event: "client", state: "gone" });
  await third.close();
  bench.say("quit");
  expect((await bench.ended).exit).toBe(0);
  expect(await openUri(uri).catch((error: unknown) => isInkanError(error) && error.code)).toBe("port-missing");
});

test("a secret that a program holds goes to another machine only when that is said", () => {
  const context = (uri: string): Context => ({ reader: { uri, name: "reader", virtual: false }, language: "en" }) as Context;
  const refused = (uri: string, options = {}): unknown => {
    try {
      refuseClearNetwork(context(uri), options);
      return undefined;
    } catch (error) {
      return isInkanError(error, "refused") && error.exit;
    }
  };
  for (const uri of ["tcp://10.0.0.9:4510", "tcp://reader.local:4510", "tcp://[fe80::1]:4510"]) {
    expect(refused(uri)).toBe(6);
    expect(refused(uri, { allowClearNetwork: true })).toBeUndefined();
  }
  for (const uri of ["tcp://127.0.0.1:4510", "tcp://[::1]:4510", "serial:/dev/ttyACM0", "usb:", "virtual:"])
    expect(refused(uri)).toBeUndefined();
});

test("a port that is taken is exit 7; others reach it only with --expose; one way to the one port", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as { port: number };
  const run = (...argv: string[]) =>
    inkan(["virtual", "run", ...argv, "--json"], { world: { bench: () => import("@inkan/hwtest/board") } });
  const taken = await run("--tcp", `127.0.0.1:${port}`);
  expect([taken.exit, taken.stdout.includes("port-in-use")]).toEqual([7, true]);
  expect((await run("--tcp", "0.0.0.0:0")).exit).toBe(6);
  for (const bad of ["4510", "host:", "host:70000", ":1"]) expect((await run("--tcp", bad)).exit).toBe(2);
  expect((await run("--tcp", "127.0.0.1:0", "--pty", "/tmp/never")).exit).toBe(2);
  expect((await run("--tcp", "127.0.0.1:0", "--usbredir", "/tmp/never")).exit).toBe(2);
});
