import { bytes, crc32, struct, u16le, u32le, u8 } from "../codec/index.js";

/**
 * What the black box writes down: one row for each kind of event, with what its two values mean. Redacted at the source: no INF, no
 * lengths, no historical bytes, serials or file ids; on the way of a secret no blocks at all. `fault`: goes to flash within 50 ms.
 */
export const blackBoxEvents = {
  boot: { id: 1, fault: true, a: "reason: 1 power, 2 watchdog, 3 fault, 4 asked for, 5 RUN pin", b: "–" },
  fault: { id: 2, fault: true, a: "exception number: 2 NMI, 3 HardFault, 16+ interrupt", b: "–" },
  faultPc: { id: 3, fault: true, a: "bits 23–16 of the program counter, as an offset in RAM", b: "bits 15–0" },
  faultLr: { id: 4, fault: true, a: "bits 23–16 of the link register, as an offset in RAM", b: "bits 15–0" },
  command: { id: 5, fault: false, a: "bMessageType of a CCID command", b: "bStatus (bits 15–8), bError (7–0)" },
  apdu: { id: 6, fault: false, a: "–", b: "SW1SW2" },
  cardFailed: { id: 7, fault: true, a: "card_result_t: why an exchange or an activation failed", b: "–" },
  blockSent: { id: 8, fault: false, a: "PCB of a T=1 block", b: "–" },
  blockReceived: {
    id: 9,
    fault: false,
    a: "PCB of a T=1 block; 0 for one that was none",
    b: "0 good, 1 garbled, 2 invalid, 3 silence, 4 stopped",
  },
  activated: { id: 10, fault: false, a: "voltage class 1 A, 2 B, 3 C", b: "protocol (bits 15–8), TA1 in use (7–0)" },
  card: { id: 11, fault: false, a: "1 inserted, 0 pulled", b: "–" },
  usb: { id: 12, fault: false, a: "0 not configured, 1 configured, 2 suspended", b: "–" },
  linkNoise: { id: 13, fault: false, a: "–", b: "bytes that were no good frame, since the last such event" },
  flashError: { id: 14, fault: false, a: "–", b: "erases of the log so far: which sector it was" },
  digest: { id: 15, fault: false, a: "CCID commands since the last record in flash, at most 255", b: "events since then" },
  erased: { id: 16, fault: true, a: "a person erased the black box with a hold on the pad", b: "–" },
} as const satisfies Record<string, { id: number; fault: boolean; a: string; b: string }>;

/** Name of a kind of event. */
export type BlackBoxEventName = keyof typeof blackBoxEvents;

/** One record as it stands in RAM and in flash, 16 bytes; the check is CRC-32 over the twelve before it. */
export const blackBoxRecord = struct({ sequence: u16le, boot: u16le, ms: u32le, kind: u8, a: u8, b: u16le, check: u32le });

/** Where records are: the ring in RAM, which survives resets, and the flash, which survives everything. */
export const blackBoxStore = { ring: 0, flash: 1 } as const;
/** Sizes of the two stores. A page is what one service message carries. */
export const blackBoxLimits = { ringRecords: 128, pageRecords: 8, erasesPerDay: 20, lastPage: 0xffff } as const;

/** Request data of service message 05. */
export const blackBoxRequest = struct({ store: u8, page: u16le });
/** Head of its answer, behind the status: the next page to ask for (FFFF: none), and how many records follow. */
export const blackBoxAnswer = struct({ next: u16le, count: u8 });

/** Answer data of service message 06, behind the status. */
export const healthLayout = struct({
  uptimeMs: u32le,
  bootCount: u32le,
  poweredSeconds: u32le,
  linkDiscarded: u32le,
  retries: u32le,
  parityErrors: u32le,
  flashErrors: u16le,
  sectors: u16le,
  stackUsed: u16le,
  stackSize: u16le,
});

