import { cardClockHz } from "./descriptors.js";
import { type AnswerName, answerOf, type CommandName, type iccStatus, PC_to_RDR, slotError } from "./messages.js";

/**
 * Every PC_to_RDR message under every condition, and what CCID 1.1 prescribes for it. The order in which a message is judged, where more than
 * one thing is wrong: transfer length, bSlot, message id, dwLength, owner of the slot, card, then the fields from the left.
 */
export const conditions = {
  valid: "as the standard has it, card powered",
  "header-field": "each of the three message-specific bytes of the header out of its range (§6.1.x)",
  "data-field": "each field of abData out of its range (table 6.2-2: bError is the field's offset)",
  "wrong-slot": "bSlot names a slot there is not (bError 05, bmICCStatus 2)",
  "length-table": "dwLength is not what this message can have (bError 01)",
  "transfer-short": "the transfer ends before dwLength is there (bError 01)",
  "transfer-long": "the transfer goes on behind dwLength (bError 01)",
  "short-header": "a transfer of fewer than ten bytes: it has no bSeq to answer to, and is no message",
  "busy-same-pipe": "another command of this face runs (CMD_SLOT_BUSY; status and abort are answered)",
  "busy-other-face": "a command of the other face runs",
  "other-face-owns": "the other face powered the card on",
  "no-card": "the slot is empty (ICC_MUTE, bmICCStatus 2)",
  unpowered: "a card without power (ICC_MUTE, bmICCStatus 1)",
  "card-fails": "a mute card, and one that draws too much (HW_ERROR)",
} as const;
/** A column of the matrix. */
export type Condition = keyof typeof conditions;

/** What the slot and the faces are like when the message comes. `taken` = the other face owns the powered card; `t0` = a powered T=0 card. */
export type World = "powered" | "t0" | "unpowered" | "empty" | "taken" | "busy" | "busy-elsewhere" | "mute" | "mute-later" | "over-current";

/** A message as bytes on the pipe, header included; and how much of it is sent, which may differ from what its dwLength says. */
export interface MatrixMessage {
  readonly id: number;
  readonly slot: number;
  readonly specific: readonly [number, number, number];
  readonly data: Uint8Array;
  /** dwLength; the data's length where it tells the truth. */
  readonly says: number;
  /** The transfer is cut to so many bytes, header included. */
  readonly cutTo?: number;
}

/** What comes back. */
export interface MatrixAnswer {
  readonly type: AnswerName;
  readonly icc: keyof typeof iccStatus;
  readonly failed: boolean;
  /** bError; 0 when it did not fail, or for CMD_NOT_SUPPORTED. */
  readonly error: number;
  /** bClockStatus, bProtocolNum or bChainParameter. */
  readonly specific: number;
  /** Length of abData, or its bytes; absent = whatever the card says, at least two bytes. */
  readonly data?: number | Uint8Array;
}

/** One cell, or one of several in a cell. */
export interface MatrixCase {
  readonly message: CommandName;
  readonly condition: Condition;
  /** What is special about it, unique among the cases of its cell. */
  readonly what: string;
  readonly world: World;
  readonly send: MatrixMessage;
  /** `undefined`: no answer at all. */
  readonly answer: MatrixAnswer | undefined;
}

const none = new Uint8Array(0);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const u32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
const clockKHz = Math.floor(cardClockHz / 1000);

/** PIN verification of an ISO VERIFY with the PIN in ASCII, four digits: one field of each kind that can be wrong. */
const verifyBlock = Uint8Array.of(0, 30, 0x82, 0x00, 0x00, 4, 4, 2, 1, 9, 4, 0, 0, 0, 0, 0x00, 0x20, 0x00, 0x80);
/** The same for modification: new secret only, as JPKI changes one after a VERIFY. */
const modifyBlock = Uint8Array.of(1, 30, 0x82, 0x00, 0x00, 0, 0, 4, 4, 1, 2, 1, 9, 4, 0, 0, 0, 0, 0, 0x00, 0x24, 0x01, 0x80);
const changed = (data: Uint8Array, at: number, value: number): Uint8Array => data.map((byte, i) => (i === at ? value : byte));

