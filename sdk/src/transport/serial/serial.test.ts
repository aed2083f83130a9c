import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { hex } from "@inkan/device-proto";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../testing/fake-clock.js";
import { LinkReaderSide } from "../../../testing/link-reader.js";
import { InkanError } from "../../errors.js";
import { LinkTransport } from "../link/transport.js";
import { openFailure, type SerialBindingLike, type SerialPortLike } from "./binding.js";
import { serialStream } from "./stream.js";

/** A port whose other end a test holds. */
class FakePort implements SerialPortLike {
  isOpen = true;
  readonly written: Uint8Array[] = [];
  writing = 0;
  onWrite: (bytes: Uint8Array) => void = () => undefined;
  #chunks: Uint8Array[] = [];
  #waiting: { give: () => void; fail: (error: Error) => void } | undefined;
  give(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#waiting?.give();
  }
  lose(): void {
    this.#waiting?.fail(new Error("EIO: i/o error, read"));
  }
  async read(buffer: Buffer, offset: number, length: number): Promise<{ bytesRead: number }> {
    if (!this.#chunks.length) await new Promise<void>((resolve, reject) => (this.#waiting = { give: resolve, fail: reject }));
    const chunk = this.#chunks.shift()!.subarray(0, length);
    buffer.set(chunk, offset);
    return { bytesRead: chunk.length };
  }
  async write(buffer: Buffer): Promise<void> {
    expect(++this.writing, "one write at a time").toBe(1);
    await Promise.resolve();
    this.writing--;
    this.written.push(Uint8Array.from(buffer));
    this.onWrite(Uint8Array.from(buffer));
  }
  async set(): Promise<void> {
    throw new Error("Inappropriate ioctl for device, cannot set");
  }
  async close(): Promise<void> {
    this.isOpen = false;
    this.#waiting?.fail(Object.assign(new Error("Canceled"), { canceled: true }));
  }
}
const bindingOf = (port: SerialPortLike | Error): SerialBindingLike => ({
  list: async () => [],
  open: async () => {
    if (port instanceof Error) throw port;
    return port;
  },
});

describe("a port through any binding", () => {
  test("carries bytes in order, both ways, and closes twice", async () => {
    const port = new FakePort();
    const stream = await serialStream("/dev/ttyACM0", { binding: bindingOf(port) });
    let got = "";
    stream.onData = (chunk) => (got += hex(chunk));
    const writes = [stream.write(Uint8Array.of(1, 2)), stream.write(Uint8Array.of(3)), stream.write(Uint8Array.of(4))];
    port.give(Uint8Array.of(5, 6));
    await Promise.all(writes);
    port.give(Uint8Array.of(7));
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).toBe("050607");
    expect(port.written.map(hex)).toEqual(["0102", "03", "04"]);
    await Promise.all([stream.close(), stream.close()]);
    expect(await stream.closed).toBe("closed");
    expect(port.isOpen).toBe(false);
    await stream.write(Uint8Array.of(9));
    expect(port.written.length).toBe(3);
  });

  test("a port that goes away", async () => {
    const port = new FakePort();
    const stream = await serialStream("/dev/ttyACM0", { binding: bindingOf(port) });
    port.lose();
    expect(await stream.closed).toBe("port-lost");
    expect(port.isOpen).toBe(false);
  });

  test("closes although the device takes no bytes any more", async () => {
    const port = new FakePort();
    port.write = () => new Promise(() => undefined);
    const stream = await serialStream("/dev/ttyACM0", { binding: bindingOf(port) });
    void stream.write(Uint8Array.of(1));
    const began = performance.now();
    await stream.close();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(port.isOpen).toBe(false);
  });

  test("the link's bye still goes out at close", async () => {
    const clock = new FakeClock();
    const port = new FakePort();
    const reader = new LinkReaderSide();
    port.onWrite = (bytes) => {
      reader.receive(bytes, clock.now());
      const out = reader.poll(clock.now());
      if (out.length) port.give(out);
    };
    const stream = await serialStream("/dev/ttyACM0", { binding: bindingOf(port) });
    const transport = await LinkTransport.open(stream, { address: { uri: "serial:", name: "test", virtual: true }, clock });
    expect(reader.open).toBe(true);
    await transport.close();
    expect(reader.open).toBe(false);
  });
});

test.each([
  ["Error: No such file or directory, cannot open /dev/ttyACM7", "port-missing"],
  ["Error: Permission denied, cannot open /dev/ttyACM0", "permission-denied"],
  ["Error Resource temporarily unavailable Cannot lock port", "port-in-use"],
  ["Error: Device or resource busy, cannot open /dev/ttyACM0", "port-in-use"],
  ["Error: Inappropriate ioctl for device setting custom baud rate of 115200", "port-missing"],
  ["Opening COM3: Access denied", "permission-denied"],
  ["Opening COM3: File not found", "port-missing"],
  ["something else", "unexpected"],
])("%s: %s", async (text, code) => {
  expect(openFailure(new Error(text), "/dev/x").code).toBe(code);
  const error = await serialStream("/dev/x", { binding: bindingOf(new Error(text)) }).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(InkanError);
});

/** A pseudo-terminal whose other end echoes until its standard input ends. Node cannot make one by itself. */
const echo = `
import os, sys, tty, threading
master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
def quit():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=quit, daemon=True).start()
while True:
    data = os.read(master, 65536)
    while data:
        data = data[os.write(master, data):]
`;
/** One that reads nothing. */
const deaf = echo.slice(0, echo.indexOf("while True")) + "threading.Event().wait()\n";
const python = spawnSync("python3", ["--version"]).status === 0;

describe.skipIf(!python || process.platform === "win32")("a real terminal (needs python3)", () => {
  const open = async (program = echo): Promise<{ path: string; end(): void }> => {
    const child = spawn("python3", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    return { path: line.toString().trim(), end: () => void child.stdin.end() };
  };

  test("64 bytes and a megabyte come back whole and in order; another program is kept out", async () => {
    const { path, end } = await open();
    const stream = await serialStream(path);
    expect(stream.constructor.name).toBe("TtyStream");
    const error = await serialStream(path).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: "port-in-use" });
    const sent = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 131) >> 3);
    const got = new Uint8Array(sent.length);
    let at = 0;
    const all = new Promise<void>((resolve) => {
      stream.onData = (chunk) => {
        got.set(chunk, at);
        at += chunk.length;
        if (at === sent.length) resolve();
      };
    });
    await stream.write(sent.subarray(0, 64));
    for (let from = 64; from < sent.length; from += 5000) void stream.write(sent.subarray(from, Math.min(sent.length, from + 5000)));
    await all;
    expect(Buffer.compare(got, sent)).toBe(0);
    await stream.close();
    expect(await stream.closed).toBe("closed");
    const again = await serialStream(path);
    await again.close();
    end();
  });

  test("the other end is deaf: the port is given back, whatever was left to write", async () => {
    const { path, end } = await open(deaf);
    const stream = await serialStream(path);
    const writing = stream.write(new Uint8Array(1 << 20));
    await stream.close();
    await writing;
    const again = await serialStream(path);
    await again.close();
    end();
  });

  test("the other end goes away", async () => {
    const { path, end } = await open();
    const stream = await serialStream(path);
    end();
    expect(await stream.closed).toBe("port-lost");
    await stream.close();
  });
});
