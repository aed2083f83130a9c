import { pins } from "@inkan/device-proto";
import { assemblePio } from "@inkan/device-proto/pio";
import { describe, expect, test } from "vitest";
import { PioBench, pioReg } from "./pio-bench.js";

const IO = pins.cardIo;

/** A bench with `source` loaded for machine 0; pin base = the I/O pin. */
function load(source: string, options: { div?: number; exec?: number; shift?: number; pinctrl?: number } = {}): PioBench {
  const bench = new PioBench();
  const program = assemblePio(source);
  program.words.forEach((word, at) => bench.write(pioReg.instruction(at), word));
  bench.write(pioReg.clkdiv(0), (options.div ?? 256) << 8);
  bench.write(pioReg.execctrl(0), ((IO << 24) | (program.wrap << 12) | (program.wrapTarget << 7) | (options.exec ?? 0)) >>> 0);
  bench.write(pioReg.shiftctrl(0), options.shift ?? 3 << 18);
  bench.write(pioReg.pinctrl(0), options.pinctrl ?? (1 << 26) | (1 << 20) | (IO << 15) | (IO << 5) | IO);
  bench.write(0x40014004 + 8 * IO, 6);
  return bench;
}
const start = (bench: PioBench): void => bench.write(pioReg.ctrl, 1);
const forced = (bench: PioBench, text: string): void => bench.write(pioReg.instr(0), assemblePio(text).words[0]!);
/** X and Y are seen through the RX FIFO. */
function peek(bench: PioBench, register: "x" | "y" | "isr" | "osr"): number {
  bench.write(pioReg.ctrl, 0);
  forced(bench, `mov isr, ${register}`);
  forced(bench, "push block");
  return bench.read(pioReg.rxf(0));
}

describe("ticks", () => {
  /** Edges of a program that toggles the direction at every tick, in system clocks from the first one. */
  function edges(div: number, count: number): number[] {
    const bench = load("set pindirs, 1\nset pindirs, 0", { div });
    bench.nets.pull(IO, 1);
    const at: number[] = [];
    bench.nets.listen(IO, () => at.push(bench.nowNs / 8));
    bench.write(pioReg.ctrl, 0x101); // enable and restart the divider
    while (at.length < count) bench.pass(80);
    return at.slice(0, count).map((time) => time - at[0]!);
  }
  test("whole divider", () => expect(edges(3 * 256, 5)).toEqual([0, 3, 6, 9, 12]));
  test("fractional divider: tick n at floor(n · div)", () => {
    const div = 2 * 256 + 128 + 16;
    const tick = (n: number): number => Math.floor((n * div) / 256);
    expect(edges(div, 9)).toEqual(Array.from({ length: 9 }, (_, n) => tick(n + 1) - tick(1)));
  });
  test("INT 0 is 65536", () => expect(edges(0, 2)).toEqual([0, 65536]));
  test("delays count ticks", () => {
    const bench = load("set pindirs, 1 [4]\nset pindirs, 0 [31]", { div: 512 });
    bench.nets.pull(IO, 1);
    const at: number[] = [];
    bench.nets.listen(IO, () => at.push(bench.nowNs));
    start(bench);
    bench.pass(2000);
    expect(at.slice(0, 3).map((time) => (time - at[0]!) / 16)).toEqual([0, 5, 37]);
  });
  test("an idle machine has no events; a stalled instruction runs at the first tick after the synchroniser", () => {
    const bench = load("wait 0 pin 0\nset pindirs, 1\nstay: jmp stay [31]", { div: 10 * 256 });
    bench.nets.pull(IO, 1);
    start(bench);
    bench.pass(1e6);
    const before = bench.events;
    bench.pass(1e9);
    expect(bench.events).toBe(before);
    const base = bench.nowNs;
    bench.nets.drive(IO, "card", 0);
    bench.until(() => (bench.pio.pinDirections >>> IO) % 2 === 1, 1);
    // Two clocks of synchroniser, up to one tick of 80 ns to run WAIT, one more tick to the SET.
    expect(bench.nowNs - base).toBeGreaterThanOrEqual(16 + 80);
    expect(bench.nowNs - base).toBeLessThanOrEqual(16 + 160);
  });
  test("a pad with its input off reads low", () => {
    const bench = load("wait 1 pin 0\nset x, 5\nstay: jmp stay [31]");
    bench.nets.pull(IO, 1);
    bench.write(0x4001c004 + 4 * IO, 0x12);
    start(bench);
    bench.pass(1000);
    expect(bench.read(pioReg.addr(0))).toBe(0);
  });
});

