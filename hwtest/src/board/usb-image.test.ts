import { flashMap, pins } from "@inkan/device-proto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { describe, expect, it, onTestFinished } from "vitest";
import { createCardLine } from "./card-line.js";
import { CdcAcm } from "./cdc.js";
import { Display } from "./display.js";
import { Engine } from "./engine.js";
import { I2c } from "./i2c.js";
import { Keypad } from "./keypad.js";
import { Pwm } from "./pwm.js";
import { Uart } from "./uart.js";
import { patient, type HostTiming } from "./usb-host.js";
import type { TransferRequest, TransferResult } from "./usb-transfer.js";
import { createUsb } from "./usb.js";

/** The released image on the board, plugged in and enumerated: what its USB driver does on strict hardware. */
async function reader(timing?: HostTiming) {
  const firmware = await releasedFirmware();
  const engine = new Engine({
    pace: "free",
    seed: 7,
    uniqueId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    strict: true,
    watchdog: "violation",
  });
  new I2c(engine, engine.nets, [pins.displaySda, pins.displayScl], new Display(engine));
  new Pwm(engine, engine.nets);
  new Uart(engine, engine.nets, [pins.uart0Tx, pins.uart0Rx], () => engine.clocks.periHz);
  new Keypad(engine, engine.nets);
  createCardLine(engine);
  const { host: usb } = createUsb(engine);
  if (timing) usb.timing = timing;
  engine.flash.bytes.set(firmware.boot, 0);
  engine.flash.bytes.set(firmware.image, flashMap.slotA.at);
  engine.powerOn();
  onTestFinished(() => engine.pump.stop(new Error("the test is over")));
  const until = (done: () => boolean, ms: number): void => {
    const limit = engine.nowNs + ms * 1e6;
    while (!done()) {
      if (engine.nowNs >= limit) throw new Error(`not reached in ${ms} ms of board time`);
      engine.run(Math.min(limit, engine.nowNs + 1e6), 100_000);
    }
  };
  const enumerate = (): void => until(() => usb.device !== undefined, 1000);
  const transfer = (request: TransferRequest, ms = 6000): TransferResult => {
    let result: TransferResult | undefined;
    usb.submit(request, (given) => (result = given));
    until(() => result !== undefined, ms);
    return result!;
  };
  let sequence = 0;
  /** PC_to_RDR_GetSlotStatus and its answer: the message that never changes anything. */
  const slotStatus = (): string => {
    const number = sequence++ & 0xff;
    transfer({ kind: "out", endpoint: 1, data: Uint8Array.of(0x65, 0, 0, 0, 0, 0, number, 0, 0, 0) });
    const { data } = transfer({ kind: "in", endpoint: 0x81, length: 271 }, 100);
    expect(data[6]).toBe(number);
    return Buffer.from(data.subarray(0, 1)).toString("hex") + data.length;
  };
  usb.plug();
  enumerate();
  return { engine, usb, until, enumerate, transfer, slotStatus };
}
const ANSWER = "8110";

