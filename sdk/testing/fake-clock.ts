import type { Clock } from "../src/exchange/clock.js";

interface Sleeper {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

/** So many rounds of {@link settle} without a sleeper mean that nothing will happen any more. */
const PATIENCE = 100;

/** A clock that moves by hand. Sleepers wake in order of their time, and promises settle between two wake-ups. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #sleepers: Sleeper[] = [];

  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleeps are pending: 0 after everything was closed, or something leaks. */
  get pending(): number {
    return this.#sleepers.length;
  }

  /** When the next sleeper wakes (ms), or `undefined`. */
  get next(): number | undefined {
    return this.#sleepers[0]?.at;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal!.reason as Error);
      };
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        order: this.#order++,
        wake: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#sleepers.push(sleeper);
      this.#sleepers.sort((a, b) => a.at - b.at || a.order - b.order);
    });
  }

  /** Moves `ms` milliseconds ahead, waking everybody on the way and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (this.#sleepers.length && this.#sleepers[0]!.at <= end) {
      const sleeper = this.#sleepers.shift()!;
      this.#now = Math.max(this.#now, sleeper.at);
      sleeper.wake();
      await settle();
    }
    this.#now = end;
  }

  /** Advances from sleeper to sleeper until `promise` settles; rejects when nobody sleeps any more or `limitMs` passed. */
  async run<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let done = false;
    const watched = promise.finally(() => (done = true));
    watched.catch(() => undefined);
    const end = this.#now + limitMs;
    await settle();
    while (!done) {
      // a long chain of promises that needs no time may still be on its way
      for (let i = 0; i < PATIENCE && !done && this.next === undefined; i++) await settle();
      if (done) break;
      const next = this.next;
      if (next === undefined || next > end)
        throw new Error(
          next === undefined ? "nobody sleeps and the promise is still pending" : "the promise is still pending at the limit",
        );
      await this.advance(next - this.#now);
    }
    return watched;
  }
}

/** Lets every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}
