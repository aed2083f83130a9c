import { answerHeader, hex, PC_to_RDR, RDR_to_PC, commandStatus, iccStatus, slotError } from "@inkan/device-proto";
import { ccidMatrix, type MatrixAnswer, matrixBytes, type MatrixCase, unknownMessages, type World } from "@inkan/device-proto/matrix";
import { T0Card, T1Card } from "@inkan/hwtest/cards";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CcidBench, type Pipe, fastAtr, slowIns, t0Atr, thinkingCard } from "./ccid-rig.js";

/**
 * The whole table of device-proto/src/ccid/matrix.ts against the released image on the virtual board, over USB and over the link. Every answer is
 * compared in every byte the standard speaks of, and nothing else may come.
 */

let bench: CcidBench;
beforeEach(async () => {
  bench = await CcidBench.open();
});
afterEach(() => bench.close());

const settleMs = 80;
const empty = new Uint8Array(0);
const slowApdu = Uint8Array.of(0x00, slowIns, 0, 0, 4);

/** The world is made anew for the next case where the last may have changed it. */
async function insert(world: World): Promise<void> {
  const { reader } = bench;
  if (reader.board.slot.card) await reader.remove();
  if (world === "empty") return;
  const always = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i + 1, "mute" as const]));
  const t0 = { atr: t0Atr, powerOn: () => t0Atr, transmit: () => ({ response: Uint8Array.of(0x90, 0), thinkMs: 0 }) };
  const card =
    world === "t0"
      ? new T0Card(t0)
      : world === "mute"
        ? new T1Card({ atr: fastAtr, powerOn: () => fastAtr, transmit: () => ({ response: empty, thinkMs: 0 }) }, { mute: true })
        : thinkingCard(world === "mute-later" ? { faults: { received: always } } : {}).line;
  reader.board.slot.insert(card);
  await reader.board.run(settleMs);
}

async function powered(pipe: Pipe): Promise<void> {
  const answer = await bench.ask(pipe, PC_to_RDR.IccPowerOn);
  expect(answer[7]! >> 6, hex(answer)).toBe(commandStatus.ok);
}

function expectAnswer(got: Uint8Array | undefined, sequence: number, slot: number, expected: MatrixAnswer | undefined, what: string): void {
  if (!expected) return expect(got, what).toBeUndefined();
  expect(got, `${what}: no answer`).toBeDefined();
  const head = answerHeader.decode(got!.subarray(0, 10));
  const data = got!.subarray(10);
  const { length } = data;
  expect({ ...head, length }, what).toEqual({
    bMessageType: RDR_to_PC[expected.type],
    dwLength: data.length,
    bSlot: slot,
    bSeq: sequence,
    bStatus: ((expected.failed ? 1 : 0) << 6) | iccStatus[expected.icc],
    bError: expected.error,
    bSpecific: expected.specific,
    length: typeof expected.data === "number" ? expected.data : expected.data instanceof Uint8Array ? expected.data.length : length,
  });
  if (expected.data === undefined) expect(length, what).toBeGreaterThanOrEqual(2);
  if (expected.data instanceof Uint8Array) expect(hex(data), what).toBe(hex(expected.data));
}

/** Sends one case and judges what comes. */
async function play(pipe: Pipe, one: MatrixCase): Promise<void> {
  const what = `${one.message} × ${one.condition}: ${one.what}`;
  const early = pipe.unheard.filter((message) => message[7]! >> 6 !== commandStatus.timeExtension);
  expect(
    early.map((message) => hex(message)),
    `${what}: something came before`,
  ).toEqual([]);
  const sequence = bench.sequence;
  const message = matrixBytes(one.send, sequence);
  // Over USB an abort is two things (§5.3.1); the message alone waits for the control request.
  if (one.message === "Abort" && pipe.face === "usb" && one.answer && !one.answer.failed) await bench.controlAbort(sequence);
  await pipe.say(message);
  expectAnswer(await pipe.hear(one.answer ? 20_000 : 40), sequence, one.send.slot, one.answer, what);
}

/** A valid one of these changes the slot. */
const changesTheSlot = (one: MatrixCase): boolean => one.message === "IccPowerOn" || one.message === "IccPowerOff";
const of = (...worlds: World[]): MatrixCase[] => ccidMatrix.filter((one) => worlds.includes(one.world));

describe.each(["usb", "link"] as const)("over %s", (face) => {
  const pipeOf = (): Pipe => bench[face];

  test.each(["powered", "t0"] as const)("%s", async (world) => {
    const pipe = pipeOf();
    await insert(world);
    await powered(pipe);
    for (const one of of(world)) {
      await play(pipe, one);
      if (changesTheSlot(one) && one.answer && !one.answer.failed) await powered(pipe);
    }
    expect(await bench.slotStatus(pipe)).toBe(iccStatus.active);
  });

  test.each(["unpowered", "empty"] as const)("%s", async (world) => {
    const pipe = pipeOf();
    await insert(world);
    for (const one of of(world)) {
      await play(pipe, one);
      if (one.message === "IccPowerOn") await bench.ask(pipe, PC_to_RDR.IccPowerOff);
    }
  });

  test("the other face owns the slot", async () => {
    const pipe = pipeOf();
    await insert("taken");
    await powered(bench.other(pipe));
    await bench.reader.board.run(50); // until the link's last answer is acknowledged: before that the buffer is its own
    for (const one of of("taken")) await play(pipe, one);
    expect(await bench.slotStatus(bench.other(pipe))).toBe(iccStatus.active);
  });

  test.each(["busy", "busy-elsewhere"] as const)("%s", async (world) => {
    const pipe = pipeOf();
    const runs = world === "busy" ? pipe : bench.other(pipe);
    await insert(world);
    await powered(runs);
    const slow = bench.message(PC_to_RDR.XfrBlock, slowApdu);
    await runs.say(slow);
    await bench.reader.board.run(30);
    for (const one of of(world)) await play(pipe, one);
    const answer = await runs.hear();
    expect(hex(answer!)).toBe(hex(Uint8Array.of(0x80, 6, 0, 0, 0, 0, slow[6]!, 0, 0, 0, 1, 2, 3, 4, 0x90, 0)));
  });

  test.each(["mute", "mute-later", "over-current"] as const)("a card that is %s", async (world) => {
    const pipe = pipeOf();
    for (const one of of(world)) {
      await insert(world);
      const xfr = one.message === "XfrBlock";
      if (xfr) await powered(pipe);
      const { slot } = bench.reader.board;
      // The card is thinking when it draws too much; a power-on fails on the spot.
      if (world === "over-current" && !xfr) slot.overCurrent(true);
      if (world === "over-current" && xfr) void bench.reader.clock.sleep(30).then(() => slot.overCurrent(true));
      await play(pipe, world === "over-current" && xfr ? { ...one, send: { ...one.send, data: slowApdu } } : one);
      slot.overCurrent(false);
    }
  });

  test("every id that is no message", async () => {
    const pipe = pipeOf();
    await insert("powered");
    await powered(pipe);
    for (const id of unknownMessages) {
      const sequence = bench.sequence;
      const data = id & 1 ? Uint8Array.of(1, 2, 3) : empty;
      await pipe.say(matrixBytes({ id, slot: 0, specific: [0, 0, 0], data, says: data.length }, sequence));
      const refused = {
        type: "SlotStatus",
        icc: "active",
        failed: true,
        error: slotError.CMD_NOT_SUPPORTED,
        specific: 0,
        data: 0,
      } as const;
      expectAnswer(await pipe.hear(), sequence, 0, refused, `id ${id.toString(16)}`);
    }
  });
});
