import { describe, expect, test } from "vitest";
import { bootProgram } from "../../testing/program-board.js";
import type { Program } from "../../testing/thumb.js";
import type { VirtualBoard } from "./board.js";
import type { Received } from "./serial-wire.js";

const UART = 0x40034000;
const RIS = UART + 0x3c;
const HERE = 0x20010000;
const EIGHT_N_ONE = 0x70;

/** UART0 at `baud`, two bytes out, then the first `reads` characters in with their marks, from HERE on. */
function port(baud: number, reads = 2, line = EIGHT_N_ONE): Promise<VirtualBoard> {
  return bootProgram((p: Program) => {
    const divider = Math.round((125e6 * 4) / baud);
    p.unreset((1 << 22) | (1 << 5) | (1 << 8))
      .write(0x40014000 + 4, 2)
      .write(0x40014000 + 12, 2)
      .write(UART + 0x24, divider >> 6)
      .write(UART + 0x28, divider & 63)
      .write(UART + 0x2c, line)
      .write(UART + 0x30, 0x301)
      .write(UART, 0x41)
      .write(UART, 0xc2);
    for (let index = 0; index < reads; index++) p.untilClear(UART + 0x18, 0x10).copy(UART, HERE + index * 4);
    return p;
  });
}
const got = (board: VirtualBoard, count: number): number[] => [...board.engine.chip.ram32.subarray(0x10000 / 4, 0x10000 / 4 + count)];
const raw = (board: VirtualBoard): number => board.engine.chip.readUint32(RIS);

/** Lets `ms` pass and reads all characters that come meanwhile, in the program's place. */
function readAll(board: VirtualBoard, ms: number): number[] {
  const { chip } = board.engine;
  const all: number[] = [];
  for (let i = 0; i < ms; i++) {
    board.runFor(1);
    while (!(chip.readUint32(UART + 0x18) & 0x10)) all.push(chip.readUint32(UART));
  }
  return all;
}

describe("characters take their time on the wire", () => {
  test.each([9_600, 115_200, 921_600, 3_000_000])("%i baud: both ways, to the bit", async (baud) => {
    const board = await port(baud, 3);
    board.uart.far.baud = baud;
    const sent: [Received, number][] = [];
    board.uart.far.onCharacter = (character) => sent.push([character, board.nowNs]);
    board.runFor(60);
    expect(sent.map(([character]) => character)).toEqual(
      [0x41, 0xc2].map((byte) => ({ byte, framing: false, parity: false, broken: false })),
    );
    expect(board.uart.baud / baud).toBeGreaterThan(0.996);
    expect(board.uart.baud / baud).toBeLessThan(1.004);
    expect(((sent[1]![1] - sent[0]![1]) * baud) / 1e10).toBeCloseTo(1, 1);
    const from = board.nowNs;
    board.uart.far.send(Uint8Array.of(0x37, 0x00, 0xff));
    while (!(got(board, 3)[2]! & 0xff)) board.runFor(0.001);
    expect(got(board, 3)).toEqual([0x37, 0, 0xff]);
    expect(((board.nowNs - from) * baud) / 1e9).toBeGreaterThan(29.5);
    expect(((board.nowNs - from) * baud) / 1e9).toBeLessThan(33);
  });

  /** The far end's rate against the chip's: 255 characters of all kinds, back to back. */
  const misread = async (off: number): Promise<number> => {
    const all = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
    const board = await port(115_200, 0);
    board.runFor(60);
    board.uart.far.baud = 115_200 * (1 + off);
    board.uart.far.send(all);
    const read = readAll(board, 40);
    return all.filter((byte, i) => read[i] !== byte).length;
  };
  test.each([-0.04, -0.02, 0.02, 0.04])("a sender %d off is still read right", async (off) => {
    expect(await misread(off)).toBe(0);
  });
  test.each([-0.07, 0.07])("a sender %d off is not", async (off) => {
    expect(await misread(off)).toBeGreaterThan(60);
  });
  test("the far end misreads, too, when the chip's divider is wrong", async () => {
    const board = await port(125_000);
    const sent: Received[] = [];
    board.uart.far.onCharacter = (character) => sent.push(character);
    board.runFor(60);
    expect(sent.map(({ byte }) => byte)).not.toEqual([0x41, 0xc2]);
  });
});

