import { isInkanError, Reader } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import type { TraceRecorder } from "@inkan/sdk/trace";
import type { KeyName } from "@inkan/device-proto";
import { keysFor } from "../board/fingers.js";
import type { VirtualReader } from "../board/open-virtual-reader.js";

/** Faces of the reader a secret session can be held over; a new face joins here and is then played in every fate. */
export const faces = ["usb", "link"] as const;
/** One of {@link faces}. */
export type Face = (typeof faces)[number];

/**
 * How the secret goes to the card: VERIFY on the pad, CHANGE REFERENCE DATA on the pad (new and again), or a VERIFY whose secret was typed
 * on the host, which the reference product lets through.
 */
export const kinds = ["verify", "modify", "host"] as const;
/** One of {@link kinds}. */
export type Kind = (typeof kinds)[number];

/** Ends that a person or the card brings about. */
const calm = ["accepted", "wrong", "cancelled", "timed-out", "corrected", "mismatch"] as const;
/** Ends that come from outside at any moment, while the person types or while the command is on its way to the card. */
export const sudden = [
  "card-pulled",
  "unplugged",
  "aborted",
  "usb-reset",
  "suspended",
  "link-broken",
  "hard-fault",
  "watchdog",
  "run-pin",
  "power-cut",
] as const;
/** How a session with a secret can end. */
export const fates = [...calm, ...sudden] as const;
/** One of {@link fates}. */
export type Fate = (typeof fates)[number];

/** The reader dies of these and starts again with what SRAM holds. */
export const deadly: readonly Fate[] = ["hard-fault", "watchdog", "run-pin", "power-cut"];

/** True where this end can come: nobody sits at the pad of a host-typed secret, only a change asks twice, only a link can break. */
export function possible(kind: Kind, fate: Fate, face: Face): boolean {
  if (fate === "mismatch") return kind === "modify";
  if (fate === "link-broken") return face === "link";
  if (kind === "modify") return fate !== "wrong";
  return kind === "verify" || !["cancelled", "timed-out", "corrected"].includes(fate);
}

/** One session to watch. */
export interface SecretSession {
  readonly fate: Fate;
  readonly kind?: Kind;
  /** What is typed. */
  readonly secret: string;
  readonly seed: number;
  readonly face?: Face;
  /**
   * For a sudden end: this many ms after the whole secret is on its way to the card; without it the end comes one key before the entry is
   * complete.
   */
  readonly sendingMs?: number;
  /** Another image in place of the released one: the negative controls. */
  readonly image?: Uint8Array;
  readonly boot?: Uint8Array;
}

/** The password the card had before a change: the same in both runs, so that it tells nothing. */
export const OLD_PASSWORD = "OLD123";

const LOOK_MS = 250;
/** The host's own time for a session that timed out, s: the person has typed all but the last key. */
const TIMEOUT_S = 3;
const SIGN_PIN_FILE = 0x1b;
/** How long the bus sleeps, ms. */
const SUSPENDED_MS = 500;

/** By then the watchdog (4 s) has bitten and the reader has started again, ms. */
const WATCHDOG_MS = 5000;
/** A command with a host's secret is struck this long after it began, where nothing else is said. */
const SENDING_MS = 10;

const bytes = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(text));

/** Who is told how the conversation goes. */
export interface Listener {
  /** A command with a secret that was typed on the host begins to travel. */
  sending(): void;
  /** The host has its answer, or knows that none will come. */
  answered(): Promise<void>;
}

/** The host's side: what any program would do. Resolves with how it ended, in one word. */
export async function converse(
  bench: VirtualReader,
  session: SecretSession,
  trace: TraceRecorder,
  signal: AbortSignal,
  tell: Listener,
): Promise<string> {
  const reader = await Reader.open(await bench.transport(), { clock: bench.clock, trace });
  try {
    const card = await reader.connect({});
    const jpki = await openJpki(card);
    const header = [0x00, 0x20, 0x00, 0x80] as const;
    const select = async (): Promise<unknown> => card.transmit(Uint8Array.of(0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, SIGN_PIN_FILE));
    const ask = async (): Promise<string> => {
      if (session.kind === "modify") {
        await jpki.verify("sign", { on: "host", pin: bytes(OLD_PASSWORD) });
        const length = { minLength: 6, maxLength: 16, ...(session.fate === "timed-out" ? { timeoutSeconds: TIMEOUT_S } : {}) };
        return `changed ${(await card.modifyOnPad({ header: [0x00, 0x24, 0x01, 0x80], ...length }, { signal })).sw.toString(16)}`;
      }
      if (session.fate === "timed-out") {
        await select();
        await card.verifyOnPad({ header, minLength: 6, maxLength: 16, timeoutSeconds: TIMEOUT_S }, { signal });
        return "verified";
      }
      if (session.kind === "host") {
        await select();
        const command = Uint8Array.of(...header, session.secret.length, ...bytes(session.secret));
        const answer = card.transmit(command, { signal });
        tell.sending();
        return `answered ${(await answer).sw.toString(16)}`;
      }
      await jpki.verify("sign", { on: "pad" }, { signal });
      return "verified";
    };
    const outcome = await ask().catch((error: unknown) =>
      isInkanError(error) ? `${error.code} ${error.secretTriesLeft ?? ""}` : String(error),
    );
    await tell.answered();
    return outcome;
  } catch (error) {
    if (isInkanError(error)) return `lost: ${error.code}`;
    throw error;
  } finally {
    await reader.close().catch((error: unknown) => {
      if (!isInkanError(error)) throw error;
    });
  }
}

