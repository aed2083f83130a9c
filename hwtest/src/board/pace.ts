import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";

/** How the board's time runs against everybody else's. */
export type Pace = "real" | "free" | "line";

/** What the pump drives: the engine, seen from outside. Times in ns of board time. */
export interface Driven {
  readonly nowNs: number;
  /** Runs until `untilNs`, `halt()`, or about `maxSteps` instructions or events. True when `untilNs` was reached. */
  run(untilNs: number, maxSteps: number): boolean;
  /** Ends the running `run` after the present instruction or event. */
  halt(): void;
  /** True while a model that pace `line` skips for (card, line, flash, display) has an event pending. */
  readonly hurrying: boolean;
}

/** Options of one wait. */
export interface WaitOptions {
  /** Rejects with `BoardDeadline` when board time reaches this many ns. */
  readonly deadlineNs?: number;
  /** A wait that nobody's progress depends on, e.g. a standing interrupt-IN transfer: it does not make time run in pace `free`. */
  readonly background?: boolean;
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A wait's deadline passed on the board's clock. */
export class BoardDeadline extends Error {
  override readonly name = "BoardDeadline";
}

interface Waiter {
  readonly deadlineNs: number;
  readonly background: boolean;
  readonly fail: (reason: unknown) => void;
}

/** Steps (instructions or events) between two looks at the event loop. */
const SLICE_STEPS = 400_000;
/** In `real` and `line`, how often the board catches up with the wall, in ms. */
const WALL_TICK_MS = 2;
/** The board never runs ahead of the wall, and after a stall (debugger, suspended laptop) it does not race to catch up more than this, in ms. */
const MAX_LAG_MS = 100;

/**
 * Makes board time run. In `free` it runs only while somebody waits (a transfer, `clock.sleep`, a key press): when a wait
 * resolves at board time t the engine stops there, all promises settle (microtasks and one turn of the event loop), and it
 * goes on only if waits remain. So a whole session with in-process parties is repeatable to the byte.
 */
export class Pump {
  readonly #driven: Driven;
  readonly pace: Pace;
  readonly #waiters = new Set<Waiter>();
  #foreground = 0;
  #running = false;
  #closed = false;
  #failure: unknown;
  #wallStart = 0;

  constructor(driven: Driven, pace: Pace) {
    this.#driven = driven;
    this.pace = pace;
  }

  /** Why the board stopped for good (a `BoardViolation`, or "closed"), else undefined. */
  get failure(): unknown {
    return this.#failure;
  }

  /** True while a wait that lets time run is pending. */
  get wanted(): boolean {
    return this.#foreground > 0;
  }

  /**
   * A promise for something the board will do. `start` is called at once and keeps `resolve`/`reject`; a model calls them from
   * inside the run, at its board time. What `start` returns, if a function, is called once when the wait ends in any way.
   */
  waitFor<T>(
    start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void | (() => void),
    options: WaitOptions = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const { signal } = options;
      if (signal?.aborted) return reject(signal.reason);
      let done = false;
      let cleanup: void | (() => void) = undefined;
      const onAbort = (): void => waiter.fail(signal?.reason);
      const end = (): boolean => {
        if (done) return false;
        done = true;
        this.#waiters.delete(waiter);
        if (!waiter.background) this.#foreground--;
        signal?.removeEventListener("abort", onAbort);
        this.#driven.halt();
        cleanup?.();
        return true;
      };
      const waiter: Waiter = {
        deadlineNs: options.deadlineNs ?? Infinity,
        background: options.background ?? false,
        fail: (reason) => {
          if (end()) reject(reason);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
      if (!waiter.background) this.#foreground++;
      cleanup = start(
        (value) => {
          if (end()) resolve(value);
        },
        (reason) => waiter.fail(reason),
      );
      if (done) return cleanup?.();
      // Asked for from inside a run, which ends at a deadline that was the nearest when it began.
      if (waiter.deadlineNs < Infinity) this.#driven.halt();
      this.#start();
    });
  }

  /** Lets time run while `promise` is pending: for waits made elsewhere. Its value is passed on. */
  hold<T>(promise: PromiseLike<T>): Promise<T> {
    return this.waitFor<T>((resolve, reject) => {
      promise.then(resolve, reject);
    });
  }

  /** Resolves after `ms` of board time. */
  async sleep(ms: number, options: Pick<WaitOptions, "signal" | "background"> = {}): Promise<void> {
    const deadlineNs = this.#driven.nowNs + Math.max(0, ms) * 1e6;
    try {
      await this.waitFor<void>(() => undefined, { ...options, deadlineNs });
    } catch (error) {
      if (!(error instanceof BoardDeadline)) throw error;
    }
  }

  /** Starts the wall-clock paces; harmless in `free`. */
  start(): void {
    if (this.pace !== "free") this.#start();
  }

  /** No wait survives: all are rejected with `reason`. The board does not run again. */
  stop(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failure = reason;
    this.#driven.halt();
    for (const waiter of [...this.#waiters]) waiter.fail(reason);
  }

  #start(): void {
    if (this.#running || this.#closed) return;
    this.#running = true;
    this.#wallStart = performance.now() - this.#driven.nowNs / 1e6;
    void this.#loop();
  }

  async #loop(): Promise<void> {
    // Whoever asked first may ask for more in the same turn: begin when this turn's promises have settled.
    await turn();
    try {
      while (!this.#closed) {
        if (this.pace === "free") {
          if (this.#foreground === 0) break;
          this.#driven.run(this.#nextDeadline(), SLICE_STEPS);
          this.#expire();
          await turn();
        } else await this.#wallSlice();
      }
    } catch (error) {
      this.stop(error);
    } finally {
      this.#running = false;
    }
    if (this.#foreground > 0) this.#start();
  }

  async #wallSlice(): Promise<void> {
    const lag = performance.now() - this.#wallStart - this.#driven.nowNs / 1e6;
    if (lag > MAX_LAG_MS) this.#wallStart += lag - MAX_LAG_MS;
    const target = Math.min((performance.now() - this.#wallStart) * 1e6, this.#nextDeadline());
    let reached = this.#driven.nowNs >= target || this.#driven.run(target, SLICE_STEPS);
    if (this.pace === "line" && reached && this.#driven.hurrying && target < this.#nextDeadline()) {
      // Only the card, the flash or the display is being waited for: nobody outside can tell, so their time is skipped.
      const before = this.#driven.nowNs;
      this.#driven.run(Math.min(before + WALL_TICK_MS * 1e6, this.#nextDeadline()), SLICE_STEPS);
      this.#wallStart -= (this.#driven.nowNs - before) / 1e6;
      reached = false;
    }
    this.#expire();
    if (reached) await delay(WALL_TICK_MS);
    else await turn();
  }

  #nextDeadline(): number {
    let next = Infinity;
    for (const waiter of this.#waiters) if (waiter.deadlineNs < next) next = waiter.deadlineNs;
    return next;
  }

  #expire(): void {
    const now = this.#driven.nowNs;
    for (const waiter of [...this.#waiters])
      if (waiter.deadlineNs <= now) waiter.fail(new BoardDeadline(`the board's clock passed ${(waiter.deadlineNs / 1e6).toFixed(3)} ms`));
  }
}
