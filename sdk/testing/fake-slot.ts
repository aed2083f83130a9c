import { baudRateD, cardClockHz, ccidClaims, clockRateF, type CommandName, type iccStatus, slotError } from "@inkan/device-proto";
import { parseAtr } from "../src/iso7816/atr.js";
import type { FakeReaderCard } from "./fake-reader.js";

/** A PC_to_RDR message as it came: `name` is undefined when there is no such one. */
export interface RawCommand {
  readonly type: number;
  readonly name: CommandName | undefined;
  readonly slot: number;
  readonly sequence: number;
  readonly specific: readonly [number, number, number];
  /** dwLength. */
  readonly says: number;
  readonly data: Uint8Array;
}

/** What a message needs, and how long its data may be. */
interface Row {
  readonly needs: "nothing" | "slot" | "card" | "power";
  readonly least: number;
  readonly most: number;
}

/** Longest APDU, and longest PIN template with one in it. */
const XFR_MAX = ccidClaims.dwMaxCCIDMessageLength - 10;
const PIN_BLOCK_MAX = 286;
const rows: Readonly<Record<CommandName, Row>> = {
  IccPowerOn: { needs: "card", least: 0, most: 0 },
  IccPowerOff: { needs: "slot", least: 0, most: 0 },
  GetSlotStatus: { needs: "nothing", least: 0, most: 0 },
  XfrBlock: { needs: "power", least: 0, most: XFR_MAX },
  GetParameters: { needs: "power", least: 0, most: 0 },
  ResetParameters: { needs: "power", least: 0, most: 0 },
  SetParameters: { needs: "power", least: 5, most: 7 },
  IccClock: { needs: "power", least: 0, most: 0 },
  T0APDU: { needs: "card", least: 0, most: 0 },
  Secure: { needs: "power", least: 1, most: PIN_BLOCK_MAX },
  SetDataRateAndClockFrequency: { needs: "power", least: 8, most: 8 },
  Abort: { needs: "nothing", least: 0, most: 0 },
  Escape: { needs: "nothing", least: 0, most: XFR_MAX },
  Mechanical: { needs: "nothing", least: 0, most: 0 },
};
/** Offsets of header fields: the bError of a wrong one (table 6.2-2). */
const AT = { length: 1, slot: 5, specific: 7, data: 10 } as const;

/** The one slot behind the faces of a fake reader: the card, its power, and whose it is. */
export class FakeSlot {
  card: FakeReaderCard | undefined;
  /** Which face powered the card on. */
  owner: object | undefined;
  /** Which face runs a command. */
  running: object | undefined;
  #atr: Uint8Array | undefined;

  get icc(): keyof typeof iccStatus {
    return this.card === undefined ? "absent" : this.#atr === undefined ? "inactive" : "active";
  }
  /** The protocol in use: the first one the card offers. */
  get protocol(): number {
    return this.#atr === undefined ? 0 : parseAtr(this.#atr).protocols[0]!.t;
  }

  powerOn(face: object): Uint8Array {
    this.#atr = this.card!.powerOn();
    this.owner = face;
    return this.#atr;
  }
  powerOff(): void {
    this.#atr = undefined;
    this.owner = undefined;
  }

  /** What is wrong with a whole message before its handler sees it: bError, in the order the reader judges. */
  refusal(face: object, { name, slot, says, data }: RawCommand): number | undefined {
    if (says !== data.length) return AT.length;
    if (slot !== 0) return AT.slot;
    if (name === undefined) return slotError.CMD_NOT_SUPPORTED;
    const { needs, least, most } = rows[name];
    if (data.length < least || data.length > most) return AT.length;
    if (needs === "nothing") return undefined;
    if (this.icc === "active" && this.owner !== face) return slotError.CMD_SLOT_BUSY;
    if (needs === "slot") return undefined;
    if (this.icc === "absent" || (needs === "power" && this.icc !== "active")) return slotError.ICC_MUTE;
    return undefined;
  }

  /** abProtocolDataStructure in use (CCID 1.1 §6.2.3). */
  parameters(): Uint8Array {
    const { fi, di, guard, protocol, extra } = this.#line();
    const fidi = (fi << 4) | di;
    if (protocol === 0) return Uint8Array.of(fidi, 0, guard, 10, 0);
    return Uint8Array.of(fidi, extra.edc === "crc" ? 0x11 : 0x10, guard, (extra.bwi << 4) | extra.cwi, 0, extra.ifsc, 0);
  }

  /** What PC_to_RDR_SetParameters asks for: the parameters in use, or the offset of a bad field. The reader has negotiated; it only tells. */
  setParameters(protocol: number, data: Uint8Array): Uint8Array | number {
    if (protocol !== this.protocol) return AT.specific;
    const t1 = protocol === 1;
    if (data.length !== (t1 ? 7 : 5)) return AT.length;
    const bad = [
      !clockRateF[data[0]! >> 4] || !baudRateD[data[0]! & 15],
      (data[1]! & ~(t1 ? 3 : 2)) !== (t1 ? 0x10 : 0),
      false,
      t1 ? data[3]! >> 4 > 9 : data[3] === 0,
      data[4]! > 3,
      t1 && (data[5] === 0 || data[5] === 0xff),
      t1 && data[6] !== 0,
    ].indexOf(true);
    return bad < 0 ? this.parameters() : AT.data + bad;
  }

  /** The clock and the rate in use, kHz and bit/s, or the offset of a bad field: the reader gives the nearest it has. */
  dataRate(data: Uint8Array): Uint8Array | number {
    const asked = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (asked.getUint32(0, true) === 0) return AT.data;
    if (asked.getUint32(4, true) === 0) return AT.data + 4;
    const { fi, di } = this.#line();
    const answer = new DataView(new ArrayBuffer(8));
    answer.setUint32(0, Math.floor(cardClockHz / 1000), true);
    answer.setUint32(4, Math.floor((cardClockHz * baudRateD[di]!) / (clockRateF[fi] || 372)), true);
    return new Uint8Array(answer.buffer);
  }

  #line(): { fi: number; di: number; guard: number; protocol: number; extra: { ifsc: number; cwi: number; bwi: number; edc: string } } {
    const { groups, extraGuard, protocols } = parseAtr(this.#atr!);
    const ta1 = groups.find(({ i }) => i === 1)?.ta ?? 0x11;
    const first = protocols[0]!;
    const extra = first.t === 1 && "ifsc" in first ? first : { ifsc: 32, cwi: 13, bwi: 4, edc: "lrc" };
    return { fi: ta1 >> 4, di: ta1 & 15, guard: extraGuard, protocol: first.t, extra };
  }
}
