import type { Clock } from "@inkan/sdk";
import type { ModelHost } from "./model.js";
import { BoardDeadline } from "./pace.js";

/** The board's time as the SDK's clock: milliseconds since power-on. */
export class BoardClock implements Clock {
  readonly #host: ModelHost;

  constructor(host: ModelHost) {
    this.#host = host;
  }
  now(): number {
    return this.#host.nowNs / 1e6;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#host.pump.sleep(ms, signal ? { signal } : {});
  }
  after(ms: number, callback: () => void, options: { readonly background?: boolean } = {}): () => void {
    const cancel = new AbortController();
    const { background = false } = options;
    const deadlineNs = this.#host.nowNs + Math.max(0, ms) * 1e6;
    this.#host.pump
      .waitFor<never>(() => undefined, { deadlineNs, background, signal: cancel.signal })
      .catch((reason: unknown) => {
        if (reason instanceof BoardDeadline && !cancel.signal.aborted) callback();
      });
    return () => cancel.abort();
  }
}
