import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { describe, expect, it, onTestFinished } from "vitest";
import { VirtualBoard } from "../board/board.js";
import { FakeGuest } from "./fake-guest.js";
import { serveUsbredir, type UsbredirOptions } from "./serve.js";
import { UsbredirError } from "./wire.js";

const firmware = await releasedFirmware();

/** The released image on a socket, in wall time. */
async function offer(options: UsbredirOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), "usbredir-"));
  const path = join(folder, "s");
  const board = await VirtualBoard.boot({ ...firmware, pace: "line" });
  const server = await serveUsbredir(board, path, options);
  onTestFinished(async () => {
    await server.close();
    board.close();
    await rm(folder, { recursive: true });
  });
  return { board, path, folder, server };
}

async function visit(path: string): Promise<{ guest: FakeGuest; socket: Socket; left: Promise<void> }> {
  const socket = connect(path);
  const guest = new FakeGuest((bytes) => void socket.write(bytes));
  socket.on("data", (chunk) => guest.receive(chunk));
  socket.on("error", () => undefined);
  const left = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return { guest, socket, left };
}
const until = async (done: () => boolean): Promise<void> => {
  const limit = Date.now() + 10_000;
  while (!done()) {
    if (Date.now() > limit) throw new Error("not in 10 s");
    await new Promise((turn) => setTimeout(turn, 5));
  }
};

describe("the reader on a socket", () => {
  it("is plugged in when a guest says hello and pulled when it leaves; the next one finds it again", async () => {
    const { board, path } = await offer();
    for (let round = 0; round < 2; round++) {
      const { guest, socket, left } = await visit(path);
      expect(board.usb.host.plugged).toBe(false);
      guest.hello();
      await until(() => guest.all("device_connect").length === 1);
      guest.say("reset", {});
      guest.say("set_configuration", { configuration: 1 });
      await until(() => guest.all("configuration_status").length === 1);
      guest.bulkOut(1, Uint8Array.of(0x65, 0, 0, 0, 0, 0, round, 0, 0, 0));
      const id = guest.bulkIn(0x81, 271);
      await until(() => guest.all("bulk_packet", id).length === 1);
      expect([...guest.all("bulk_packet", id)[0]!.body.data.subarray(0, 7)]).toEqual([0x81, 0, 0, 0, 0, 0, round]);
      socket.destroy();
      await left;
      await until(() => !board.usb.host.plugged);
    }
  });

  it("a second guest is turned away, and the first one keeps the reader", async () => {
    const { path } = await offer();
    const first = await visit(path);
    const second = await visit(path);
    await second.left;
    first.guest.hello();
    await until(() => first.guest.all("device_connect").length === 1);
  });

  it("a guest that breaks a rule loses the connection and the rule is named", async () => {
    const seen: unknown[] = [];
    const { path } = await offer({ onGuest: (event, error) => seen.push(event, error) });
    const { socket, left } = await visit(path);
    socket.write(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    await left;
    await until(() => seen.length > 0);
    expect(seen[0]).toBe("left");
    expect(seen[1]).toBeInstanceOf(UsbredirError);
    expect((seen[1] as UsbredirError).rule).toBe("no-hello");
    const next = await visit(path);
    next.guest.hello();
    await until(() => next.guest.all("device_connect").length === 1);
  });

  it("closing takes the socket away, ends the guest and gives the interfaces back", async () => {
    const { board, path, server } = await offer();
    const { guest, left } = await visit(path);
    guest.hello();
    await until(() => guest.all("device_connect").length === 1);
    expect(board.usb.host.claim(0, {})).toBe(false);
    await server.close();
    await left;
    expect(await server.closed).toEqual({ reason: "closed" });
    await expect(stat(path)).rejects.toThrow("ENOENT");
    expect(board.usb.host.claim(0, {})).toBe(true);
  });

  it("a board that stops ends the service with the reason", async () => {
    const { board, path, server } = await offer();
    const { guest, left } = await visit(path);
    guest.hello();
    await until(() => guest.all("device_connect").length === 1);
    const error = new Error("a rule was broken");
    board.engine.pump.stop(error);
    await left;
    expect(await server.closed).toEqual({ reason: "board-stopped", error });
  });

  it("says why it cannot be offered, and touches nothing that is not its own", async () => {
    const { board, path, folder } = await offer({ plug: false });
    await expect(serveUsbredir(board, path)).rejects.toMatchObject({ code: "port-in-use" });
    await writeFile(join(folder, "file"), "kept");
    const other = await VirtualBoard.boot({ ...firmware, pace: "line" });
    onTestFinished(() => other.close());
    await expect(serveUsbredir(other, join(folder, "file"))).rejects.toMatchObject({ code: "file-unwritable" });
    await expect(serveUsbredir(other, join(folder, "none", "s"))).rejects.toMatchObject({ code: "file-unwritable" });
    expect((await stat(join(folder, "file"))).size).toBe(4);
    await other.usb.attach();
    await other.usb.device.open();
    await other.usb.device.claimInterface(0);
    await expect(serveUsbredir(other, join(folder, "t"))).rejects.toMatchObject({ code: "port-in-use" });
  });
});
