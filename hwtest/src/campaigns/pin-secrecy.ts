import { releasedFirmware } from "@inkan/device-proto/firmware";
import type { Campaign } from "./campaign.js";
import { compareSecrets, findSecret } from "./secrecy.js";
import { faces, fates, kinds, possible, sudden } from "./secret-session.js";
import { seeded } from "./secret-pair.js";

/** A sudden end strikes before the entry is complete, or up to this many ms after the secret is on its way. */
const SENDING_MS = 40;

/** Two secrets of one shape, any length, any way to the card, any end, every face, any start: nothing may tell them apart, and neither stands anywhere. */
export const pinSecrecy: Campaign = {
  name: "pin-secrecy",
  on: ["arm"],
  cases: 40,
  about:
    "two secrets of one shape, any way to the card, any end, every face: nothing that leaves the reader or stays in it tells them apart",
  async run({ seed, from, to }, failed, ran) {
    // Read once: a build that runs beside this must not change the image between the two halves of a case.
    const { image, boot } = await releasedFirmware();
    for (let number = from; number < to; number++) {
      const random = seeded(seed * 1_000_003 + number);
      const face = faces[random(faces.length)]!;
      const kind = kinds[random(kinds.length)]!;
      const ends = fates.filter((fate) => possible(kind, fate, face));
      const fate = ends[random(ends.length)]!;
      const moment = (sudden as readonly string[]).includes(fate) && random(2) ? { sendingMs: random(SENDING_MS) } : {};
      const length = 6 + random(11);
      const session = { fate, face, kind, ...moment, seed: 1 + random(1_000_000), image, boot } as const;
      const { secret, first, found } = await compareSecrets(session, random, length);
      const places = [...found.map(placeOnly), ...findSecret(secret, first)];
      const when = session.sendingMs === undefined ? "" : ` ${session.sendingMs} ms into the sending`;
      if (places.length > 0) failed(number, `${kind}: ${fate}${when} over ${face}: ${places.join("; ")}`);
      ran?.(1);
    }
  },
};

/** Where a difference stands, without the two values: one of them may be what must not be printed. */
function placeOnly(difference: string): string {
  return difference.split(": ")[0]!;
}
