import { diTable, fiTable } from "@inkan/device-proto/pio";

/** What the line needs to know of an ATR (ISO 7816-3 §8.2). */
export type LineParameters = {
  inverse: boolean;
  /** TA1, or 0x11 when absent. */
  fidi: number;
  /** TC1: extra guard time, 255 = the shortest. */
  extraGuard: number;
  /** TA2 present: no PPS, `fidi` holds right after the ATR. */
  specific: boolean;
  ifsc: number;
  bwi: number;
  cwi: number;
  crc: boolean;
  /** Bits 8 and 7 of TA for T=15: 0 = the clock must not stop, 1 = low, 2 = high, 3 = either. */
  clockStop?: number;
};

/** {@link LineParameters.clockStop} of any ATR, T=0 cards' too (ISO 7816-3 §8.3: the first TA after a TD naming T=15). */
export function clockStopOf(atr: Uint8Array): number {
  let at = 2;
  let present = atr[1]! >> 4;
  let protocol = -1;
  for (let i = 1; present; i++) {
    if (present & 1 && protocol === 15 && i > 2) return atr[at]! >> 6;
    at += (present & 1) + ((present >> 1) & 1) + ((present >> 2) & 1);
    if (!(present & 8)) break;
    protocol = atr[at]! & 15;
    present = atr[at++]! >> 4;
  }
  return 0;
}

/** Card clocks per etu for a TA1 value. @throws RangeError for a reserved one. */
export function etuClocks(fidi: number): number {
  const f = fiTable[fidi >> 4];
  const d = diTable[fidi & 15];
  if (!f || !d) throw new RangeError(`Fi/Di ${fidi.toString(16)} is reserved`);
  return f / d;
}

/** Reads the interface bytes of an ATR offering T=1. @throws RangeError when it does not. */
export function lineParameters(atr: Uint8Array): LineParameters {
  const p: LineParameters = {
    inverse: atr[0] === 0x3f,
    fidi: 0x11,
    extraGuard: 0,
    specific: false,
    ifsc: 32,
    bwi: 4,
    cwi: 13,
    crc: false,
    clockStop: clockStopOf(atr),
  };
  let at = 2;
  let present = atr[1]! >> 4;
  let protocol = -1;
  let seenT1 = false;
  for (let i = 1; present; i++) {
    const first = protocol === 1 && i > 2 && !seenT1;
    if (present & 1) {
      const ta = atr[at++]!;
      if (i === 1) p.fidi = ta;
      else if (i === 2) p.specific = true;
      else if (first) p.ifsc = ta;
    }
    if (present & 2) {
      const tb = atr[at++]!;
      if (first) [p.bwi, p.cwi] = [tb >> 4, tb & 15];
    }
    if (present & 4) {
      const tc = atr[at++]!;
      if (i === 1) p.extraGuard = tc;
      else if (first) p.crc = (tc & 1) === 1;
    }
    if (first) seenT1 = true;
    if (!(present & 8)) break;
    const td = atr[at++]!;
    protocol = td & 15;
    present = td >> 4;
    if (protocol === 1 && i === 1) seenT1 = false;
  }
  if (protocol < 0) throw new RangeError("this ATR offers T=0 only; T1Card speaks T=1");
  return p;
}