type Needs = "nothing" | "slot" | "card" | "power";
interface Field {
  readonly name: string;
  /** Offset in the message. */
  readonly at: number;
  /** Values that are refused, or a sentence why there are none. */
  readonly bad: readonly number[] | string;
  /** The rest of the message, where the field must be looked at with another one than the valid. */
  readonly specific?: readonly [number, number, number];
  readonly data?: Uint8Array;
  readonly world?: World;
}
interface Row {
  readonly needs: Needs;
  /** Answered CMD_NOT_SUPPORTED whatever it says: the class descriptor does not claim it. */
  readonly unsupported?: string;
  readonly specific: readonly [number, number, number];
  readonly data: Uint8Array;
  /** Which dwLength are refused, or why none is. */
  readonly wrongLengths: readonly number[] | string;
  /** The three bytes at offsets 7, 8 and 9, each named. */
  readonly header: readonly Field[];
  readonly fields: readonly Field[] | string;
  /** abData of the answer when it succeeds. */
  readonly gives: number | Uint8Array | undefined;
  /** Where a failing card shows: each world with the bError, or why it cannot. */
  readonly fails: readonly (readonly [World, number])[] | string;
  /** More that succeeds. */
  readonly also?: readonly { readonly what: string; readonly specific: readonly [number, number, number]; readonly data?: Uint8Array }[];
  /** A valid run waits for a person: it is told as a story. */
  readonly person?: true;
}

const reserved = (at: number, count: number): Field => ({
  name: "abRFU",
  at,
  bad: `reserved for future use (${count} bytes): not looked at, so that a host of a later edition is understood`,
});
const noData = "the message has no data (§6.1): any is a wrong dwLength";
const cardIsNotAsked = "the card is not asked: what is answered is the reader's own";
const t1Parameters = Uint8Array.of(0x11, 0x10, 0x00, 0x4d, 0x00, 0xfe, 0x00);
const t0Parameters = Uint8Array.of(0x11, 0x00, 0x00, 0x0a, 0x00);
const parametersField = (name: string, offset: number, bad: readonly number[]): Field => ({ name, at: offset, bad });
const reservedFd = [0x71, 0x81, 0xe1, 0xf1, 0x10, 0x1a, 0x1f];
const t0Field = (name: string, at: number, bad: readonly number[]): Field => ({
  name,
  at,
  bad,
  specific: [0, 0, 0],
  data: t0Parameters,
  world: "t0",
});

