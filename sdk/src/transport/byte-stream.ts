import type { ClosedReason } from "./transport.js";

/** Bytes both ways: a serial port, a socket, a virtual board's CDC. */
export interface ByteStream {
  /** Resolves when the bytes were handed on and are no longer needed. Writes keep their order without being awaited. */
  write(bytes: Uint8Array): Promise<void>;
  /** Called with bytes as they come; they are only valid during the call. */
  onData: ((chunk: Uint8Array) => void) | undefined;
  /** Changes the line's rate, bit/s, when everything written has left. Only where there is a line; rejects when it cannot have this rate. */
  setRate?(baud: number): Promise<void>;
  /** Resolves once, when the stream is gone; never rejects. */
  readonly closed: Promise<ClosedReason>;
  close(): Promise<void>;
}
