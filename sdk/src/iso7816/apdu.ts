import { Iso7816Error } from "./error.js";

/** The seven shapes of a command APDU (ISO/IEC 7816-3 §12.1.3): data and Le absent or present, length fields short or extended. */
export type ApduCase = "1" | "2S" | "3S" | "4S" | "2E" | "3E" | "4E";

/** What a command APDU is made of. */
export interface CommandFields {
  /** 0..254; FF is the PPS's (ISO/IEC 7816-3 §10.3) and readers' own. */
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** 0..65535 bytes. */
  readonly data?: Uint8Array;
  /** Ne, the number of bytes expected at most: 1..65536; absent when none. 256 is `00`, 65536 is `0000`. */
  readonly ne?: number;
  /** True forces extended length fields even where short ones would do. */
  readonly extended?: boolean;
}

const empty = new Uint8Array(0);
const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;

/**
 * A command APDU in any of the seven cases.
 *
 * ```
 *  case 1   CLA INS P1 P2
 *  case 2S  CLA INS P1 P2 Le                         case 2E  CLA INS P1 P2 00 LeLe
 *  case 3S  CLA INS P1 P2 Lc data                    case 3E  CLA INS P1 P2 00 LcLc data
 *  case 4S  CLA INS P1 P2 Lc data Le                 case 4E  CLA INS P1 P2 00 LcLc data LeLe
 * ```
 */
export class CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  readonly data: Uint8Array;
  readonly ne: number | undefined;
  readonly case: ApduCase;

  /** Throws {@link Iso7816Error} when a field is out of range. */
  constructor(fields: CommandFields) {
    const { cla, ins, p1, p2, data = empty, ne, extended = false } = fields;
    if (!isByte(cla) || !isByte(ins) || !isByte(p1) || !isByte(p2)) throw new Iso7816Error("apdu", 0, "CLA, INS, P1 and P2 must be 0..255");
    if (data.length > 65535) throw new Iso7816Error("apdu", 4, `Nc must be 0..65535, is ${data.length}`);
    if (ne !== undefined && (!Number.isInteger(ne) || ne < 1 || ne > 65536))
      throw new Iso7816Error("apdu", 4, `Ne must be 1..65536, is ${ne}`);
    this.cla = cla;
    this.ins = ins;
    this.p1 = p1;
    this.p2 = p2;
    this.data = data;
    this.ne = ne;
    const long = extended || data.length > 255 || (ne ?? 0) > 256;
    const shape = data.length ? (ne === undefined ? "3" : "4") : ne === undefined ? "1" : "2";
    this.case = shape === "1" ? "1" : `${shape}${long ? "E" : "S"}`;
  }

  /** The APDU's bytes; a new array. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const { data, ne } = this;
    const long = this.case.endsWith("E");
    const lc = data.length ? (long ? 3 : 1) : 0;
    const le = ne === undefined ? 0 : !long ? 1 : lc ? 2 : 3;
    const output = new Uint8Array(4 + lc + data.length + le);
    output.set([this.cla, this.ins, this.p1, this.p2]);
    if (lc === 1) output[4] = data.length;
    else if (lc === 3) output.set([0, data.length >> 8, data.length & 255], 4);
    output.set(data, 4 + lc);
    // Ne 256 and 65536 are written as zeros: the upper bits simply fall off
    if (le === 1) output[output.length - 1] = ne! & 255;
    else if (le) output.set([(ne! >> 8) & 255, ne! & 255], output.length - 2);
    return output;
  }

  /** Parses a command APDU. Throws {@link Iso7816Error} for bytes that are none of the seven cases. */
  static parse(bytes: Uint8Array): CommandApdu {
    const n = bytes.length;
    if (n < 4) throw new Iso7816Error("apdu", n, "a command APDU has at least 4 bytes");
    const head = { cla: bytes[0]!, ins: bytes[1]!, p1: bytes[2]!, p2: bytes[3]! };
    if (n === 4) return new CommandApdu(head);
    const first = bytes[4]!;
    if (n === 5) return new CommandApdu({ ...head, ne: first || 256 });
    if (first !== 0) {
      if (n !== 5 + first && n !== 6 + first) throw new Iso7816Error("apdu", 4, `Lc says ${first}, ${n - 5} bytes follow`);
      const data = bytes.slice(5, 5 + first);
      return new CommandApdu(n === 5 + first ? { ...head, data } : { ...head, data, ne: bytes[n - 1]! || 256 });
    }
    if (n < 7) throw new Iso7816Error("apdu", 4, "an extended length field has three bytes");
    const second = (bytes[5]! << 8) | bytes[6]!;
    if (n === 7) return new CommandApdu({ ...head, ne: second || 65536, extended: true });
    if (second === 0) throw new Iso7816Error("apdu", 5, "an extended Lc must not be 0");
    if (n !== 7 + second && n !== 9 + second) throw new Iso7816Error("apdu", 5, `Lc says ${second}, ${n - 7} bytes follow`);
    const data = bytes.slice(7, 7 + second);
    if (n === 7 + second) return new CommandApdu({ ...head, data, extended: true });
    return new CommandApdu({ ...head, data, ne: (bytes[n - 2]! << 8) | bytes[n - 1]! || 65536, extended: true });
  }
}

/** A response APDU: data and status word. */
export class ResponseApdu {
  readonly data: Uint8Array;
  /** SW1SW2, 0..65535. */
  readonly sw: number;

  constructor(data: Uint8Array, sw: number) {
    this.data = data;
    this.sw = sw;
  }

  get sw1(): number {
    return this.sw >> 8;
  }

  get sw2(): number {
    return this.sw & 255;
  }

  /** True when the status word is 9000. */
  get ok(): boolean {
    return this.sw === 0x9000;
  }

  /** The response's bytes; a new array. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const output = new Uint8Array(this.data.length + 2);
    output.set(this.data);
    output.set([this.sw1, this.sw2], this.data.length);
    return output;
  }

  /** Parses a response APDU. Throws {@link Iso7816Error} when it has no status word, or SW1 is not 6X (but 60) or 9X (ISO/IEC 7816-3 §12.1.4). */
  static parse(bytes: Uint8Array): ResponseApdu {
    const n = bytes.length;
    if (n < 2) throw new Iso7816Error("apdu", n, "a response APDU has at least 2 bytes");
    if (n > 65538) throw new Iso7816Error("apdu", 65538, "a response APDU has at most 65538 bytes");
    const sw1 = bytes[n - 2]!;
    if (((sw1 & 0xf0) !== 0x60 && (sw1 & 0xf0) !== 0x90) || sw1 === 0x60)
      throw new Iso7816Error("apdu", n - 2, "SW1 must be 61..6F or 90..9F");
    return new ResponseApdu(bytes.slice(0, n - 2), (sw1 << 8) | bytes[n - 1]!);
  }
}
