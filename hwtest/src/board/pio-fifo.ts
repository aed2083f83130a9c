/**
 * One direction of a state machine's FIFO with its storage: what was written stays in its cells after it was read, as in the
 * chip, so that "nothing of a secret is left" can be asked of it. Plain data.
 */
export type Fifo = { cells: number[]; depth: number; read: number; level: number };

/** An empty FIFO; storage is always 8 cells (4, or 8 when joined). */
export const newFifo = (depth: number): Fifo => ({ cells: new Array<number>(8).fill(0), depth, read: 0, level: 0 });

/** Appends; the caller has checked that there is room. */
export function push(fifo: Fifo, word: number): void {
  fifo.cells[(fifo.read + fifo.level) % fifo.depth] = word >>> 0;
  fifo.level++;
}

/** Takes the oldest; the caller has checked that there is one. */
export function pull(fifo: Fifo): number {
  const word = fifo.cells[fifo.read]!;
  fifo.read = (fifo.read + 1) % fifo.depth;
  fifo.level--;
  return word;
}

/** True when nothing more fits (a FIFO lent to the other direction has depth 0 and is always full and empty). */
export const isFull = (fifo: Fifo): boolean => fifo.level >= fifo.depth;

/** FJOIN changed: both FIFOs are emptied (RP2040 datasheet §3.5.2); the cells keep what they held. */
export function resize(fifo: Fifo, depth: number): void {
  fifo.depth = depth;
  fifo.read = 0;
  fifo.level = 0;
}
