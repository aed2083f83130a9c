import { expect, test } from "vitest";
import { ruleBrokenBy } from "../../testing/program-board.js";
import type { Program } from "../../testing/thumb.js";
import type { VirtualBoard } from "./board.js";
import { cardRules } from "./card-rules.js";
import { rules } from "./rules.js";
import { usbRules } from "./usb-rules.js";

const RESETS = 0x4000c000;
const CLOCKS = 0x40008000;
const IO = 0x40014000;
const PADS = 0x4001c000;
const UART = 0x40034000;
const I2C = 0x40044000;
const TIMER = 0x40054000;
const WATCHDOG = 0x40058000;
const SIO = 0xd0000000;
const SSI = 0x18000000;
const QSPI_SS = 0x4001800c;
const XIP = 0x10000000;
const FLUSH = 0x14000004;
const NVIC = 0xe000e100;
const PSM = 0x40010000;
const GPIO = (1 << 5) | (1 << 8);
const WFI = 0xbf30;
const CPSID = 0xb672;

/** UART0 at 115 200 baud, clk_peri running since the loader. */
const uart = (program: Program): Program =>
  program
    .unreset((1 << 22) | GPIO)
    .write(UART + 0x24, 67)
    .write(UART + 0x28, 52)
    .write(UART + 0x2c, 0x70)
    .write(UART + 0x30, 0x301);
/** I2C0 as firmware sets it, display address. */
const i2c = (program: Program, high = 125): Program =>
  program
    .unreset((1 << 3) | GPIO)
    .write(I2C, 0x165)
    .write(I2C + 4, 0x3c)
    .write(I2C + 0x20, 188)
    .write(I2C + 0x1c, high)
    .write(I2C + 0x30, 0);
const i2cPins = (program: Program): Program => program.write(IO + 4 * 8 + 4, 3).write(IO + 5 * 8 + 4, 3);
/** SSI out of XIP, 8-bit frames. */
const direct = (program: Program): Program =>
  program
    .write(SSI + 8, 0)
    .write(SSI, 0x00070000)
    .write(SSI + 8, 1);
/** One command with its bytes; chip select by hand. */
const command = (program: Program, ...bytes: number[]): Program => {
  program.write(QSPI_SS, 0x200);
  for (const byte of bytes)
    program
      .write(SSI + 0x60, byte)
      .until(SSI + 0x28, 4)
      .untilClear(SSI + 0x28, 1)
      .read(SSI + 0x60);
  return program.write(QSPI_SS, 0x300);
};
/** Back to XIP, as boot2 left it. */
const xip = (program: Program): Program =>
  program
    .write(QSPI_SS, 0)
    .write(SSI + 8, 0)
    .write(SSI, 0x001f0300)
    .write(SSI + 8, 1);

/** A program that breaks a rule, and the same without the fault. */
interface Control {
  readonly breaks: (program: Program) => Program;
  readonly keeps?: (program: Program) => Program;
  readonly prepare?: (board: VirtualBoard) => void;
}

