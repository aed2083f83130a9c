import { answerHeader, hex, commandStatus, iccStatus, PC_to_RDR, RDR_to_PC, slotError } from "@inkan/device-proto";
import { ccidMatrix, type MatrixAnswer, matrixBytes, type MatrixCase, unknownMessages, type World } from "@inkan/device-proto/matrix";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Reader } from "../src/index.js";
import { FakeClock } from "./fake-clock.js";
import { FakeReader, type FakeReaderCard } from "./fake-reader.js";

/** Told as the virtual board's own test tells it (hwtest/suites/ccid-matrix.test.ts): one table, two readers. */
const fastAtr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0x31, 0xfe, 0x46, 0xb0);
const t0Atr = Uint8Array.of(0x3b, 0x00);
const slow = Uint8Array.of(0x00, 0xb2, 0, 0, 4);
const SLOW_MS = 1200;
/** No reader of TypeScript draws current. */
const elsewhere: readonly World[] = ["over-current"];

function cardOf(world: World): FakeReaderCard | undefined {
  if (world === "empty") return undefined;
  const atr = world === "t0" ? t0Atr : world === "mute" ? new Uint8Array(0) : fastAtr;
  return {
    powerOn: () => atr,
    transmit: (command) => ({
      response: world === "mute-later" ? new Uint8Array(0) : Uint8Array.of(1, 2, 3, 4, 0x90, 0),
      thinkMs: command[1] === slow[1] ? SLOW_MS : 0,
    }),
  };
}

/** A reader in a world, seen through one of its faces. */
class Bench {
  readonly clock = new FakeClock();
  readonly heard: Uint8Array[] = [];
  readonly here: FakeReader;
  readonly there: FakeReader;
  #sequence = 0;

