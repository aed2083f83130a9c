import { type BlackBoxEvent, decodeBlackBox, flashMap, ramMap } from "@inkan/device-proto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { openVirtualReader, type VirtualReader } from "@inkan/hwtest/board";
import { isInkanError, Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { afterEach, describe, expect, test } from "vitest";

/** The black box on the released image: what it tells, what it survives, what it costs, and who may erase it. */

let bench: VirtualReader;
afterEach(() => bench.close());

const start = async (card: "standard" | "none" = "standard"): Promise<Reader> => {
  bench = await openVirtualReader({ pace: "free", card, face: "link" });
  return open();
};
const open = async (): Promise<Reader> => Reader.open(await bench.transport(), { clock: bench.clock });
const namesOf = (events: readonly BlackBoxEvent[]): (string | undefined)[] => events.map(({ name }) => name);
/** A session with a card, and a PIN typed on the pad. */
const session = async (reader: Reader): Promise<void> => {
  const jpki = await openJpki(await reader.connect({}));
  await jpki.verify("auth", { on: "pad" });
};
/** The cable out, the world for `ms`, the cable in again. */
const replug = async (ms: number, between: () => void): Promise<Reader> => {
  bench.board.usb.detach();
  between();
  await bench.board.run(ms);
  return open();
};

describe("the black box", () => {
  test("tells messages, status words and blocks of a session, in order, and nothing of the secret's blocks", async () => {
    const reader = await start();
    await session(reader);
    const events = await reader.blackBox();
    expect(namesOf(events)).toEqual(expect.arrayContaining(["boot", "card", "activated", "command", "apdu", "blockSent", "blockReceived"]));
    expect(events.find(({ name }) => name === "boot")).toMatchObject({ a: 1 });
    expect(events.map(({ ms }) => ms)).toEqual(events.map(({ ms }) => ms).sort((x, y) => x - y));
    const secure = events.findIndex(({ name, a }) => name === "command" && a === 0x69);
    expect(events[secure - 1]).toMatchObject({ name: "apdu", b: 0x9000 });
    // Before it the tries were asked for: both exchanges without a block.
    expect(events[secure - 2]).toMatchObject({ name: "apdu" });
    expect(events[secure - 2]!.b & 0xfff0).toBe(0x63c0);
    await reader.close();
  });

  test("health: uptime, counters, and a stack that stays within its bound", async () => {
    const reader = await start();
    await session(reader);
    const before = await reader.health();
    await bench.board.run(2000);
    const after = await reader.health();
    expect(after.uptimeMs - before.uptimeMs).toBeGreaterThanOrEqual(2000);
    expect(after).toMatchObject({ bootCount: 1, linkDiscarded: 0, retries: 0, flashErrors: 0, stackSize: ramMap.stackSize, sectors: 1 });
    expect(after.stackUsed).toBeGreaterThan(300);
    const { manifest } = await releasedFirmware();
    expect(manifest.stack.size).toBe(ramMap.stackSize);
    expect(after.stackUsed).toBeLessThanOrEqual(manifest.stack.bound);
    await reader.close();
  });

  test("survives a reset: RUN pin", async () => {
    const reader = await start();
    await session(reader);
    const before = await reader.blackBox();
    const again = await replug(500, () => bench.board.reset());
    const after = await again.blackBox();
    const key = ({ boot, ms, sequence }: BlackBoxEvent): string => `${boot}/${ms}/${sequence}`;
    // The newest of before are all there still; of the oldest some made way.
    expect(after.map(key)).toEqual(expect.arrayContaining(before.slice(-60).map(key)));
    expect(after.filter(({ name }) => name === "boot").at(-1)).toMatchObject({ a: 5, boot: 2 });
    await again.close();
  });

  test("survives a loss of power: with SRAM lost flash tells all but the last second, with SRAM kept the ring tells all", async () => {
    const reader = await start();
    await session(reader);
    await bench.board.run(1500);
    bench.board.slot.remove();
    await bench.board.run(200);
    const { chip } = bench.board.engine;
    const kept = chip.sram.slice();
    for (const keep of [false, true]) {
      const again = await replug(0, () => {
        bench.board.powerOff();
        bench.board.powerOn();
        if (keep) chip.sram.set(kept);
      });
      await bench.board.run(300);
      const events = await again.blackBox();
      if (keep) expect(namesOf(events)).toEqual(expect.arrayContaining(["activated", "blockSent", "card"]));
      else {
        // 1.5 s of quiet after the session: it is summed up, and its first boot is there.
        expect(events.filter(({ name, boot }) => name === "digest" && boot === 1).length).toBeGreaterThan(0);
        expect(namesOf(events)).not.toContain("blockSent");
      }
      await again.close();
    }
  });

  test("survives a fault: cause and program counter, in flash within 50 ms, and the ring that led to it", async () => {
    const reader = await start();
    await session(reader);
    // An interrupt nobody asked for ends like every fault: TIMER_IRQ_1, exception 17.
    const { chip } = bench.board.engine;
    chip.writeUint32(0xe000e100, 1 << 1);
    chip.writeUint32(0xe000e200, 1 << 1);
    await bench.board.run(1);
    const again = await replug(500, () => undefined);
    const events = await again.blackBox();
    const fault = events.findIndex(({ name }) => name === "fault");
    expect(events[fault]).toMatchObject({ a: 17, boot: 2 });
    expect(events[fault - 1]).toMatchObject({ name: "boot", a: 3 });
    expect(events[fault + 1]).toMatchObject({ name: "faultPc" });
    const { a, b } = events[fault + 1]!;
    expect((a << 16) | b).toBeGreaterThan(0x100);
    expect((a << 16) | b).toBeLessThan(ramMap.imageMax);
    const { at } = flashMap.blackBox;
    expect(decodeBlackBox(bench.board.flashImage.slice(at, at + 4096)).map(({ name }) => name)).toContain("faultLr");
    expect(namesOf(events.slice(0, fault))).toContain("apdu");
    await again.close();
  });

  test("clear and cancel held for 5 s: the reader asks, OK erases; a shorter hold, another key or a command changes nothing", async () => {
    const reader = await start("none");
    await bench.board.run(3000);
    const hold = async (ms: number): Promise<void> => {
      for (const key of ["clear", "cancel"] as const) bench.board.keypad.set(key, true);
      await bench.board.run(ms);
      for (const key of ["clear", "cancel"] as const) bench.board.keypad.set(key, false);
      await bench.board.run(300);
    };
    const boots = async (): Promise<number> => namesOf(await reader.blackBox()).filter((name) => name === "boot").length;
    expect(await boots()).toBe(1);
    await hold(4000);
    await bench.board.keypad.press("ok");
    expect(await boots()).toBe(1);
    await hold(5600);
    await bench.board.keypad.press("5");
    await bench.board.keypad.press("ok");
    expect(await boots()).toBe(1);
    await hold(5600);
    await reader.slotStatus();
    await bench.board.keypad.press("ok");
    expect(await boots()).toBe(1);
    await bench.board.run(3000);
    await hold(5600);
    await bench.board.keypad.press("ok");
    await bench.board.run(500);
    const left = await reader.blackBox();
    expect(namesOf(left)).toContain("erased");
    expect(namesOf(left)).not.toContain("boot");
    await reader.close();
  });

  test("nothing but the black box and the boot's own is ever written to flash", async () => {
    const reader = await start();
    const before = bench.board.flashImage.slice();
    await session(reader);
    await bench.board.run(3000);
    const after = bench.board.flashImage;
    const { at, size } = flashMap.blackBox;
    const changed = after.findIndex((byte, index) => (index < at || index >= at + size) && byte !== before[index]);
    expect(changed).toBe(-1);
    expect(after.subarray(at, at + size).some((byte) => byte !== 0xff)).toBe(true);
    await reader.close();
  });

  test("over USB's CCID face it cannot be asked, and that is said", async () => {
    bench = await openVirtualReader({ pace: "free", card: "none", face: "usb" });
    const reader = await open();
    for (const ask of [reader.health(), reader.blackBox()])
      expect(
        await ask.then(
          () => "answered",
          (error: unknown) => isInkanError(error, "unsupported"),
        ),
      ).toBe(true);
    await reader.close();
  });
});