const controls: Record<Exclude<keyof typeof rules, keyof typeof usbRules | keyof typeof cardRules>, Control> = {
  "bus/unmapped": { breaks: (p) => p.read(0x30000000), keeps: (p) => p.read(0x20001000) },
  "bus/unaligned": { breaks: (p) => p.read(0x20001002), keeps: (p) => p.read(0x20001004) },
  "bus/narrow": { breaks: (p) => p.write8(0xe000e400, 1), keeps: (p) => p.write(0xe000e400, 1) },
  "bus/unknown-register": { breaks: (p) => p.read(RESETS + 0x10), keeps: (p) => p.read(RESETS + 8) },
  "bus/read-only": { breaks: (p) => p.write(RESETS + 8, 0) },
  "chip/not-modelled": { breaks: (p) => p.read(0x00000014) },
  "cpu/undefined": { breaks: (p) => p.code(0xde00) },
  "cpu/not-code": { breaks: (p) => p.load(0, 0x40000001).code(0x4700), keeps: (p) => p.code(0xbf00) },
  "cpu/wfi-race": { breaks: (p) => p.write(NVIC, 1).code(0xb662, WFI), keeps: (p) => p.write(NVIC, 1).code(CPSID, WFI) },
  "cpu/stack": { breaks: (p) => p.load(0, 0x2003fffc).code(0x4685, 0xb401), keeps: (p) => p.load(0, 0x20040010).code(0x4685, 0xb401) },
  "cpu/bad-vector": {
    breaks: (p) =>
      p
        .vector(16, 0x20000200)
        .write(NVIC, 1)
        .write(NVIC + 0x100, 1)
        .code(0xb662),
  },
  "reset/access": { breaks: (p) => p.read(UART + 0x18), keeps: (p) => p.unreset(1 << 22).read(UART + 0x18) },
  "reset/not-done": { breaks: (p) => p.clear(RESETS, 1 << 22).read(UART + 0x18) },
  "clock/dead-source": {
    breaks: (p) =>
      p
        .write(CLOCKS + 0, 0x820)
        .write(0x40060000, 0xd1e000)
        .write(CLOCKS + 0x30, 0),
  },
  "clock/glitch": { breaks: (p) => p.set(CLOCKS, 0x8c0).set(CLOCKS, 0x20), keeps: (p) => p.write(CLOCKS, 0xc0).set(CLOCKS, 0x800) },
  "clock/pll": { breaks: (p) => p.write(0x4002c004, 0x2d).write(0x4002c008, 10).write(0x4002c004, 0) },
  "clock/overspeed": {
    breaks: (p) =>
      p
        .clear(CLOCKS + 0x54, 0x800)
        .write(CLOCKS + 0x58, 0x200)
        .set(CLOCKS + 0x54, 0x800),
  },
  "timer/no-tick": {
    breaks: (p) =>
      p
        .unreset(1 << 21)
        .write(WATCHDOG + 0x2c, 0)
        .read(TIMER + 0x28),
    keeps: (p) => p.unreset(1 << 21).read(TIMER + 0x28),
  },
  "sio/divider-early": {
    breaks: (p) =>
      p
        .load(0, SIO + 0x60)
        .load(1, 100)
        .load(3, 7)
        .code(0x6001, 0x6043, 0x6902), // str r1; str r3,[r0,#4]; ldr r2,[r0,#16]
    keeps: (p) =>
      p
        .write(SIO + 0x60, 100)
        .write(SIO + 0x64, 7)
        .until(SIO + 0x78, 1)
        .read(SIO + 0x70),
  },
  "pins/not-muxed": {
    breaks: (p) => uart(p).write(UART, 0x55),
    keeps: (p) =>
      uart(p)
        .write(IO + 4, 2)
        .write(UART, 0x55),
  },
  "pins/input-disabled": {
    breaks: (p) =>
      p
        .unreset(GPIO)
        .write(PADS + 4 + 14 * 4, 0x1a)
        .write(IO + 0x104, 0xc << 24),
    keeps: (p) => p.unreset(GPIO).write(IO + 0x104, 0xc << 24),
  },
  "pins/contention": {
    breaks: (p) =>
      p
        .unreset(GPIO)
        .write(SIO + 0x14, 1 << 28)
        .write(SIO + 0x24, 1 << 28)
        .write(IO + 28 * 8 + 4, 5),
    keeps: (p) =>
      p
        .unreset(GPIO)
        .write(SIO + 0x24, 1 << 28)
        .write(IO + 28 * 8 + 4, 5),
    prepare: (board) => board.engine.nets.drive(28, "somebody", 0),
  },
  "flash/xip-off": { breaks: (p) => direct(p).read(XIP), keeps: (p) => xip(direct(p)).read(XIP) },
  "flash/store-to-xip": { breaks: (p) => p.write(XIP + 0x1000, 0) },
  "flash/stale-cache": {
    breaks: (p) =>
      xip(command(command(direct(p.read(XIP + 0x1ff000)), 0x06), 0x02, 0x1f, 0xf0, 0, 0x55))
        .spin(20000)
        .read(XIP + 0x1ff000),
    keeps: (p) =>
      xip(command(command(direct(p.read(XIP + 0x1ff000)), 0x06), 0x02, 0x1f, 0xf0, 0, 0x55))
        .spin(20000)
        .write(FLUSH, 1)
        .read(XIP + 0x1ff000),
  },
  "flash/busy": {
    breaks: (p) => xip(command(command(direct(p), 0x06), 0x02, 0x1f, 0xf0, 0, 0x55)).read(XIP),
    keeps: (p) =>
      xip(command(command(direct(p), 0x06), 0x02, 0x1f, 0xf0, 0, 0x55))
        .spin(20000)
        .read(XIP),
  },
  "flash/no-write-enable": {
    breaks: (p) => command(direct(p), 0x02, 0x1f, 0xf0, 0, 0x55),
    keeps: (p) => command(command(direct(p), 0x06), 0x02, 0x1f, 0xf0, 0, 0x55),
  },
  // 32 KiB at the bottom (SEC, TB, BP2), set volatile: what the loader will do before it jumps.
  "flash/protected": {
    breaks: (p) => command(command(command(command(direct(p), 0x50), 0x01, 0x70, 0x00).spin(100), 0x06), 0x20, 0x00, 0x70, 0x00),
    keeps: (p) => command(command(command(command(direct(p), 0x50), 0x01, 0x70, 0x00).spin(100), 0x06), 0x20, 0x00, 0x80, 0x00),
  },
  "flash/unknown-command": { breaks: (p) => command(direct(p), 0xc7) },
  "ssi/misuse": {
    breaks: (p) => p.write(SSI + 0x14, 8),
    keeps: (p) =>
      p
        .write(SSI + 8, 0)
        .write(SSI + 0x14, 8)
        .write(SSI + 8, 1),
  },
  "uart/overflow": {
    breaks: (p) => Array.from({ length: 35 }).reduce<Program>((program) => program.write(UART, 0), uart(p).write(IO + 4, 2)),
    keeps: (p) => Array.from({ length: 33 }).reduce<Program>((program) => program.write(UART, 0), uart(p).write(IO + 4, 2)),
  },
  "uart/config": {
    breaks: (p) =>
      uart(p)
        .write(IO + 4, 2)
        .write(UART + 0x24, 1),
    keeps: (p) =>
      uart(p)
        .write(UART + 0x30, 0)
        .write(UART + 0x24, 1),
  },
  "uart/divider": {
    breaks: (p) =>
      p
        .unreset((1 << 22) | GPIO)
        .write(UART + 0x2c, 0x70)
        .write(UART + 0x24, 67)
        .write(UART + 0x28, 52)
        .write(UART + 0x30, 0x301),
    keeps: uart,
  },
  "i2c/config": {
    breaks: (p) =>
      i2cPins(i2c(p))
        .write(I2C + 0x6c, 1)
        .write(I2C + 4, 0x3d),
    keeps: (p) => i2cPins(i2c(p)).write(I2C + 0x6c, 1),
  },
  "i2c/overflow": {
    breaks: (p) =>
      Array.from({ length: 18 }).reduce<Program>((program) => program.write(I2C + 0x10, 0), i2cPins(i2c(p)).write(I2C + 0x6c, 1)),
    keeps: (p) =>
      Array.from({ length: 16 }).reduce<Program>((program) => program.write(I2C + 0x10, 0), i2cPins(i2c(p)).write(I2C + 0x6c, 1)),
  },
  "i2c/too-fast": {
    breaks: (p) =>
      i2cPins(i2c(p, 60))
        .write(I2C + 0x6c, 1)
        .write(I2C + 0x10, 0x200),
    keeps: (p) =>
      i2cPins(i2c(p))
        .write(I2C + 0x6c, 1)
        .write(I2C + 0x10, 0x200),
  },
  "display/unknown-command": {
    breaks: (p) =>
      i2cPins(i2c(p))
        .write(I2C + 0x6c, 1)
        .write(I2C + 0x10, 0)
        .write(I2C + 0x10, 0x2ff),
  },
  "watchdog/expired": {
    breaks: (p) =>
      p
        .write(PSM + 8, 0x1fffc)
        .write(WATCHDOG + 4, 2000)
        .write(WATCHDOG, 1 << 30),
    keeps: (p) =>
      p
        .write(PSM + 8, 0x1fffc)
        .write(WATCHDOG + 4, 2_000_000)
        .write(WATCHDOG, 1 << 30),
  },
  "watchdog/partial": { breaks: (p) => p.set(WATCHDOG, 1 << 31) },
};

test.each(Object.entries(controls))("%s is caught by its name", async (rule, { breaks, prepare }) => {
  expect(await ruleBrokenBy(breaks, prepare)).toBe(rule);
});

test.each(Object.entries(controls).filter(([, { keeps }]) => keeps))(
  "the same without the fault does not break %s",
  async (_rule, { keeps, prepare }) => {
    expect(await ruleBrokenBy(keeps!, prepare)).toBeUndefined();
  },
);

test("each rule of the chip and the board has its control", () => {
  const elsewhere = new Set([...Object.keys(usbRules), ...Object.keys(cardRules)]);
  expect(Object.keys(rules).filter((rule) => !elsewhere.has(rule))).toEqual(Object.keys(controls));
});
