import { commandHeader, PC_to_RDR, RDR_to_PC } from "@inkan/device-proto";
import type { Clock } from "../exchange/clock.js";
import type { TraceEvent, TraceSink } from "../trace/event.js";
import type { TransportEvent } from "./transport.js";

/** A range of bytes: offset and length. */
type Range = readonly [number, number];

/**
 * VERIFY 20 21, CHANGE REFERENCE DATA 24 25, RESET RETRY COUNTER 2C 2D, 32, which Japanese cards use for both, and ENVELOPE C2 C3,
 * which may hold any of them; in any class.
 */
const secretInstructions: ReadonlySet<number> = new Set([0x20, 0x21, 0x24, 0x25, 0x2c, 0x2d, 0x32, 0xc2, 0xc3]);
const HEADER = commandHeader.size;

/**
 * Makes trace events of what passes, with every secret gone before the event exists: the copy that is handed out has zeros where the
 * data of VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER and PC_to_RDR_Secure stood.
 */
export class Recorder {
  readonly #sink: TraceSink;
  readonly #clock: Clock;
  readonly #began: number;
  /** The APDU whose next part may follow (wLevelParameter 1 and 3) carries a secret. */
  #chainIsSecret = false;
  /** bSeq of a PC_to_RDR_Secure whose answer did not come yet. */
  #secureSequence: number | undefined;

  constructor(sink: TraceSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
    this.#began = clock.now();
  }

  toReader(message: Uint8Array): void {
    this.#emit("ccid", "to-reader", message, this.#secretsOfCommand(message));
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
    if (event.type === "discarded") this.#emit("discarded", "from-reader", event.bytes, [], event.reason);
    else if (event.type === "retransmitted") this.#emit("link", "none", new Uint8Array(0), [], `${event.frames} frames sent again`);
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
    this.#sink.event({ at: this.#clock.now() - this.#began, kind, direction, bytes, redactedAt, ...(text !== undefined && { text }) });
  }

  #secretsOfCommand(message: Uint8Array): readonly Range[] {
    const rest: Range[] = message.length > HEADER ? [[HEADER, message.length - HEADER]] : [];
    switch (message[0]) {
      case PC_to_RDR.Secure:
        this.#secureSequence = message[6];
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
    if (message[0] !== RDR_to_PC.DataBlock || message[6] !== this.#secureSequence) return [];
    // a time extension is no end of it
    if (message[7]! >> 6 !== 2) this.#secureSequence = undefined;
    const data = message.length - HEADER - 2;
    return data > 0 ? [[HEADER, data]] : [];
  }
}

/** True when the APDU of a PC_to_RDR_XfrBlock carries, or at TPDU level with a T=1 prologue may carry, a secret. */
function isSecret(message: Uint8Array): boolean {
  return (
    secretInstructions.has(message[HEADER + 1]!) ||
    (message[HEADER]! === 0 && secretInstructions.has(message[HEADER + 4]!) && message[HEADER + 2] === message.length - HEADER - 4)
  );
}
