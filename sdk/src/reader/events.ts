import type { ClosedReason } from "../transport/transport.js";

/** What happens at a reader without being asked. */
export type ReaderEvent =
  | { readonly type: "card-inserted" }
  | { readonly type: "card-removed" }
  | { readonly type: "closed"; readonly reason: ClosedReason };

/** A reader's events: by listener, or by `for await`, which ends after `closed`. */
export class ReaderEvents implements AsyncIterable<ReaderEvent> {
  readonly #listeners = new Set<(event: ReaderEvent) => void>();
  readonly #onDemand: (wanted: boolean) => void;
  #closed: ReaderEvent | undefined;

  /** `onDemand` is told when the first listener comes and the last one goes, so that polling runs only then. */
  constructor(onDemand: (wanted: boolean) => void) {
    this.#onDemand = onDemand;
  }

  /** Calls `listener` for each event from now on; the returned function ends that. */
  on(listener: (event: ReaderEvent) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#onDemand(true);
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#onDemand(false);
    };
  }

  /** For the reader: tells everybody. A listener that throws does not keep the others from hearing it. */
  emit(event: ReaderEvent): void {
    if (this.#closed) return;
    if (event.type === "closed") this.#closed = event;
    let failure: { readonly error: unknown } | undefined;
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) void Promise.reject(failure.error as Error);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ReaderEvent> {
    const pending: ReaderEvent[] = this.#closed ? [this.#closed] : [];
    let wake: (() => void) | undefined;
    const off = this.on((event) => {
      pending.push(event);
      wake?.();
    });
    try {
      for (;;) {
        const event = pending.shift();
        if (event) {
          yield event;
          if (event.type === "closed") return;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      off();
    }
  }
}
