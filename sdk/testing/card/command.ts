/** A short command APDU taken apart (ISO 7816-4 §5.1). */
export interface ShortCommand {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** Absent in cases 1 and 2. */
  readonly data?: Uint8Array;
  /** 1…256; absent in cases 1 and 3. */
  readonly le?: number;
}

/** Cases 1, 2S, 3S and 4S; `undefined` for everything else, extended length included (answered 6700). */
export function parseShort(apdu: Uint8Array): ShortCommand | undefined {
  const [cla, ins, p1, p2, p3] = apdu;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) return undefined;
  const head = { cla, ins, p1, p2 };
  if (p3 === undefined) return head;
  const length = (octet: number): number => octet || 256;
  if (apdu.length === 5) return { ...head, le: length(p3) };
  // Lc 00 with more behind it is the extended form.
  if (p3 === 0) return undefined;
  const data = apdu.subarray(5, 5 + p3);
  if (apdu.length === 5 + p3) return { ...head, data };
  if (apdu.length === 6 + p3) return { ...head, data, le: length(apdu[5 + p3]!) };
  return undefined;
}
