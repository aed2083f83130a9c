import { CodecError } from "./codec.js";

/** Lower-case hexadecimal without separators. */
export function hex(input: Uint8Array): string {
  let text = "";
  for (const byte of input) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Reads hexadecimal; blanks and colons between bytes are allowed. Throws {@link CodecError} naming the character otherwise. */
export function unhex(text: string): Uint8Array<ArrayBuffer> {
  const clean = text.replace(/[\s:]/g, "");
  const bad = clean.search(/[^0-9a-fA-F]/);
  if (bad >= 0) throw new CodecError(bad >> 1, `"${clean[bad]}" is not a hexadecimal digit`);
  if (clean.length % 2) throw new CodecError(clean.length >> 1, "an odd number of hexadecimal digits");
  return Uint8Array.from({ length: clean.length / 2 }, (_, i) => Number.parseInt(clean.slice(2 * i, 2 * i + 2), 16));
}
