import { bytes, CodecError, type Infer, struct, u32le, u8 } from "../codec/index.js";

/** PC_to_RDR_* message ids of the bulk-OUT pipe (CCID 1.1 §6.1). */
export const PC_to_RDR = {
  SetParameters: 0x61,
  IccPowerOn: 0x62,
  IccPowerOff: 0x63,
  GetSlotStatus: 0x65,
  Secure: 0x69,
  T0APDU: 0x6a,
  Escape: 0x6b,
  GetParameters: 0x6c,
  ResetParameters: 0x6d,
  IccClock: 0x6e,
  XfrBlock: 0x6f,
  Mechanical: 0x71,
  Abort: 0x72,
  SetDataRateAndClockFrequency: 0x73,
} as const;
/** RDR_to_PC_* message ids of the bulk-IN pipe (CCID 1.1 §6.2). */
export const RDR_to_PC = { DataBlock: 0x80, SlotStatus: 0x81, Parameters: 0x82, Escape: 0x83, DataRateAndClockFrequency: 0x84 } as const;
/** Interrupt-IN message ids (CCID 1.1 §6.3). */
export const notices = { NotifySlotChange: 0x50, HardwareError: 0x51 } as const;
/** Name of a PC_to_RDR message. */
export type CommandName = keyof typeof PC_to_RDR;
/** Name of a RDR_to_PC message. */
export type AnswerName = keyof typeof RDR_to_PC;

/** Which answer each command has (CCID 1.1 table 6.1-1). */
export const answerOf: Readonly<Record<CommandName, AnswerName>> = {
  SetParameters: "Parameters",
  IccPowerOn: "DataBlock",
  IccPowerOff: "SlotStatus",
  GetSlotStatus: "SlotStatus",
  Secure: "DataBlock",
  T0APDU: "SlotStatus",
  Escape: "Escape",
  GetParameters: "Parameters",
  ResetParameters: "Parameters",
  IccClock: "SlotStatus",
  XfrBlock: "DataBlock",
  Mechanical: "SlotStatus",
  Abort: "SlotStatus",
  SetDataRateAndClockFrequency: "DataRateAndClockFrequency",
};

/** The 10-byte header of every PC_to_RDR message; the three last bytes mean something else in each message. */
export const commandHeader = struct({ bMessageType: u8, dwLength: u32le, bSlot: u8, bSeq: u8, abSpecific: bytes(3) });
/** The 10-byte header of every RDR_to_PC message. */
export const answerHeader = struct({ bMessageType: u8, dwLength: u32le, bSlot: u8, bSeq: u8, bStatus: u8, bError: u8, bSpecific: u8 });
/** Length of both headers in bytes. */
export const headerLength = commandHeader.size;

/** bmICCStatus, bits 1..0 of bStatus (CCID 1.1 §6.2.6). */
export const iccStatus = { active: 0, inactive: 1, absent: 2 } as const;
/** bmCommandStatus, bits 7..6 of bStatus. */
export const commandStatus = { ok: 0, failed: 1, timeExtension: 2 } as const;
/** bError when bmCommandStatus is 1 (CCID 1.1 table 6.2-2). Values 1..127 are the offset of the bad field instead; 81h..C0h are the maker's own. */
export const slotError = {
  CMD_ABORTED: 0xff,
  ICC_MUTE: 0xfe,
  XFR_PARITY_ERROR: 0xfd,
  XFR_OVERRUN: 0xfc,
  HW_ERROR: 0xfb,
  BAD_ATR_TS: 0xf8,
  BAD_ATR_TCK: 0xf7,
  ICC_PROTOCOL_NOT_SUPPORTED: 0xf6,
  ICC_CLASS_NOT_SUPPORTED: 0xf5,
  PROCEDURE_BYTE_CONFLICT: 0xf4,
  DEACTIVATED_PROTOCOL: 0xf3,
  BUSY_WITH_AUTO_SEQUENCE: 0xf2,
  PIN_TIMEOUT: 0xf0,
  PIN_CANCELLED: 0xef,
  CMD_SLOT_BUSY: 0xe0,
  /** Our own: a T=0 card that does not know ENVELOPE was given more than 255 bytes of data. */
  NO_ENVELOPE: 0xc0,
  CMD_NOT_SUPPORTED: 0x00,
} as const;
/** Name of a bError value, or `undefined` when it is the offset of a bad field (1..127) or unknown. */
export function slotErrorName(bError: number): keyof typeof slotError | undefined {
  return (Object.keys(slotError) as (keyof typeof slotError)[]).find((name) => slotError[name] === bError);
}

