import { seeded } from "./secret-pair.js";

/** What can happen to one block (T=1) or one transmission (T=0) of either side. */
export const faultKinds = ["drop", "duplicate", "flip", "delay"] as const;
export type FaultKind = (typeof faultKinds)[number];
/** T=1 with either check, T=0. */
export type FaultyProtocol = "lrc" | "crc" | "t0";
/** Cards that never come to an end; each has its own case. */
export const endlessKinds = ["babble", "wtx", "nr", "null"] as const;
export type EndlessKind = (typeof endlessKinds)[number];

/** One case: the faults by their place on the line, counted from 0 at the exchange's first block, both sides together. */
export type FaultCase =
  | { readonly endless: EndlessKind }
  | { readonly protocol: FaultyProtocol; readonly faults: ReadonlyMap<number, FaultKind>; readonly seed: number };

const PROTOCOLS: readonly FaultyProtocol[] = ["lrc", "crc", "t0"];
/** Command and answer in two blocks each, and their acknowledgements: six blocks. */
const BLOCKS = 6;
const SINGLES = BLOCKS * faultKinds.length;
const PAIRS = SINGLES * SINGLES;
/** Pairs are walked through in this stride, coprime to their number, so that any first part of them is a sample. */
const STRIDE = 1009;

/** Every single fault, and the endless cards but the slowest (ten minutes of NULL bytes); then every ordered pair, that one, and random ones. */
export const singleCases = PROTOCOLS.length * SINGLES + endlessKinds.length - 1;
const pairCases = PROTOCOLS.length * PAIRS;
/** How many cases come before the random ones. */
export const enumeratedCases = singleCases + pairCases + 1;

const single = (number: number): [number, FaultKind] => [Math.floor(number / faultKinds.length), faultKinds[number % faultKinds.length]!];

/** Case `number` of `seed`. The enumerated ones are the same for every seed but for which bit a flip takes. */
export function faultCase(seed: number, number: number): FaultCase {
  const random = seeded(seed * 1_000_003 + number);
  const its = { seed: random(0x7fffffff) };
  if (number < PROTOCOLS.length * SINGLES)
    return { ...its, protocol: PROTOCOLS[Math.floor(number / SINGLES)]!, faults: new Map([single(number % SINGLES)]) };
  if (number < singleCases) return { endless: endlessKinds[number - PROTOCOLS.length * SINGLES]! };
  if (number === enumeratedCases - 1) return { endless: endlessKinds[endlessKinds.length - 1]! };
  if (number < enumeratedCases) {
    const pair = ((number - singleCases) * STRIDE) % pairCases;
    const [first, firstKind] = single(Math.floor((pair % PAIRS) / SINGLES));
    const [second, secondKind] = single(pair % SINGLES); // counted from the block after the first fault
    const faults = new Map([[first, firstKind], [first + 1 + second, secondKind]]); // prettier-ignore
    return { ...its, protocol: PROTOCOLS[Math.floor(pair / PAIRS)]!, faults };
  }
  const faults = new Map<number, FaultKind>();
  for (let count = 2 + random(6); count > 0; count--) faults.set(random(16), faultKinds[random(faultKinds.length)]!);
  return { ...its, protocol: PROTOCOLS[random(PROTOCOLS.length)]!, faults };
}

/** In words, for the report of a failure. */
export const faultWords = (one: FaultCase): string =>
  "endless" in one
    ? `endless ${one.endless}`
    : `${one.protocol}: ${[...one.faults].map(([at, kind]) => `${kind} ${at}`).join(", ")} (bits of seed ${one.seed})`;
