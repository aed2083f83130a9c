/** What a person typed, field by field; characters `0`–`9` and, in ASCII, `A`–`Z`. */
export interface TypedPin {
  readonly current?: string;
  readonly new?: string;
}

/** The parts of abPINDataStructure that say how the secret goes into the command (CCID 1.1 §6.1.11, §6.1.12). */
export interface PinFormat {
  readonly coding: "binary" | "bcd" | "ascii";
  readonly justify: "left" | "right";
  /** Bits from the beginning of the data field (for a change: from the field's insertion offset) to the PIN block. */
  readonly positionBits: number;
  /** Bytes of the PIN block; 0 = as many as the secret has. */
  readonly blockBytes: number;
  /** Bits of the inserted length; 0 = none. */
  readonly lengthBits: number;
  readonly lengthPositionBits: number;
}

const codings = ["binary", "bcd", "ascii"] as const;

/** bmFormatString, bmPINBlockString and bmPINLengthFormat, taken apart. @throws RangeError for coding 3, which is reserved. */
export function pinFormat(bmFormatString: number, bmPINBlockString: number, bmPINLengthFormat: number): PinFormat {
  const coding = codings[bmFormatString % 4];
  if (coding === undefined) throw new RangeError("bmFormatString 1-0: 3 is reserved");
  const unit = (flag: number): number => (flag === 0 ? 1 : 8);
  return {
    coding,
    justify: Math.floor(bmFormatString / 4) % 2 === 0 ? "left" : "right",
    positionBits: (Math.floor(bmFormatString / 8) % 16) * unit(Math.floor(bmFormatString / 128)),
    blockBytes: bmPINBlockString % 16,
    lengthBits: Math.floor(bmPINBlockString / 16),
    lengthPositionBits: (bmPINLengthFormat % 16) * unit(Math.floor(bmPINLengthFormat / 16) % 2),
  };
}

/**
 * The command the card must get: an oracle beside the firmware's, over strings of '0' and '1' instead of shifted bytes. `apdu` is
 * abPINApdu as the host sent it: with Lc absent or 00 the data field becomes exactly the characters (an odd last BCD digit padded with F),
 * otherwise they go over the template's bytes and everything else stays.
 * @throws RangeError when the secret does not fit.
 */
export function pinApdu(
  format: PinFormat,
  apdu: Uint8Array,
  offsets: readonly [current: number, new_: number],
  typed: TypedPin,
): Uint8Array {
  const fields = [
    { text: typed.current, offset: offsets[0] },
    { text: typed.new, offset: offsets[1] },
  ].filter((field): field is { text: string; offset: number } => field.text !== undefined);
  const digits = ({ coding }: PinFormat, text: string): string =>
    [...text]
      .map((character) => (coding === "ascii" ? binary(character.charCodeAt(0), 8) : binary(Number(character), coding === "bcd" ? 4 : 8)))
      .join("");
  if (apdu.length === 4 || (apdu.length === 5 && apdu[4] === 0)) {
    const data = fields.map(({ text }) => {
      const bits = digits(format, text);
      return bits.length % 8 === 0 ? bits : `${bits}1111`;
    });
    const all = data.join("");
    return Uint8Array.from([...apdu.subarray(0, 4), all.length / 8, ...octets(all)]);
  }
  let data = [...apdu.subarray(5)].map((byte) => binary(byte, 8)).join("");
  const put = (at: number, bits: string): void => {
    if (at + bits.length > data.length) throw new RangeError("the secret does not fit the command");
    data = data.slice(0, at) + bits + data.slice(at + bits.length);
  };
  for (const { text, offset } of fields) {
    const bits = digits(format, text);
    const begin = 8 * offset + format.positionBits;
    if (format.blockBytes !== 0 && bits.length > 8 * format.blockBytes) throw new RangeError("the secret does not fit its block");
    put(format.justify === "left" ? begin : begin + 8 * format.blockBytes - bits.length, bits);
    if (format.lengthBits !== 0) put(8 * offset + format.lengthPositionBits, binary(text.length, format.lengthBits));
  }
  return Uint8Array.from([...apdu.subarray(0, 5), ...octets(data)]);
}

const binary = (value: number, width: number): string => value.toString(2).padStart(width, "0");
const octets = (bits: string): number[] => (bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2));
