import { describe, expect, it } from "vitest";
import { differences, fates, findSecret, observeSecret, randomSecret, sameShape, seeded } from "@inkan/hwtest/campaigns";

/**
 * Secrecy by non-interference: the same session runs twice with two secrets of the same shape, and nothing that leaves the reader or
 * stays in it may tell them apart. The images with one missing wipe, which this must catch, run in `npm run test:negative`.
 */
describe("nothing tells one secret from another", () => {
  const random = seeded(20261122);
  for (const face of ["usb", "link"] as const)
    for (const fate of fates)
      it(`when the session is ${fate}, over ${face}`, { timeout: 120_000 }, async () => {
        const seed = 1 + random(1000);
        const secret = randomSecret(random, 6 + random(3));
        const other = sameShape(random, secret);
        const first = await observeSecret({ fate, secret, seed, face });
        const second = await observeSecret({ fate, secret: other, seed, face });
        expect(differences(first, second)).toEqual([]);
        expect(first.wire.filter((line) => line.includes(" ack ")).length).toBeGreaterThan(20);
        expect(first.outcome).toMatch(
          {
            accepted: /^verified$/,
            wrong: /^pin-wrong 4/,
            cancelled: /^pin-cancelled/,
            "timed-out": /^pin-timeout/,
            "card-pulled": /^card-pulled/,
            unplugged: /^reader-unplugged/,
            aborted: /^aborted/,
          }[fate],
        );
      });

  it("a random 16-character secret stands nowhere, in no encoding", { timeout: 120_000 }, async () => {
    const secret = randomSecret(random, 16);
    const observation = await observeSecret({ fate: "accepted", secret, seed: 7 });
    expect(findSecret(secret, observation)).toEqual([]);
    // The search finds what is there: the same bytes planted in each place.
    const planted = {
      ...observation,
      ram: Uint8Array.from([...observation.ram.subarray(0, 64), ...Buffer.from(secret)]),
      trace: Buffer.from(secret).toString("hex"),
    };
    expect(findSecret(secret, planted)).toEqual(expect.arrayContaining(["plain in RAM", "plain as hex in trace"]));
  });
});
