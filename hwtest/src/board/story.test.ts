import { Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { expect, test } from "vitest";
import { openVirtualReader } from "./open-virtual-reader.js";

test.each(["link"] as const)("through %s a person types the password and the card signs", async (face) => {
  const t = [performance.now()];
  const bench = await openVirtualReader({ pace: "free", card: "standard", face });
  bench.board.on((e) => { if (e.type !== "display") console.log((bench.board.nowNs / 1e6).toFixed(3), JSON.stringify(e)); });
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
  t.push(performance.now());
  const card = await reader.connect({});
  const jpki = await openJpki(card);
  t.push(performance.now());
  await jpki.verify("sign", { on: "pad" }, {});
  t.push(performance.now());
  const signer = await jpki.signer("sign");
  t.push(performance.now());
  console.log(t.map((x, i) => i ? (x - t[i - 1]!).toFixed(0) : ""), bench.board.nowNs / 1e6, Object.keys(signer));
  await reader.close();
  await bench.close();
  expect(1).toBe(1);
});
