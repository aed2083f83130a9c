import { spawnSync } from "node:child_process";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SerialPortStream } from "@serialport/stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { CdcAcm } from "./cdc.js";
import type { Pace } from "./pace.js";
import { openPty } from "./pty.js";
import { serialBinding, VIRTUAL_PORT } from "./serial-binding.js";
import { attachUsb, VirtualUsbDevice } from "./usb-device.js";
import { BareHost, ScriptedDriver } from "./usb-scripted.js";
import { createUsb } from "./usb.js";

async function board(pace: Pace = "free") {
  const host = new BareHost(pace);
  const { host: usb } = createUsb(host);
  const driver = new ScriptedDriver(host);
  driver.start();
  host.pump.start();
  onTestFinished(() => host.pump.stop(new Error("the test is over")));
  await attachUsb(usb);
  return { host, usb, driver, device: new VirtualUsbDevice(usb, { readsRunTime: true }), cdc: new CdcAcm(usb) };
}

const name = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: Error) => error.name,
  );

describe("VirtualUsbDevice", () => {
  it("shows what was enumerated", async () => {
    const { device } = await board();
    expect([device.vendorId, device.productId, device.productName, device.serialNumber]).toEqual([0x1209, 1, "Scripted", "S-0001"]);
    const interfaces = device.configuration!.interfaces;
    expect(interfaces[0]!.alternates[0]!.endpoints).toEqual([
      { endpointNumber: 1, direction: "out", type: "bulk", packetSize: 64 },
      { endpointNumber: 1, direction: "in", type: "bulk", packetSize: 64 },
      { endpointNumber: 2, direction: "in", type: "interrupt", packetSize: 16 },
    ]);
  });

  it("carries a message there and back, twice to the same nanosecond", async () => {
    const run = async (): Promise<[number, number]> => {
      const { device, host } = await board();
      await device.open();
      await device.selectConfiguration(1);
      await device.claimInterface(0);
      const [, back] = await Promise.all([device.transferOut(1, new Uint8Array(271).fill(7)), device.transferIn(1, 4096)]);
      expect(back.status).toBe("ok");
      return [back.data!.byteLength, host.nowNs];
    };
    const first = await run();
    expect(first[0]).toBe(271);
    expect(await run()).toEqual(first);
  });

  it("a stall is a status, and clearHalt ends it", async () => {
    const { device, driver } = await board();
    await device.open();
    await device.claimInterface(0);
    driver.stall(3);
    expect(await device.transferOut(1, new Uint8Array(4))).toEqual({ status: "stall", bytesWritten: 0 });
    await device.clearHalt("out", 1);
    expect((await device.transferOut(1, new Uint8Array(4))).status).toBe("ok");
    const setup = { requestType: "vendor", recipient: "device", request: 1, value: 0, index: 0 } as const;
    expect((await device.controlTransferIn(setup, 4)).status).toBe("stall");
  });

  it("names its errors as WebUSB does", async () => {
    const { device, usb, cdc } = await board();
    expect(await name(device.transferIn(1, 64))).toBe("InvalidStateError");
    await device.open();
    expect(await name(device.transferIn(1, 64))).toBe("NotFoundError");
    expect(await name(device.claimInterface(9))).toBe("NotFoundError");
    await device.claimInterface(0);
    const pending = device.transferIn(1, 64);
    await device.close();
    expect(await name(pending)).toBe("AbortError");
    await cdc.open();
    await device.open();
    expect(await name(device.claimInterface(2))).toBe("NetworkError");
    await device.claimInterface(0);
    const other = device.transferIn(1, 64);
    const write = device.transferOut(1, new Uint8Array(1000));
    usb.unplug();
    expect([await name(other), await name(write)]).toEqual(["NetworkError", "NetworkError"]);
    expect(await name(device.transferIn(1, 64))).toBe("NotFoundError");
    expect(await name(device.open())).toBe("NotFoundError");
  });

  it("survives a port reset open and claimed", async () => {
    const { device, driver } = await board();
    await device.open();
    await device.claimInterface(0);
    const pending = device.transferIn(1, 64);
    const resetting = device.reset();
    expect(await name(pending)).toBe("NetworkError");
    await resetting;
    expect(driver.log.filter((line) => line === "reset")).toHaveLength(2);
    expect((await device.transferOut(1, new Uint8Array(3))).status).toBe("ok");
  });
});

describe("CDC-ACM", () => {
  it("says line coding, DTR and RTS on open and takes them back on close", async () => {
    const { cdc, driver } = await board();
    await cdc.open({ coding: { baudRate: 9600, parity: 2 } });
    expect(driver.lineCoding).toEqual([0x80, 0x25, 0, 0, 0, 2, 8]);
    expect(driver.lineState).toBe(3);
    await cdc.close();
    expect(driver.lineState).toBe(0);
  });

  it("a full packet without ZLP stays in the driver, as in Linux; the ZLP lets it out", async () => {
    const { cdc, driver, host } = await board();
    const got: number[] = [];
    cdc.onData = (bytes) => got.push(bytes.length);
    await cdc.open();
    driver.arm(8, new Uint8Array(64), 64);
    await host.pump.sleep(5);
    expect(got).toEqual([]);
    driver.arm(8, new Uint8Array(0), 0);
    await host.pump.sleep(5);
    expect(got).toEqual([64]);
  });
});

