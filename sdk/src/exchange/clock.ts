/**
 * The one place where the SDK's time comes from. `SystemClock` is the wall clock; the virtual board brings its own, so that a
 * whole session runs in the board's time and is repeatable to the byte; `FakeClock` (testing) moves by hand.
 */
export interface Clock {
  /** Milliseconds, monotonic, from an arbitrary start. */
  now(): number;
  /** Resolves after `ms` milliseconds, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
