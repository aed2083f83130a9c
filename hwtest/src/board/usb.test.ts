import { describe, expect, it } from "vitest";
import { createUsb } from "./usb.js";
import { patient } from "./usb-host.js";
import { buf, dpram, epCtrl, irq, reg, sieStatus } from "./usb-registers.js";
import { BareHost, ScriptedDriver, type Mistake } from "./usb-scripted.js";
import { usbRules } from "./usb-rules.js";
import type { TransferRequest, TransferResult } from "./usb-transfer.js";

function bench(...mistakes: Mistake[]) {
  const host = new BareHost();
  const usb = createUsb(host);
  const driver = new ScriptedDriver(host, ...mistakes);
  const transfer = (request: TransferRequest, ms = 20_000): TransferResult => {
    let result: TransferResult | undefined;
    usb.host.submit(request, (given) => (result = given));
    host.until(() => result !== undefined, ms);
    return result!;
  };
  return { host, usb: usb.host, controller: usb.controller, driver, transfer };
}

function enumerated(...mistakes: Mistake[]) {
  const all = bench(...mistakes);
  all.driver.start();
  all.usb.plug();
  all.host.until(() => all.usb.device !== undefined, 10_000);
  return all;
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) & 0xff);
const caught = (run: () => void): string => {
  try {
    run();
  } catch (error) {
    return (error as { rule?: string }).rule ?? String(error);
  }
  return "nothing";
};

describe("enumeration", () => {
  it("reads descriptors and strings and configures", () => {
    const { usb, host, driver } = enumerated();
    expect(usb.device!.info.vendorId).toBe(0x1209);
    expect([...usb.device!.strings.values()]).toEqual(["Scripted", "Maker", "S-0001", "CCID"]);
    expect(usb.device!.configuration.interfaces.map((one) => one.classCode)).toEqual([11, 2, 10]);
    expect(driver.configuration).toBe(1);
    expect(host.nowNs / 1e6).toBeLessThan(20);
  });

  it("as a patient host: debounce (the device sees a suspended bus meanwhile), two resets, every minimum kept", () => {
    const { usb, host, driver } = bench();
    usb.timing = patient;
    driver.start();
    usb.plug();
    host.until(() => usb.device !== undefined, 1000);
    expect(driver.log.filter((line) => line === "reset")).toHaveLength(2);
    expect(driver.log[0]).toBe("suspend");
    expect(host.nowNs / 1e6).toBeGreaterThan(220);
  });

  it("comes back after unplug and plug, and after a port reset", () => {
    const { usb, host, driver } = enumerated();
    usb.unplug();
    expect(usb.device).toBeUndefined();
    host.run(host.nowNs + 10e6);
    expect(driver.log.at(-1)).toBe("suspend");
    usb.plug();
    host.until(() => usb.device !== undefined, 1000);
    usb.resetPort();
    host.until(() => usb.device !== undefined, 1000);
    expect(driver.log.filter((line) => line === "reset")).toHaveLength(3);
  });
});

