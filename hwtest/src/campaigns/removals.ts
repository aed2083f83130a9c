import { releasedFirmware } from "@inkan/device-proto/firmware";
import { pins } from "@inkan/device-proto";
import { isInkanError, Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { standardMaterial } from "../authority/index.js";
import { Fingers, keysFor } from "../board/fingers.js";
import { openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { T1Card, type ApduCard } from "../cards/index.js";
import type { Campaign } from "./campaign.js";
import { signsAgain } from "./next-session.js";
import { findSecret, leaves } from "./secrecy.js";
import { quickSecret, seeded } from "./secret-pair.js";

/** Level changes on the I/O line of a whole session, and of its part up to the first command: ATR, PPS, S(IFS), SELECT. */
const EDGES = 12_000;
const FIRST_EDGES = 570;
/** One key down and up, ms; the look before the first; the card's thinking and the reader's after the last. */
const KEY_MS = 130;
const ENTRY_AROUND_MS = 450;
/** The consent screen until the signature is there, ms. */
const CONSENT_MS = 700;
/** By then the reader must have forgotten the session, ms after its end. */
const WIPED_MS = 50;
/** Settle and debounce of a card that is put in, ms. */
const DEBOUNCE_MS = 300;
const SECRET_FILE = 0x1b;

/** When the card is pulled. */
type Moment =
  /** After so many level changes on the I/O line. */
  | { readonly at: "line"; readonly edges: number }
  /** So many ms after the lamp went on, or after the consent's tones. */
  | { readonly at: "entry" | "consent"; readonly ms: number };

/** The card is pulled anywhere in a signing session: a named error, nothing left of the secret, contacts off in time, and the next one works. */
export const removals: Campaign = {
  name: "removals",
  on: ["arm"],
  cases: 120,
  about:
    "the card is pulled anywhere in a signing session, between any two edges on its line: named error, wiped, off in 1 ms, works again",
  async run({ seed, from, to }, failed, ran) {
    const { image, boot } = await releasedFirmware();
    for (let number = from; number < to; number++) {
      const { what, problems } = await pull(seeded(seed * 1_000_003 + number), number, { image, boot });
      if (problems.length > 0) failed(number, `pulled ${what}: ${problems.join("; ")}`);
      ran?.(1);
    }
  },
};

function momentOf(number: number, random: (below: number) => number, keys: number): Moment {
  switch (number % 8) {
    case 0:
      return { at: "line", edges: 1 + random(FIRST_EDGES) };
    case 1:
    case 2:
      return { at: "entry", ms: random(keys * KEY_MS + ENTRY_AROUND_MS) };
    case 3:
      return { at: "consent", ms: random(CONSENT_MS) };
    default:
      return { at: "line", edges: 1 + random(EDGES) };
  }
}

async function pull(
  random: (below: number) => number,
  number: number,
  firmware: { readonly image: Uint8Array; readonly boot: Uint8Array },
): Promise<{ readonly what: string; readonly problems: readonly string[] }> {
  const material = standardMaterial();
  const secret = quickSecret(random);
  const wrong = random(4) === 0;
  const face = random(2) ? "usb" : "link";
  const moment = momentOf(number, random, keysFor(secret).length);
  const card = JpkiTestCard.standard({ ...material, signPassword: wrong ? "WRONG0" : secret });
  const bench = await openVirtualReader({ pace: "free", card: "none", face, fingers: false, seed: 1 + random(1_000_000), ...firmware });
  const { board } = bench;
  const fingers = new Fingers(board.front, board.keypad, board.engine.pump, {
    secret: () => (card.save().selectedFile === SECRET_FILE ? secret : material.authPin),
  });
  const problems: string[] = [];
  const what = `${moment.at === "line" ? `after ${moment.edges} edges` : `${moment.ms} ms into the ${moment.at}`}, over ${face}`;
  let reader: Reader | undefined;
  try {
    const watched = watchedCard(card);
    board.slot.insert(new T1Card(watched.card));
    const hand = handThatPulls(bench, moment);
    reader = await Reader.open(await bench.transport(), { clock: bench.clock });
    const outcome = await signingSession(reader);
    const during = hand.rest();
    if (!during) board.slot.remove();
    // BoardViolation: contacts off too late or in a wrong order end the board, and every wait with it
    await board.run(WIPED_MS);
    if (!allowed(outcome, during, wrong)) problems.push(`the caller was told ${outcome}`);
    const left = card.triesLeft("jpki", SECRET_FILE);
    const expected = wrong && watched.verified() > 0 ? 4 : 5;
    if (watched.verified() > 1) problems.push(`the secret went to the card ${watched.verified()} times`);
    if (left !== expected) problems.push(`${left} tries are left, not ${expected}`);
    problems.push(...findSecret(secret, remains(bench, outcome)).map((place) => `the secret stands ${place}`));
    board.slot.insert(new T1Card(watched.card));
    await board.run(DEBOUNCE_MS);
    if (!(await signsAgain(reader, material.authCertificate))) problems.push("the card that was put in again does not sign");
  } catch (error) {
    problems.push(isInkanError(error) ? `afterwards: ${error.code}` : error instanceof Error ? error.message : String(error));
  } finally {
    await reader?.close().catch(() => undefined);
    fingers.close();
    await bench.close();
  }
  return { what, problems };
}

/** Pulled: the caller hears so, or that there is no card where it went before it was powered. Not pulled: the session's own end. */
function allowed(outcome: string, pulled: boolean, wrong: boolean): boolean {
  if (outcome === (wrong ? "pin-wrong" : "signed")) return true;
  return pulled && (outcome === "card-pulled" || outcome === "no-card");
}

/** Counts the signature secret's VERIFYs that reach the card. */
function watchedCard(card: JpkiTestCard): { readonly card: ApduCard; verified(): number } {
  let verified = 0;
  return {
    card: {
      atr: card.atr,
      powerOn: () => card.powerOn(),
      transmit: (command) => {
        if (command[1] === 0x20 && command.length > 5 && card.save().selectedFile === SECRET_FILE) verified++;
        return card.transmit(command);
      },
      save: () => card.save(),
      load: (state) => card.load(state as Parameters<JpkiTestCard["load"]>[0]),
    },
    verified: () => verified,
  };
}

/** Pulls the card at its moment, between two events of the board. `rest` says whether it has, and ends it. */
function handThatPulls({ board }: VirtualReader, moment: Moment): { rest(): boolean } {
  let pulled = false;
  let resting = false;
  let edges = 0;
  let begun = false;
  let strike: (() => void) | undefined;
  // What resolves halts the board there; the hand acts before it runs on.
  const struck = board.engine.pump.waitFor<void>((resolve) => ((strike = resolve), undefined), { background: true });
  struck.then(
    () => {
      if (resting) return;
      pulled = true;
      board.slot.remove();
    },
    () => undefined,
  );
  const later = (ms: number): void => {
    if (begun) return;
    begun = true;
    board.engine.pump.sleep(ms, { background: true }).then(
      () => strike!(),
      () => undefined,
    );
  };
  if (moment.at === "line")
    board.engine.nets.listen(pins.cardIo, () => {
      if (++edges === moment.edges) strike!();
    });
  board.on((event) => {
    if (moment.at === "entry" && event.type === "lamp" && event.lit) later(moment.ms);
    if (moment.at === "consent" && event.type === "tone" && Math.abs(event.hertz - 1600) < 20) later(moment.ms);
  });
  return { rest: () => ((resting = true), pulled) };
}

/** What a program that signs does. */
async function signingSession(reader: Reader): Promise<string> {
  try {
    const jpki = await openJpki(await reader.connect());
    await jpki.verify("sign", { on: "pad" });
    const signer = await jpki.signer("sign");
    await signer.sign("sha256", new Uint8Array(32).fill(0x5a));
    return "signed";
  } catch (error) {
    if (isInkanError(error)) return error.code;
    throw error;
  }
}

/** All that is left in the reader: RAM, DPRAM, every model but the card, which knows its own secret. */
function remains({ board }: VirtualReader, outcome: string): Parameters<typeof findSecret>[1] {
  const { ram, dpram, models: all } = board.engine.save();
  const models: Record<string, string> = {};
  for (const [name, model] of Object.entries(all)) if (name !== "slot") leaves(model, name, models);
  return { wire: [], trace: "", outcome, endNs: board.nowNs, screens: [], ram: { "the card was gone": ram }, flash: "", dpram, models };
}
