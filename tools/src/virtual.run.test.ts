import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  read,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { Reader, systemClock, type ClosedReason } from "@inkan/sdk";
import { LinkTransport, type ByteStream } from "@inkan/sdk/link";
import { openJpki } from "@inkan/sdk/jpki";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processInput } from "./cli/input.js";
import { main, type World } from "./main.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "inkan-pty-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const path = (): string => join(folder, "port");

interface Running {
  readonly exit: Promise<number>;
  readonly events: Record<string, unknown>[];
  readonly stdin: PassThrough;
  signal(): void;
  until(event: string): Promise<Record<string, unknown>>;
}

function start(...argv: string[]): Running {
  const events: Record<string, unknown>[] = [];
  const stdin = new PassThrough();
  const waiting = new Set<() => void>();
  let interrupt = (): void => undefined;
  const world = {
    env: { LANG: "en" },
    stdout: {
      write(text: string) {
        for (const line of text.trim().split("\n")) events.push(JSON.parse(line) as Record<string, unknown>);
        for (const wake of [...waiting]) wake();
      },
    },
    stderr: { write: () => undefined },
    stdin: processInput(stdin as unknown as NodeJS.ReadStream),
    onSignal: (listener: () => void) => {
      interrupt = listener;
      return () => undefined;
    },
    bench: () => import("@inkan/hwtest/board"),
  } as unknown as World;
  const exit = main(["virtual", "run", "--json", "--pty", path(), ...argv], world);
  const until = async (event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const at = events.findIndex((each) => each["event"] === event || each["ok"] === false);
      if (at >= 0) return events.splice(at, 1)[0]!;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
  };
  return { exit, events, stdin, signal: () => interrupt(), until };
}

/** A serial port as another program opens it: nothing but a file. */
function openPort(): ByteStream & { close(): Promise<void> } {
  const fd = openSync(path(), constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  let open = true;
  let ended!: (reason: ClosedReason) => void;
  const stream: ByteStream = {
    onData: undefined,
    closed: new Promise((resolve) => (ended = resolve)),
    write: async (bytes) => void writeSync(fd, bytes),
    close: async () => {
      open = false;
      ended("closed");
    },
  };
  const buffer = Buffer.alloc(4096);
  const next = (): void => {
    if (!open) return closeSync(fd);
    read(fd, buffer, 0, buffer.length, null, (error, count) => {
      if (error === null && count > 0) stream.onData?.(Uint8Array.from(buffer.subarray(0, count)));
      setTimeout(next, error === null && count > 0 ? 0 : 2);
    });
  };
  next();
  return stream;
}

const connect = async (): Promise<Reader> =>
  Reader.open(
    await LinkTransport.open(openPort(), { address: { uri: `serial:${path()}`, name: "port", virtual: true }, clock: systemClock }),
  );

test("another program reads the card and has its PIN typed; lines on standard input work the bench", { timeout: 120_000 }, async () => {
  const running = start("--fingers", "auto");
  expect(await running.until("ready")).toMatchObject({ schema: 1, event: "ready", pty: path(), reader: { virtual: true } });
  expect(lstatSync(path()).isSymbolicLink()).toBe(true);
  for (let time = 0; time < 2; time++) {
    const reader = await connect();
    const card = await reader.connect();
    const jpki = await openJpki(card);
    expect(jpki.token).toBe("JPKIAPICCTOKEN2");
    await jpki.verify("auth", { on: "pad" });
    await card.disconnect();
    await reader.close();
  }
  expect(await running.until("lamp")).toMatchObject({ lit: true });
  running.stdin.write("remove\n");
  expect(await running.until("card")).toMatchObject({ inserted: false });
  const reader = await connect();
  expect(await reader.slotStatus()).toBe("absent");
  running.stdin.write("insert standard\n");
  expect(await running.until("card")).toMatchObject({ inserted: true });
  await reader.connect({ waitForCard: true });
  await reader.close();
  running.stdin.write("nonsense\n");
  expect(await running.until("refused")).toMatchObject({ line: "nonsense" });
  running.stdin.write("reset\n");
  running.stdin.write("quit\n");
  expect(await running.exit).toBe(0);
  expect(existsSync(path())).toBe(false);
});

test("a signal ends it with exit 0 and takes the name away; the end of standard input does not", { timeout: 60_000 }, async () => {
  const running = start("--card", "none", "--flash", join(folder, "flash"));
  await running.until("ready");
  running.stdin.end();
  await systemClock.sleep(100);
  expect(existsSync(path())).toBe(true);
  running.signal();
  expect(await running.exit).toBe(0);
  expect(existsSync(path())).toBe(false);
  expect(existsSync(join(folder, "flash"))).toBe(true);
});

test("a name that is taken is kept; a link that leads nowhere is not in the way", { timeout: 60_000 }, async () => {
  writeFileSync(path(), "somebody's");
  const refused = start();
  expect(await refused.until("end")).toMatchObject({ error: { code: "output-exists", exit: 2 } });
  expect(await refused.exit).toBe(2);
  rmSync(path());
  symlinkSync(join(folder, "gone"), path());
  const running = start();
  expect(await running.until("ready")).toMatchObject({ event: "ready" });
  running.signal();
  expect(await running.exit).toBe(0);
});

test.each([[["--card", "gold"]], [["--fingers", "auth=12;34"]]])("%j is refused", async (argv) => {
  const running = start(...argv);
  expect(await running.exit).toBe(2);
});