describe("serialport's stream over the binding", () => {
  const opened = async () => {
    const all = await board();
    const binding = serialBinding(all.usb, all.cdc);
    const port = new SerialPortStream({ binding, path: VIRTUAL_PORT, baudRate: 115200, autoOpen: false });
    const received: number[] = [];
    port.on("data", (bytes: Buffer) => received.push(...bytes));
    const call = (method: (done: (error: Error | null | undefined) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => method((error) => (error ? reject(error) : resolve())));
    await call((done) => port.open(done));
    return { ...all, binding, port, received, call };
  };

  it("lists, opens, writes, drains, reads, updates, closes", async () => {
    const { binding, port, call, received, host, driver, usb } = await opened();
    expect(await binding.list()).toMatchObject([
      { path: VIRTUAL_PORT, vendorId: "1209", productId: "0001", serialNumber: "S-0001", manufacturer: "Maker" },
    ]);
    const message = Uint8Array.from({ length: 3010 }, (_, index) => index & 0xff);
    port.write(Buffer.from(message));
    await call((done) => port.drain(done));
    await host.pump.sleep(20);
    expect(received).toEqual([...message]);
    await call((done) => port.update({ baudRate: 19200 }, done));
    expect(driver.lineCoding.slice(0, 2)).toEqual([0x00, 0x4b]);
    await call((done) => port.set({ dtr: false, rts: true }, done));
    expect(driver.lineState).toBe(2);
    const status = await new Promise((resolve) => port.get((_, given) => resolve(given)));
    expect(status).toEqual({ cts: true, dsr: false, dcd: false });
    await call((done) => port.flush(done));
    await call((done) => port.close(done));
    expect(driver.lineState).toBe(0);
    usb.unplug();
    expect(await binding.list()).toEqual([]);
  });

  it("a second opening is refused, an unknown path too, and after close it opens again", async () => {
    const { binding, port, call } = await opened();
    await expect(binding.open({ path: VIRTUAL_PORT, baudRate: 9600 })).rejects.toThrow(/Cannot lock port/);
    await expect(binding.open({ path: "/dev/ttyACM9", baudRate: 9600 })).rejects.toThrow(/No such file or directory/);
    await call((done) => port.close(done));
    const again = await binding.open({ path: VIRTUAL_PORT, baudRate: 9600 });
    expect(await again.getBaudRate()).toEqual({ baudRate: 9600 });
    const pending = Promise.allSettled([again.read(Buffer.alloc(8), 0, 8), again.write(Buffer.alloc(100_000))]);
    await again.close();
    for (const one of await pending) expect(one).toMatchObject({ status: "rejected", reason: { canceled: true } });
    await expect(again.write(Buffer.alloc(1))).rejects.toThrow("Port is not open");
  });

  it("unplugging is a disconnect, not a quiet end", async () => {
    const { port, usb } = await opened();
    const closed = new Promise<{ disconnected?: boolean } | null>((resolve) => port.once("close", resolve));
    usb.unplug();
    expect(await closed).toMatchObject({ disconnected: true });
    expect(port.isOpen).toBe(false);
  });
});

describe("pseudo-terminal", () => {
  const python = spawnSync("python3", ["-c", "import os, tty"]).status === 0;

  it.runIf(python)("carries bytes of another program's port, and leaves no link behind", async () => {
    const { cdc } = await board("real");
    const folder = mkdtempSync(join(tmpdir(), "inkan-pty-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const link = join(folder, "reader");
    const bridge = await openPty(cdc, { link });
    expect(readlinkSync(link)).toBe(bridge.path);
    await expect(openPty(cdc, { link })).rejects.toMatchObject({ code: "file-unwritable" });
    const terminal = await open(link, "r+");
    const message = Buffer.from(Uint8Array.from({ length: 300 }, (_, index) => index & 0xff));
    await terminal.write(message);
    const got: Buffer[] = [];
    while (Buffer.concat(got).length < message.length) {
      const { bytesRead, buffer } = await terminal.read(Buffer.alloc(512), 0, 512);
      got.push(buffer.subarray(0, bytesRead));
    }
    expect(Buffer.concat(got)).toEqual(message);
    await terminal.close();
    await bridge.close();
    expect(() => readlinkSync(link)).toThrow();
    expect(cdc.isOpen).toBe(false);
  });

  it("says what is missing", async () => {
    const { cdc } = await board();
    await expect(openPty(cdc, { python: "python3-is-not-here" })).rejects.toMatchObject({ code: "program-missing", exit: 8 });
  });
});
