import { expect, test } from "vitest";
import { playSession } from "./link-noise-board.js";
import { playDeframer, spoil } from "./link-noise-sdk.js";
import { seeded } from "./secret-pair.js";

test("the SDK's deframer stands a thousand cases; a frame that is not damaged is noticed", () => {
  for (let number = 0; number < 1000; number++) expect(playDeframer(5, number)).toBeUndefined();
  expect(playDeframer(5, 0, (good) => good)).toBe("a corrupted frame was accepted");
});

test("damage is damage, and the same for the same seed", () => {
  const good = Uint8Array.of(0, 2, 7, 7, 5, 1, 2, 3, 4, 0);
  const once = Array.from({ length: 500 }, (_, i) => spoil(good, seeded(i)));
  for (const bad of once) expect(Buffer.from(bad).equals(Buffer.from(good))).toBe(false);
  expect(Array.from({ length: 500 }, (_, i) => spoil(good, seeded(i)))).toEqual(once);
});

test("a session on a noisy line goes well; with good frames thrown in by a stranger it does not", async () => {
  expect(await playSession(77, spoil, 8)).toEqual([]);
  expect((await playSession(77, (good) => good, 8)).length).toBeGreaterThan(0);
});
