import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePacket, UsbredirParser } from "@inkan/hwtest/usbredir";
import { expect, onTestFinished, test } from "vitest";
import { inkan } from "../../testing/run.js";

const newSocket = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "inkan-virtual-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "usb");
};

/** A run of `virtual run` whose standard input is held by the test. */
function running(argv: readonly string[]) {
  const events: Record<string, unknown>[] = [];
  let say!: (line: string) => void;
  let news: (() => void)[] = [];
  const ended = inkan(["virtual", "run", ...argv, "--json"], {
    world: {
      bench: () => import("@inkan/hwtest/board"),
      usbredir: () => import("@inkan/hwtest/usbredir"),
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
  /** Waits for an event that holds these values. */
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

/** A machine that greets and hears: the names of the packets it is told. */
async function machine(path: string) {
  const socket: Socket = connect(path);
  const parser = new UsbredirParser("host", 0x72);
  const heard: string[] = [];
  let news: (() => void)[] = [];
  socket.on("data", (chunk) => {
    for (const { name } of parser.push(chunk)) heard.push(name);
    for (const tell of news.splice(0)) tell();
  });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  onTestFinished(() => {
    news = [];
    socket.destroy();
  });
  socket.write(encodePacket("hello", 0n, { version: new Uint8Array(64), capabilities: Uint8Array.of(0xff, 0, 0, 0) }, false));
  return {
    socket,
    until: async (name: string): Promise<void> => {
      for (;;) {
        const at = heard.indexOf(name);
        if (at >= 0) return void heard.splice(0, at + 1);
        await new Promise<void>((resolve) => news.push(resolve));
      }
    },
  };
}

test("--usbredir: a machine comes, sees the reader, its reset and its loss of power, and leaves; quit takes the socket away", async () => {
  const path = newSocket();
  const run = running(["--usbredir", path, "--card", "none"]);
  expect(await run.heard({ event: "ready" })).toMatchObject({ schema: 1, usbredir: path, reader: { virtual: true } });
  const guest = await machine(path);
  await run.heard({ event: "guest", state: "here" });
  await guest.until("device_connect");
  run.say("insert");
  await run.heard({ event: "card", inserted: true });
  run.say("remove");
  await run.heard({ event: "card", inserted: false });
  run.say("press 1 ok");
  run.say("reset");
  await guest.until("device_disconnect");
  await guest.until("device_connect");
  run.say("power off");
  await guest.until("device_disconnect");
  run.say("power on");
  await guest.until("device_connect");
  guest.socket.destroy();
  await run.heard({ event: "guest", state: "gone" });
  run.say("quit");
  expect(await run.ended).toMatchObject({ exit: 0 });
  expect(existsSync(path)).toBe(false);
});

test("a machine that breaks the protocol is sent away with the rule's name, and the next one is served", async () => {
  const path = newSocket();
  const run = running(["--usbredir", path]);
  await run.heard({ event: "ready" });
  const bad = await machine(path);
  bad.socket.write(new Uint8Array(16).fill(0xff));
  expect(await run.heard({ event: "guest", state: "gone" })).toMatchObject({ message: expect.stringContaining("usbredir/") as string });
  await (await machine(path)).until("device_connect");
  run.say("quit");
  expect(await run.ended).toMatchObject({ exit: 0 });
});

test("a socket that is served is refused with exit 7 and stays; a stale one is replaced", async () => {
  const path = newSocket();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  expect(await running(["--usbredir", path]).ended).toMatchObject({ exit: 7 });
  expect(existsSync(path)).toBe(true);
  await new Promise<void>((resolve) => other.close(() => resolve()));

  // As a killed process leaves it: the file is there, nobody listens.
  const code = "const s=require('net').createServer().listen(process.argv[1],()=>process.kill(process.pid,'SIGKILL'))";
  spawnSync(process.execPath, ["-e", code, path]);
  expect(existsSync(path)).toBe(true);
  const run = running(["--usbredir", path]);
  await run.heard({ event: "ready" });
  run.say("quit");
  expect(await run.ended).toMatchObject({ exit: 0 });
  expect(existsSync(path)).toBe(false);
});

test("a file at the socket's place is left alone (exit 2); no door, or two on one cable: exit 2", async () => {
  const path = newSocket();
  writeFileSync(path, "mine");
  expect(await running(["--usbredir", path]).ended).toMatchObject({ exit: 2 });
  expect(existsSync(path)).toBe(true);
  expect(await running([]).ended).toMatchObject({ exit: 2 });
  expect(await running(["--usbredir", `${path}1`, "--pty", `${path}2`]).ended).toMatchObject({ exit: 2 });
});
