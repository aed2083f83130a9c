import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { isInkanError } from "../errors.js";
import { openUri, parseUri } from "./open.js";
import { isLoopback, tcpStream } from "./tcp.js";

let server: Server | undefined;
const sockets = new Set<Socket>();
/** A server that does this with each connection; gives its port. */
async function listening(serve: (socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  if (server) await new Promise<void>((resolve) => void server!.close(() => resolve()));
  server = undefined;
});
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isInkanError(error) ? error.code : error),
  );

describe("tcp:", () => {
  test("carries a megabyte there and back, in order, and closes twice", async () => {
    const port = await listening((socket) => socket.pipe(socket));
    const stream = await tcpStream("127.0.0.1", port);
    const sent = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 255);
    let came = Buffer.alloc(0);
    const whole = new Promise<void>((resolve) => {
      stream.onData = (chunk) => {
        came = Buffer.concat([came, chunk]);
        if (came.length >= sent.length) resolve();
      };
    });
    await Promise.all([stream.write(sent.subarray(0, 70_000)), stream.write(sent.subarray(70_000)), whole]);
    expect(came.equals(sent)).toBe(true);
    await stream.close();
    await stream.close();
    expect(await stream.closed).toBe("closed");
  });
  test("what was written last still arrives", async () => {
    let heard = "";
    let ended!: () => void;
    const end = new Promise<void>((resolve) => (ended = resolve));
    const port = await listening((socket) => void socket.on("data", (chunk) => (heard += chunk)).on("end", () => ended()));
    const stream = await tcpStream("127.0.0.1", port);
    void stream.write(new TextEncoder().encode("bye"));
    await stream.close();
    await end;
    expect(heard).toBe("bye");
  });
  test("the other end goes: the stream says so, and writing is no error", async () => {
    const port = await listening((socket) => socket.end());
    const stream = await tcpStream("127.0.0.1", port);
    expect(await stream.closed).toBe("port-lost");
    await stream.write(Uint8Array.of(1));
    await stream.close();
  });
  test("nobody listens, the caller gives up, nobody answers: three sentences", async () => {
    const port = await listening((socket) => void socket.resume());
    expect(await codeOf(tcpStream("127.0.0.1", port, { signal: AbortSignal.abort() }))).toBe("aborted");
    expect(await codeOf(openUri(`tcp://127.0.0.1:${port}`, { timeoutMs: 200 }))).toBe("no-reader");
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => void server!.close(() => resolve()));
    server = undefined;
    expect(await codeOf(tcpStream("127.0.0.1", port))).toBe("port-missing");
  });
  test("something else answers", async () => {
    const port = await listening((socket) => void socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\0\r\n")));
    expect(await codeOf(openUri(`tcp://127.0.0.1:${port}`, { timeoutMs: 300 }))).toBe("port-garbage");
  });
  test.each([
    ["tcp://reader.local:4510", { scheme: "tcp", host: "reader.local", port: 4510 }],
    ["tcp://127.0.0.1:65535", { scheme: "tcp", host: "127.0.0.1", port: 65_535 }],
    ["tcp://[::1]:1", { scheme: "tcp", host: "::1", port: 1 }],
  ])("%s is an address", (uri, parsed) => expect(parseUri(uri)).toEqual(parsed));
  test.each([
    "tcp:",
    "tcp://",
    "tcp://host",
    "tcp://host:",
    "tcp://host:0",
    "tcp://host:65536",
    "tcp://::1:5",
    "tcp:host:5",
    "tcp://a/b:5",
  ])("%s is none", (uri) => expect(() => parseUri(uri)).toThrow());
  test("what is this machine", () => {
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "127.0.0.1.example", "localhost.example", "192.168.0.2", "x127.0.0.1"].some(isLoopback)).toBe(false);
  });
});
