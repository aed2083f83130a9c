import fc from "fast-check";
import { keypadLayout, pins } from "@inkan/device-proto";
import { PNG } from "pngjs";
import { describe, expect, test } from "vitest";
import { bootProgram, violationOf } from "../../testing/program-board.js";
import { Display } from "./display.js";
import { Engine } from "./engine.js";
import { keysFor } from "./fingers.js";
import { Keypad } from "./keypad.js";

const makeEngine = (): Engine =>
  new Engine({ pace: "free", seed: 5, uniqueId: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), strict: true, watchdog: "violation" });

describe("flash", () => {
  const make = (): { send: (...bytes: number[]) => number[]; wait: (ms: number) => void; engine: Engine } => {
    const engine = makeEngine();
    const { flash } = engine;
    return {
      engine,
      send: (...bytes) => {
        flash.select();
        const answer = bytes.map((byte) => flash.exchange(byte));
        flash.deselect();
        return answer;
      },
      wait: (ms) => void engine.run(engine.nowNs + ms * 1e6, 1e6),
    };
  };

  test("identifies itself", () => {
    const { send } = make();
    expect(send(0x9f, 0, 0, 0).slice(1)).toEqual([0xef, 0x40, 0x15]);
    expect(send(0x4b, 0, 0, 0, 0, ...new Array<number>(8).fill(0)).slice(5)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
  test("programs by AND, wraps inside the page, takes 0.4 ms, and clears WEL", () => {
    const { send, wait, engine } = make();
    send(0x06);
    expect(send(0x05, 0)[1]).toBe(2);
    send(0x02, 0x01, 0x00, 0xfe, 0xf0, 0x0f, 0xaa);
    expect(send(0x05, 0)[1]! & 1).toBe(1);
    wait(0.39);
    expect(send(0x05, 0)[1]! & 1).toBe(1);
    wait(0.02);
    expect(send(0x05, 0)[1]).toBe(0);
    expect([...engine.flash.bytes.subarray(0x100fe, 0x10101)]).toEqual([0xf0, 0x0f, 0xff]);
    expect(engine.flash.bytes[0x10000]).toBe(0xaa);
    send(0x06);
    send(0x02, 0x01, 0x00, 0xfe, 0x3c);
    wait(1);
    expect(engine.flash.bytes[0x100fe]).toBe(0x30);
    expect(send(0x03, 0x01, 0x00, 0xfe, 0, 0).slice(4)).toEqual([0x30, 0x0f]);
  });
  test.each([
    [0x20, 0x1000, 45],
    [0x52, 0x8000, 120],
    [0xd8, 0x10000, 150],
  ])("command %i erases its block of %i bytes in %i ms and nothing beside it", (command, size, ms) => {
    const { send, wait, engine } = make();
    engine.flash.bytes.fill(0, 0x30000, 0x60000);
    send(0x06);
    send(command, 0x04, 0x12, 0x34);
    wait(ms - 0.1);
    expect(engine.flash.busy).toBe(true);
    wait(0.2);
    expect(engine.flash.busy).toBe(false);
    const from = 0x41234 & ~(size - 1);
    expect(engine.flash.bytes.subarray(from, from + size).every((byte) => byte === 0xff)).toBe(true);
    expect([engine.flash.bytes[from - 1], engine.flash.bytes[from + size]]).toEqual([0, 0]);
  });
  test("a locked status register stays locked until power is lost", () => {
    const { send, wait, engine } = make();
    send(0x50);
    send(0x01, 0x70, 0x01);
    wait(1);
    expect([send(0x05, 0)[1], send(0x35, 0)[1]]).toEqual([0x70, 0x01]);
    send(0x50);
    expect(() => send(0x01, 0x00, 0x00)).toThrow("flash/protected");
    engine.powerOff();
    expect([send(0x05, 0)[1], send(0x35, 0)[1]]).toEqual([0, 0]);
  });
  test("a power cut tears a program: bits changed are a subset of those that were to change", () => {
    const torn = new Set<number>();
    for (let cut = 0; cut < 20; cut++) {
      const { send, wait, engine } = make();
      send(0x06);
      send(0x02, 0x01, 0x00, 0x00, ...new Array<number>(64).fill(0x0f));
      wait(0.02 * cut);
      engine.powerOff();
      for (const byte of engine.flash.bytes.subarray(0x10000, 0x10040)) {
        expect(byte & 0x0f).toBe(0x0f);
        torn.add(byte);
      }
      expect(engine.flash.bytes[0x10040]).toBe(0xff);
    }
    expect(torn.size).toBeGreaterThan(8);
  });
});

describe("display", () => {
  const send = (display: Display, ...bytes: number[]): void => {
    expect(display.start(false)).toBe(true);
    for (const byte of bytes) display.write(byte);
    display.stop();
  };
  test("page addressing draws where a person sees it; off is dark, inverse inverts", () => {
    const display = new Display(makeEngine());
    display.reset(true);
    for (let page = 0; page < 8; page++) {
      send(display, 0x00, 0xb0 | page, 0x00, 0x10);
      send(display, 0x40, ...new Array<number>(128).fill(0));
    }
    send(display, 0x00, 0xb2, 0x05, 0x10);
    send(display, 0x40, 0x81);
    expect(display.pixels.every((byte) => byte === 0)).toBe(true);
    send(display, 0x00, 0x8d, 0x14, 0xa1, 0xc8, 0xaf);
    expect([display.lit(5, 16), display.lit(5, 23), display.lit(5, 17), display.lit(4, 16)]).toEqual([true, true, false, false]);
    const revision = display.revision;
    send(display, 0x00, 0xa7);
    expect(display.lit(4, 16)).toBe(true);
    expect(display.revision).toBe(revision + 1);
  });
  test("horizontal addressing fills a window", () => {
    const display = new Display(makeEngine());
    send(display, 0x00, 0x8d, 0x14, 0xa1, 0xc8, 0xaf, 0x20, 0x00, 0x21, 10, 11, 0x22, 1, 2);
    send(display, 0x40, 1, 2, 3, 4);
    const { pixels } = display;
    expect([pixels[128 + 10], pixels[128 + 11], pixels[256 + 10], pixels[256 + 11]]).toEqual([1, 2, 3, 4]);
  });
  test("a command split by a second control byte is understood", () => {
    const display = new Display(makeEngine());
    send(display, 0x80, 0x8d, 0x80, 0x14, 0x80, 0xaf, 0x80, 0xa5);
    expect(display.lit(0, 0)).toBe(true);
  });
});

describe("keypad", () => {
  test("a row that nobody drives pulls no column down", () => {
    const engine = makeEngine();
    const { nets } = engine;
    const keypad = new Keypad(engine, nets);
    engine.nets.pull(pins.keypadCol0, 1);
    engine.nets.pull(pins.keypadCol1, 1);
    keypad.set("4", true);
    expect([nets.level(pins.keypadCol0), nets.level(pins.keypadCol1)]).toEqual([1, 1]);
  });
  test("two keys of one column short a row driven high against one driven low", async () => {
    const SIO = 0xd0000000;
    const rows = (1 << pins.keypadRow0) | (1 << pins.keypadRow1);
    const make = (high: number) =>
      bootProgram((p) =>
        p
          .unreset((1 << 5) | (1 << 8))
          .write(SIO + 0x14, high)
          .write(0x40014000 + pins.keypadRow0 * 8 + 4, 5)
          .write(0x40014000 + pins.keypadRow1 * 8 + 4, 5)
          .write(SIO + 0x24, rows),
      );
    const both = await make(1 << pins.keypadRow1);
    both.keypad.set("1", true);
    both.keypad.set("4", true);
    expect(violationOf(both)?.rule).toBe("pins/contention");
    const open = await make(0);
    open.keypad.set("1", true);
    open.keypad.set("4", true);
    expect(violationOf(open)).toBeUndefined();
    expect(open.engine.nets.level(pins.keypadCol0)).toBe(0);
  });
});

describe("fingers", () => {
  test("letters by multi-tap, each committed", () => {
    expect(keysFor("1234")).toEqual(["1", "2", "3", "4", "ok"]);
    expect(keysFor("AZ9")).toEqual(["mode", "2", "next", "9", "9", "9", "9", "next", "9", "9", "9", "9", "9", "next", "ok"]);
    expect(() => keysFor("a")).toThrow(RangeError);
  });
  test("every secret is given by keys the pad has, and taps count back to it", () => {
    const names = new Set<string>(keypadLayout.flat());
    const characters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...characters), { minLength: 6, maxLength: 16 }), (secret) => {
        const keys = keysFor(secret.join(""));
        expect(keys.every((key) => names.has(key))).toBe(true);
        expect(keys.at(-1)).toBe("ok");
        expect(keys.filter((key) => key === "next").length).toBe(keys.includes("mode") ? secret.length : 0);
      }),
    );
  });
});

test("a picture is a PNG four times the display's size, and the chooser's cell is masked while the lamp is lit", async () => {
  const board = await bootProgram((p) =>
    p
      .unreset((1 << 5) | (1 << 8))
      .write(0xd0000014, 1 << pins.lamp)
      .write(0xd0000024, 1 << pins.lamp)
      .write(0x40014000 + pins.lamp * 8 + 4, 5),
  );
  const before = PNG.sync.read(Buffer.from(board.display.png()));
  expect([before.width, before.height]).toEqual([512, 256]);
  board.runFor(60);
  expect(board.lamp).toBe(true);
  expect(board.display.pixels[6 * 128 + 112]).toBe(0x55);
  expect(board.display.picture({ showTestSecrets: true }).pixels[6 * 128 + 112]).toBe(0);
  expect(board.display.pixels[5 * 128 + 112]).toBe(0);
});
