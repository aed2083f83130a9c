import { startTimer } from "../../exchange/clock.js";
import { systemClock } from "../../exchange/system-clock.js";

/** How long a port that is being closed may take for what was written before, ms. A bye is 11 bytes: 12 ms at 9 600 baud. */
const LAST_WORDS_MS = 1_000;

/** Waits for what is still being written, but not for ever: a device that takes no bytes any more must not keep its port from being closed. */
export function lastWords(writing: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = startTimer(systemClock, LAST_WORDS_MS, resolve);
    const done = (): void => {
      cancel();
      resolve();
    };
    writing.then(done, done);
  });
}
