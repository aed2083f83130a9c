import { ramMap } from "@inkan/device-proto";
import { expect, test } from "vitest";
import { bootProgram, violationOf } from "../../testing/program-board.js";
import type { VirtualBoard } from "./board.js";

/** Where test programs leave their results. */
const RESULT = 0x20010000;
const NVIC = 0xe000e100;
const SYSTICK = 0xe000e010;
const TIMER = 0x40054000;
const WATCHDOG = 0x40058000;
const PSM = 0x40010000;
const WFI = 0xbf30;
const CPSID = 0xb672;
const CPSIE = 0xb662;

const word = (board: VirtualBoard, index = 0): number => board.engine.chip.ram32[(RESULT - ramMap.imageLoad) / 4 + index]!;
/** Runs and expects no violation. */
async function results(make: Parameters<typeof bootProgram>[0], ms = 60): Promise<VirtualBoard> {
  const board = await bootProgram(make);
  expect(violationOf(board, ms)).toBeUndefined();
  return board;
}

test("WFI with PRIMASK = 1 and an interrupt already pending falls through, and the interrupt is taken after cpsie", async () => {
  const board = await results((p) =>
    p
      .write(RESULT + 4, 0)
      .handler(16 + 20, (h) => h.write(RESULT + 4, 1))
      .write(NVIC, 1 << 20)
      .code(CPSID)
      .write(NVIC + 0x100, 1 << 20)
      .code(WFI)
      .copy(RESULT + 4, RESULT)
      .write(RESULT + 8, 7)
      .code(CPSIE, 0xbf00),
  );
  expect([word(board, 0), word(board, 1), word(board, 2)]).toEqual([0, 1, 7]);
});

test("a TIMER alarm wakes a masked WFI, without being taken; sleeping costs no instructions", async () => {
  const board = await results(
    (p) =>
      p
        .unreset(1 << 21)
        .write(RESULT, 0)
        .write(TIMER + 0x38, 1)
        .write(NVIC, 1)
        .code(CPSID)
        .write(TIMER + 0x10, 1_000_000)
        .code(WFI)
        .copy(TIMER + 0x28, RESULT),
    1100,
  );
  expect(word(board)).toBeGreaterThanOrEqual(1_000_000);
  expect(word(board)).toBeLessThan(1_000_003);
});

test("SysTick wakes WFI and is counted at the right pace", async () => {
  const board = await results((p) =>
    p
      .write(RESULT, 0)
      .handler(15, (h) => h.read(RESULT).code(0x3201, 0x6002))
      .write(SYSTICK + 4, 125_000 - 1)
      .write(SYSTICK + 8, 0)
      .code(CPSID)
      .write(SYSTICK, 7)
      .code(WFI, CPSIE, 0xbf00, CPSID, WFI, CPSIE, 0xbf00, CPSID, WFI, CPSIE)
      .copy(SYSTICK + 8, RESULT + 4),
  );
  expect(word(board)).toBeGreaterThanOrEqual(3);
});

test("an interrupt line that falls again leaves the interrupt pending, as the NVIC latches it", async () => {
  const board = await results((p) =>
    p
      .unreset(1 << 21)
      .write(RESULT, 0)
      .handler(16, (h) => h.write(RESULT, 1))
      .write(NVIC, 1)
      .code(CPSID)
      .write(TIMER + 0x3c, 1)
      .write(TIMER + 0x38, 1)
      .write(TIMER + 0x3c, 0)
      .code(CPSIE, 0xbf00),
  );
  expect(word(board)).toBe(1);
});

test("priorities: a higher interrupt preempts, an equal one waits", async () => {
  // TIMER_0 at priority 2, PWM (4) at 0, SPI0 (18) at 2: TIMER_0's handler pends both.
  const board = await results((p) =>
    p
      .write(RESULT, 0)
      .handler(16 + 4, (h) => h.copy(RESULT, RESULT + 4))
      .handler(16 + 18, (h) => h.copy(RESULT, RESULT + 8))
      .handler(16, (h) => h.write(NVIC + 0x100, (1 << 4) | (1 << 18)).write(RESULT, 1))
      .write(0xe000e400, 0x80)
      .write(0xe000e410, 0x80 << 16)
      .write(NVIC, 1 | (1 << 4) | (1 << 18))
      .code(CPSIE)
      .write(NVIC + 0x100, 1),
  );
  expect([word(board, 1), word(board, 2)]).toEqual([0, 1]);
});

test("a forced watchdog reset keeps scratch and tells its reason; RAM is what the loader makes of it", async () => {
  const board = await bootProgram((p) =>
    p
      .copy(WATCHDOG + 8, 0x2003fe00)
      .copy(WATCHDOG + 0xc, 0x2003fe04)
      .write(WATCHDOG + 0xc, 0x1234)
      .write(PSM + 8, 0x1fffc)
      .spin(2_000_000)
      .write(WATCHDOG, 0x80000000),
  );
  const states: string[] = [];
  board.on((event) => event.type === "state" && states.push(`${event.state} ${event.cause}`));
  board.runFor(220);
  const kept = board.engine.chip.ram32.subarray(0x3fe00 / 4, 0x3fe08 / 4);
  expect([...kept]).toEqual([2, 0x1234]);
  expect(states).toContain("rom forced");
});

test("the divider gives the chip's answers, also by zero", async () => {
  const sio = 0xd0000000;
  const board = await results((p) => {
    const cases = [
      [0x60, 0x64, 1000, 7],
      [0x68, 0x6c, -1000, 7],
      [0x60, 0x64, 5, 0],
      [0x68, 0x6c, -5, 0],
    ] as const;
    cases.forEach(([dividend, divisor, a, b], index) => {
      p.write(sio + dividend, a)
        .write(sio + divisor, b)
        .until(sio + 0x78, 1)
        .copy(sio + 0x74, RESULT + index * 8 + 4)
        .copy(sio + 0x70, RESULT + index * 8);
    });
    return p;
  });
  const answers = Array.from({ length: 8 }, (_, index) => word(board, index) | 0);
  expect(answers).toEqual([142, 6, -142, -6, -1, 5, 1, -5]);
});

test("boot2 with a wrong check word ends in the ROM's USB loader, and nothing of ours runs", async () => {
  const board = await bootProgram((p) => p.write(RESULT, 1));
  board.engine.flash.bytes[10]! ^= 1;
  board.runFor(50);
  expect(board.state).toBe("bootsel");
});

test("RAM holds no zeros at power-on, and the same seed gives the same RAM", async () => {
  const [one, two, other] = await Promise.all([1, 1, 2].map((seed) => bootProgram((p) => p, { seed })));
  const zeros = one!.engine.chip.ram32.filter((value) => value === 0).length;
  expect(zeros).toBeLessThan(10);
  expect(Buffer.compare(one!.engine.chip.sram, two!.engine.chip.sram)).toBe(0);
  expect(Buffer.compare(one!.engine.chip.sram, other!.engine.chip.sram)).not.toBe(0);
});

test("time: ROSC until the clocks are set, then whole nanoseconds at 125 MHz", async () => {
  const board = await bootProgram((p) => p);
  board.runFor(10);
  expect(board.engine.clkSysHz).toBe(6_500_000);
  board.runFor(60);
  expect(board.engine.clkSysHz).toBe(125_000_000);
  expect(Number.isInteger(board.nowNs)).toBe(true);
});