/** How the reader has been since its last reset. Times of board life are powered time; counters start at 0 with each boot unless said otherwise. */
export interface Health {
  /** ms since the last reset. */
  readonly uptimeMs: number;
  /** Resets since power came, this one included. */
  readonly bootCount: number;
  /** Powered time that the black box knows of, in s, over all boots. */
  readonly poweredSeconds: number;
  /** Bytes on the link that were no good frame. */
  readonly linkDiscarded: number;
  /** T=1 blocks that had to be repeated. */
  readonly retries: number;
  /** Characters from the card with wrong parity. */
  readonly parityErrors: number;
  readonly flashErrors: number;
  /** Sectors of the black box begun over its whole life, mod 65536: each cost one erase at most. */
  readonly sectors: number;
  /** Deepest the main stack has been, and its size, in bytes. */
  readonly stackUsed: number;
  readonly stackSize: number;
}

/** One event, as a program sees it. */
export interface BlackBoxEvent {
  /** Counted mod 65536 over resets: the order of the ring. */
  readonly sequence: number;
  /** Boot count mod 65536, and ms since that boot. */
  readonly boot: number;
  readonly ms: number;
  /** Undefined: a kind that a newer reader knows. */
  readonly name: BlackBoxEventName | undefined;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
}

const names = new Map<number, BlackBoxEventName>(Object.entries(blackBoxEvents).map(([name, { id }]) => [id, name as BlackBoxEventName]));

/** The good records among these bytes, in their order; what has a wrong check (torn, erased, never written) is left out. */
export function decodeBlackBox(data: Uint8Array): BlackBoxEvent[] {
  const found: BlackBoxEvent[] = [];
  for (let at = 0; at + blackBoxRecord.size <= data.length; at += blackBoxRecord.size) {
    const record = data.subarray(at, at + blackBoxRecord.size);
    const { sequence, boot, ms, kind, a, b, check } = blackBoxRecord.decode(record);
    if (check === crc32(record.subarray(0, 12))) found.push({ sequence, boot, ms, kind, a, b, name: names.get(kind) });
  }
  return found;
}

/** One record's bytes: for tests and for readers that are played. */
export function encodeBlackBox(event: Omit<BlackBoxEvent, "name">): Uint8Array<ArrayBuffer> {
  const { sequence, boot, ms, kind, a, b } = event;
  const record = blackBoxRecord.encode({ sequence, boot, ms, kind, a, b, check: 0 });
  new DataView(record.buffer).setUint32(12, crc32(record.subarray(0, 12)), true);
  return record;
}

/** Decodes one page: what service message 05 answers. Throws CodecError when it is too short for what it says. */
export function decodeBlackBoxPage(data: Uint8Array): { readonly next: number | undefined; readonly events: readonly BlackBoxEvent[] } {
  const { next, count } = blackBoxAnswer.decode(data.subarray(0, blackBoxAnswer.size));
  const records = bytes(count * blackBoxRecord.size);
  const { all } = struct({ all: records }).decode(data.subarray(blackBoxAnswer.size, blackBoxAnswer.size + count * blackBoxRecord.size));
  return { next: next === blackBoxLimits.lastPage ? undefined : next, events: decodeBlackBox(all) };
}

/** Events in the order they happened, each once: ring and flash tell many of them both. */
export function mergeBlackBox(ring: readonly BlackBoxEvent[], flash: readonly BlackBoxEvent[]): BlackBoxEvent[] {
  const all = new Map([...flash, ...ring].map((event) => [`${event.boot} ${event.ms} ${event.sequence} ${event.kind}`, event]));
  // Boot counts begin anew when power was off for long: flash, in the order of its writing, says which boot came first.
  const boots = [...new Set([...flash, ...ring].map(({ boot }) => boot))];
  const late = (event: BlackBoxEvent): number => boots.indexOf(event.boot);
  return [...all.values()].sort((x, y) => late(x) - late(y) || x.ms - y.ms || ((x.sequence - y.sequence + 0x18000) & 0xffff) - 0x8000);
}
