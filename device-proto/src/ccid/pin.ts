import { bytes, rest, struct, u16le, u8 } from "../codec/index.js";

/** abPINOperation: first byte of PC_to_RDR_Secure's data (CCID 1.1 §6.1.11). */
export const pinOperation = { verify: 0, modify: 1 } as const;

/** abPINDataStructure for PIN verification (CCID 1.1 §6.1.11), bPINOperation included. */
export const pinVerifyBlock = struct({
  bPINOperation: u8,
  /** Seconds; 0 = the reader's default. */
  bTimeOut: u8,
  /** bit 7: unit is bytes; bits 6–3 position of the PIN; bit 2 right justification; bits 1–0: 0 binary, 1 BCD, 2 ASCII. */
  bmFormatString: u8,
  /** bits 7–4 size of the length field in bits; bits 3–0 PIN block size in bytes. */
  bmPINBlockString: u8,
  /** bit 4: unit of the length position is bytes; bits 3–0 the position. */
  bmPINLengthFormat: u8,
  /** low byte: most characters, high byte: fewest (little-endian word XXYYh with XX = minimum, YY = maximum). */
  wPINMaxExtraDigit: u16le,
  /** bit 0 maximum reached, bit 1 validation key, bit 2 timeout. */
  bEntryValidationCondition: u8,
  bNumberMessage: u8,
  wLangId: u16le,
  bMsgIndex: u8,
  /** NAD, PCB, LEN of T=1 at TPDU level; 0 at APDU level. */
  bTeoPrologue: bytes(3),
  abPINApdu: rest,
});

/** abPINDataStructure for PIN modification (CCID 1.1 §6.1.12), bPINOperation included. Message indexes 2 and 3 exist by bNumberMessage and stand at the start of `tail`. */
export const pinModifyBlock = struct({
  bPINOperation: u8,
  bTimeOut: u8,
  bmFormatString: u8,
  bmPINBlockString: u8,
  bmPINLengthFormat: u8,
  bInsertionOffsetOld: u8,
  bInsertionOffsetNew: u8,
  wPINMaxExtraDigit: u16le,
  /** bit 0: confirm the new PIN, bit 1: ask the current PIN. */
  bConfirmPIN: u8,
  bEntryValidationCondition: u8,
  bNumberMessage: u8,
  wLangId: u16le,
  bMsgIndex1: u8,
  /** bMsgIndex2 and bMsgIndex3 as far as bNumberMessage and bConfirmPIN ask for them, bTeoPrologue (3), abPINApdu. */
  tail: rest,
});

/** A command that may carry a secret from the pad to the card. */
export interface SecureCommand {
  readonly name: string;
  readonly ins: number;
  readonly p1: number;
  readonly operation: keyof typeof pinOperation;
  /** Modification: the current secret (or the resetting code) is typed, too, and goes first. */
  readonly askCurrent: boolean;
  /** Only where the product definition enables it. */
  readonly ifProductAllows?: true;
}

/**
 * The secure path: nothing else takes a secret from the pad. CLA is 00…03 (first interindustry values, ISO 7816-4 §5.4.1: no chaining, no
 * secure messaging). `24 01` is new data only, after a VERIFY: with the current secret before it, the card would take both for the new one.
 */
export const securePath: readonly SecureCommand[] = [
  { name: "VERIFY", ins: 0x20, p1: 0x00, operation: "verify", askCurrent: false },
  { name: "CHANGE REFERENCE DATA, current and new", ins: 0x24, p1: 0x00, operation: "modify", askCurrent: true },
  { name: "CHANGE REFERENCE DATA, new", ins: 0x24, p1: 0x01, operation: "modify", askCurrent: false },
  { name: "RESET RETRY COUNTER, code and new", ins: 0x2c, p1: 0x00, operation: "modify", askCurrent: true, ifProductAllows: true },
  { name: "RESET RETRY COUNTER, code", ins: 0x2c, p1: 0x01, operation: "verify", askCurrent: false, ifProductAllows: true },
  { name: "RESET RETRY COUNTER, new", ins: 0x2c, p1: 0x02, operation: "modify", askCurrent: false, ifProductAllows: true },
];
