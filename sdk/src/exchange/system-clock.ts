import type { Clock } from "./clock.js";

/** The wall clock. Its timers keep a program alive only while somebody waits for them. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal!.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
  after: (ms, callback, options) => {
    const timer: unknown = setTimeout(callback, ms);
    // Node's timers keep the process alive unless told otherwise; a browser's are numbers
    if (options?.background && typeof timer === "object") (timer as { unref(): void }).unref();
    return () => clearTimeout(timer as number);
  },
};
