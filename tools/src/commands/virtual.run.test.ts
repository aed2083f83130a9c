import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePcscdFrame, hex, PcscdDeframer, PC_to_RDR } from "@inkan/device-proto";
import { encodePacket, UsbredirParser } from "@inkan/hwtest/usbredir";
import { openUri, serialStream } from "@inkan/sdk/node";
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

const python = spawnSync("python3", ["--version"]).status === 0;
test.skipIf(!python)(
  "--pcscd-serial: the lines for reader.conf, and a port that speaks pcscd's framing; it outlives a reset (needs python3)",
  { timeout: 60_000 },
  async () => {
    const path = newSocket();
    const run = running(["--pcscd-serial", path]);
    const ready = await run.heard({ event: "ready" });
    expect(ready).toMatchObject({
      pcscdSerial: path,
      port: expect.stringMatching(/^\/dev\//) as string,
      reader: { uri: `serial:${path}` },
    });
    expect(ready["readerConf"]).toBe(
      `FRIENDLYNAME "Inkan"\nDEVICENAME ${path}:GemPCPinPad\nLIBPATH /usr/lib/pcsc/drivers/serial/libccidtwin.so\nCHANNELID 1\n`,
    );
    /** The driver's first question: its echo, then the reader's name. */
    const name = async (): Promise<string> => {
      const stream = await serialStream(path);
      const deframer = new PcscdDeframer();
      const heard: string[] = [];
      const both = new Promise<void>((resolve) => {
        stream.onData = (bytes) =>
          deframer.push(bytes, (one) => {
            heard.push(one.kind === "message" && one.good ? hex(one.message) : one.kind);
            if (heard.length === 2) resolve();
          });
      });
      await stream.write(encodePcscdFrame(Uint8Array.of(PC_to_RDR.Escape, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0x02)));
      await both;
      await stream.close();
      expect(heard[0]).toBe("6b000000000007000000");
      return Buffer.from(heard[1]!.slice(20), "hex").toString();
    };
    expect(await name()).toMatch(/^Inkan reference reader \d/);
    run.say("reset");
    run.say("the line after it"); // one at a time: refused when the reset is done
    await run.heard({ event: "refused" });
    expect(await name()).toMatch(/^Inkan reference reader \d/);
    // the same port has the link, too
    const reader = await openUri(`serial:${path}`);
    expect(await reader.slotStatus()).toBe("present");
    await reader.close();
    run.say("quit");
    expect(await run.ended).toMatchObject({ exit: 0 });
    expect(existsSync(path)).toBe(false);
  },
);

test("--pcscd-serial: a path that pcscd cannot read, a second door on the same port: exit 2", async () => {
  const path = newSocket();
  expect(await running(["--pcscd-serial", `${path} 1`]).ended).toMatchObject({ exit: 2 });
  expect(await running(["--pcscd-serial", `${path}:1`]).ended).toMatchObject({ exit: 2 });
  for (const door of ["--pty", "--tcp", "--usbredir"])
    expect(await running(["--pcscd-serial", path, door, `${path}2`]).ended).toMatchObject({ exit: 2 });
  expect(existsSync(path)).toBe(false);
});