  constructor(face: "usb" | "link", world: World) {
    const card = cardOf(world);
    this.here = new FakeReader({ clock: this.clock, face, ...(card && { card }) });
    this.there = this.here.another({ face: face === "usb" ? "link" : "usb" });
    this.here.onMessage = (message) => this.heard.push(message);
  }
  get sequence(): number {
    return (this.#sequence = (this.#sequence + 1) & 255);
  }
  say(reader: FakeReader, id: number, data = new Uint8Array(0)): Promise<void> {
    return reader.send(matrixBytes({ id, slot: 0, specific: [0, 0, 0], data, says: data.length }, this.sequence));
  }
  async prepare(world: World): Promise<void> {
    const owner = world === "taken" || world === "busy-elsewhere" ? this.there : this.here;
    if (["powered", "t0", "busy", "mute-later", "taken", "busy-elsewhere"].includes(world)) await this.say(owner, PC_to_RDR.IccPowerOn);
    await this.clock.advance(10);
    if (world.startsWith("busy")) await this.say(owner, PC_to_RDR.XfrBlock, slow);
    await this.clock.advance(10);
    this.heard.length = 0;
  }
}

function expectAnswer(
  heard: readonly Uint8Array[],
  sequence: number,
  slot: number,
  expected: MatrixAnswer | undefined,
  what: string,
): void {
  if (!expected) return expect(heard, what).toEqual([]);
  expect(heard.length, what).toBe(1);
  const head = answerHeader.decode(heard[0]!.subarray(0, 10));
  const data = heard[0]!.subarray(10);
  expect(head, what).toEqual({
    bMessageType: RDR_to_PC[expected.type],
    dwLength: data.length,
    bSlot: slot,
    bSeq: sequence,
    bStatus: ((expected.failed ? 1 : 0) << 6) | iccStatus[expected.icc],
    bError: expected.error,
    bSpecific: expected.specific,
  });
  if (typeof expected.data === "number") expect(data.length, what).toBe(expected.data);
  else if (expected.data) expect(hex(data), what).toBe(hex(expected.data));
  else expect(data.length, what).toBeGreaterThanOrEqual(2);
}

async function play(face: "usb" | "link", one: MatrixCase): Promise<void> {
  const what = `${one.message} × ${one.condition}: ${one.what}`;
  const bench = new Bench(face, one.world);
  await bench.prepare(one.world);
  const { sequence } = bench;
  if (one.message === "Abort" && face === "usb" && one.answer && !one.answer.failed) await bench.here.abort(0, sequence);
  await bench.here.send(matrixBytes(one.send, sequence));
  await bench.clock.advance(50);
  expectAnswer(bench.heard, sequence, one.send.slot, one.answer, what);
  if (!one.world.startsWith("busy")) return;
  // whatever was said meanwhile, the command that ran ends as if nothing had been
  await bench.clock.advance(2 * SLOW_MS);
  const last = bench.heard.at(-1)!;
  if (one.world === "busy") expect([last[0], last[7]! >> 6, hex(last.subarray(10))], what).toEqual([0x80, 0, "010203049000"]);
}

describe.each(["usb", "link"] as const)("FakeReader over %s answers as the released firmware does", (face) => {
  const worlds = [...new Set(ccidMatrix.map(({ world }) => world))].filter((world) => !elsewhere.includes(world));
  test.each(worlds)("%s", async (world) => {
    const cases = ccidMatrix.filter((one) => one.world === world);
    expect(cases.length).toBeGreaterThan(0);
    for (const one of cases) await play(face, one);
  });

  test("every id that is no message", async () => {
    const bench = new Bench(face, "powered");
    await bench.prepare("powered");
    for (const id of unknownMessages) {
      bench.heard.length = 0;
      const { sequence } = bench;
      await bench.here.send(matrixBytes({ id, slot: 0, specific: [0, 0, 0], data: new Uint8Array(id & 1), says: id & 1 }, sequence));
      await bench.clock.advance(1);
      const refused: MatrixAnswer = {
        type: "SlotStatus",
        icc: "active",
        failed: true,
        error: slotError.CMD_NOT_SUPPORTED,
        specific: 0,
        data: 0,
      };
      expectAnswer(bench.heard, sequence, 0, refused, `id ${id.toString(16)}`);
    }
  });
});

describe("one slot, two faces", () => {
  test("an abort over USB is two things, in either order; each with its own answer", async () => {
    for (const order of ["control first", "bulk first"]) {
      const bench = new Bench("usb", "busy");
      await bench.prepare("busy");
      const { sequence } = bench;
      const bulk = matrixBytes({ id: PC_to_RDR.Abort, slot: 0, specific: [0, 0, 0], data: new Uint8Array(0), says: 0 }, sequence);
      if (order === "control first") await bench.here.abort(0, sequence);
      await bench.here.send(bulk);
      if (order !== "control first") {
        expect(bench.heard, "the message alone waits").toEqual([]);
        await bench.here.abort(0, sequence);
      }
      await bench.clock.advance(10);
      expect(bench.heard.map((message) => [message[0], message[7]! >> 6, message[8]])).toEqual([
        [0x80, commandStatus.failed, slotError.CMD_ABORTED],
        [0x81, commandStatus.ok, 0],
      ]);
      await bench.clock.advance(2 * SLOW_MS);
      expect(bench.heard.length, order).toBe(2);
      expect(bench.clock.pending).toBe(0);
    }
  });

  test("whoever powered the card on owns it until it is off; a face that goes takes its power along", async () => {
    const bench = new Bench("usb", "taken");
    await bench.prepare("taken");
    bench.there.vanish();
    await bench.say(bench.here, PC_to_RDR.GetSlotStatus);
    await bench.clock.advance(1);
    expect(bench.heard.at(-1)![7]! & 3).toBe(iccStatus.inactive);
    await bench.say(bench.here, PC_to_RDR.IccPowerOn);
    await bench.clock.advance(1);
    expect(bench.heard.at(-1)![7]).toBe(0);
  });
});

/** The examples of the documentation are these very lines: compiled and run here, compared with what is printed. */
describe("the examples that are printed", () => {
  const own = readFileSync(new URL(import.meta.url), "utf8");
  const between = (name: string): string => {
    const [, body] = new RegExp(`// example: ${name}\\n([\\s\\S]*?)\\n *// end`).exec(own)!;
    const indent = /^ */.exec(body!)![0].length;
    return body!
      .split("\n")
      .map((line) => line.slice(indent))
      .join("\n");
  };
  const blocks = (text: string): string[] => [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!.trimEnd());
  const ofComment = (path: string): string[] => blocks(readFileSync(new URL(path, import.meta.url), "utf8").replace(/^ \* ?/gm, ""));

  test("of FakeReader", async () => {
    // example: FakeReader
    const card = {
      powerOn: () => Uint8Array.of(0x3b, 0x00),
      transmit: (command: Uint8Array) => ({ response: Uint8Array.of(command[1]!, 0x90, 0x00), thinkMs: 5 }),
    };
    const clock = new FakeClock();
    const fake = new FakeReader({ clock, card });
    const reader = await clock.run(Reader.open(fake, { clock }));
    const connected = await clock.run(reader.connect());
    const response = await clock.run(connected.transmit(Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x01)));
    expect([response.sw, ...response.data]).toEqual([0x9000, 0xb0]);
    fake.remove();
    await expect(clock.run(connected.transmit(Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x01)))).rejects.toMatchObject({ code: "card-pulled" });
    await clock.run(reader.close());
    expect(clock.pending).toBe(0);
    // end
    expect(ofComment("./fake-reader.ts")).toContain(between("FakeReader"));
  });

  test("of the how-to", async () => {
    const card = { powerOn: () => fastAtr, transmit: () => ({ response: Uint8Array.of(0x90, 0x00), thinkMs: 0 }) };
    const clock = new FakeClock();
    // example: reflex
    const stubborn: FakeReader = new FakeReader({
      clock,
      card,
      reflex: (command, polite) => {
        if (command.name === "XfrBlock") return []; // silence
        if (command.name === "IccPowerOn") return [{ afterMs: 2000, message: stubborn.answer(command, { failed: 0xfe }) }];
        return polite();
      },
    });
    const reader = await clock.run(Reader.open(stubborn, { clock }));
    await expect(clock.run(reader.connect())).rejects.toMatchObject({ code: "card-mute" });
    // end
    await clock.run(reader.close());
    // example: two hosts
    const mine = new FakeReader({ clock, card });
    const theirs = mine.another();
    const [first, second] = await clock.run(Promise.all([mine, theirs].map((face) => Reader.open(face, { clock }))));
    await clock.run(first!.connect());
    await expect(clock.run(second!.connect())).rejects.toMatchObject({ code: "slot-busy" });
    // end
    await clock.run(Promise.all([first!.close(), second!.close()]));
    const printed = ofComment("../../docs/how-to/test-your-program.md");
    for (const name of ["FakeReader", "reflex", "two hosts"]) expect(printed).toContain(between(name));
  });
});
