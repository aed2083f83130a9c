import { hex } from "../src/codec/index.js";
import { pinApdu, pinFormat, type TypedPin } from "../src/ccid/index.js";

/** One template, what a person types, and the command the card must get. */
export interface PinVector {
  /** abData of PC_to_RDR_Secure. */
  readonly block: Uint8Array;
  readonly typed: TypedPin;
  readonly apdu: Uint8Array;
}

const FILL = 0xa5;
const MIN = 4;
/** Bytes of a filled data field. */
const DATA = 9;
const secrets = { four: "1290", five: "48103", letters: "AZ09Q7" } as const;

/** abData: a verification, or a change where `offsets` are given. */
function block(
  format: readonly [number, number, number],
  apdu: Uint8Array,
  max: number,
  change?: { readonly offsets: readonly [number, number]; readonly confirm: number; readonly messages: number },
): Uint8Array {
  const prologue = [0, 0, 0];
  if (!change) return Uint8Array.from([0, 30, ...format, max, MIN, 2, 1, 0x11, 0x04, 0, ...prologue, ...apdu]);
  const more = change.messages === 3 ? [1, 2] : change.messages === 0 ? [] : [1];
  const head = [1, 30, ...format, ...change.offsets, max, MIN, change.confirm, 2, change.messages, 0x11, 0x04, 0];
  return Uint8Array.from([...head, ...more, ...prologue, ...apdu]);
}

/**
 * Every coding and justification × both template styles × positions in bits and bytes × block sizes × length fields, for VERIFY and for
 * CHANGE at several insertion offsets: as far as the secret fits.
 */
export function pinVectors(): PinVector[] {
  const vectors: PinVector[] = [];
  const add = (
    ...one: [format: readonly [number, number, number], apdu: Uint8Array, typed: TypedPin, change?: Parameters<typeof block>[3]]
  ): void => {
    const [format, apdu, typed, change] = one;
    const parts = pinFormat(...format);
    if (parts.justify === "right" && parts.blockBytes === 0) return;
    const text = typed.new ?? typed.current!;
    // A length field must be able to say the length, and must not lie over the secret: what then stands there is nobody's format.
    if (parts.lengthBits !== 0 && 2 ** parts.lengthBits <= text.length) return;
    let wanted: Uint8Array;
    try {
      wanted = pinApdu(parts, apdu, change?.offsets ?? [0, 0], typed);
    } catch (error) {
      if (error instanceof RangeError) return;
      throw error;
    }
    // A right-justified block must stand in the data field as a whole.
    const end = 8 * Math.max(...(change?.offsets ?? [0])) + parts.positionBits + 8 * parts.blockBytes;
    if (parts.justify === "right" && end > 8 * (apdu.length - 5)) return;
    vectors.push({ block: block(format, apdu, text.length, change), typed, apdu: wanted });
  };
  const filled = (header: readonly number[], bytes: number): Uint8Array =>
    Uint8Array.from([...header, bytes, ...new Array<number>(bytes).fill(FILL)]);
  const verify = [0x00, 0x20, 0x00, 0x80];
  for (let coding = 0; coding < 3; coding++)
    for (const text of coding === 2 ? Object.values(secrets) : [secrets.four, secrets.five]) {
      for (const style of [Uint8Array.from(verify), Uint8Array.from([...verify, 0])]) add([0x80 | coding, 0, 0], style, { current: text });
      for (const right of [0, 4])
        for (const position of [0x00, 0x08, 0x18, 0x20, 0x78, 0x88, 0x98])
          for (const size of [0x00, 0x04, 0x05, 0x08])
            for (const [lengthBits, lengthAt] of [
              [0x00, 0x00],
              [0x40, 0x04],
              [0x80, 0x00],
              [0x80, 0x11],
            ] as const)
              add([coding | right | position, size | lengthBits, lengthAt], filled(verify, DATA), { current: text });
    }
  for (const [p1, confirm] of [
    [0x00, 2],
    [0x00, 3],
    [0x01, 0],
    [0x01, 1],
  ] as const)
    for (let coding = 0; coding < 3; coding++)
      for (const messages of coding === 1 ? [0, 1, 2, 3, 0xff] : [3]) {
        const header = [0x00, 0x24, p1, 0x80];
        const typed: TypedPin = p1 === 0 ? { current: secrets.four, new: "7755" } : { new: "7755" };
        for (const style of [Uint8Array.from(header), Uint8Array.from([...header, 0])])
          add([0x80 | coding, 0, 0], style, typed, { offsets: [0, 0], confirm, messages });
        for (const offsets of [
          [0, 8],
          [8, 0],
          [1, 9],
        ] as const)
          for (const size of [0x00, 0x06, 0x86])
            for (const right of [0, 4]) add([0x88 | coding | right, size, 0x00], filled(header, 16), typed, { offsets, confirm, messages });
      }
  return vectors;
}

/** The vectors as a file that C reads line by line. */
export function printPinVectors(): string {
  const rows = pinVectors().map(
    ({ block, typed, apdu }) =>
      `   {"block": "${hex(block)}", "current": "${typed.current ?? ""}", "new": "${typed.new ?? ""}", "apdu": "${hex(apdu)}"}`,
  );
  return [
    `{\n "birth": {"who": "an oracle of its own over strings of bits (device-proto/src/ccid/pin-format.ts), printed by npm run print", `,
    `"board": "none", "firmware": "none", "date": "2026-11-22", "why": "the pad puts a secret into the command exactly as the template says"},\n`,
    ` "formats": [\n${rows.join(",\n")}\n ]\n}\n`,
  ].join("");
}
