/**
 * The PIN templates of PC_to_RDR_Secure (CCID 1.1 §6.1.11, §6.1.12) as a reader reads them: the same checks in the same order as
 * firmware/pinpad/template.c, so that what this one takes, that one takes.
 */
export interface FakeTemplate {
  readonly modify: boolean;
  /** A modification that asks for the current secret, too. */
  readonly askCurrent: boolean;
  /** For each key, ms. */
  readonly timeoutMs: number;
  readonly min: number;
  readonly max: number;
  /** The command APDU, the secrets put in. */
  insert(typed: Uint8Array): Uint8Array;
}

/** Longest secret the pad takes. */
const PIN_MAX = 16;
const DEFAULT_TIMEOUT_S = 60;
/** Which commands may carry a secret. */
const commands = [
  { ins: 0x20, p1: 0x00, modify: false, askCurrent: false },
  { ins: 0x24, p1: 0x00, modify: true, askCurrent: true },
  { ins: 0x24, p1: 0x01, modify: true, askCurrent: false },
] as const;

/** Reads a block; a number is the offset of the field that is wrong. */
export function readTemplate(block: Uint8Array): FakeTemplate | number {
  if (block.length < 1 || block[0]! > 1) return 0;
  const modify = block[0] === 1;
  let at = 12;
  if (modify) {
    if (block.length < 12) return block.length;
    at = 15 + Number(block[11] !== 0) + Number(block[11] === 3);
    if (block[11]! > 3 && block[11] !== 0xff) return 11;
    if (block[9]! > 3) return 9;
  }
  if (block.length < at + 7 || block.length > at + 3 + 5 + 255) return block.length;
  const coding = block[2]! & 3;
  if (coding > 2) return 2;
  const right = (block[2]! & 4) !== 0;
  const position = ((block[2]! >> 3) & 15) * (block[2]! & 0x80 ? 8 : 1);
  const size = block[3]! & 15;
  const lengthBits = block[3]! >> 4;
  if (right && size === 0) return 3;
  const maxAt = modify ? 7 : 5;
  const most = block[maxAt]!;
  const max = most === 0 || most > PIN_MAX ? PIN_MAX : most;
  const min = block[maxAt + 1]! || 1;
  if (min > max) return maxAt;
  if (block[at + 1]! & 0xa0) return at + 1;
  const apduAt = at + 3;
  const apdu = block.slice(apduAt);
  const variable = apdu.length === 4 || (apdu.length === 5 && apdu[4] === 0);
  if ((!variable && apdu.length !== 5 + apdu[4]!) || apdu.length > 255) return apduAt + 4;
  const askCurrent = modify && (block[9]! & 2) !== 0;
  const bad = forbidden(apdu, modify, askCurrent, apduAt);
  if (bad !== undefined) return bad;
  if (variable && position !== 0 && !modify) return 2;
  if (variable && (size !== 0 || lengthBits !== 0)) return 3;
  const timeoutMs = (block[1] || DEFAULT_TIMEOUT_S) * 1000;
  // A current secret goes to its offset of its own, the new one to the other (bInsertionOffsetOld, bInsertionOffsetNew).
  const insertAt = position + 8 * (modify ? block[6]! : 0);
  const lengthAt = (block[4]! & 15) * (block[4]! & 0x10 ? 8 : 1) + 8 * (modify ? block[6]! : 0);
  const insert = (typed: Uint8Array): Uint8Array => {
    const width = coding === 1 ? 4 : 8;
    const data = variable ? new Uint8Array(Math.ceil((typed.length * width) / 8)) : apdu.slice(5);
    if (variable && width === 4 && typed.length % 2) data[data.length - 1] = 0x0f;
    const from = variable ? 0 : insertAt + (right ? 8 * size - width * typed.length : 0);
    typed.forEach((byte, i) => putBits(data, from + width * i, width, coding === 2 ? byte : byte & 15));
    if (lengthBits) putBits(data, lengthAt, lengthBits, typed.length);
    return Uint8Array.of(...apdu.subarray(0, 4), data.length, ...data);
  };
  return { modify, askCurrent, timeoutMs, min, max, insert };
}

/** CLA: first interindustry values, no chaining, no secure messaging (ISO 7816-4 §5.4.1); INS and P1 by the table. */
function forbidden(apdu: Uint8Array, modify: boolean, askCurrent: boolean, apduAt: number): number | undefined {
  if (apdu[0]! & 0xfc) return apduAt;
  const known = commands.filter((row) => row.ins === apdu[1] && row.modify === modify);
  const row = known.find(({ p1 }) => p1 === apdu[2]);
  if (row === undefined) return apduAt + (known.length ? 2 : 1);
  return row.askCurrent === askCurrent ? undefined : 9;
}

function putBits(data: Uint8Array, bit: number, count: number, value: number): void {
  for (let i = 0; i < count; i++) {
    const at = (bit + i) >> 3;
    const mask = 0x80 >> ((bit + i) & 7);
    if (at < data.length) data[at] = (data[at]! & ~mask) | ((value >> (count - 1 - i)) & 1 ? mask : 0);
  }
}
