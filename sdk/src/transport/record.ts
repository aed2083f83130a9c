import { commandHeader, PC_to_RDR, RDR_to_PC } from "@inkan/device-proto";
import type { Clock } from "../exchange/clock.js";
import type { TraceEvent, TraceSink } from "../trace/event.js";
import { secretInstructions } from "../trace/secrets.js";
import type { TransportEvent } from "./transport.js";

/** A range of bytes: offset and length. */
type Range = readonly [number, number];

const HEADER = commandHeader.size;

/**
 * Makes trace events of what passes, with every secret gone before the event exists: the copy that is handed out has zeros where the
 * data of VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER and PC_to_RDR_Secure stood. A line that echoes gives back what was sent, whole
 * or damaged: so what comes in as a command is hidden, and so is every discarded byte while a command with a secret is not answered.
 */
export class Recorder {
  readonly #sink: TraceSink;
  readonly #clock: Clock;
  readonly #began: number;
  /** The APDU whose next part may follow (wLevelParameter 1 and 3) carries a secret. */
  #chainIsSecret = false;
  /** Commands with a secret that are not answered yet: their bSeq, and whether the answer is to be hidden, too. */
  readonly #open = new Map<number, boolean>();

  constructor(sink: TraceSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
    this.#began = clock.now();
  }

  toReader(message: Uint8Array): void {
    const secrets = this.#secretsOfCommand(message);
    const sequence = message[6]!;
    const secure = message[0] === PC_to_RDR.Secure;
    if (secure || secrets.length) this.#open.set(sequence, secure);
    else this.#open.delete(sequence);
    this.#emit("ccid", "to-reader", message, secrets);
  }

  fromReader(message: Uint8Array): void {
    this.#emit("ccid", "from-reader", message, this.#secretsOfAnswer(message));
  }

  notice(message: Uint8Array): void {
    this.#emit("notice", "from-reader", message, []);
  }

  note(text: string): void {
    this.#emit("note", "none", new Uint8Array(0), [], text);
  }

  transportEvent(event: TransportEvent): void {
    if (event.type === "discarded") {
      const all: Range[] = this.#open.size && event.bytes.length ? [[0, event.bytes.length]] : [];
      this.#emit("discarded", "from-reader", event.bytes, all, event.reason);
    } else if (event.type === "retransmitted") this.#emit("link", "none", new Uint8Array(0), [], `${event.frames} frames sent again`);
    else this.#emit("link", "none", new Uint8Array(0), [], `session: version ${event.version}, boot ${event.bootCount}`);
  }

  #emit(
    kind: TraceEvent["kind"],
    direction: TraceEvent["direction"],
    message: Uint8Array,
    redactedAt: readonly Range[],
    text?: string,
  ): void {
    const bytes = message.slice();
    for (const [offset, length] of redactedAt) bytes.fill(0, offset, offset + length);
    try {
      this.#sink.event({ at: this.#clock.now() - this.#began, kind, direction, bytes, redactedAt, ...(text !== undefined && { text }) });
    } catch {
      // a trace must not end the session it watches, least of all between a secret and its wiping
    }
  }

  #secretsOfCommand(message: Uint8Array): readonly Range[] {
    const rest = afterHeader(message);
    switch (message[0]) {
      case PC_to_RDR.Secure:
        return rest;
      case PC_to_RDR.XfrBlock: {
        // wLevelParameter: 0 whole, 1 begins, 2 ends, 3 goes on, 10h asks for more of the answer (CCID 1.1 §6.1.4)
        const level = message[8]!;
        if (level === 2 || level === 3) {
          const secret = this.#chainIsSecret;
          if (level === 2) this.#chainIsSecret = false;
          return secret ? rest : [];
        }
        const secret = level !== 0x10 && isSecret(message);
        this.#chainIsSecret = level === 1 && secret;
        return secret && message.length > HEADER + 4 ? [[HEADER + 4, message.length - HEADER - 4]] : [];
      }
      default:
        return [];
    }
  }

  #secretsOfAnswer(message: Uint8Array): readonly Range[] {
    // bit 7 is the reader's: without it this is a command of ours that came back
    if ((message[0] ?? 0) < 0x80) return afterHeader(message);
    const sequence = message[6]!;
    const hide = this.#open.get(sequence);
    // a time extension is no end of it
    if (message[7]! >> 6 !== 2) this.#open.delete(sequence);
    const data = message.length - HEADER - 2;
    return hide && message[0] === RDR_to_PC.DataBlock && data > 0 ? [[HEADER, data]] : [];
  }
}

const afterHeader = (message: Uint8Array): readonly Range[] => (message.length > HEADER ? [[HEADER, message.length - HEADER]] : []);

/** True when the APDU of a PC_to_RDR_XfrBlock carries, or at TPDU level with a T=1 prologue may carry, a secret. */
function isSecret(message: Uint8Array): boolean {
  return (
    secretInstructions.has(message[HEADER + 1]!) ||
    (message[HEADER]! === 0 && secretInstructions.has(message[HEADER + 4]!) && message[HEADER + 2] === message.length - HEADER - 4)
  );
}
