import { releasedFirmware } from "@inkan/device-proto/firmware";
import { setTimeout as wall } from "node:timers/promises";
import { expect, test } from "vitest";
import { bootProgram } from "../../testing/program-board.js";
import { VirtualBoard } from "./board.js";
import { BoardDeadline, type Driven, type Pace, Pump } from "./pace.js";
import { BoardViolation } from "./violation.js";

const boot = async (pace: Pace): Promise<VirtualBoard> => VirtualBoard.boot({ ...(await releasedFirmware()), pace });

test("free: time stands still while nobody waits, and runs exactly as long as somebody does", async () => {
  const board = await boot("free");
  await wall(20);
  expect(board.nowNs).toBe(0);
  await board.clock.sleep(123.5);
  expect(board.nowNs).toBe(123_500_000);
  await wall(20);
  expect(board.nowNs).toBe(123_500_000);
});

test("free: when a wait ends, time stops there until everybody has had his turn", async () => {
  const board = await boot("free");
  const seen: number[] = [];
  const forever = board.engine.pump.waitFor(() => undefined, { deadlineNs: 50e6 }).catch((error: unknown) => error);
  for (let turn = 0; turn < 5; turn++) {
    await board.clock.sleep(1);
    await Promise.resolve();
    seen.push(board.nowNs);
  }
  expect(seen).toEqual([1e6, 2e6, 3e6, 4e6, 5e6]);
  expect(await forever).toBeInstanceOf(BoardDeadline);
  // an instruction that has begun is finished: a read of the flash takes a microsecond
  expect(board.nowNs).toBeGreaterThanOrEqual(50e6);
  expect(board.nowNs).toBeLessThan(50e6 + 2_000);
});

test("free: a wait that begins inside an event of the board ends at its own time, not when the running slice does", async () => {
  let halted = false;
  let slept = NaN;
  const driven: Driven & { nowNs: number } = {
    nowNs: 0,
    hurrying: false,
    halt: () => (halted = true),
    run: (untilNs) => {
      halted = false;
      while (driven.nowNs < untilNs && !halted) {
        driven.nowNs += 1e6;
        if (driven.nowNs === 10e6) void pump.sleep(3).then(() => (slept = driven.nowNs));
      }
      return driven.nowNs >= untilNs;
    },
  };
  const pump = new Pump(driven, "free");
  await pump.sleep(1000);
  expect(slept).toBe(13e6);
});

test("free: a background wait does not make time run, and ends when time passes for another reason", async () => {
  const board = await boot("free");
  let fired = 0;
  board.clock.after(10, () => (fired = board.nowNs), { background: true });
  await wall(20);
  expect(board.nowNs).toBe(0);
  await board.clock.sleep(30);
  // A wait ends with the instruction that runs at its time; the ring oscillator is slow.
  expect(fired).toBeGreaterThanOrEqual(10e6);
  expect(fired).toBeLessThan(10.01e6);
  expect(board.nowNs).toBeGreaterThanOrEqual(30e6);
});

test("an abort ends a wait with its reason, at once", async () => {
  const board = await boot("free");
  const abort = new AbortController();
  const sleeping = board.clock.sleep(1e6, abort.signal).catch((error: unknown) => error);
  await board.clock.sleep(1);
  abort.abort("enough");
  expect(await sleeping).toBe("enough");
  expect(board.nowNs).toBeLessThan(100e6);
});

test("a violation ends every wait with it, and later waits too", async () => {
  const board = await bootProgram((p) => p.read(0x30000000));
  const background = board.engine.pump.waitFor(() => undefined, { background: true }).catch((error: unknown) => error);
  const error = await board.run(100).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BoardViolation);
  expect((error as BoardViolation).rule).toBe("bus/unmapped");
  expect(await background).toBe(error);
  expect(await board.run(1).catch((reason: unknown) => reason)).toBe(error);
  expect(board.failure).toBe(error);
});

test("closing the board ends every wait", async () => {
  const board = await boot("free");
  const waiting = board.clock.sleep(1e9).catch((error: Error) => error.message);
  board.close();
  expect(await waiting).toBe("the board was closed");
});

test("free: a wait asked for in the middle of a run ends on time, however long the run was to be", async () => {
  const board = await boot("free");
  let asked = 0;
  let ended = 0;
  const off = board.on((event) => {
    if (event.type !== "display" || asked > 0) return;
    asked = board.nowNs;
    void board.clock.sleep(3).then(() => (ended = board.nowNs));
  });
  await board.clock.sleep(2000);
  off();
  expect(asked).toBeGreaterThan(0);
  expect(ended - asked).toBeGreaterThanOrEqual(3e6);
  expect(ended - asked).toBeLessThan(3e6 + 2_000);
});

test("real: board time follows the wall, never ahead of it", async () => {
  const before = performance.now();
  const board = await boot("real");
  await wall(500);
  const elapsed = (performance.now() - before) * 1e6;
  const passed = board.nowNs;
  board.close();
  // it may lag on a busy machine and catch up later
  expect(passed).toBeGreaterThan(0.05 * elapsed);
  expect(passed).toBeLessThanOrEqual(elapsed);
});

test.each([
  [true, "is skipped while only card, line, flash or display are waited for"],
  [false, "runs at the wall's speed while the outside is waited for"],
])("line, hurrying %s: time %s", async (hurrying) => {
  const driven: Driven & { nowNs: number } = {
    nowNs: 0,
    hurrying,
    halt: () => undefined,
    run: (untilNs) => {
      driven.nowNs = Math.max(driven.nowNs, untilNs);
      return true;
    },
  };
  const pump = new Pump(driven, "line");
  const start = performance.now();
  pump.start();
  await wall(150);
  const elapsed = (performance.now() - start) * 1e6;
  pump.stop(new Error("done"));
  if (hurrying) expect(driven.nowNs).toBeGreaterThan(5 * elapsed);
  else expect(driven.nowNs).toBeLessThanOrEqual(elapsed);
  expect(driven.nowNs).toBeGreaterThan(0);
});

test("runUntil gives up at its deadline", async () => {
  const board = await boot("free");
  await expect(board.runUntil(() => false, 5e6)).rejects.toBeInstanceOf(BoardDeadline);
  await board.runUntil(() => board.state === "running", 20e6);
  expect(board.nowNs).toBeLessThan(7e6);
});