/** The messages: what they need, what their fields may hold. §6.1 of CCID 1.1, message by message. */
const rows: Readonly<Record<CommandName, Row>> = {
  IccPowerOn: {
    needs: "card",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 261],
    header: [{ name: "bPowerSelect", at: 7, bad: range(4, 255) }, reserved(8, 2)],
    fields: noData,
    gives: undefined,
    fails: [
      ["mute", slotError.ICC_MUTE],
      ["over-current", slotError.HW_ERROR],
    ],
    also: [1, 2, 3].map((voltage) => ({ what: `bPowerSelect ${voltage}`, specific: [voltage, 0, 0] as const })),
  },
  IccPowerOff: {
    needs: "slot",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 300],
    header: [reserved(7, 3)],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
  },
  GetSlotStatus: {
    needs: "nothing",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 54],
    header: [reserved(7, 3)],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
  },
  XfrBlock: {
    needs: "power",
    specific: [0, 0, 0],
    data: Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x04),
    wrongLengths: [0, 1, 2, 3, 65545],
    header: [
      { name: "bBWI", at: 7, bad: "has a meaning at character and TPDU level only (§6.1.4)" },
      // 0010h goes on with an answer that was begun; this reader's messages hold every answer whole, so there never is one.
      { name: "wLevelParameter, low byte", at: 8, bad: [2, 3, ...range(4, 255)] },
      { name: "wLevelParameter, high byte", at: 9, bad: range(1, 255) },
    ],
    fields: "an APDU: what its bytes mean is the card's",
    gives: undefined,
    fails: [
      ["mute-later", slotError.ICC_MUTE],
      ["over-current", slotError.HW_ERROR],
    ],
    also: [{ what: "bBWI FF is not looked at", specific: [255, 0, 0] }],
  },
  GetParameters: {
    needs: "power",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 7],
    header: [reserved(7, 3)],
    fields: noData,
    gives: 7,
    fails: cardIsNotAsked,
  },
  ResetParameters: {
    needs: "power",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 7],
    header: [reserved(7, 3)],
    fields: noData,
    gives: 7,
    fails: cardIsNotAsked,
  },
  SetParameters: {
    needs: "power",
    specific: [1, 0, 0],
    data: t1Parameters,
    wrongLengths: [0, 4, 5, 6, 8],
    // 0 is a protocol, but not the one in use: with dwFeatures 40h the reader alone chooses it
    header: [{ name: "bProtocolNum", at: 7, bad: [0, ...range(2, 255)] }, reserved(8, 2)],
    fields: [
      parametersField("bmFindexDindex", 10, reservedFd),
      parametersField("bmTCCKST1", 11, [0x00, 0x0f, 0x14, 0x18, 0x20, 0x30, 0x90, 0xff]),
      { name: "bGuardTimeT1", at: 12, bad: "every value is one (00 to FF)" },
      parametersField("bWaitingIntegersT1", 13, [0xa0, 0xad, 0xff]),
      parametersField("bClockStop", 14, [4, 0x10, 0xff]),
      parametersField("bIFSC", 15, [0x00, 0xff]),
      parametersField("bNadValue", 16, [0x01, 0x10, 0xff]),
      t0Field("bmFindexDindex", 10, reservedFd),
      t0Field("bmTCCKST0", 11, [0x01, 0x03, 0x04, 0x10, 0x80]),
      t0Field("bWaitingIntegerT0", 13, [0]),
      t0Field("bClockStop", 14, [4, 0xff]),
    ],
    gives: 7,
    fails: cardIsNotAsked,
  },
  // 01 stops the clock of a card that allows it (TA for T=15); the matrix's card does not
  IccClock: {
    needs: "power",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 64],
    header: [{ name: "bClockCommand", at: 7, bad: range(1, 255) }, reserved(8, 2)],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
  },
  T0APDU: {
    needs: "card",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 8],
    header: [
      { name: "bmChanges", at: 7, bad: range(4, 255) },
      { name: "bClassGetResponse", at: 8, bad: [0x00, 0xc0, 0xfe], specific: [1, 0xff, 0xff] },
      { name: "bClassEnvelope", at: 9, bad: [0x00, 0xc2, 0xfe], specific: [2, 0xff, 0xff] },
    ],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
    also: [
      { what: "both classes echoed", specific: [3, 0xff, 0xff] },
      { what: "a class that is not changed is not looked at", specific: [0, 0xc0, 0xc2] },
    ],
  },
  Secure: {
    needs: "power",
    specific: [0, 0, 0],
    data: verifyBlock,
    wrongLengths: [0, 300],
    header: [
      { name: "bBWI", at: 7, bad: "has a meaning at character and TPDU level only (§6.1.11)" },
      // in parts (§6.1.11) only a block longer than one message would come; the longest is 286 bytes
      { name: "wLevelParameter, low byte", at: 8, bad: range(1, 255) },
      { name: "wLevelParameter, high byte", at: 9, bad: range(1, 255) },
    ],
    fields: [
      { name: "bPINOperation", at: 10, bad: range(2, 255) },
      { name: "bmFormatString", at: 12, bad: [0x83, 0x87] },
      { name: "bmPINBlockString", at: 13, bad: [0x08, 0x10] },
      { name: "wPINMaxExtraDigit", at: 15, bad: [1, 2, 3] },
      { name: "bTeoPrologue PCB", at: 23, bad: [0x20, 0x80, 0xa0, 0xc1] },
      { name: "CLA", at: 25, bad: [0x04, 0x08, 0x10, 0x80, 0xff] },
      { name: "INS", at: 26, bad: [0x00, 0x21, 0x24, 0x2a, 0xa4] },
      { name: "P1", at: 27, bad: [0x01, 0x80, 0xff] },
      { name: "modify: bConfirmPIN", at: 19, bad: [4, 0x10, 0xff], data: modifyBlock },
      { name: "modify: bConfirmPIN asks for the current one, P1 says new only", at: 19, bad: [2, 3], data: modifyBlock },
      { name: "modify: bNumberMessage", at: 21, bad: [4, 0x7f], data: modifyBlock },
      { name: "modify: INS", at: 30, bad: [0x20, 0x2c], data: modifyBlock },
    ],
    gives: undefined,
    fails: "what a card does behind the pad is told as stories",
    person: true,
  },
  SetDataRateAndClockFrequency: {
    needs: "power",
    specific: [0, 0, 0],
    data: Uint8Array.of(...u32(clockKHz), ...u32(9600)),
    wrongLengths: [0, 7, 9],
    header: [reserved(7, 3)],
    fields: [
      { name: "dwClockFrequency", at: 10, bad: [], data: Uint8Array.of(0, 0, 0, 0, ...u32(9600)) },
      { name: "dwDataRate", at: 14, bad: [], data: Uint8Array.of(...u32(clockKHz), 0, 0, 0, 0) },
    ],
    gives: 8,
    fails: cardIsNotAsked,
  },
  Escape: {
    needs: "nothing",
    unsupported: "nothing of the manufacturer's own goes this way: services have their own channel",
    specific: [0, 0, 0],
    data: Uint8Array.of(1, 2),
    wrongLengths: [65545],
    header: [reserved(7, 3)],
    fields: "the manufacturer's: none is known",
    gives: 0,
    fails: cardIsNotAsked,
  },
  Mechanical: {
    needs: "nothing",
    unsupported: "dwMechanical is 0",
    specific: [1, 0, 0],
    data: none,
    wrongLengths: [1],
    header: [{ name: "bFunction", at: 7, bad: "none is supported: see valid" }, reserved(8, 2)],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
    also: [2, 3, 4, 5].map((bFunction) => ({ what: `bFunction ${bFunction}`, specific: [bFunction, 0, 0] as const })),
  },
  Abort: {
    needs: "nothing",
    specific: [0, 0, 0],
    data: none,
    wrongLengths: [1, 10],
    header: [reserved(7, 3)],
    fields: noData,
    gives: 0,
    fails: cardIsNotAsked,
  },
};

