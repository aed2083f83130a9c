/**
 * One recorded event. Redacted before it is made: the data of VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER and of
 * PC_to_RDR_Secure answers never gets here; `redactedAt` says where it stood.
 */
export interface TraceEvent {
  /** Milliseconds since the trace began, by the reader's clock. */
  readonly at: number;
  readonly kind: "ccid" | "notice" | "apdu" | "link" | "discarded" | "note";
  readonly direction: "to-reader" | "from-reader" | "none";
  /** Raw bytes; secret ranges are zeroed and listed in `redactedAt`. */
  readonly bytes: Uint8Array;
  /** [offset, length] ranges in `bytes` that were secret and are zeroed. */
  readonly redactedAt: readonly (readonly [number, number])[];
  readonly text?: string;
}
/** Takes events; the SDK calls it for every message both ways. What it throws is ignored: a trace must not end the session it watches. */
export interface TraceSink {
  event(event: TraceEvent): void;
}
