import fc from "fast-check";
import { expect, it } from "vitest";
import { BareHost, ScriptedDriver } from "./usb-scripted.js";
import type { TransferResult } from "./usb-transfer.js";
import { createUsb } from "./usb.js";

/** What a host may do at any moment. Times in µs of board time after the step before. */
const step = fc.record({
  afterUs: fc.nat(3000),
  what: fc.oneof(
    fc.record({ do: fc.constant("echo" as const), pipe: fc.constantFrom(1, 4), length: fc.nat(700) }),
    fc.record({ do: fc.constant("request" as const), length: fc.nat(300) }),
    fc.record({ do: fc.constant("unknown" as const) }),
    fc.record({ do: fc.constant("notice" as const) }),
    fc.record({ do: fc.constant("suspend" as const) }),
    fc.record({ do: fc.constant("resume" as const) }),
  ),
});

it("whatever a host asks in whatever order, with handshakes lost: each pipe echoes exactly what went in, and no rule is broken", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 25 }),
      fc.constantFrom(0, 2, 3, 7),
      fc.constantFrom(0, 2, 5),
      (steps, loseHostAckEvery, loseDeviceAckEvery) => {
        const host = new BareHost();
        const { host: usb } = createUsb(host);
        const driver = new ScriptedDriver(host);
        driver.start();
        usb.plug();
        host.until(() => usb.device !== undefined);
        usb.faults = { loseHostAckEvery, loseDeviceAckEvery };
        const sent = new Map<number, number[]>([
          [1, []],
          [4, []],
        ]);
        const got = new Map<number, number[]>([
          [1, []],
          [4, []],
        ]);
        let open = 0;
        let seed = 1;
        const ask = (request: Parameters<typeof usb.submit>[0], check: (result: TransferResult) => void): void => {
          open++;
          usb.submit(request, (result) => {
            open--;
            check(result);
          });
        };
        for (const { afterUs, what } of steps) {
          host.run(host.nowNs + afterUs * 1000);
          if (what.do === "echo") {
            const message = Uint8Array.from({ length: what.length }, () => (seed = (seed * 75 + 74) % 65537) & 0xff);
            sent.get(what.pipe)!.push(...message);
            ask({ kind: "out", endpoint: what.pipe, data: message }, (result) => expect(result.status).toBe("ok"));
            if (message.length && message.length % 64 === 0) ask({ kind: "out", endpoint: what.pipe, data: new Uint8Array(0) }, () => {});
            ask({ kind: "in", endpoint: what.pipe | 0x80, length: 1024 }, (result) => got.get(what.pipe)!.push(...result.data));
          } else if (what.do === "request")
            ask(
              { kind: "control", setup: Uint8Array.of(0x80, 6, 0, 2, 0, 0, what.length & 255, what.length >> 8), timeoutMs: 60_000 },
              (result) => expect(result.actual).toBe(Math.min(what.length, 86)),
            );
          else if (what.do === "unknown")
            ask({ kind: "control", setup: Uint8Array.of(0xc0, 99, 0, 0, 0, 0, 1, 0), timeoutMs: 60_000 }, (result) =>
              expect(result.status).toBe("stall"),
            );
          else if (what.do === "notice") {
            driver.send(4, Uint8Array.of(0x50, 2), 16);
            ask({ kind: "in", endpoint: 0x82, length: 16 }, (result) => expect([...result.data]).toEqual([0x50, 2]));
          } else if (what.do === "suspend") usb.suspend();
          else usb.resume();
        }
        usb.resume();
        host.run(host.nowNs + 30e6);
        usb.resume();
        host.until(() => open === 0, 60_000);
        for (const pipe of [1, 4]) expect(got.get(pipe)).toEqual(sent.get(pipe));
        expect(host.violations).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
});
