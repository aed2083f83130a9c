import { ccidClaims, configurationDescriptor, deviceDescriptor, referenceProduct, unhex } from "@inkan/device-proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../testing/fake-clock.js";
import { FakeReader } from "../../testing/fake-reader.js";
import { InkanError } from "../errors.js";
import { Reader } from "../reader/reader.js";
import type { TransportEvent } from "./transport.js";
import { UsbTransport } from "./usb.js";
import { findCcidInterface } from "./usb-descriptors.js";
import type { UsbDeviceLike, UsbInResultLike } from "./usb-device-like.js";
import { usbFailure } from "./usb-failure.js";

const PACKET = 64;
const clock = new FakeClock();
const address = { uri: "usb:E661", name: "test", virtual: true };

/** One IN pipe: packets in, transfers out, by USB's rules. */
class Pipe {
  readonly packets: Uint8Array[] = [];
  #waiting: { length: number; have: number[]; resolve(result: UsbInResultLike): void; reject(error: Error): void } | undefined;
  failNext: Error | "stall" | "babble" | undefined;
  push(message: Uint8Array, zlp = true): void {
    for (let at = 0; at < message.length; at += PACKET) this.packets.push(message.slice(at, at + PACKET));
    if (zlp && message.length % PACKET === 0) this.packets.push(new Uint8Array(0));
    this.#serve();
  }
  read(length: number): Promise<UsbInResultLike> {
    return new Promise((resolve, reject) => {
      this.#waiting = { length, have: [], resolve, reject };
      this.#serve();
    });
  }
  fail(error: Error | "stall" | "babble"): void {
    this.failNext = error;
    this.#serve();
  }
  #serve(): void {
    const waiting = this.#waiting;
    if (!waiting) return;
    const done = (act: () => void): void => {
      this.#waiting = undefined;
      act();
    };
    if (this.failNext) {
      const failure = this.failNext;
      this.failNext = undefined;
      return done(() => (typeof failure === "string" ? waiting.resolve({ status: failure }) : waiting.reject(failure)));
    }
    while (this.packets.length) {
      const packet = this.packets.shift()!;
      waiting.have.push(...packet);
      if (packet.length === PACKET && waiting.have.length < waiting.length) continue;
      // the data lies somewhere inside a larger buffer, as with real drivers
      const buffer = Uint8Array.of(0xee, ...waiting.have, 0xee);
      return done(() => waiting.resolve({ status: "ok", data: new DataView(buffer.buffer, 1, waiting.have.length) }));
    }
  }
}