describe("marks of a character", () => {
  test("a stop bit that is low: framing error, and the line must go high before the next start", async () => {
    const board = await port(115_200, 2);
    board.runFor(60);
    board.uart.far.baud = 57_600;
    board.uart.far.send(Uint8Array.of(0x07));
    board.runFor(1);
    // At 115 200: start and six data bits of twice the length; the stop bit falls into data bit 4, which is low.
    expect(got(board, 1)).toEqual([0x100 | 0x7e]);
    expect(raw(board) & 0x780).toBe(0x80);
  });
  test("a break is one character 00 with the break mark, however long", async () => {
    const board = await port(115_200, 3);
    board.runFor(60);
    board.uart.far.sendBreak(1000);
    board.uart.far.send(Uint8Array.of(0x55, 0x56));
    board.runFor(12);
    expect(got(board, 3)).toEqual([0x500, 0x55, 0x56]);
    expect(raw(board) & 0x780).toBe(0x280);
  });
  test("parity: right is no mark, wrong is one", async () => {
    const board = await port(115_200, 2, EIGHT_N_ONE | 6);
    board.uart.far.format = { dataBits: 8, parity: "even", stopBits: 1 };
    board.runFor(60);
    board.uart.far.send(Uint8Array.of(0x31));
    board.runFor(1);
    board.uart.far.format = { dataBits: 8, parity: "odd", stopBits: 1 };
    board.uart.far.send(Uint8Array.of(0x31));
    board.runFor(1);
    expect(got(board, 2)).toEqual([0x31, 0x231]);
    expect(raw(board) & 0x780).toBe(0x100);
  });
  test("a spike shorter than half a bit is no start", async () => {
    const board = await port(115_200, 1);
    board.runFor(60);
    board.uart.far.baud = 921_600;
    board.uart.far.sendBreak(3);
    board.runFor(1);
    expect(board.engine.chip.readUint32(UART + 0x18) & 0x10).toBe(0x10);
  });
});

describe("FIFO", () => {
  test("32 fit; what comes after is lost, and the next that fits says so", async () => {
    const board = await port(115_200, 0);
    board.runFor(60);
    const { chip } = board.engine;
    board.uart.far.send(Uint8Array.from({ length: 40 }, (_, i) => i + 1));
    board.runFor(5);
    expect(raw(board) & (1 << 10)).toBe(1 << 10);
    expect(board.uart.overruns).toBe(8);
    expect(chip.readUint32(UART + 4)).toBe(8);
    expect(Array.from({ length: 32 }, () => chip.readUint32(UART))).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
    board.uart.far.send(Uint8Array.of(0x77, 0x78));
    board.runFor(1);
    expect([chip.readUint32(UART), chip.readUint32(UART)]).toEqual([0x877, 0x78]);
    expect(chip.readUint32(UART + 4)).toBe(8);
    chip.writeUint32(UART + 4, 0);
    expect(chip.readUint32(UART + 4)).toBe(0);
  });
  test("a few that wait raise the receive timeout 32 bit times after the last", async () => {
    const board = await port(115_200, 0);
    board.runFor(60);
    board.uart.far.send(Uint8Array.of(1, 2, 3));
    const bits = (n: number): number => (n * 1e3) / 115_200;
    board.runFor(bits(30 + 31));
    expect(raw(board) & 0x40).toBe(0);
    board.runFor(bits(2));
    expect(raw(board) & 0x50).toBe(0x40);
    for (let i = 0; i < 3; i++) board.engine.chip.readUint32(UART);
    expect(raw(board) & 0x40).toBe(0);
  });
});

test("bits turned over at the rate asked for, the same with the same seed", async () => {
  const spoilt = async (): Promise<{ flips: number; read: number[] }> => {
    const board = await port(115_200, 0);
    board.runFor(60);
    board.uart.far.bitErrorRate = 0.01;
    board.uart.far.send(new Uint8Array(200).fill(0x55));
    return { read: readAll(board, 30), flips: board.uart.far.flips };
  };
  const once = await spoilt();
  expect(once.flips).toBeGreaterThan(8);
  expect(once.flips).toBeLessThan(40);
  expect(once.read.some((entry) => entry !== 0x55)).toBe(true);
  expect(await spoilt()).toEqual(once);
});