describe("instructions", () => {
  test("jmp conditions, x-- also when not taken, mov with not and reverse", () => {
    const bench = load("set x, 1\nloop: jmp x-- loop\nmov y, ::x\nstay: jmp stay");
    start(bench);
    bench.pass(400);
    expect(peek(bench, "x")).toBe(0xffffffff);
    expect(peek(bench, "y")).toBe(0xffffffff);
    forced(bench, "set x, 1");
    forced(bench, "mov y, ::x");
    expect(peek(bench, "y")).toBe(0x80000000);
    forced(bench, "mov y, !x");
    expect(peek(bench, "y")).toBe(0xfffffffe);
  });
  test("autopull: an empty OSR is filled behind the scenes, OUT stalls without data", () => {
    const bench = load("out x, 8\nout y, 8\nstay: jmp stay", { shift: (16 << 25) | (3 << 18) | (1 << 17) });
    start(bench);
    bench.pass(100);
    expect(bench.read(pioReg.addr(0))).toBe(0);
    expect(bench.read(pioReg.fdebug) & (1 << 24)).not.toBe(0);
    bench.write(pioReg.txf(0), 0xbbaa);
    bench.pass(100);
    expect([peek(bench, "x"), peek(bench, "y")]).toEqual([0xaa, 0xbb]);
  });
  test("autopush at the threshold, stalling on a full FIFO without taking the bit", () => {
    const bench = load("in y, 8", { shift: (8 << 20) | (1 << 19) | (1 << 16) });
    forced(bench, "set y, 21");
    start(bench);
    bench.pass(400);
    expect(bench.read(pioReg.flevel)).toBe(0x40);
    expect(bench.read(pioReg.fdebug) & 1).toBe(1);
    bench.write(pioReg.fdebug, 1);
    for (let i = 0; i < 10; i++) {
      expect(bench.read(pioReg.rxf(0))).toBe(21);
      bench.pass(100);
    }
  });
  test("push and pull, blocking and not", () => {
    const bench = load("pull noblock\nmov y, osr\npull block\nmov isr, osr\npush block\nstay: jmp stay");
    forced(bench, "set x, 7");
    start(bench);
    bench.pass(400);
    expect(bench.read(pioReg.addr(0))).toBe(2);
    bench.write(pioReg.txf(0), 0x12345678);
    bench.pass(400);
    expect(bench.read(pioReg.rxf(0))).toBe(0x12345678);
    expect(peek(bench, "y")).toBe(7);
  });
  test("wrap, and jmp over it", () => {
    const bench = load("set x, 0\n.wrap_target\nset y, 1\nmov x, ~x\n.wrap\nset y, 2");
    start(bench);
    bench.pass(808);
    expect(peek(bench, "y")).toBe(1);
  });
  test("side-set moves even when the instruction stalls", () => {
    const bench = load(".side_set 1 pindirs\npull block side 1\nstay: jmp stay side 0", {
      exec: 1 << 29,
      pinctrl: (1 << 29) | (IO << 10) | (1 << 26) | (IO << 5),
    });
    start(bench);
    bench.pass(100);
    expect((bench.pio.pinDirections >>> IO) & 1).toBe(1);
    bench.write(pioReg.txf(0), 0);
    bench.pass(100);
    expect((bench.pio.pinDirections >>> IO) & 1).toBe(0);
  });
  test("out exec and mov exec run the word in place of a fetch", () => {
    const bench = load("pull block\nout exec, 16\nstay: jmp stay");
    start(bench);
    bench.write(pioReg.txf(0), assemblePio("set x, 19").words[0]!);
    bench.pass(400);
    expect(peek(bench, "x")).toBe(19);
  });
});

