import { referenceProduct } from "@inkan/device-proto";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { expect, test } from "vitest";
import { VirtualBoard } from "./board.js";

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
  expect(board.state).toBe("running");
  board.close();
});