/** Cells without a case, and why: the meta-test wants a case or a reason for every cell. */
export const withoutCase: readonly { readonly message: CommandName; readonly condition: Condition; readonly why: string }[] =
  namesOf().flatMap((message) => {
    const row = rows[message];
    return [
      ...(typeof row.fields === "string" ? [{ message, condition: "data-field" as const, why: row.fields }] : []),
      ...(typeof row.fails === "string" ? [{ message, condition: "card-fails" as const, why: row.fails }] : []),
      ...(row.person ? [{ message, condition: "valid" as const, why: "waits for a person: told as stories of the pad" }] : []),
    ];
  });

function namesOf(): CommandName[] {
  return Object.keys(PC_to_RDR) as CommandName[];
}

const iccOf: Readonly<Record<World, keyof typeof iccStatus>> = {
  powered: "active",
  t0: "active",
  unpowered: "inactive",
  empty: "absent",
  taken: "active",
  busy: "active",
  "busy-elsewhere": "active",
  mute: "inactive",
  "mute-later": "inactive",
  "over-current": "inactive",
};

/** bSpecific of an answer: bClockStatus 00 runs, 01 stopped low; bProtocolNum; bChainParameter 00. */
function specificOf(type: AnswerName, icc: keyof typeof iccStatus, protocol: number): number {
  if (type === "SlotStatus") return icc === "active" ? 0 : 1;
  return type === "Parameters" && icc === "active" ? protocol : 0;
}

