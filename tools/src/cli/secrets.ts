import type { JpkiCard } from "@inkan/sdk/jpki";
import { say } from "../texts.js";
import { refuseClearNetwork } from "./clear-network.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import type { Options } from "./verb.js";

/** The card's two keys, each with its secret. */
export type KeyName = "auth" | "sign";

/** Reads `auth` or `sign`. @throws InkanError usage */
export function keyName(text: string | undefined, context: Context): KeyName {
  if (text === "auth" || text === "sign") return text;
  throw stop("usage", { detail: say(context.language, "usage.auth-or-sign", { name: text ?? "" }) });
}

/**
 * Presents a secret once: says how many tries are left, refuses the last one unless it was asked for, then lets the person type on
 * the pad, or takes what came on standard input. Nothing is repeated: after a wrong secret the person decides.
 * @returns tries left before the try; undefined where the card does not say
 * @throws InkanError pin-blocked, pin-last-try, pin-wrong, pin-cancelled, pin-timeout, …
 */
export async function presentSecret(context: Context, jpki: JpkiCard, which: KeyName, options: Options): Promise<number | undefined> {
  const { language, output, signal } = context;
  if (options["pinStdin"] === true) refuseClearNetwork(context, options);
  const tries = await jpki.triesLeft(which, { signal });
  const name = say(language, which === "sign" ? "secret.sign" : "secret.auth");
  // Safety, not chatter: also with --quiet.
  output.note(tries === undefined ? say(language, "secret.tries-unknown", { name }) : say(language, "secret.tries", { name, tries }), {
    always: true,
  });
  if (tries === 0) throw stop("pin-blocked", { tries: 0 });
  if (tries === 1 && options["lastTry"] !== true) throw stop("pin-last-try", { tries: 1 });
  const lastTry = options["lastTry"] === true;
  if (options["pinStdin"] === true) {
    const pin = await readSecret(context);
    try {
      const { folded } = await jpki.verify(which, { on: "host", pin }, { signal, lastTry });
      if (folded) output.note(say(language, "secret.folded"));
    } finally {
      pin.fill(0);
    }
  } else {
    output.note(say(language, "secret.type-on-pad", { name }));
    await jpki.verify(which, { on: "pad" }, { signal, lastTry, language });
  }
  return tries;
}

/** Longest secret taken from standard input, in bytes; a longer one is refused by the SDK with its own sentence. */
const MOST = 64;

/**
 * One line from standard input, in one buffer that the caller zeroes. The chunks it came in are zeroed here; it never becomes a string.
 * @throws InkanError interrupted, deadline-passed
 */
export async function readSecret(context: Context): Promise<Uint8Array<ArrayBuffer>> {
  const { signal, world } = context;
  signal.throwIfAborted();
  const line = new Uint8Array(MOST);
  let length = 0;
  let settle!: (failure?: unknown) => void;
  const whole = new Promise<void>(
    (resolve, reject) => (settle = (failure) => (failure === undefined ? resolve() : reject(failure as Error))),
  );
  const aborted = (): void => settle(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  const stop = world.stdin.listen((chunk) => {
    if (chunk === undefined) return settle();
    const end = chunk.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    const part = chunk.subarray(0, end < 0 ? chunk.length : end).subarray(0, MOST - length);
    line.set(part, length);
    length += part.length;
    chunk.fill(0);
    if (end >= 0) settle();
  });
  try {
    await whole;
    return line.slice(0, length);
  } finally {
    stop();
    signal.removeEventListener("abort", aborted);
    line.fill(0);
  }
}
