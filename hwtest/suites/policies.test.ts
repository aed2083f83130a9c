import { flashMap } from "@inkan/device-proto";
import { openVirtualReader, type VirtualReader } from "@inkan/hwtest/board";
import { Reader } from "@inkan/sdk";
import { afterEach, expect, test } from "vitest";

/** Policies on the released image: a host may ask for one to be switched off; a person with a finger on OK for three seconds does it. */

let bench: VirtualReader;
afterEach(() => bench.close());

/** The start-up screen has gone, ms. */
const START_MS = 2500;
/** A person reads before pressing, ms. */
const LOOK_MS = 500;

const open = async (): Promise<Reader> => Reader.open(await bench.transport(), { clock: bench.clock });
const ask = async (reader: Reader, holdMs: number): Promise<string> => {
  const answer = reader.switchPolicyOff("consent");
  const finger = bench.board.run(LOOK_MS).then(() => bench.board.keypad.press("ok", holdMs));
  const [{ request }] = await Promise.all([answer, finger]);
  return request;
};

test("let go too early it stays on; held for 3 s it is off, after a loss of power too; damaged settings mean the strictest", async () => {
  bench = await openVirtualReader({ pace: "free", face: "link", card: "standard", fingers: false });
  let reader = await open();
  await bench.board.run(START_MS);
  expect(await reader.policies()).toEqual({
    inForce: ["consent"],
    product: ["consent"],
    source: "product",
    request: "none",
    requestsLeft: 3,
  });
  await expect(reader.switchPolicyOff("padOnly")).rejects.toMatchObject({ code: "unsupported" });
  const card = await reader.connect({});
  await expect(reader.switchPolicyOff("consent")).rejects.toMatchObject({ code: "slot-busy" });
  await card[Symbol.asyncDispose]();
  expect(await ask(reader, 2700)).toBe("refused");
  await bench.board.run(START_MS + LOOK_MS);
  expect(await ask(reader, 3400)).toBe("done");
  expect(await reader.policies()).toMatchObject({ inForce: [], source: "settings", requestsLeft: 1 });

  for (const damaged of [false, true]) {
    bench.board.usb.detach();
    bench.board.powerOff();
    if (damaged) bench.board.engine.flash.bytes[flashMap.settings.at + 5]! ^= 1;
    bench.board.powerOn();
    await bench.board.run(START_MS);
    reader = await open();
    expect(await reader.policies()).toMatchObject(
      damaged ? { inForce: ["consent", "padOnly"], source: "unreadable" } : { inForce: [], source: "settings", requestsLeft: 3 },
    );
  }
  await reader.close();
});
