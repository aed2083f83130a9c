import { isInkanError } from "@inkan/sdk";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import type { Campaign } from "./campaign.js";
import { findSecret } from "./secrecy.js";
import { randomSecret, seeded } from "./secret-pair.js";
import { type Face, VanishingHost, type Vanishing, vanishings } from "./vanishing-host.js";

/** How many different secrets there are per face: each costs one undisturbed session per process. */
const SECRETS = 2;
/** The longest suspend, ms. */
const AWAY_MS = 3000;

type Firmware = Awaited<ReturnType<typeof releasedFirmware>>;

/** One case: what happens, when, to whom. */
interface Case {
  readonly face: Face;
  readonly secret: string;
  readonly how: Vanishing;
  /** ns of board time. */
  readonly atNs: number;
  readonly away: number;
  /** The person mistypes in the struck session. */
  readonly wrong: boolean;
  /** The card is taken out and put in between the sessions. */
  readonly reinsert: boolean;
}

/** An undisturbed session: from when to when, and each packet on the bus between. */
interface Course {
  readonly beginNs: number;
  readonly endNs: number;
  readonly packets: readonly number[];
}

/** Undisturbed sessions by face and secret. */
class Moments {
  readonly #firmware: Firmware;
  readonly #known = new Map<string, Promise<Course>>();

  constructor(firmware: Firmware) {
    this.#firmware = firmware;
  }

  of(face: Face, secret: string): Promise<Course> {
    const key = `${face} ${secret}`;
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, (known = this.#measure(face, secret)));
    return known;
  }

  async #measure(face: Face, secret: string): Promise<Course> {
    const host = await VanishingHost.boot(face, secret, this.#firmware);
    try {
      const beginNs = host.bench.board.nowNs;
      const { word, detail } = await host.sign("sign");
      if (word !== "signed") throw new Error(`an undisturbed session over ${face} ends with ${word}: ${detail ?? ""}`);
      return { beginNs, endNs: host.bench.board.nowNs, packets: host.packets.filter((atNs) => atNs > beginNs) };
    } finally {
      await host.close();
    }
  }
}

/**
 * The host vanishes at a random point of a signing session: between two packets as often as at any moment. Whoever asked gets a named error, the
 * secret is nowhere, no handle stays open, no try of the card is spent that nobody typed, and the next session signs.
 */
export const hostVanishes: Campaign = {
  name: "host-vanishes",
  on: ["arm"],
  cases: 200,
  about: "USB reset, suspend, unplug, a killed program, a closed port or a silent link at a random point of a signing session",
  async run({ seed, from, to }, failed, ran) {
    // Read once: a build that runs beside this must not change the image.
    const firmware = await releasedFirmware();
    const moments = new Moments(firmware);
    for (let number = from; number < to; number++) {
      const one = await choose(seeded(seed * 1_000_003 + number), moments);
      const faults = await play(one, firmware).catch((error: unknown) => [isInkanError(error) ? error.code : String(error)]);
      if (faults.length > 0)
        failed(number, `${one.how} at ${(one.atNs / 1e6).toFixed(3)} ms of a session over ${one.face}: ${faults.join("; ")}`);
      ran?.(1);
    }
  },
};

async function choose(random: (below: number) => number, moments: Moments): Promise<Case> {
  const face: Face = random(2) ? "usb" : "link";
  const chosen = random(SECRETS);
  const secret = randomSecret(seeded(7 + chosen), 6 + 2 * chosen);
  const how = vanishings[face][random(vanishings[face].length)]!;
  const { beginNs, endNs, packets } = await moments.of(face, secret);
  // Half of them within some microseconds of a packet: in the middle of a transfer, of an enumeration, of an answer.
  const near = packets[random(packets.length)]! + random(60_000) - 30_000;
  const anywhere = beginNs + Math.floor((random(1_000_000) / 1e6) * (endNs - beginNs));
  const atNs = Math.max(beginNs, random(2) ? near : anywhere);
  return { face, secret, how, atNs, away: 1 + random(AWAY_MS), wrong: random(4) === 0, reinsert: random(2) === 0 };
}

/** Plays a case; what was wrong, in words without a secret. */
async function play(one: Case, firmware: Firmware): Promise<string[]> {
  const faults: string[] = [];
  // What a right and a wrong entry have in common, and one that is cut off too.
  const searched = one.secret.slice(1, 6);
  const handles = openHandles();
  const host = await VanishingHost.boot(one.face, one.secret, firmware);
  const { board, clock } = host.bench;
  try {
    host.wrong = one.wrong;
    const first = host.sign("sign");
    const early = new AbortController();
    const strike = clock.sleep((one.atNs - board.nowNs) / 1e6, early.signal).then(
      () => host.vanish(one.how, one.away),
      () => undefined,
    );
    const outcome = await first;
    early.abort();
    await strike;
    if (outcome.word === "hangs" || outcome.word === "unnamed" || outcome.word === "unexpected")
      faults.push(`the caller got ${outcome.word} ${outcome.detail ?? ""}`);
    await host.settle(one.how);
    faults.push(...findSecret(searched, host.look(outcome.word)).map((place) => `after ${outcome.word} the secret is ${place}`));
    faults.push(...stillOpen(host, "after the first session"), ...tries(host, "after the first session"));

    host.wrong = false;
    if (one.reinsert) await host.reinsert();
    // With the other key: its four digits are typed in a third of the time.
    const second = await host.sign("auth");
    if (second.word !== "signed")
      faults.push(`the next session ends with ${second.word} ${second.detail ?? ""} (the first with ${outcome.word})`);
    await clock.sleep(100);
    faults.push(...findSecret(searched, host.look(second.word)).map((place) => `at the end the secret is ${place}`));
    faults.push(...stillOpen(host, "at the end"), ...tries(host, "at the end"));
    if (board.failure !== undefined) faults.push(String(board.failure));
  } finally {
    await host.close();
  }
  const left = openHandles();
  if (left !== handles) faults.push(`handles of the process: ${handles} before, ${left} after`);
  return faults;
}

/** No transfer waits at the bus and no interface has a driver once the program has ended. */
function stillOpen(host: VanishingHost, when: string): string[] {
  const { transfers, interfaces } = host.bench.board.usb.host.inUse;
  return transfers + interfaces === 0 ? [] : [`${when} ${transfers} transfers and ${interfaces} interfaces are in use`];
}

/** Each VERIFY the card saw was typed once, and its counter says the same. */
function tries(host: VanishingHost, when: string): string[] {
  const { asked, verified } = host;
  const faults: string[] = [];
  for (const kind of ["right", "wrong"] as const)
    if (verified[kind] > asked[kind]) faults.push(`${when} the card saw ${verified[kind]} ${kind} secrets, ${asked[kind]} were typed`);
  if (host.triesLeft !== host.triesDue) faults.push(`${when} the card has ${host.triesLeft} tries left, should have ${host.triesDue}`);
  return faults;
}

/** What keeps this process alive, by kind. */
function openHandles(): string {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name !== "Immediate" && name !== "TickObject")
    .sort()
    .join(" ");
}