describe("interrupt flags", () => {
  test("irq wait holds the machine until the CPU clears the flag; then the delay", () => {
    const bench = load("irq wait 0 [7]\nset pindirs, 1\nstay: jmp stay", { div: 1024 });
    start(bench);
    bench.pass(1000);
    expect(bench.read(pioReg.intr) & 0x100).toBe(0x100);
    expect(bench.read(pioReg.addr(0))).toBe(0);
    const at = bench.nowNs;
    bench.write(pioReg.irq, 1);
    expect(bench.read(pioReg.intr) & 0x100).toBe(0);
    bench.until(() => (bench.pio.pinDirections >>> IO) % 2 === 1, 1);
    expect(Math.ceil((bench.nowNs - at) / 32)).toBe(9);
  });
  test("enable, force, both lines; wait 1 irq clears the flag and the line falls", () => {
    const bench = load("wait 1 irq 2\nset x, 3\nstay: jmp stay");
    bench.write(pioReg.inte(0), 0x400);
    bench.write(pioReg.inte(1), 0x010);
    start(bench);
    expect(bench.irqs).toBe(1 << 8); // TX not full, line 1
    bench.write(pioReg.irqForce, 4);
    expect(bench.irqs & (1 << 7)).toBe(1 << 7);
    expect(bench.read(pioReg.ints(0))).toBe(0x400);
    bench.pass(200);
    expect(bench.irqs & (1 << 7)).toBe(0);
    expect(bench.read(pioReg.irq)).toBe(0);
    bench.write(pioReg.intf(0), 1);
    expect(bench.irqs & (1 << 7)).toBe(1 << 7);
    expect(peek(bench, "x")).toBe(3);
  });
});

describe("FIFOs and control", () => {
  test("levels, status, and join: doubled depth, both emptied, cells kept", () => {
    const bench = load("stay: jmp stay");
    for (let i = 1; i <= 4; i++) bench.write(pioReg.txf(0), i);
    expect(bench.read(pioReg.fstat) & 0x01010101).toBe(0x00010100); // TX full, RX empty
    expect(bench.read(pioReg.flevel)).toBe(4);
    bench.write(pioReg.shiftctrl(0), (1 << 30) | (3 << 18));
    expect(bench.read(pioReg.flevel)).toBe(0);
    for (let i = 1; i <= 8; i++) bench.write(pioReg.txf(0), 0x100 + i);
    expect(bench.read(pioReg.flevel)).toBe(8);
    bench.write(pioReg.shiftctrl(0), 3 << 18);
    expect(bench.read(pioReg.flevel)).toBe(0);
    expect(bench.pio.save().machines[0]!.tx.cells.slice(0, 4)).toEqual([0x101, 0x102, 0x103, 0x104]);
  });
  test("a machine switched off in a delay owes the rest of it", () => {
    const bench = load("nop [31]\nset pindirs, 1\nstay: jmp stay", { div: 256 });
    start(bench);
    bench.pass(80);
    bench.write(pioReg.ctrl, 0);
    bench.pass(10_000);
    expect(bench.read(pioReg.addr(0))).toBe(1);
    start(bench);
    const at = bench.nowNs;
    bench.until(() => (bench.pio.pinDirections >>> IO) % 2 === 1, 1);
    expect((bench.nowNs - at) / 8).toBeGreaterThan(20);
    expect((bench.nowNs - at) / 8).toBeLessThanOrEqual(32);
  });
  test("SM_RESTART forgets stall, delay, ISR and shift counts, and keeps PC, X, Y, OSR", () => {
    const bench = load("set y, 9\nin y, 3\nwait 0 pin 0 [31]\nset x, 1");
    bench.nets.pull(IO, 1);
    start(bench);
    bench.pass(100);
    bench.write(pioReg.ctrl, 0);
    bench.write(pioReg.ctrl, 0x10);
    expect(bench.read(pioReg.addr(0))).toBe(2);
    expect(peek(bench, "isr")).toBe(0);
    expect(peek(bench, "y")).toBe(9);
    forced(bench, "jmp 3");
    expect(bench.read(pioReg.addr(0))).toBe(3);
  });
  test("a forced instruction leaves PC alone unless it jumps, also over a stalled WAIT", () => {
    const bench = load("wait 0 pin 0\nset x, 1\nstay: jmp stay");
    bench.nets.pull(IO, 1);
    bench.pass(100); // through the synchroniser
    start(bench);
    bench.pass(100);
    bench.write(pioReg.ctrl, 0);
    forced(bench, "set y, 4");
    expect(bench.read(pioReg.addr(0))).toBe(0);
    forced(bench, "jmp 1");
    start(bench);
    bench.pass(100);
    expect(peek(bench, "x")).toBe(1);
  });
  test("four machines at equal times run in the order of their numbers", () => {
    const bench = load("wait 1 irq 0\nset pindirs, 1\nstay: jmp stay");
    bench.write(pioReg.execctrl(1), 0x1f << 12);
    bench.write(pioReg.pinctrl(1), (1 << 26) | (5 << 5));
    bench.write(pioReg.clkdiv(1), 256 << 8);
    bench.write(pioReg.ctrl, 0x303);
    bench.pass(80);
    bench.write(pioReg.irqForce, 1);
    bench.pass(80);
    expect([(bench.pio.pinDirections >>> IO) & 1, (bench.pio.pinDirections >>> 5) & 1]).toEqual([1, 0]);
  });
});

