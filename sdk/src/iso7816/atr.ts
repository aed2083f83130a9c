import { baudRateD, clockRateF } from "@inkan/device-proto";
import { Iso7816Error } from "./error.js";
import { type HistoricalBytes, readHistorical } from "./historical.js";

/** TAi TBi TCi TDi of one i, as far as present (ISO/IEC 7816-3 §8.2.3). */
export interface AtrInterfaceGroup {
  /** 1, 2, 3 … */
  readonly i: number;
  /** The T they are about: `undefined` for i = 1 and 2's global bytes. */
  readonly t: number | undefined;
  readonly ta?: number;
  readonly tb?: number;
  readonly tc?: number;
  readonly td?: number;
}

/** A protocol the card offers, with its own interface bytes resolved to their defaults. */
export type AtrProtocol =
  | {
      readonly t: 0;
      /** WI, waiting time integer (TC2), default 10. */
      readonly wi: number;
    }
  | {
      readonly t: 1;
      /** IFSC, 1..254 bytes, default 32 (§11.4.2). */
      readonly ifsc: number;
      /** CWI, default 13, and BWI, default 4 (§11.4.3). */
      readonly cwi: number;
      readonly bwi: number;
      /** Error detection code, default LRC (§11.4.4). */
      readonly edc: "lrc" | "crc";
    }
  | { readonly t: number };

/** An answer to reset in words. */
export interface Atr {
  /** The bytes themselves, at most 33. */
  readonly bytes: Uint8Array;
  readonly convention: "direct" | "inverse";
  readonly groups: readonly AtrInterfaceGroup[];
  /** Fi and Di of TA1 (default 372 and 1); 0 where TA1 has a reserved value. */
  readonly fi: number;
  readonly di: number;
  /** N of TC1: extra guard time in etu, 0..254; 255 means the shortest (§8.3). */
  readonly extraGuard: number;
  /** The protocols in the order offered; T=0 when no TD1 says anything. Never empty. */
  readonly protocols: readonly AtrProtocol[];
  /** Present when TA2 puts the card in specific mode: the protocol it speaks at once (§8.3). */
  readonly specificMode?: {
    readonly t: number;
    /** False when the card may change to negotiable mode after a warm reset. */
    readonly fixed: boolean;
    /** True when Fi and Di are implicit, i.e. not those of TA1. */
    readonly implicit: boolean;
  };
  /** Voltage classes of the first TA for T=15: any of A (5 V), B (3 V), C (1.8 V); `undefined` when not said (only class A may be assumed). */
  readonly classes?: readonly ("A" | "B" | "C")[];
  /** Clock stop of the first TA for T=15. */
  readonly clockStop?: "no" | "low" | "high" | "either";
  readonly historical: HistoricalBytes;
  /** The check byte, when present. */
  readonly tck?: number;
  /** What §8.2 forbids but a reader can live with, in words; empty for a clean ATR. */
  readonly deviations: readonly string[];
}

const MAX = 33;