describe("bulk", () => {
  it.each([0, 1, 10, 63, 64, 65, 128, 271, 3010])("echoes a message of %i bytes, with its ZLP where one is due", (length) => {
    const { transfer, usb, driver } = enumerated();
    const message = pattern(length);
    const sent = transfer({ kind: "out", endpoint: 1, data: message });
    expect(sent).toMatchObject({ status: "ok", actual: length });
    if (length && length % 64 === 0) transfer({ kind: "out", endpoint: 1, data: new Uint8Array(0) });
    const back = transfer({ kind: "in", endpoint: 0x81, length: 4096 });
    expect(back.status).toBe("ok");
    expect(Buffer.from(back.data)).toEqual(Buffer.from(message));
    expect(driver.log.at(-1)).toBe(`message 3 ${length}`);
    expect(usb.device).toBeDefined();
  });

  it("puts 19 full packets into a frame, not more", () => {
    const { usb, host, driver } = enumerated();
    driver.echo = false;
    let left = 2;
    // Two pipes take turns, so that one re-arms while the other one's packet is on the wire.
    for (const endpoint of [1, 4]) usb.submit({ kind: "out", endpoint, data: pattern(64 * 190) }, () => left--);
    const begin = host.nowNs;
    const frames = usb.sofCount;
    host.until(() => left === 0, 100);
    expect((usb.sofCount - frames) * 19).toBeGreaterThanOrEqual(380);
    expect(host.nowNs - begin).toBeLessThan(21e6);
  });

  it.each([271, 3010, 65554])("loses every 7th handshake in both directions and still carries %i bytes exactly", (length) => {
    const { usb, transfer, driver } = enumerated();
    usb.faults = { loseHostAckEvery: 7, loseDeviceAckEvery: 7 };
    for (let round = 0; round < (length > 10_000 ? 1 : 20); round++) {
      const message = pattern(length);
      message[0] = round;
      transfer({ kind: "out", endpoint: 1, data: message });
      expect(driver.log.at(-1)).not.toBe(undefined);
      const back = transfer({ kind: "in", endpoint: 0x81, length: 70_000 });
      expect(Buffer.compare(Buffer.from(back.data), Buffer.from(message))).toBe(0);
    }
  });

  it("survives lost handshakes on endpoint 0", () => {
    const { usb, transfer } = enumerated();
    usb.faults = { loseHostAckEvery: 3, loseDeviceAckEvery: 3, control: true };
    for (let round = 0; round < 30; round++) {
      const answer = transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 2, 0, 0, 255, 0) });
      expect(answer).toMatchObject({ status: "ok", actual: 86 });
      expect(transfer({ kind: "control", setup: Uint8Array.of(0x21, 0x20, 0, 0, 1, 0, 7, 0), data: pattern(7) }).status).toBe("ok");
    }
  });

  it("an IN transfer ends at its length although no short packet came", () => {
    const { transfer, driver } = enumerated();
    driver.send(2, pattern(200));
    expect(transfer({ kind: "in", endpoint: 0x81, length: 128 }).actual).toBe(128);
    expect(transfer({ kind: "in", endpoint: 0x81, length: 128 }).actual).toBe(72);
  });

  it("a packet longer than the room left is babble", () => {
    const { transfer, driver } = enumerated();
    driver.send(2, pattern(60));
    expect(transfer({ kind: "in", endpoint: 0x81, length: 32 }).status).toBe("babble");
  });

  it("cancels a waiting transfer and one in the middle, and the pipe goes on", () => {
    const { usb, host, driver, transfer } = enumerated();
    let first: TransferResult | undefined;
    const id = usb.submit({ kind: "in", endpoint: 0x81, length: 64 }, (result) => (first = result));
    host.run(host.nowNs + 5e6);
    usb.cancel(id);
    expect(first).toMatchObject({ status: "cancelled", actual: 0 });
    let second: TransferResult | undefined;
    const other = usb.submit({ kind: "in", endpoint: 0x81, length: 4096 }, (result) => (second = result));
    driver.send(2, pattern(640));
    host.until(() => driver.in.get(2)!.length < 6);
    usb.cancel(other);
    host.until(() => second !== undefined, 10);
    expect(second!.status).toBe("cancelled");
    const rest = transfer({ kind: "in", endpoint: 0x81, length: 4096 });
    expect(second!.actual + rest.actual).toBe(640);
  });

  it("stall, clear halt, toggles from DATA0 again", () => {
    const { transfer, driver } = enumerated();
    transfer({ kind: "out", endpoint: 1, data: pattern(3) });
    expect(transfer({ kind: "in", endpoint: 0x81, length: 64 }).actual).toBe(3);
    driver.stall(2);
    driver.stall(3);
    expect(transfer({ kind: "in", endpoint: 0x81, length: 64 }).status).toBe("stall");
    expect(transfer({ kind: "out", endpoint: 1, data: pattern(3) }).status).toBe("stall");
    for (const endpoint of [0x81, 0x01])
      expect(transfer({ kind: "control", setup: Uint8Array.of(2, 1, 0, 0, endpoint, 0, 0, 0) }).status).toBe("ok");
    transfer({ kind: "out", endpoint: 1, data: pattern(5) });
    expect(transfer({ kind: "in", endpoint: 0x81, length: 64 }).actual).toBe(5);
  });

  it("polls an interrupt endpoint on its interval only", () => {
    const { transfer, driver, host } = enumerated();
    const times: number[] = [];
    for (let round = 0; round < 4; round++) {
      driver.send(4, Uint8Array.of(0x50, 3), 16);
      expect(transfer({ kind: "in", endpoint: 0x82, length: 16 }).data).toEqual(Uint8Array.of(0x50, 3));
      times.push(host.nowNs);
    }
    for (let index = 1; index < times.length; index++) expect(Math.round((times[index]! - times[index - 1]!) / 1e6)).toBe(8);
  });

  it("both buffers of an endpoint go out in order, each with its own BUFF_STATUS", () => {
    const all = bench();
    all.driver.doubleBuffered = true;
    all.driver.start();
    all.usb.plug();
    all.host.until(() => all.usb.device !== undefined, 1000);
    all.driver.armPair(2, pattern(64), pattern(10));
    expect(all.transfer({ kind: "in", endpoint: 0x81, length: 200 }).data).toEqual(Uint8Array.from([...pattern(64), ...pattern(10)]));
    all.host.run(all.host.nowNs + 1e6);
    expect(all.driver.log.filter((line) => line.startsWith("half"))).toEqual(["half 0", "half 1"]);
  });
});

