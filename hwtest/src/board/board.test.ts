import { referenceProduct } from "@inkan/device-proto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { expect, test, vi } from "vitest";
import { VirtualBoard } from "./board.js";
import { Display } from "./display.js";

test("the released image boots from reset, draws, and enumerates as the product it is", async () => {
  const board = await VirtualBoard.boot({ ...(await releasedFirmware()), pace: "free" });
  const device = await board.usb.attach();
  expect([device.info.vendorId, device.info.productId]).toEqual([referenceProduct.usb.vendorId, referenceProduct.usb.productId]);
  expect(board.usb.device.productName).toBe(referenceProduct.productName);
  expect(board.usb.device.serialNumber).toBe("E661A4D1731B0001");
  // Chip time from power-on to a configured device, with a host that enumerates at once; the budget is 0.5 s.
  expect(board.nowNs).toBeLessThan(0.5e9);

  await board.run(300);
  const picture = board.display.picture();
  const lit = Array.from({ length: 64 }, (_, y) => Array.from({ length: 128 }, (_, x) => picture.lit(x, y)).filter(Boolean).length);
  for (let row = 0; row < 64; row += 16)
    expect(
      lit.slice(row, row + 16).some((count) => count > 0),
      `text row ${row / 16}`,
    ).toBe(true);

  // Nothing changes any more: the display's bus rests.
  const write = vi.spyOn(Display.prototype, "write");
  await board.run(500);
  expect(write).not.toHaveBeenCalled();
  write.mockRestore();
  expect(board.state).toBe("running");
  board.close();
});

test("a HardFault resets through its handler, a locked-up CPU through the watchdog, a short power cut keeps SRAM", async () => {
  const board = await VirtualBoard.boot({ ...(await releasedFirmware()), pace: "free", watchdog: "reset" });
  const starts: string[] = [];
  board.on((event) => {
    if (event.type === "state" && event.state === "rom") starts.push(event.cause);
  });
  const enumerated = async (): Promise<void> => {
    const { configuration } = await board.usb.attach();
    expect(configuration).toBeDefined();
  };
  await enumerated();
  board.engine.hardFault();
  await board.run(1000);
  expect(starts).toEqual(["forced"]);

  board.engine.lockUp();
  const { PC: stuck } = board.engine.chip.core;
  await board.run(1000);
  expect(board.engine.chip.core.PC).toBe(stuck);
  // Locked up is part of a snapshot.
  board.restore(board.snapshot());
  await board.run(4000);
  expect(starts).toEqual(["forced", "watchdog"]);

  // The application's first word in SRAM, before the loader has had time to copy it again.
  const first = (): number => board.engine.chip.ram32[0x100 >> 2]!;
  const before = first();
  board.powerOff();
  board.powerOn({ keepRam: true });
  expect(first()).toBe(before);
  board.powerOff();
  board.powerOn();
  expect(first()).not.toBe(before);
  await enumerated();
  expect(board.state).toBe("running");
  board.close();
});
