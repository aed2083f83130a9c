import { referenceProduct, status, unhex } from "@inkan/device-proto";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../testing/fake-clock.js";
import { FakeReader } from "../../testing/fake-reader.js";
import { InkanError } from "../errors.js";
import type { SerialBindingLike } from "../transport/serial/binding.js";
import type { UsbDeviceLike } from "../transport/usb-device-like.js";
import { listReaders } from "./list.js";
import { openUri, parseUri } from "./open.js";
import type { FoundUsbReader } from "./usb.js";

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof InkanError ? error.code : String(error)),
  );
const found = (uri: string, serial?: string): FoundUsbReader => ({
  address: { uri, name: "reader", virtual: false, ...(serial && { serial }) },
  device: {} as UsbDeviceLike,
});

test.each([
  ["usb:", { scheme: "usb", which: "" }],
  ["usb:E661A4D1", { scheme: "usb", which: "E661A4D1" }],
  ["serial:/dev/ttyACM0", { scheme: "serial", path: "/dev/ttyACM0", baud: 115200 }],
  ["serial:COM3?baud=9600", { scheme: "serial", path: "COM3", baud: 9600 }],
  ["virtual:", { scheme: "virtual" }],
])("%s", (uri, parts) => expect(parseUri(uri)).toEqual(parts));

test.each(["", "usb", "tcp:x", "serial:", "serial:/dev/x?baud=", "serial:/dev/x?speed=1", "serial:/dev/x?baud=9600x", "virtual:mine"])(
  "%j is no reader's URI",
  async (uri) => {
    expect(await codeOf(openUri(uri))).toBe("usage");
  },
);

describe("choosing on USB", () => {
  test("none, several, the wrong serial", async () => {
    expect(await codeOf(openUri("usb:", { usb: async () => [] }))).toBe("no-reader");
    expect(await codeOf(openUri("usb:", { usb: async () => [found("usb:A", "A"), found("usb:B", "B")] }))).toBe("several-readers");
    expect(await codeOf(openUri("usb:C", { usb: async () => [found("usb:A", "A")] }))).toBe("no-reader");
  });
});

describe("virtual:", () => {
  test("runs in the bench's time, and closing gives the bench back after the transport", async () => {
    const clock = new FakeClock();
    const transport = new FakeReader({
      clock,
      card: { powerOn: () => unhex("3b00"), transmit: () => ({ response: unhex("9000"), thinkMs: 0 }) },
    });
    const order: string[] = [];
    void transport.closed.then(() => order.push("transport"));
    const virtual = { open: async () => ({ transport, clock, close: async () => void order.push("bench") }) };
    const reader = await clock.run(openUri("virtual:", { virtual }));
    await clock.run(reader.close());
    expect(order).toEqual(["transport", "bench"]);
  });
  test("the opening can be aborted, before and during, and says so in the SDK's own words", async () => {
    expect(await codeOf(openUri("virtual:", { signal: AbortSignal.abort("a word") }))).toBe("aborted");
    const clock = new FakeClock();
    const transport = new FakeReader({ clock, reflex: (command, polite) => (command.name === "Abort" ? polite() : []) });
    const stop = new AbortController();
    const virtual = { open: async () => ({ transport, clock, close: async () => undefined }) };
    const opening = openUri("virtual:", { virtual, signal: stop.signal });
    opening.catch(() => undefined);
    await clock.advance(10);
    stop.abort();
    expect(await codeOf(clock.run(opening))).toBe("aborted");
    expect(clock.now()).toBeLessThan(100);
    expect(await transport.closed).toBe("closed");
  });
  test("without the bench it is a missing package", async () => expect(await codeOf(openUri("virtual:"))).toBe("package-missing"));
});

describe("listing", () => {
  const binding: SerialBindingLike = {
    list: async () => [
      { path: "/dev/ttyACM0", serialNumber: "A", vendorId: "1209", productId: "0001" },
      { path: "/dev/ttyACM1", serialNumber: "B", vendorId: "1209", productId: "0001" },
      { path: "/dev/ttyUSB0", serialNumber: undefined, vendorId: "0403", productId: "6001" },
      { path: "/dev/ttyS0", serialNumber: undefined, vendorId: undefined, productId: undefined },
    ],
    open: async () => {
      throw new Error("no");
    },
  };
  test("a reader that is on USB is not listed again by its port", async () => {
    const { readers, facts } = await listReaders({ usb: async () => [found("usb:A", "A")], serial: async () => binding });
    expect([readers.map((reader) => reader.uri), facts]).toEqual([["usb:A", "serial:/dev/ttyACM1"], []]);
  });
  test("another product's reader is found by its own definition, under its own name", async () => {
    const product = { ...referenceProduct, productName: "Mine", usb: { ...referenceProduct.usb, vendorId: 0x0403, productId: 0x6001 } };
    const { readers } = await listReaders({ usb: async () => [], serial: async () => binding, products: [product] });
    expect(readers.map(({ uri, name }) => [uri, name])).toEqual([["serial:/dev/ttyUSB0", "Mine"]]);
  });
  test("what is missing becomes a fact with a row in the status table", async () => {
    const broken = Object.assign(new Error("spawn udevadm ENOENT"), { code: "ENOENT" });
    const { readers, facts } = await listReaders({
      usb: async () => {
        throw new InkanError("usb-missing", { detail: "/sys/bus/usb/devices/ not found (errno 2)" });
      },
      serial: async () => ({ ...binding, list: () => Promise.reject(broken) }),
    });
    expect(readers).toEqual([]);
    expect(facts).toEqual([
      { code: "usb-missing", detail: "/sys/bus/usb/devices/ not found (errno 2)" },
      { code: "udev-missing", detail: "spawn udevadm ENOENT" },
    ]);
  });
  test("on this machine, as it is: a list and facts, whatever is missing", async () => {
    const { readers, facts } = await listReaders();
    for (const reader of readers) expect(parseUri(reader.uri)).toBeDefined();
    for (const fact of facts) expect(Object.keys(status)).toContain(fact.code);
  });
});