/** Parses an answer to reset, TS first. Throws {@link Iso7816Error} when it is cut off, too long, or its check byte is wrong. */
export function parseAtr(bytes: Uint8Array): Atr {
  const fail = (at: number, rule: string): never => {
    throw new Iso7816Error("atr", at, rule);
  };
  if (bytes.length > MAX) fail(MAX, `an ATR has at most ${MAX} bytes, this has ${bytes.length}`);
  const ts = bytes[0] ?? fail(0, "no TS");
  if (ts !== 0x3b && ts !== 0x3f) fail(0, "TS must be 3B or 3F");
  let at = 1;
  const next = (what: string): number => (at < bytes.length ? bytes[at++]! : fail(at, `cut off before ${what}`));

  const t0 = next("T0");
  const deviations: string[] = [];
  const groups: AtrInterfaceGroup[] = [];
  const offered: number[] = [];
  let y = t0 >> 4;
  let t: number | undefined;
  for (let i = 1; y !== 0; i++) {
    const group: { -readonly [K in keyof AtrInterfaceGroup]: AtrInterfaceGroup[K] } = { i, t: i > 2 ? t : undefined };
    if (y & 1) group.ta = next(`TA${i}`);
    if (y & 2) group.tb = next(`TB${i}`);
    if (y & 4) group.tc = next(`TC${i}`);
    y = y & 8 ? (group.td = next(`TD${i}`)) >> 4 : 0;
    groups.push(group);
    if (group.td === undefined) break;
    t = group.td & 15;
    if (t === 15 && i === 1) deviations.push("TD1 names T=15, which is no protocol (§8.2.3)");
    if (t !== 15 && !offered.includes(t)) {
      if (offered.length && t < offered.at(-1)!) deviations.push("protocols are not offered in ascending order (§8.2.3)");
      offered.push(t);
    }
  }
  const k = t0 & 15;
  if (bytes.length - at < k) fail(bytes.length, `cut off in the historical bytes: ${k} are announced, ${bytes.length - at} are there`);
  const historical = bytes.slice(at, at + k);
  at += k;

  // TCK is absent only when T=0 alone is indicated, by default or by TDi (§8.2.5); T=15 alone indicates something else, too
  const onlyT0 = groups.every((group) => group.td === undefined || (group.td & 15) === 0);
  let tck: number | undefined;
  if (!onlyT0) {
    tck = next("TCK");
    let xor = 0;
    for (let i = 1; i < at; i++) xor ^= bytes[i]!;
    if (xor !== 0) fail(at - 1, "TCK is wrong: T0 to TCK do not exclusive-or to 0");
  }
  if (at !== bytes.length) fail(at, `${bytes.length - at} bytes follow the end of the ATR`);

  const first = groups[0];
  const second = groups[1];
  const ta1 = first?.ta ?? 0x11;
  const fi = clockRateF[ta1 >> 4]!;
  const di = baudRateD[ta1 & 15]!;
  if (!fi || !di) deviations.push("TA1 has a reserved Fi or Di (§8.3 tables 7 and 8)");
  const ta2 = second?.ta;
  const t15 = groups.find((group) => group.t === 15);
  return {
    bytes: bytes.slice(),
    convention: ts === 0x3b ? "direct" : "inverse",
    groups,
    fi,
    di,
    extraGuard: first?.tc ?? 0,
    protocols: (offered.length ? offered : [0]).map((protocol) => resolve(protocol, groups, deviations)),
    ...(ta2 !== undefined && { specificMode: { t: ta2 & 15, fixed: (ta2 & 0x80) !== 0, implicit: (ta2 & 0x10) !== 0 } }),
    ...(t15?.ta !== undefined && {
      classes: (["A", "B", "C"] as const).filter((_, bit) => (t15.ta! >> bit) & 1),
      clockStop: (["no", "low", "high", "either"] as const)[t15.ta >> 6]!,
    }),
    historical: readHistorical(historical),
    ...(tck !== undefined && { tck }),
    deviations,
  };
}

function resolve(t: number, groups: readonly AtrInterfaceGroup[], deviations: string[]): AtrProtocol {
  if (t === 0) {
    const wi = groups[1]?.tc ?? 10;
    if (wi === 0) deviations.push("TC2 is 0, which is reserved (§10.2)");
    return { t: 0, wi: wi || 10 };
  }
  if (t !== 1) return { t };
  // the first TA, TB and TC for T=1 count (§11.4)
  const own = groups.filter((group) => group.t === 1);
  const pick = (key: "ta" | "tb" | "tc"): number | undefined => own.find((group) => group[key] !== undefined)?.[key];
  let ifsc = pick("ta") ?? 32;
  if (ifsc === 0 || ifsc === 255) {
    deviations.push("IFSC 00 and FF are reserved (§11.4.2)");
    ifsc = 32;
  }
  const tb = pick("tb") ?? 0x4d;
  if (tb >> 4 > 9) deviations.push("BWI above 9 is reserved (§11.4.3)");
  return { t: 1, ifsc, cwi: tb & 15, bwi: tb >> 4, edc: (pick("tc") ?? 0) & 1 ? "crc" : "lrc" };
}
