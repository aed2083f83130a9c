import { isInkanError } from "@inkan/sdk";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import type { Campaign } from "./campaign.js";
import { findSecret } from "./secrecy.js";
import { quickSecret, seeded } from "./secret-pair.js";
import { type Face, VanishingHost, type Vanishing, vanishings } from "./vanishing-host.js";

/** The longest suspend, ms. */
const AWAY_MS = 3000;
/** Boot, pull-up and enumeration end by then, ms after power-on. */
const ENUMERATED_MS = 67;
/** What an undisturbed session takes at most, ms of board time and IN tokens: a strike after its end strikes nobody. */
const SESSION_MS = 4000;
const PACKETS = { usb: 100, link: 117 } as const;
/** How long after a token a strike comes, ns: in the middle of its packet, of the handshake, or before the next. */
const AFTER_NS = 60_000;

type Firmware = Awaited<ReturnType<typeof releasedFirmware>>;

/** When the host vanishes: at a time after power-on, or `ns` after its so manyth IN token. */
type Moment = { readonly ms: number } | { readonly packet: number; readonly ns: number };

/** One case: what happens, when, to whom. */
export interface VanishingCase {
  readonly face: Face;
  readonly secret: string;
  readonly how: Vanishing;
  readonly moment: Moment;
  /** How long a suspend lasts, ms. */
  readonly away: number;
  /** The person mistypes in the struck session. */
  readonly wrong: boolean;
  /** The card is taken out and put in between the sessions. */
  readonly reinsert: boolean;
}

/**
 * The host vanishes at a random point of a session: while it is enumerated, close to a packet, or at any moment. Whoever asked gets a named
 * error, the secret is nowhere, no handle stays open, no try of the card is spent that nobody typed, and the next session signs.
 */
export const hostVanishes: Campaign = {
  name: "host-vanishes",
  on: ["arm"],
  cases: 200,
  about: "USB reset, suspend, unplug, a killed program, a closed port or a silent link at a random point of a signing session",
  async run({ seed, from, to }, failed, ran) {
    // Read once: a build that runs beside this must not change the image.
    const firmware = await releasedFirmware();
    for (let number = from; number < to; number++) {
      const one = choose(seeded(seed * 1_000_003 + number));
      const faults = await playVanishing(one, firmware).catch((error: unknown) => [isInkanError(error) ? error.code : String(error)]);
      if (faults.length > 0) failed(number, `${one.how} ${momentInWords(one.moment)} of a session over ${one.face}: ${faults.join("; ")}`);
      ran?.(1);
    }
  },
};

function choose(random: (below: number) => number): VanishingCase {
  const face: Face = random(2) ? "usb" : "link";
  const how = vanishings[face][random(vanishings[face].length)]!;
  return {
    ...{ face, how, secret: quickSecret(random), moment: momentOf(face, random) },
    ...{ away: 1 + random(AWAY_MS), wrong: random(4) === 0, reinsert: random(2) === 0 },
  };
}

function momentOf(face: Face, random: (below: number) => number): Moment {
  const kind = random(8);
  if (kind === 0) return { ms: random(ENUMERATED_MS * 1000) / 1000 };
  if (kind < 5) return { packet: 1 + random(PACKETS[face]), ns: random(AFTER_NS) };
  return { ms: ENUMERATED_MS + random(SESSION_MS * 1000) / 1000 };
}

const momentInWords = (moment: Moment): string =>
  "ms" in moment ? `at ${moment.ms.toFixed(3)} ms` : `${moment.ns} ns after IN token ${moment.packet}`;

/** Plays a case; what was wrong, in words without a secret. `mistake` is somebody's between the sessions: for the checks' own tests. */
export async function playVanishing(
  one: VanishingCase,
  firmware: Firmware,
  mistake?: (host: VanishingHost) => Promise<void> | void,
): Promise<string[]> {
  const faults: string[] = [];
  // What a right and a wrong entry have in common, and one that is cut off too.
  const searched = one.secret.slice(1, 6);
  const handles = openHandles();
  const host = await VanishingHost.boot(one.face, one.secret, firmware);
  const { board, clock } = host.bench;
  try {
    host.wrong = one.wrong;
    const early = new AbortController();
    const strike = moment(host, one.moment, early.signal).then(
      () => host.vanish(one.how, one.away),
      () => undefined,
    );
    const first = host.sign();
    const outcome = await first;
    early.abort();
    await strike;
    if (outcome.word === "hangs" || outcome.word === "unnamed" || outcome.word === "unexpected")
      faults.push(`the caller got ${outcome.word} ${outcome.detail ?? ""}`);
    await host.settle(one.how);
    await mistake?.(host);
    faults.push(...findSecret(searched, host.look(outcome.word)).map((place) => `after ${outcome.word} the secret is ${place}`));
    faults.push(...stillOpen(host, "after the first session"), ...tries(host, "after the first session"));

    host.wrong = false;
    if (one.reinsert) await host.reinsert();
    const second = await host.signAgain();
    if (second.word !== "signed")
      faults.push(`the next session ends with ${second.word} ${second.detail ?? ""} (the first with ${outcome.word})`);
    await clock.sleep(100);
    faults.push(...findSecret(searched, host.look(second.word)).map((place) => `at the end the secret is ${place}`));
    faults.push(...stillOpen(host, "at the end"), ...tries(host, "at the end"));
    if (board.failure !== undefined) faults.push(String(board.failure));
  } finally {
    await host.close();
  }
  const leaked = leakedSince(handles);
  if (leaked.length > 0) faults.push(`the process keeps ${leaked.join(" ")}`);
  return faults;
}

/** Resolves at the moment; rejects when the session ended before it. */
async function moment(host: VanishingHost, when: Moment, signal: AbortSignal): Promise<void> {
  if ("ms" in when) return host.bench.clock.sleep(when.ms - host.bench.board.nowNs / 1e6, signal);
  await host.packet(when.packet, signal);
  await host.bench.clock.sleep(when.ns / 1e6, signal);
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

/** What keeps this process alive, one name of a kind each. */
function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name !== "Immediate" && name !== "TickObject");
}

/** What is open beyond what was: others of this process may have ended theirs meanwhile. */
function leakedSince(before: readonly string[]): string[] {
  const known = [...before];
  return openHandles().filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}