function build(): MatrixCase[] {
  const cases: MatrixCase[] = [];
  for (const message of namesOf()) {
    const row = rows[message];
    const type = answerOf[message];
    const sendOf = (change: Partial<MatrixMessage> = {}): MatrixMessage => {
      const data = change.data ?? row.data;
      return { id: PC_to_RDR[message], slot: 0, specific: row.specific, says: data.length, ...change, data };
    };
    /** A failed answer has no data; a good one has what the row says. */
    const answer = (world: World, error?: number): MatrixAnswer => {
      const icc = iccOf[world];
      const given = error === undefined ? row.gives : 0;
      const specific = specificOf(type, icc, world === "t0" ? 0 : 1);
      return { type, icc, failed: error !== undefined, error: error ?? 0, specific, ...(given === undefined ? {} : { data: given }) };
    };
    const add = (condition: Condition, what: string, world: World, send: MatrixMessage, expected: MatrixAnswer | undefined): void =>
      void cases.push({ message, condition, what, world, send, answer: expected });
    const unsupported = row.unsupported === undefined ? undefined : slotError.CMD_NOT_SUPPORTED;
    /** What a good message gives. */
    const good = (world: World): MatrixAnswer => {
      const after = message === "IccPowerOff" ? (world === "empty" ? "empty" : "unpowered") : message === "IccPowerOn" ? "powered" : world;
      return answer(after, unsupported);
    };

    if (!row.person) {
      add("valid", "as it should be", "powered", sendOf(), good("powered"));
      for (const more of row.also ?? []) add("valid", more.what, "powered", sendOf(more), good("powered"));
    }

    const wrongField = (condition: Condition, field: Field): void => {
      const world = field.world ?? "powered";
      const base = sendOf({ ...(field.specific ? { specific: field.specific } : {}), ...(field.data ? { data: field.data } : {}) });
      if (typeof field.bad === "string") {
        if (field.at >= 10) return;
        const loud = base.specific.map((byte, i) => (i + 7 >= field.at && field.name === "abRFU" ? 0xff : byte));
        const specific = [loud[0]!, loud[1]!, loud[2]!] as const;
        // a byte that means nothing changes nothing
        if (field.name === "abRFU") add(condition, "abRFU FF", "powered", sendOf({ specific }), good("powered"));
        return;
      }
      if (field.bad.length === 0) add(condition, `${field.name} 0`, world, base, answer(world, field.at));
      for (const value of field.bad) {
        const specific = base.specific.map((byte, i) => (i + 7 === field.at ? value : byte)) as [number, number, number];
        const data = field.at >= 10 ? changed(base.data, field.at - 10, value) : base.data;
        // the high byte of wLevelParameter belongs to the field at 8
        const error = field.name.endsWith("high byte") ? field.at - 1 : field.at;
        add(condition, `${field.name} ${value.toString(16)} (${world})`, world, { ...base, specific, data }, answer(world, error));
      }
    };
    for (const field of row.header) wrongField("header-field", field);
    // A message that is not supported, and one whose three bytes all mean something or nothing: its cell says so with the bytes at FF.
    if (!cases.some((one) => one.message === message && one.condition === "header-field"))
      add("header-field", "FF FF FF", "powered", sendOf({ specific: [255, 255, 255] }), good("powered"));
    if (typeof row.fields !== "string") for (const field of row.fields) wrongField("data-field", field);

    for (const slot of [1, 2, 127, 255])
      add("wrong-slot", `bSlot ${slot}`, "powered", sendOf({ slot }), {
        type,
        icc: "absent",
        failed: true,
        error: 5,
        specific: specificOf(type, "absent", 0),
        data: 0,
      });

    for (const length of typeof row.wrongLengths === "string" ? [] : row.wrongLengths) {
      const data = new Uint8Array(length).fill(row.data.length ? row.data[0]! : 0);
      add("length-table", `dwLength ${length}`, "powered", sendOf({ data }), answer("powered", 1));
    }
    const long = sendOf({ data: Uint8Array.of(...row.data, 0, 0, 0), says: row.data.length });
    add("transfer-long", "three bytes more", "powered", long, answer("powered", 1));
    const more = row.data.length + 30;
    add("transfer-short", `${more} bytes are told, ${row.data.length} come`, "powered", sendOf({ says: more }), answer("powered", 1));
    add("transfer-short", "FFFFFFFF is told", "powered", sendOf({ says: 0xffffffff }), answer("powered", 1));
    for (const cutTo of [1, 5, 9]) add("short-header", `${cutTo} bytes`, "powered", sendOf({ cutTo }), undefined);

    const whileBusy = (world: World): MatrixAnswer =>
      answer(world, message === "GetSlotStatus" || (message === "Abort" && world !== "busy") ? undefined : slotError.CMD_SLOT_BUSY);
    // Abort on the busy pipe itself is what ends the command: told as a story, and here by another slot's number, which is refused at once.
    if (message === "Abort")
      add("busy-same-pipe", "of a slot there is not", "busy", sendOf({ slot: 1 }), { ...answer("busy", 5), icc: "absent", specific: 1 });
    else add("busy-same-pipe", "as it should be", "busy", sendOf(), whileBusy("busy"));
    if (message === "GetSlotStatus") {
      const withData = sendOf({ data: Uint8Array.of(0) });
      add("busy-same-pipe", "with data", "busy", withData, answer("busy", 1));
      add("busy-other-face", "with data", "busy-elsewhere", withData, answer("busy-elsewhere", 1));
      add("busy-same-pipe", "a byte behind it", "busy", { ...withData, says: 0 }, answer("busy", 1));
    }
    add("busy-other-face", "as it should be", "busy-elsewhere", sendOf(), whileBusy("busy-elsewhere"));
    const owned = row.needs === "nothing" ? good("taken") : answer("taken", slotError.CMD_SLOT_BUSY);
    add("other-face-owns", "as it should be", "taken", sendOf(), owned);

    const needsCard = row.needs === "card" || row.needs === "power";
    add("no-card", "as it should be", "empty", sendOf(), needsCard ? answer("empty", slotError.ICC_MUTE) : good("empty"));
    add(
      "unpowered",
      "as it should be",
      "unpowered",
      sendOf(),
      row.needs === "power" ? answer("unpowered", slotError.ICC_MUTE) : good("unpowered"),
    );
    if (typeof row.fails !== "string")
      for (const [world, error] of row.fails) add("card-fails", world, world, sendOf(), answer(world, error));
  }
  return cases;
}

/** The whole table. */
export const ccidMatrix: readonly MatrixCase[] = build();

/** Ids of bulk-OUT messages that are none: answered RDR_to_PC_SlotStatus, failed, CMD_NOT_SUPPORTED (§6.2.6). */
export const unknownMessages: readonly number[] = range(0, 255).filter((id) => !(Object.values(PC_to_RDR) as number[]).includes(id));

/** A case's bytes with this sequence number. */
export function matrixBytes({ id, slot, specific, data, says, cutTo }: MatrixMessage, sequence: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(10 + data.length);
  message.set([id, ...u32(says), slot, sequence, ...specific]);
  message.set(data, 10);
  return cutTo === undefined ? message : message.slice(0, cutTo);
}
