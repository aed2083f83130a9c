import { clocks } from "../board.js";
import { ticksPerEtu } from "./card-line.js";

/** Fi by the high nibble of TA1 (ISO 7816-3 table 7); 0 = reserved. */
export const fiTable = [372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0] as const;
/** Highest card clock in kHz allowed with that Fi. */
export const fiMaxKhz = [4000, 5000, 6000, 8000, 12000, 16000, 20000, 0, 0, 5000, 7500, 10000, 15000, 20000, 0, 0] as const;
/** Di by the low nibble of TA1 (ISO 7816-3 table 8); 0 = reserved. */
export const diTable = [0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0] as const;

/** Largest etu error we offer, as a part of one. */
export const maxEtuError = 0.005;
/** Shortest etu we offer, in card clocks: below it one clock is more than the ±0.2 etu a card's edges may be off by (§7.1), measured from both ends. */
export const minEtuClocks = 8;

/** The PIO's clock divider for F/D, in 1/256 of a system clock, 16 ticks per etu (CLKDIV holds 16.8 bits). */
export const clockDivider = (f: number, d: number): number => Math.round((f * clocks.cardDivider * 256) / (ticksPerEtu * d));

/** Relative error of the etu that {@link clockDivider} gives. */
export function etuError(f: number, d: number): number {
  const ideal = (f * clocks.cardDivider * 256) / (ticksPerEtu * d);
  return Math.abs(clockDivider(f, d) - ideal) / ideal;
}

/** Per Fi index: a bit for each Di index that the reader offers in a PPS. */
export const offeredFiDi: readonly number[] = fiTable.map((f, fi) => {
  if (f === 0 || fiMaxKhz[fi]! < clocks.sys / clocks.cardDivider / 1000) return 0;
  return diTable.reduce<number>(
    (bits, d, index) => (d && f / d >= minEtuClocks && etuError(f, d) <= maxEtuError ? bits | (1 << index) : bits),
    0,
  );
});
