import { abortError } from "../errors.js";

interface Waiter {
  readonly run: () => void;
  readonly cancel: (error: Error) => void;
}

/**
 * One at a time, in order. A queued job that is aborted leaves the queue at once; closing rejects the queued ones (what is running is
 * settled by who runs it).
 *
 * ```
 *   a ████████──┐
 *   b    ·······└███████──┐
 *   c      ······✗ aborted while queued: never started
 *   d           ··········└████
 * ```
 */
export class Queue {
  readonly #waiters: Waiter[] = [];
  #busy = false;
  #closed: Error | undefined;

  /** True while a job runs or waits. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Runs `job` when its turn comes. Rejects with the signal's meaning when it is aborted before that. */
  async run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) throw this.#closed;
    if (signal?.aborted) throw abortError(signal);
    if (this.#busy) await this.#turn(signal);
    this.#busy = true;
    try {
      return await job();
    } finally {
      const next = this.#waiters.shift();
      if (next) next.run();
      else this.#busy = false;
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(abortError(signal!));
      };
      const waiter: Waiter = {
        run: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        cancel: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Rejects everything queued now; what comes later runs. */
  flush(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.cancel(error);
  }

  /** Rejects everything queued and everything that comes later with `error`. */
  close(error: Error): void {
    this.#closed ??= error;
    this.flush(this.#closed);
  }
}
