import { releasedFirmware } from "@inkan/device-proto/firmware";
import type { Campaign } from "./campaign.js";
import { differences, type Fate, fates, findSecret, observeSecret } from "./secrecy.js";
import { randomSecret, sameShape, seeded } from "./secret-pair.js";

/** The person who never finishes costs 60 s of board time: one case in twenty. */
const RARE: Fate = "timed-out";
const RARELY = 20;
const quick = fates.filter((fate) => fate !== RARE);

/** Two secrets of one shape, any length, any end, both faces, any start: nothing may tell them apart, and neither stands anywhere. */
export const pinSecrecy: Campaign = {
  name: "pin-secrecy",
  on: ["arm"],
  cases: 40,
  about: "two secrets of one shape, any end, both faces: nothing that leaves the reader or stays in it tells them apart",
  async run({ seed, from, to }, failed, ran) {
    // Read once: a build that runs beside this must not change the image between the two halves of a case.
    const { image, boot } = await releasedFirmware();
    for (let number = from; number < to; number++) {
      const random = seeded(seed * 1_000_003 + number);
      const fate = number % RARELY === RARELY - 1 ? RARE : quick[random(quick.length)]!;
      const face = random(2) ? "usb" : "link";
      const secret = randomSecret(random, 6 + random(11));
      const session = { fate, face, seed: 1 + random(1_000_000), image, boot } as const;
      const first = await observeSecret({ ...session, secret });
      const second = await observeSecret({ ...session, secret: sameShape(random, secret) });
      const places = [...differences(first, second).map(placeOnly), ...findSecret(secret, first)];
      if (places.length > 0) failed(number, `${fate} over ${face}: ${places.join("; ")}`);
      ran?.(1);
    }
  },
};

/** Where a difference stands, without the two values: one of them may be what must not be printed. */
function placeOnly(difference: string): string {
  return difference.split(": ")[0]!;
}