/** The person at the pad, and fate: types when the lamp goes on, then lets the session end as it must. */
export function person(
  bench: VirtualReader,
  session: SecretSession,
  abort: AbortController,
): {
  /** A host's secret is on its way. */
  readonly sending: () => void;
  /** A wait for the last key to be up and the reader to be what it will be. */
  readonly done: () => Promise<void>;
} {
  const { board } = bench;
  const { fate } = session;
  const isSudden = (sudden as readonly Fate[]).includes(fate);
  let act: Promise<void> = Promise.resolve();
  let struck: Promise<void> = Promise.resolve();
  const later = (deed: () => Promise<void>): Promise<void> => {
    const doing = deed();
    // Awaited after the conversation; until then its failure is nobody's surprise.
    doing.catch(() => undefined);
    return doing;
  };
  let asked = 0;
  const whole = isSudden && session.sendingMs !== undefined;
  const release = board.on((event) => {
    if (event.type !== "lamp" || session.kind === "host") return;
    // A change that was refused for a slip lights no second lamp: the person goes on by what the display says.
    if (event.lit && asked++ === 0) {
      act = later(async () => {
        await board.engine.pump.sleep(LOOK_MS);
        await board.type(strokes(session, whole));
        if (fate === "cancelled") await board.type(["cancel"]);
        if (isSudden && !whole) await strike(bench, session, abort);
      });
    }
    if (!event.lit && whole)
      struck = later(async () => {
        await board.engine.pump.sleep(session.sendingMs!);
        await strike(bench, session, abort);
      });
  });
  return {
    sending: () => {
      if (!isSudden) return;
      struck = later(async () => {
        await board.engine.pump.sleep(session.sendingMs ?? SENDING_MS);
        await strike(bench, session, abort);
      });
    },
    done: async () => {
      release();
      await act;
      await struck;
    },
  };
}

/** What the fingers do: all keys of the dialogue, or all but the last. */
function strokes({ kind, fate, secret }: SecretSession, whole: boolean): KeyName[] {
  const once = keysFor(secret);
  const twice = kind === "modify" ? [...once, ...once] : once;
  if (fate === "mismatch") return [...once, ...keysFor([...secret].reverse().join("")), ...twice];
  if (fate === "corrected") {
    const characters = [...secret].map((character) => keysFor(`A${character}`).slice(3, -1));
    const corrected: KeyName[] = [
      "mode",
      ...characters[0]!,
      ...characters[1]!,
      "clear",
      ...characters.flat(),
      "correct",
      ...characters.at(-1)!,
      "ok",
    ];
    return kind === "modify" ? [...corrected, ...corrected] : corrected;
  }
  return fate === "accepted" || fate === "wrong" || whole ? twice : twice.slice(0, -1);
}

/** What fate does, and what the world does after it until the reader is itself again. */
export async function strike(bench: VirtualReader, { fate }: SecretSession, abort: AbortController): Promise<void> {
  const { board } = bench;
  switch (fate) {
    case "card-pulled":
      return board.slot.remove();
    case "unplugged":
      return board.usb.detach();
    case "aborted":
      return abort.abort();
    case "usb-reset":
      return board.usb.host.resetPort();
    case "suspended":
      board.usb.suspend();
      await board.run(SUSPENDED_MS);
      board.usb.resume();
      await board.run(LOOK_MS);
      return board.usb.detach(); // the program that waited is told at last
    case "link-broken":
      return board.cdc.close();
    case "hard-fault":
      return board.engine.hardFault();
    case "watchdog":
      board.engine.lockUp();
      return board.run(WATCHDOG_MS);
    case "run-pin":
      return board.reset();
    case "power-cut":
      board.powerOff();
      await board.run(1);
      board.powerOn({ keepRam: true });
      await board.usb.attach();
      return;
    default:
      throw new RangeError(`${fate} does not come suddenly`);
  }
}