/** A composite device with our descriptors in front of a fake reader. */
class FakeUsbDevice implements UsbDeviceLike {
  readonly vendorId = 0x1209;
  readonly productId = 0x0001;
  readonly productName = "Inkan reference reader";
  readonly serialNumber = "E661A4D1";
  readonly configuration = { configurationValue: 1, interfaces: [] };
  readonly configurations = [this.configuration];
  readonly reader: FakeReader;
  readonly bulk = new Pipe();
  readonly interrupt = new Pipe();
  readonly log: string[] = [];
  zlp = true;
  openError: Error | undefined;
  claimError: Error | undefined;
  outError: Error | undefined;
  constructor(
    reader = new FakeReader({
      clock,
      card: { powerOn: () => unhex("3b00"), transmit: (command) => ({ response: Uint8Array.of(...command, 0x90, 0), thinkMs: 0 }) },
    }),
  ) {
    this.reader = reader;
    reader.onMessage = (message) => this.bulk.push(message, this.zlp);
    reader.onNotice = (notice) => this.interrupt.push(notice);
  }
  async open(): Promise<void> {
    if (this.openError) throw this.openError;
  }
  async close(): Promise<void> {
    this.log.push("close");
    this.bulk.fail(new Error("transferIn error: Cancelled"));
    this.interrupt.fail(new Error("transferIn error: Cancelled"));
  }
  async selectConfiguration(): Promise<void> {}
  async claimInterface(number: number): Promise<void> {
    if (this.claimError) throw this.claimError;
    this.log.push(`claim ${number}`);
  }
  async releaseInterface(number: number): Promise<void> {
    this.log.push(`release ${number}`);
  }
  async controlTransferIn(setup: { value: number }, length: number): Promise<UsbInResultLike> {
    const bytes = setup.value === 0x0100 ? deviceDescriptor(referenceProduct) : configurationDescriptor();
    return { status: "ok", data: new DataView(bytes.slice(0, length).buffer) };
  }
  async controlTransferOut(setup: { request: number; value: number; index: number }, data?: Uint8Array): Promise<{ status: "ok" }> {
    if (!data) throw new TypeError("node-usb reads data.buffer");
    this.log.push(`control ${setup.request} ${setup.value.toString(16)} ${setup.index}`);
    await this.reader.abort(setup.value & 255, setup.value >> 8);
    return { status: "ok" };
  }
  transferIn(endpoint: number, length: number): Promise<UsbInResultLike> {
    return (endpoint === 1 ? this.bulk : this.interrupt).read(length);
  }
  async transferOut(endpoint: number, data: Uint8Array): Promise<{ status: "ok" | "stall"; bytesWritten: number }> {
    if (this.outError) throw this.outError;
    this.log.push(`out ${endpoint} ${data.length}`);
    await this.reader.send(data);
    return { status: "ok", bytesWritten: data.length };
  }
  async clearHalt(direction: "in" | "out", endpoint: number): Promise<void> {
    this.log.push(`clear ${direction} ${endpoint}`);
  }
  async reset(): Promise<void> {}
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  clock.run(
    promise.then(
      () => "no error",
      (error: unknown) => (error instanceof InkanError ? error.code : String(error)),
    ),
  );

describe("a USB reader", () => {
  test("is found by class, claimed, used and given back", async () => {
    const device = new FakeUsbDevice();
    const transport = await clock.run(UsbTransport.open(device, { address, clock }));
    expect(transport).toMatchObject({ maxMessageLength: 65554, features: ccidClaims.dwFeatures, pinSupport: 3, notifies: true });
    const reader = await clock.run(Reader.open(transport, { clock }));
    expect(await clock.run(reader.identify())).toEqual({
      product: "Inkan reference reader",
      firmware: "0.1.0",
      serial: "E661A4D1",
      testIds: true,
    });
    const card = await clock.run(reader.connect());
    expect((await clock.run(card.transmit(unhex("00b00000")))).sw).toBe(0x9000);
    const events: string[] = [];
    reader.events.on((event) => events.push(event.type));
    device.reader.remove();
    await settle();
    expect(events).toEqual(["card-removed"]);
    await clock.run(reader.close());
    expect(device.log[0]).toBe("claim 0");
    expect(device.log.slice(-2)).toEqual(["release 0", "close"]);
    expect(await transport.closed).toBe("closed");
  });

  test.each([true, false])("answers of every length around the packet, with a ZLP or without: %s", async (zlp) => {
    const device = new FakeUsbDevice();
    device.zlp = zlp;
    const transport = await clock.run(UsbTransport.open(device, { address, clock }));
    const reader = await clock.run(Reader.open(transport, { clock }));
    const card = await clock.run(reader.connect());
    for (const size of [...Array.from({ length: 140 }, (_, i) => i), 1000, 4084, 65_000]) {
      const apdu = new Uint8Array(4 + size);
      const response = await clock.run(card.transmit(apdu));
      expect(response.data.length).toBe(apdu.length);
    }
    await clock.run(reader.close());
  });

  test("abort goes over both pipes with one sequence number", async () => {
    const slow = new FakeReader({
      clock,
      card: { powerOn: () => unhex("3b00"), transmit: () => ({ response: unhex("9000"), thinkMs: 9000 }) },
    });
    const device = new FakeUsbDevice(slow);
    const reader = await clock.run(Reader.open(await clock.run(UsbTransport.open(device, { address, clock })), { clock }));
    const card = await clock.run(reader.connect());
    const controller = new AbortController();
    const working = codeOf(card.transmit(unhex("00b00000"), { signal: controller.signal }));
    await clock.advance(5);
    controller.abort();
    expect(await working).toBe("aborted");
    const abort = slow.commands.find((command) => command.name === "Abort")!;
    expect(device.log).toContain(`control 1 ${(abort.sequence << 8).toString(16)} 0`);
    await clock.run(reader.close());
  });

  test("the cable, a driver's timeout, a stall, and garbage", async () => {
    const device = new FakeUsbDevice();
    const transport = await clock.run(UsbTransport.open(device, { address, clock }));
    const events: TransportEvent[] = [];
    transport.onEvent = (event) => events.push(event);
    device.bulk.fail(new Error("transferIn error: Cancelled"));
    await settle();
    device.bulk.fail("stall");
    await clock.advance(50);
    expect(device.log).toContain("clear in 1");
    device.bulk.push(unhex("8000"));
    await settle();
    expect(events.map((event) => event.type === "discarded" && event.reason)).toEqual([
      "endpoint 1 IN stalled",
      "shorter than a CCID header",
    ]);
    device.bulk.fail(new Error("transferIn error: Disconnected"));
    await settle();
    expect(await transport.closed).toBe("unplugged");
    expect(await codeOf(transport.send(new Uint8Array(10)))).toBe("reader-unplugged");
  });

  test("a reader that babbles is given up, and nothing of it is taken for a message", async () => {
    const device = new FakeUsbDevice();
    const transport = await UsbTransport.open(device, { address, clock });
    const messages: Uint8Array[] = [];
    const events: TransportEvent[] = [];
    transport.onMessage = (message) => messages.push(message);
    transport.onEvent = (event) => events.push(event);
    const answer = unhex("81000000000000000000");
    device.bulk.fail("babble");
    await clock.advance(30);
    device.bulk.push(answer);
    await settle();
    expect(messages.length, "one is no end").toBe(1);
    // answers at once, for ever: only a pause lets anybody else run
    let asked = 0;
    device.transferIn = async () => (asked++, { status: "babble", data: new DataView(answer.buffer) });
    device.bulk.fail("babble");
    await clock.advance(2000);
    expect(await transport.closed).toBe("violation");
    expect(asked).toBeLessThan(30);
    expect(messages.length).toBe(1);
    expect(events.filter((event) => event.type === "discarded" && /babbled/.test(event.reason)).length).toBeGreaterThan(5);
    expect(clock.pending).toBe(0);
  });

  test("what a killed program left of its answer is skipped, up to the head of an answer", async () => {
    const device = new FakeUsbDevice();
    const transport = await UsbTransport.open(device, { address, clock });
    const messages: Uint8Array[] = [];
    const events: TransportEvent[] = [];
    transport.onMessage = (message) => messages.push(message);
    transport.onEvent = (event) => events.push(event);
    const answer = unhex("81000000000000000000");
    device.bulk.push(new Uint8Array(64).fill(0xff));
    await settle();
    expect(messages).toEqual([]);
    device.bulk.push(answer);
    await settle();
    expect(messages).toEqual([answer]);
    expect(events).toMatchObject([{ type: "discarded", reason: "the rest of an answer to a program before us" }]);
    device.bulk.push(new Uint8Array(64).fill(0xff));
    await settle();
    expect(await transport.closed, "once in step it is the reader's fault").toBe("violation");
  });

  test("a dwLength beyond all bounds ends the reader, not the memory", async () => {
    const device = new FakeUsbDevice();
    const transport = await clock.run(UsbTransport.open(device, { address, clock }));
    device.bulk.push(Uint8Array.of(0x80, 0xff, 0xff, 0xff, 0xff, ...new Uint8Array(59)));
    await settle();
    expect(await transport.closed).toBe("violation");
  });

  test.each([
    ["claim", new Error("claimInterface error: Device or resource busy (errno 16)"), "port-in-use"],
    ["open", new Error("open error: Permission denied (errno 13)"), "permission-denied"],
    ["open", new Error("open error: No such device (errno 19)"), "reader-unplugged"],
  ] as const)("%s fails: %s", async (where, error, code) => {
    const device = new FakeUsbDevice();
    if (where === "claim") device.claimError = error;
    else device.openError = error;
    expect(await codeOf(UsbTransport.open(device, { address, clock }))).toBe(code);
    expect(device.log).toContain("close");
  });
});

describe("configuration descriptors", () => {
  test("ours: CCID is interface 0, class descriptor and three endpoints", () => {
    const found = findCcidInterface(configurationDescriptor());
    expect(found).toMatchObject({
      interfaceNumber: 0,
      out: { number: 1, packetSize: 64 },
      in: { number: 1, packetSize: 64 },
      interrupt: { number: 2, packetSize: 8 },
    });
    expect(found.claims).toEqual(ccidClaims);
  });
  test("cut anywhere, or changed anywhere: a value or a named error", () => {
    const good = configurationDescriptor();
    for (let n = 0; n < good.length; n++) {
      try {
        findCcidInterface(good.subarray(0, n));
      } catch (error) {
        expect(error).toBeInstanceOf(InkanError);
      }
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc
            .tuple(fc.nat(good.length - 1), fc.nat(255))
            .map(([at, value]) => Uint8Array.from(good, (byte, i) => (i === at ? value : byte))),
        ),
        (bytes) => {
          try {
            findCcidInterface(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(InkanError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test("drivers' errors in their own words", () => {
  const codes = ["NetworkError: Unable to claim interface.", "The device was disconnected.", "LIBUSB_ERROR_ACCESS", "endpoint fault"].map(
    (text) => usbFailure(new Error(text), "usb:").code,
  );
  expect(codes).toEqual(["port-in-use", "reader-unplugged", "permission-denied", "protocol"]);
});
