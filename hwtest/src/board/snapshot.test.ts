import { createHash } from "node:crypto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { expect, test } from "vitest";
import { standardMaterial } from "../authority/index.js";
import { T1Card } from "../cards/index.js";
import { VirtualBoard, type BoardSnapshot } from "./board.js";

const card = (): T1Card => new T1Card(JpkiTestCard.standard(standardMaterial()));
/** Every leaf of a snapshot with its path: RAM, CPU, time, pending events, every model. */
function* leaves(value: unknown, path = ""): Generator<string> {
  if (ArrayBuffer.isView(value))
    yield `${path} ${createHash("sha256")
      .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      .digest("hex")}`;
  else if (typeof value === "object" && value !== null)
    for (const [key, inner] of Object.entries(value).sort()) yield* leaves(inner, `${path}/${key}`);
  else yield `${path} ${String(value)}`;
}
const all = (snapshot: BoardSnapshot): string => [...leaves(snapshot)].join("\n");
const boot = async (): Promise<VirtualBoard> => VirtualBoard.boot({ ...(await releasedFirmware()), pace: "free" });

/** ICC power on, then GetSlotStatus, through the USB device; what came back, with its times. */
async function session(board: VirtualBoard): Promise<string[]> {
  const { device } = board.usb;
  const seen: string[] = [];
  await device.open();
  await device.claimInterface(0);
  for (const [sequence, type] of [0x62, 0x65, 0x63].entries()) {
    const answer = device.transferIn(bulk(board, "in"), 512).catch(() => undefined);
    await device.transferOut(bulk(board, "out"), Uint8Array.of(type, 0, 0, 0, 0, 0, sequence, 0, 0, 0));
    const { data } = (await board.engine.pump.hold(answer)) ?? {};
    seen.push(`${board.nowNs} ${Buffer.from(new Uint8Array(data?.buffer ?? new ArrayBuffer(0))).toString("hex")}`);
  }
  await board.keypad.press("5");
  await device.close();
  return seen;
}
const bulk = (board: VirtualBoard, direction: "in" | "out"): number =>
  board.usb.device.configurations[0]!.interfaces[0]!.alternates[0]!.endpoints.find(
    (one) => one.type === "bulk" && one.direction === direction,
  )!.endpointNumber;

test("a restored run is byte-equal to the booted one", async () => {
  const booted = await boot();
  booted.slot.insert(card());
  await booted.usb.attach();
  await booted.run(400);
  const snapshot = booted.snapshot();
  const seen = await session(booted);
  await booted.run(50);

  const restored = await boot();
  restored.slot.insert(card());
  restored.restore(structuredClone(snapshot));
  expect(all(restored.snapshot())).toBe(all(snapshot));
  expect(await session(restored)).toEqual(seen);
  await restored.run(50);

  expect(restored.nowNs).toBe(booted.nowNs);
  expect(Buffer.compare(restored.engine.chip.sram, booted.engine.chip.sram)).toBe(0);
  expect(all(restored.snapshot())).toBe(all(booted.snapshot()));
  // The card's ATR came through both times, so there was something to compare.
  expect(seen[0]).toContain("3bda13ff8131fb46");
  // And the comparison sees a single bit.
  booted.engine.chip.sram[0x20000]! ^= 1;
  expect(all(restored.snapshot())).not.toBe(all(booted.snapshot()));
});

test("two boots with one seed are equal to the byte, another seed is another run", async () => {
  const run = async (seed: number): Promise<string> => {
    const board = await VirtualBoard.boot({ ...(await releasedFirmware()), pace: "free", seed });
    await board.usb.attach();
    await board.run(100);
    return all(board.snapshot());
  };
  expect(await run(7)).toBe(await run(7));
  expect(await run(7)).not.toBe(await run(8));
});