describe("refused", () => {
  const rule = (act: (bench: PioBench) => void): string => {
    const bench = load("stay: jmp stay");
    try {
      act(bench);
    } catch (error) {
      return (error as { rule: string }).rule;
    }
    return "nothing";
  };
  test.each<[string, (bench: PioBench) => void]>([
    ["pio/tx-overflow", (b) => [1, 2, 3, 4, 5].forEach((n) => b.write(pioReg.txf(0), n))],
    ["pio/rx-underflow", (b) => b.read(pioReg.rxf(0))],
    ["pio/forced-while-running", (b) => (start(b), forced(b, "nop"))],
    ["pio/not-modelled", (b) => b.write(pioReg.execctrl(0), 1 << 17)],
    ["pio/not-modelled", (b) => b.write(pioReg.shiftctrl(0), 3 << 30)],
    ["pio/not-modelled", (b) => b.write(pioReg.instr(0), 0xa060)],
    ["bus/read-only", (b) => b.write(pioReg.addr(0), 0)],
    ["bus/unknown-register", (b) => b.read(0x50200200)],
  ])("%s", (name, act) => expect(rule(act)).toBe(name));
});

test("a snapshot taken in the middle goes on as if nothing had happened", () => {
  const source = "loop: pull block\nout pindirs, 1 [9]\nset pindirs, 0 [3]\njmp loop";
  const run = (restore: boolean): [number[], unknown] => {
    let bench = load(source, { div: 700 });
    bench.nets.pull(IO, 1);
    start(bench);
    for (let i = 0; i < 4; i++) bench.write(pioReg.txf(0), 1);
    bench.pass(400);
    if (restore) {
      const saved = structuredClone({ pio: bench.pio.save(), nets: bench.nets.save(), now: bench.nowNs, queue: bench.queue.save() });
      bench = load(source);
      bench.nowNs = saved.now;
      bench.nets.load(saved.nets);
      bench.pio.load(saved.pio);
      bench.queue.load(saved.queue);
    }
    const at: number[] = [];
    bench.nets.listen(IO, () => at.push(bench.nowNs));
    bench.pass(5000);
    return [at, bench.pio.save()];
  };
  expect(run(true)).toEqual(run(false));
});