describe("the released image on strict USB", () => {
  it("enumerates and answers", async () => {
    const { usb, slotStatus } = await reader();
    expect(usb.device!.configuration.interfaces.map((one) => one.classCode)).toEqual([0x0b, 0x02, 0x0a]);
    expect(slotStatus()).toBe(ANSWER);
  });

  it("a patient host: suspended while it debounces, one reset", async () => {
    const { slotStatus } = await reader({ ...patient, resetTwice: false });
    expect(slotStatus()).toBe(ANSWER);
  });

  it("never gives more than wLength, for every descriptor and length", async () => {
    const { transfer, usb } = await reader();
    const whole = usb.device!.configuration.raw.length;
    for (const [type, index, size] of [
      [1, 0, 18],
      [2, 0, whole],
      [3, 0, 4],
      [3, 2, 0],
    ] as const)
      for (const length of [...Array(whole + 3).keys(), 255, 256, 4096, 65535]) {
        const answer = transfer({
          kind: "control",
          setup: Uint8Array.of(0x80, 6, index, type, 9 * Number(type === 3), 4 * Number(type === 3), length & 0xff, length >> 8),
        });
        expect(answer.status).toBe("ok");
        if (size) expect(answer.actual).toBe(Math.min(length, size));
      }
  });

  it("every request it does not know is stalled, and the next one answered", async () => {
    const { transfer } = await reader();
    for (let request = 0; request < 256; request++)
      for (const type of [0xa0, 0xa2, 0xc0, 0xc1, 0xc2, 0xdf]) {
        const answer = transfer({ kind: "control", setup: Uint8Array.of(type, request, 0, 0, 0x7f, 0, 8, 0) });
        expect(answer.status).toBe("stall");
      }
    expect(transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0) }).actual).toBe(18);
  });

  it("survives lost handshakes on the bulk pipes", async () => {
    const { usb, slotStatus } = await reader();
    for (const every of [2, 3, 7]) {
      usb.faults = { loseHostAckEvery: every, loseDeviceAckEvery: every };
      for (let round = 0; round < 10; round++) expect(slotStatus()).toBe(ANSWER);
    }
  });

  it("survives lost ACKs on endpoint 0", async () => {
    const { usb, transfer } = await reader();
    const whole = usb.device!.configuration.raw.length;
    usb.faults = { loseHostAckEvery: 3, control: true };
    for (let round = 0; round < 20; round++)
      expect(transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 2, 0, 0, 255, 0) }).actual).toBe(whole);
  });

  it("halt and clear halt, from DATA0 again", async () => {
    const { transfer, slotStatus } = await reader();
    slotStatus();
    for (const endpoint of [0x01, 0x81]) {
      expect(transfer({ kind: "control", setup: Uint8Array.of(2, 3, 0, 0, endpoint, 0, 0, 0) }).status).toBe("ok");
      const tried: TransferRequest =
        endpoint & 0x80 ? { kind: "in", endpoint, length: 64 } : { kind: "out", endpoint, data: new Uint8Array(10) };
      expect(transfer(tried).status).toBe("stall");
      expect(transfer({ kind: "control", setup: Uint8Array.of(2, 1, 0, 0, endpoint, 0, 0, 0) }).status).toBe("ok");
    }
    for (let round = 0; round < 3; round++) expect(slotStatus()).toBe(ANSWER);
  });

  it("suspend and resume, unplug and plug, port reset in the middle of a message", async () => {
    const { usb, engine, enumerate, slotStatus, until } = await reader();
    usb.suspend();
    until(() => usb.suspended, 10);
    engine.run(engine.nowNs + 10e6, 1e7);
    usb.resume();
    expect(slotStatus()).toBe(ANSWER);
    usb.unplug();
    engine.run(engine.nowNs + 10e6, 1e7);
    usb.plug();
    enumerate();
    expect(slotStatus()).toBe(ANSWER);
    for (let cut = 1; cut < 40; cut += 3) {
      usb.submit({ kind: "out", endpoint: 1, data: Uint8Array.of(0x6f, 200, 0, 0, 0, 0, 9, 0, 0, 0, ...new Uint8Array(190)) }, () => {});
      engine.run(engine.nowNs + cut * 10_000, 1e7);
      usb.resetPort();
      enumerate();
      expect(slotStatus()).toBe(ANSWER);
    }
  });

  it("a snapshot holds the whole of USB: the same answer at the same nanosecond", async () => {
    const { engine, slotStatus, usb } = await reader();
    slotStatus();
    usb.faults = { loseHostAckEvery: 3, loseDeviceAckEvery: 2 };
    const saved = engine.save();
    const run = (): number => {
      for (let round = 0; round < 5; round++) slotStatus();
      return engine.nowNs;
    };
    const first = run();
    engine.load(saved);
    expect(usb.device).toBeDefined();
    const second = run();
    expect(second).toBe(first);
  });

  it("its serial port opens, and says nothing unasked", async () => {
    const { usb, engine } = await reader();
    const cdc = new CdcAcm(usb);
    let heard = 0;
    cdc.onData = (bytes) => (heard += bytes.length);
    await cdc.open();
    await cdc.write(Uint8Array.of(0, 1, 2, 3, 0));
    await engine.pump.sleep(100);
    expect(heard).toBe(0);
    await cdc.close();
    await cdc.open();
    await cdc.close();
  });
});
