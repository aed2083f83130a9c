import type { KeyName } from "@inkan/device-proto";
import type { Front } from "./front.js";
import type { Keypad } from "./keypad.js";
import type { Pump } from "./pace.js";

/** What the keys give in letter mode, tap by tap. */
const TAPS: Readonly<Record<string, string>> = {
  "0": "0",
  "1": "1",
  "2": "ABC2",
  "3": "DEF3",
  "4": "GHI4",
  "5": "JKL5",
  "6": "MNO6",
  "7": "PQRS7",
  "8": "TUV8",
  "9": "WXYZ9",
};
/** The two tones of the consent screen, which nothing else sounds. */
const CONSENT_TONES = [1200, 1600] as const;
/** How far PWM may be off a tone, Hz. */
const PITCH = 20;
/** A person looks before pressing, in ms. */
const LOOK_MS = 250;
/** And reads six words before agreeing to them: the reader takes no OK in the first half second. */
const READ_MS = 600;

/** How the fingers behave. */
export interface FingerOptions {
  /** The secret to type when the lamp goes on; undefined = leave the pad alone. Asked each time. */
  readonly secret: () => string | undefined;
  /** Press OK when consent is asked for (default true). */
  readonly consent?: boolean;
}

/** The key presses for a secret: digits as they are; with letters, letter mode and multi-tap, each character committed with `next`. */
export function keysFor(secret: string): KeyName[] {
  if (/^[0-9]*$/.test(secret)) return [...secret, "ok"] as KeyName[];
  const keys: KeyName[] = ["mode"];
  for (const character of secret) {
    const found = Object.entries(TAPS).find(([, characters]) => characters.includes(character));
    if (!found) throw new RangeError("the pad cannot give a character of this secret");
    for (let tap = 0; tap <= found[1].indexOf(character); tap++) keys.push(found[0] as KeyName);
    keys.push("next");
  }
  keys.push("ok");
  return keys;
}

/**
 * A person's fingers: they press keys on the matrix and know only what a person can see and hear. When the lamp goes on they type
 * the secret; at the consent's two rising tones they press OK. When the lamp goes out they let go at once.
 */
export class Fingers {
  readonly #keypad: Keypad;
  readonly #pump: Pump;
  readonly #options: FingerOptions;
  readonly #release: () => void;
  #tone = 0;
  #typing: AbortController | undefined;
  /** False: the fingers rest. */
  auto = true;

  constructor(front: Front, keypad: Keypad, pump: Pump, options: FingerOptions) {
    this.#keypad = keypad;
    this.#pump = pump;
    this.#options = options;
    this.#release = front.listen({ lamp: (lit) => this.#lamp(lit), tone: (hertz) => this.#hear(hertz) });
  }

  /** Types a secret now, whatever the lamp says. */
  type(secret: string, signal?: AbortSignal): Promise<void> {
    return this.#keypad.type(keysFor(secret), signal);
  }
  /** Presses one key. */
  press(key: KeyName, holdMs?: number): Promise<void> {
    return this.#keypad.press(key, holdMs);
  }
  /** Takes the fingers off the pad for good. */
  close(): void {
    this.auto = false;
    this.#typing?.abort();
    this.#release();
  }

  #lamp(lit: boolean): void {
    this.#typing?.abort();
    this.#typing = undefined;
    if (!lit || !this.auto) return;
    const secret = this.#options.secret();
    if (secret === undefined) return;
    const typing = new AbortController();
    this.#typing = typing;
    this.#act(async () => {
      await this.#pump.sleep(LOOK_MS, { signal: typing.signal });
      await this.type(secret, typing.signal);
    });
  }
  #hear(hertz: number): void {
    if (hertz === 0) return;
    const rising = near(this.#tone, CONSENT_TONES[0]) && near(hertz, CONSENT_TONES[1]);
    this.#tone = hertz;
    if (!rising || !this.auto || this.#options.consent === false) return;
    this.#act(async () => {
      await this.#pump.sleep(READ_MS);
      await this.press("ok");
    });
  }
  /** The board may stop, or the lamp go out, in the middle of it: neither is the fingers' failure. */
  #act(deed: () => Promise<void>): void {
    deed().catch(() => undefined);
  }
}

function near(heard: number, tone: number): boolean {
  return Math.abs(heard - tone) <= PITCH;
}
