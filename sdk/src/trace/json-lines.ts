import type { TraceEvent } from "./event.js";

/** Hexadecimal with hidden octets as `••`. */
export function shownHex({ bytes, redactedAt }: Pick<TraceEvent, "bytes" | "redactedAt">): string {
  const octets = Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0"));
  for (const [at, length] of redactedAt) octets.fill("••", at, at + length);
  return octets.join("");
}

/** The trace as JSON lines: a header line (how many events were given up, how many secrets had to be stopped), then one line an event. */
export function jsonLines(
  events: readonly TraceEvent[],
  startedAt: Date,
  { dropped, stopped }: { readonly dropped: number; readonly stopped: number },
): string {
  const head = { schema: 1, type: "inkan-trace", startedAt: startedAt.toISOString(), events: events.length, dropped, stopped };
  const lines = events.map((event) => ({
    at: event.at,
    kind: event.kind,
    direction: event.direction,
    bytes: shownHex(event),
    ...(event.redactedAt.length === 0 ? {} : { redacted: event.redactedAt.reduce((sum, [, length]) => sum + length, 0) }),
    ...(event.text === undefined ? {} : { text: event.text }),
  }));
  return [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
}
