import { describe, expect, it } from "vitest";
import {
  compareSecrets,
  deadly,
  faces,
  type Fate,
  fates,
  findSecret,
  kinds,
  observeSecret,
  possible,
  randomSecret,
  type SecretSession,
  seeded,
  sudden,
} from "@inkan/hwtest/campaigns";

/** How each end shows to the program that waits for the verification. */
const outcomes: Readonly<Record<Fate, RegExp>> = {
  accepted: /^(verified|changed 9000|answered 9000)$/,
  wrong: /^(pin-wrong 4|answered 63c4)/,
  cancelled: /^pin-cancelled/,
  "timed-out": /^pin-timeout/,
  corrected: /^(verified|changed 9000)$/,
  mismatch: /^changed 9000$/,
  "card-pulled": /^card-pulled/,
  unplugged: /^reader-unplugged/,
  aborted: /^aborted/,
  "usb-reset": /^reader-unplugged/,
  suspended: /^reader-unplugged/,
  // The program itself shut the port under its call.
  "link-broken": /^aborted/,
  "hard-fault": /^reader-unplugged/,
  // Over the link the silence tells before the watchdog does.
  watchdog: /^(reader-unplugged|outcome-unknown)/,
  "run-pin": /^reader-unplugged/,
  "power-cut": /^reader-unplugged/,
};

/** Ends at which a change is not a verification with another header. */
const asksTwice: readonly Fate[] = ["accepted", "mismatch", "cancelled", "hard-fault"];

/**
 * Secrecy by non-interference: the same session runs twice with two secrets of the same shape, and nothing that leaves the reader or
 * stays in it may tell them apart. The images with one missing wipe, which this must catch, run in `npm run test:negative`.
 */
describe("nothing tells one secret from another", () => {
  const random = seeded(20261122);
  const compare = async (session: Omit<SecretSession, "secret" | "seed">, length: number): Promise<void> => {
    const seed = 1 + random(1000);
    const { first, found } = await compareSecrets({ ...session, seed }, random, length);
    expect(found).toEqual([]);
    expect(first.wire.filter((line) => line.includes(" ack ")).length).toBeGreaterThan(20);
    expect(first.outcome).toMatch(outcomes[session.fate]);
    // What a dying reader left was looked at where it must have been wiped.
    expect(Object.keys(first.ram)).toEqual(
      expect.arrayContaining([
        ...(session.fate === "hard-fault" ? ["the chip resets"] : []),
        ...(deadly.includes(session.fate) ? ["the loader goes on"] : []),
        "the end",
      ]),
    );
  };
  // Here every end once by each way to the card; every combination of way, end, face and moment is the campaign's: pin-secrecy.
  const alternate = <T>(list: readonly T[], at: number): T => list[at % list.length]!;
  for (const kind of kinds)
    fates.forEach((fate, at) => {
      const face = fate === "link-broken" ? "link" : alternate(faces, at);
      if (!possible(kind, fate, face) || (kind === "modify" && !asksTwice.includes(fate))) return;
      it(`${kind}: when the session is ${fate}, over ${face}`, { timeout: 120_000 }, () => compare({ kind, fate, face }, 6 + random(3)));
    });
  sudden.forEach((fate, at) => {
    const face = fate === "link-broken" ? "link" : alternate(faces, at);
    it(`when the session is ${fate} while the secret is on its way to the card, over ${face}`, { timeout: 120_000 }, () =>
      compare({ fate, face, sendingMs: random(6) }, 6),
    );
  });

  it("a random 16-character secret stands nowhere, in no encoding", { timeout: 120_000 }, async () => {
    const secret = randomSecret(random, 16);
    const observation = await observeSecret({ fate: "accepted", secret, seed: 7 });
    expect(findSecret(secret, observation)).toEqual([]);
    // The search finds what is there: the same bytes planted in each place.
    const end = observation.ram["the end"]!;
    const planted = {
      ...observation,
      ram: { ...observation.ram, "the end": Uint8Array.from([...end.subarray(0, 64), ...Buffer.from(secret)]) },
      trace: Buffer.from(secret).toString("hex"),
    };
    expect(findSecret(secret, planted)).toEqual(expect.arrayContaining(["plain in RAM when the end", "plain as hex in trace"]));
  });
});
