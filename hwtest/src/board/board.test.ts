import { releasedFirmware } from "@inkan/device-proto/firmware";
import { expect, test } from "vitest";
import { VirtualBoard } from "./board.js";

test("the released image boots, draws, and enumerates", async () => {
  const board = await VirtualBoard.boot({ ...(await releasedFirmware()), pace: "free" });
  const device = await board.usb.attach();
  console.log(board.nowNs / 1e6, device.info.vendorId, board.usb.device.serialNumber);
  await board.run(300);
  const picture = board.display.picture();
  for (let y = 0; y < 64; y += 2)
    console.log(Array.from({ length: 128 }, (_, x) => " ▀▄█"[(picture.lit(x, y) ? 1 : 0) + (picture.lit(x, y + 1) ? 2 : 0)]).join(""));
  expect(board.state).toBe("running");
  board.close();
});