/** A PC_to_RDR message in words. */
export interface Command {
  readonly name: CommandName;
  readonly slot: number;
  readonly sequence: number;
  /** The three message-specific bytes at offset 7 (e.g. bPowerSelect; bBWI and wLevelParameter). */
  readonly specific: readonly [number, number, number];
  readonly data: Uint8Array;
}
/** A RDR_to_PC message in words. */
export interface Answer {
  readonly name: AnswerName;
  readonly slot: number;
  readonly sequence: number;
  readonly icc: keyof typeof iccStatus;
  readonly status: keyof typeof commandStatus;
  /** bError: see {@link slotError}; with `timeExtension` the multiplier of BWT. */
  readonly error: number;
  /** bClockStatus, bChainParameter, bProtocolNum or bRFU, by message. */
  readonly specific: number;
  readonly data: Uint8Array;
}

const nameOf = <T extends Record<string, number>>(table: T, value: number): (keyof T & string) | undefined =>
  Object.keys(table).find((key) => table[key] === value);

/** Encodes a PC_to_RDR message. Throws CodecError when a field is out of range. */
export function encodeCommand(command: Command): Uint8Array<ArrayBuffer> {
  const head = commandHeader.encode({
    bMessageType: PC_to_RDR[command.name],
    dwLength: command.data.length,
    bSlot: command.slot,
    bSeq: command.sequence,
    abSpecific: Uint8Array.from(command.specific),
  });
  const message = new Uint8Array(head.length + command.data.length);
  message.set(head);
  message.set(command.data, head.length);
  return message;
}

/** Decodes a PC_to_RDR message; `undefined` when its id is not one. Throws CodecError when it is shorter or longer than dwLength says. */
export function decodeCommand(message: Uint8Array): Command | undefined {
  const { head, data } = split(commandHeader, message);
  const name = nameOf(PC_to_RDR, head.bMessageType);
  if (!name) return undefined;
  const [a, b, c] = head.abSpecific;
  return { name, slot: head.bSlot, sequence: head.bSeq, specific: [a!, b!, c!], data };
}

/** Encodes a RDR_to_PC message (for simulated readers). */
export function encodeAnswer(answer: Answer): Uint8Array<ArrayBuffer> {
  const head = answerHeader.encode({
    bMessageType: RDR_to_PC[answer.name],
    dwLength: answer.data.length,
    bSlot: answer.slot,
    bSeq: answer.sequence,
    bStatus: (commandStatus[answer.status] << 6) | iccStatus[answer.icc],
    bError: answer.error,
    bSpecific: answer.specific,
  });
  const message = new Uint8Array(head.length + answer.data.length);
  message.set(head);
  message.set(answer.data, head.length);
  return message;
}

/** Decodes a RDR_to_PC message; `undefined` when its id is not one or its status bits are reserved values. */
export function decodeAnswer(message: Uint8Array): Answer | undefined {
  const { head, data } = split(answerHeader, message);
  const name = nameOf(RDR_to_PC, head.bMessageType);
  const icc = nameOf(iccStatus, head.bStatus & 3);
  const status = nameOf(commandStatus, head.bStatus >> 6);
  if (!name || !icc || !status) return undefined;
  return { name, slot: head.bSlot, sequence: head.bSeq, icc, status, error: head.bError, specific: head.bSpecific, data };
}

function split<H extends typeof commandHeader | typeof answerHeader>(header: H, message: Uint8Array): { head: Infer<H>; data: Uint8Array } {
  const head = header.decode(message.subarray(0, header.size)) as Infer<H>;
  const data = message.slice(header.size);
  const length = (head as { dwLength: number }).dwLength;
  if (length !== data.length) throw new CodecError(1, `dwLength: says ${length}, ${data.length} bytes follow`);
  return { head, data };
}
