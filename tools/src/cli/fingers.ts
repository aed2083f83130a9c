import { say } from "../texts.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";

/** Test secrets that the bench presses, by the key they belong to. They are printed everywhere and open nothing but the test card. */
export interface FingerSecrets {
  readonly auth: string;
  readonly sign: string;
}

/** The standard card's. */
export const standardSecrets: FingerSecrets = { auth: "1234", sign: "ABC123" };

/**
 * `--fingers auto` or `auth=1234,sign=ABC123`; `undefined` when nobody is to press. For virtual readers only: a real reader has no fingers
 * but the person's.
 * @throws InkanError usage
 */
export function readFingers(context: Context): FingerSecrets | undefined {
  const text = context.fingers;
  if (text === undefined || text === "none") return undefined;
  if (text === "auto") return standardSecrets;
  const secrets: { auth: string; sign: string } = { ...standardSecrets };
  for (const part of text.split(",")) {
    const match = /^(auth|sign)=([0-9A-Z]{1,16})$/.exec(part);
    if (match === null) throw stop("usage", { detail: say(context.language, "usage.fingers") });
    secrets[match[1] as "auth" | "sign"] = match[2]!;
  }
  return secrets;
}
