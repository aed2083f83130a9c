import { Reader } from "@inkan/sdk";
import { openVirtualReader } from "@inkan/hwtest/board";
import { expect, it } from "vitest";

it("no frame is lost when time goes in fractions of a nanosecond, as a wall clock gives it", { timeout: 120_000 }, async () => {
  const bench = await openVirtualReader({ pace: "free", card: "none", fingers: false });
  try {
    await bench.board.run(60.0000003);
    const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
    for (let k = 0; k < 600; k++) {
      await bench.board.run(0.1 + k * 0.0013337);
      expect(await reader.slotStatus()).toBe("absent");
    }
    await reader.close();
  } finally {
    await bench.close();
  }
});
