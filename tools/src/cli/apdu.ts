import { unhex } from "@inkan/device-proto";
import { say } from "../texts.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";

/** Reads one command APDU from hexadecimal; blanks and colons are allowed. @throws InkanError usage */
export function readApdu(text: string, context: Context): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = unhex(text);
  } catch (error) {
    throw stop("usage", { detail: say(context.language, "usage.not-hex") }, error);
  }
  if (bytes.length < 4) throw stop("usage", { detail: say(context.language, "usage.short-apdu") });
  return bytes;
}

/**
 * True when an APDU carries a secret: VERIFY (20, 21), CHANGE REFERENCE DATA (24, 25) and RESET RETRY COUNTER (2C, 2D) with data in
 * any class, and JICSAP's CHANGE KEY (CLA 8x INS 32) (ISO 7816-4, jpki-card.md §4.2); also when ENVELOPE (C2, C3) carries one.
 * Five bytes are a header with P3 and no data.
 */
export function carriesSecret(apdu: Uint8Array): boolean {
  if (apdu.length <= 5) return false;
  const instruction = apdu[1]!;
  if (instruction === 0xc2 || instruction === 0xc3)
    return carriesSecret(apdu.subarray(5)) || (apdu[4] === 0 && carriesSecret(apdu.subarray(7)));
  if (instruction === 0x32) return (apdu[0]! & 0x80) !== 0;
  return [0x20, 0x24, 0x2c].includes(instruction & 0xfe);
}