describe("control", () => {
  it("stalls what the device does not know, and goes on", () => {
    const { transfer } = enumerated();
    expect(transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 6, 0, 0, 10, 0) }).status).toBe("stall");
    expect(transfer({ kind: "control", setup: Uint8Array.of(0xc0, 1, 0, 0, 0, 0, 4, 0) }).status).toBe("stall");
    expect(transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0) }).actual).toBe(18);
  });

  it("every wLength gives at most wLength bytes", () => {
    const { transfer } = enumerated();
    for (const length of [0, 1, 8, 9, 63, 64, 65, 85, 86, 87, 128, 255, 4096])
      expect(transfer({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 2, 0, 0, length & 255, length >> 8) }).actual).toBe(
        Math.min(length, 86),
      );
  });
});

describe("time limits", () => {
  it("the caller's own time limit is no broken rule; the host's 5 s are", () => {
    const { transfer, driver, usb } = enumerated();
    driver.mute = true;
    const setup = Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0);
    expect(transfer({ kind: "control", setup, timeoutMs: 50 }).status).toBe("timeout");
    expect(caught(() => transfer({ kind: "control", setup }))).toBe("usb/no-answer");
    expect(usb.device).toBeDefined();
  });

  it("a control transfer that waits for the end of a suspend breaks no rule", () => {
    const { host, usb } = enumerated();
    usb.suspend();
    let ended: string | undefined;
    usb.submit({ kind: "control", setup: Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0) }, (result) => (ended = result.status));
    host.run(host.nowNs + 6000e6);
    expect(ended).toBe("timeout");
  });
});

describe("bus states", () => {
  it("suspend after 3 ms without frames; resume; traffic waits meanwhile", () => {
    const { usb, host, driver } = enumerated();
    usb.suspend();
    host.run(host.nowNs + 2.9e6);
    expect(driver.log).not.toContain("suspend");
    host.run(host.nowNs + 0.2e6);
    expect(driver.log).toContain("suspend");
    let sent: TransferResult | undefined;
    usb.submit({ kind: "out", endpoint: 1, data: pattern(4) }, (result) => (sent = result));
    host.run(host.nowNs + 50e6);
    expect(sent).toBeUndefined();
    usb.resume();
    host.until(() => sent !== undefined, 30);
    expect(driver.log.slice(-4)).toContain("resume");
  });

  it("counts frames without simulating them, and raises DEV_SOF once it is enabled", () => {
    const { host, driver, usb } = enumerated();
    host.run(host.nowNs + 1e6);
    const before = host.events;
    const frames = usb.sofCount;
    host.run(host.nowNs + 10_000e6);
    expect(host.events - before).toBe(0);
    expect(usb.sofCount - frames).toBe(10_000);
    driver.write(reg.inte, driver.read(reg.inte) | irq.devSof);
    host.run(host.nowNs + 5e6);
    const seen = driver.log.filter((line) => line.startsWith("sof")).map((line) => Number(line.slice(4)));
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(seen.at(-1)! - seen.at(-2)!).toBe(1);
  });

  it("a device that waits on IN transfers costs nothing, whatever is outstanding", () => {
    const { host, usb } = enumerated();
    for (const endpoint of [0x81, 0x82, 0x83, 0x84]) usb.submit({ kind: "in", endpoint, length: 64 }, () => {});
    host.run(host.nowNs + 50e6);
    const before = host.events;
    host.run(host.nowNs + 10_000e6);
    expect(host.events).toBe(before);
  });

  it("RESETS takes the device off the bus", () => {
    const { usb, controller, host } = enumerated();
    let ended: TransferResult | undefined;
    usb.submit({ kind: "in", endpoint: 0x81, length: 64 }, (result) => (ended = result));
    host.run(host.nowNs + 1e6);
    controller.reset(false);
    expect(ended!.status).toBe("disconnected");
    expect(usb.device).toBeUndefined();
  });

  it("a snapshot in the middle of an enumeration goes on to the same end at the same time", () => {
    const run = (cut: boolean): [number, string] => {
      const { host, usb, controller, driver } = bench();
      driver.start();
      usb.plug();
      host.run(10.4e6);
      if (cut) {
        const saved = [controller.save(), usb.save()];
        controller.load(saved[0]);
        usb.load(saved[1]);
      }
      host.until(() => usb.device !== undefined, 1000);
      return [host.nowNs, JSON.stringify(usb.save())];
    };
    expect(run(true)).toEqual(run(false));
  });
});

