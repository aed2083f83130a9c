import type { UsbHost } from "../board/usb-host.js";
import type { TransferRequest, TransferResult, TransferStatus } from "../board/usb-transfer.js";
import { statuses, UsbredirError } from "./wire.js";

/** Transfers the guest may have under way, and bytes of them. QEMU's xHCI keeps to the guest's own transfer rings. */
const MAX_TRANSFERS = 1024;
const MAX_BYTES = 16 << 20;

const answers: Record<TransferStatus, number> = {
  ok: statuses.success,
  stall: statuses.stall,
  babble: statuses.babble,
  cancelled: statuses.cancelled,
  disconnected: statuses.cancelled,
  timeout: statuses.timeout,
  error: statuses.ioerror,
};
/** usbredir's status for the end of a transfer. */
export const statusOf = (result: TransferResult): number => answers[result.status];

/** How a transfer begins and what to do at its end. */
type Done = (result: TransferResult) => void;

/**
 * The guest's transfers under way, by their ids: each is answered exactly once, or forgotten when the device has left. The pump
 * runs the board while one waits (pace `free`: not for INs, which may wait for ever).
 */
export class GuestTransfers {
  readonly #host: UsbHost;
  readonly #running = new Map<bigint, { readonly kind: TransferRequest["kind"]; readonly bytes: number; readonly cancel: () => void }>();
  #bytes = 0;

  constructor(host: UsbHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#running.size;
  }

  /** Starts a transfer. @throws UsbredirError `duplicate-id`, `too-many-transfers`. */
  start(id: bigint, request: TransferRequest, bytes: number, done: Done): void {
    if (this.#running.has(id)) throw new UsbredirError("duplicate-id", `id ${id}`);
    if (this.#running.size >= MAX_TRANSFERS || this.#bytes + bytes > MAX_BYTES)
      throw new UsbredirError("too-many-transfers", `${this.#running.size} transfers, ${this.#bytes + bytes} bytes`);
    const abort = new AbortController();
    const entry = { kind: request.kind, bytes, cancel: () => abort.abort() };
    this.#running.set(id, entry);
    this.#bytes += bytes;
    const end = (result: TransferResult | undefined): void => {
      if (this.#running.get(id) !== entry) return;
      this.#running.delete(id);
      this.#bytes -= bytes;
      if (result) done(result);
    };
    submit(this.#host, request, abort.signal).then(end, () => end(undefined));
  }

  /** Takes a transfer back; it is answered when the transaction on the wire is over. An id that is not under way was answered already. */
  cancel(id: bigint): void {
    this.#running.get(id)?.cancel();
  }

  /** Takes back what is under way on other endpoints than 0: a host does so before it sets a configuration, for they may be gone after it. */
  cancelData(): void {
    for (const { kind, cancel } of [...this.#running.values()]) if (kind !== "control") cancel();
  }

  /** Takes all back; nobody hears of them any more. */
  forget(): void {
    const running = [...this.#running.values()];
    this.#running.clear();
    this.#bytes = 0;
    for (const { cancel } of running) cancel();
  }
}

/**
 * One transfer on the board. An abort ends it as "cancelled" with what was moved; it rejects only when the board stops. IN
 * transfers do not make time run in pace `free`.
 */
export function submit(host: UsbHost, request: TransferRequest, signal?: AbortSignal): Promise<TransferResult> {
  return host.host.pump.waitFor<TransferResult>(
    (resolve) => {
      if (signal?.aborted) return resolve({ status: "cancelled", data: new Uint8Array(0), actual: 0 });
      const id = host.submit(request, resolve);
      const cancel = (): void => host.cancel(id);
      signal?.addEventListener("abort", cancel, { once: true });
      return () => signal?.removeEventListener("abort", cancel);
    },
    { background: request.kind === "in" },
  );
}
