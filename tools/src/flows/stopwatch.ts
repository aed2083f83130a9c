/** Times of a run's steps. `ms` is the wall's; `boardMs` is the reader's own time, which does not depend on this machine. */
export class Stopwatch {
  readonly #started = performance.now();
  #last = this.#started;
  readonly #laps: Record<string, { readonly ms: number; readonly boardMs?: number; readonly cpuMs: number }> = {};

  /** Ends a step; answers with its length in ms. `boardMs`: board time now. */
  lap(name: string, boardMs?: number): number {
    const now = performance.now();
    const ms = Math.round(now - this.#last);
    this.#last = now;
    const { user, system } = process.cpuUsage();
    this.#laps[name] = {
      ms,
      ...(boardMs === undefined ? {} : { boardMs: Math.round(boardMs) }),
      cpuMs: Math.round((user + system) / 1000),
    };
    return ms;
  }

  /** Every step: its length, the board's time and the process's CPU time at its end; and the total. */
  timings(): object {
    return { ...this.#laps, total: { ms: Math.round(performance.now() - this.#started) } };
  }
}