describe("rules", () => {
  const start = (mistake: Mistake) => caught(() => bench(mistake).driver.start());
  const enumerate = (mistake: Mistake) => caught(() => enumerated(mistake));
  const echo = (mistake: Mistake) =>
    caught(() => {
      const { transfer } = enumerated(mistake);
      for (let round = 0; round < 3; round++) {
        transfer({ kind: "out", endpoint: 1, data: pattern(100) }, 50);
        transfer({ kind: "in", endpoint: 0x81, length: 4096 }, 50);
      }
    });

  const table = [
    ["no-clock", "usb/no-clock", start],
    ["no-clear", "usb/dpram-garbage", start],
    ["no-mux", "usb/used-unmuxed", start],
    ["address-early", "usb/no-handshake", enumerate],
    ["mute-status", "usb/no-answer", enumerate],
    ["status-data", "usb/status-stage", enumerate],
    ["bad-descriptor", "usb/bad-descriptor", enumerate],
    ["overrun", "usb/control-overrun", enumerate],
    ["bad-buffer", "usb/bad-buffer", enumerate],
    ["available-with-length", "usb/available-with-length", echo],
    ["available-too-soon", "usb/available-too-soon", echo],
    ["no-full-bit", "usb/no-full-bit", echo],
    ["out-armed-full", "usb/out-armed-full", echo],
    ["babble", "usb/babble", echo],
    ["buffer-overlap", "usb/buffer-overlap", echo],
    ["rearm-before-copy", "usb/buffer-touched-while-armed", echo],
    ["stuck-toggle", "usb/wrong-toggle", echo],
  ] as const;
  it.each(table)("%s is caught as %s", (mistake, rule, run) => {
    expect(run(mistake)).toBe(rule);
  });

  it("every rule has a negative control", () => {
    const here = ["usb/write-clear-alias", "usb/host-mode", "usb/wrong-half"];
    expect(Object.keys(usbRules).toSorted()).toEqual([...new Set([...table.map(([, rule]) => rule), ...here])].toSorted());
  });

  it("taking an armed buffer back without EP_ABORT", () => {
    expect(
      caught(() => {
        const { driver, host } = enumerated("no-abort");
        host.run(host.nowNs + 1e6);
        driver.stall(3);
      }),
    ).toBe("usb/buffer-touched-while-armed");
  });

  it("arming the half of a double buffer whose turn it is not", () => {
    const all = bench();
    all.driver.doubleBuffered = true;
    all.driver.start();
    all.usb.plug();
    all.host.until(() => all.usb.device !== undefined, 1000);
    const word = (5 | buf.full | buf.data1) << 16;
    all.driver.writeRam(dpram.bufCtrl + 2 * 4, word);
    all.host.nowNs += 96;
    all.driver.writeRam(dpram.bufCtrl + 2 * 4, word | (buf.available << 16));
    expect(caught(() => all.transfer({ kind: "in", endpoint: 0x81, length: 64 }, 50))).toBe("usb/wrong-half");
  });

  it("changing the endpoint control under an armed buffer", () => {
    expect(caught(() => enumerated().driver.writeRam(dpram.epCtrl + 4, epCtrl.enable | epCtrl.intPerBuffer | 0x500))).toBe(
      "usb/buffer-touched-while-armed",
    );
  });

  it("a write-clear register through the SET alias", () => {
    expect(caught(() => enumerated().driver.write(reg.sieStatus + 0x2000, sieStatus.busReset))).toBe("usb/write-clear-alias");
  });

  it("host mode", () => {
    expect(caught(() => enumerated().driver.write(reg.mainCtrl, 3))).toBe("usb/host-mode");
  });
});
