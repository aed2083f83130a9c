import { releasedFirmware } from "@inkan/device-proto/firmware";
import { createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { playVanishing, type VanishingCase } from "./host-vanishes.js";
import type { VanishingHost } from "./vanishing-host.js";

/** The cable is pulled while the reader is enumerated, so the first session is over at once. */
const early: VanishingCase = {
  ...{ face: "usb", secret: "AB1JKN", how: "unplug", moment: { ms: 57.5 }, away: 1, wrong: false, reinsert: false },
};
const played = async (mistake?: (host: VanishingHost) => Promise<void> | void): Promise<string[]> =>
  playVanishing(early, await releasedFirmware(), mistake);

const server = createServer();
afterAll(() => void server.close());

test("a host that vanishes during the enumeration leaves nothing behind, and the next one signs", async () => {
  expect(await played()).toEqual([]);
});

test("an interface and a transfer that a program forgets are seen", async () => {
  const faults = await played(async ({ bench: { board } }) => {
    await board.usb.attach();
    await board.usb.device.open();
    await board.usb.device.claimInterface(0);
    void board.usb.device.transferIn(1, 64).catch(() => undefined);
    await board.run(1);
  });
  expect(faults).toContain("after the first session 1 transfers and 1 interfaces are in use");
});

test("a handle of the process that stays open is seen", async () => {
  expect(await played(() => void server.listen(0, "127.0.0.1"))).toEqual(["the process keeps TCPServerWrap"]);
});

test("a VERIFY that nobody typed is seen", async () => {
  expect(await played((host) => host.verifyUnasked(early.secret, "nothing"))).toEqual(
    ["after the first session", "at the end"].map((when) =>
      expect.stringMatching(`${when} the card saw [12] right secrets, [01] were typed`),
    ),
  );
});

test("a try that is gone without a VERIFY is seen", async () => {
  expect(await played((host) => host.verifyUnasked("AB1JKM", "counter"))).toContain(
    "after the first session the card has 4 tries left, should have 5",
  );
});
