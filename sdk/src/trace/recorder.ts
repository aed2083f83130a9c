import type { TraceEvent, TraceSink } from "./event.js";
import { jsonLines } from "./json-lines.js";
import type { UsbDescriptors } from "./pcapng.js";
import { pcapng } from "./pcapng.js";
import { SecretFinder, secretInApdu } from "./secrets.js";

/** Options of {@link TraceRecorder}. */
export interface TraceRecorderOptions {
  /** Wall time at which the trace began; events count from it. Default: the epoch, so that traces compare byte by byte. */
  readonly startedAt?: Date;
  /** Most octets of message data kept; the oldest events go first. Default 64 MiB. */
  readonly limit?: number;
  /** Descriptors for pcapng; default: the reference reader's. */
  readonly descriptors?: UsbDescriptors;
}

/**
 * Keeps events in memory and writes them as JSON lines or pcapng. Events come redacted; the recorder looks again, hides what
 * was missed and counts it in {@link stopped}, which every test holds to be zero.
 */
export class TraceRecorder implements TraceSink {
  readonly #events: TraceEvent[] = [];
  readonly #finder = new SecretFinder();
  readonly #options: TraceRecorderOptions;
  readonly #limit: number;
  #octets = 0;
  #dropped = 0;
  #stopped = 0;

  constructor(options: TraceRecorderOptions = {}) {
    this.#options = options;
    this.#limit = options.limit ?? 64 * 1024 * 1024;
  }

  /** Events kept, oldest first. */
  get events(): readonly TraceEvent[] {
    return this.#events;
  }

  /** Events given up because of the limit. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Secrets that arrived unredacted and were hidden here: each one is a fault of whoever made the event. */
  get stopped(): number {
    return this.#stopped;
  }

  /** Takes a copy; never throws, a trace must not end the session it watches. */
  event(event: TraceEvent): void {
    const bytes = event.bytes.slice();
    const hidden = [...event.redactedAt];
    for (const [at, length] of hidden) bytes.fill(0, at, at + length);
    const secret = this.#secretIn(event, bytes);
    if (secret !== undefined) {
      const [at, length] = secret;
      if (bytes.subarray(at, at + length).some((octet) => octet !== 0)) {
        this.#stopped++;
        bytes.fill(0, at, at + length);
        hidden.push(secret);
      }
    }
    this.#events.push({ ...event, bytes, redactedAt: hidden });
    this.#octets += bytes.length;
    while (this.#octets > this.#limit && this.#events.length > 1) {
      this.#octets -= this.#events.shift()!.bytes.length;
      this.#dropped++;
    }
  }

  #secretIn({ kind, direction }: TraceEvent, bytes: Uint8Array): readonly [number, number] | undefined {
    if (kind === "apdu" && direction === "to-reader") return secretInApdu(bytes);
    if (kind !== "ccid") return undefined;
    return direction === "to-reader"
      ? this.#finder.toReader(bytes)
      : direction === "from-reader"
        ? this.#finder.fromReader(bytes)
        : undefined;
  }

  /** One JSON object a line, the first telling the schema. Hidden octets are `••`. */
  toJsonLines(): string {
    return jsonLines(this.#events, this.#options.startedAt ?? new Date(0), this);
  }

  /** A capture for Wireshark and tshark, usbmon's link type: CCID messages as bulk transfers of a device that was just enumerated. */
  toPcapng(): Uint8Array<ArrayBuffer> {
    return pcapng(this.#events, this.#options.startedAt ?? new Date(0), this.#options.descriptors);
  }
}
