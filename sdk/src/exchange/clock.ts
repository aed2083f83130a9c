/**
 * The one place where the SDK's time comes from. `SystemClock` is the wall clock; the virtual board brings its own, so that a
 * whole session runs in the board's time and is repeatable to the byte; `FakeClock` (testing) moves by hand.
 */
export interface Clock {
  /** Milliseconds, monotonic, from an arbitrary start. */
  now(): number;
  /** Resolves after `ms` milliseconds, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Optional, cheaper than `sleep`: calls back once after `ms` milliseconds unless the returned function was called first. */
  after?(ms: number, callback: () => void, options?: TimerOptions): () => void;
}

/** How a timer counts. */
export interface TimerOptions {
  /** Nobody waits for it: it must not keep a program alive, nor make simulated time run; it fires when time passes anyway. */
  readonly background?: boolean;
}

/** Calls back once after `ms` milliseconds of `clock`, unless the returned function is called first. */
export function startTimer(clock: Clock, ms: number, callback: () => void, options: TimerOptions = {}): () => void {
  if (clock.after) return clock.after(ms, callback, options);
  const cancel = new AbortController();
  clock.sleep(ms, cancel.signal).then(
    () => {
      if (!cancel.signal.aborted) callback();
    },
    () => undefined,
  );
  return () => cancel.abort();
}
