import { decodeT1, type Edc, encodeT1, type T1Block } from "./t1-block.js";

/** What came of a wait for a block: its bytes, characters that were no block (wrong parity), or nothing within the waiting time. */
export type T1Received = Uint8Array | "garbled" | "silence";

/** A block to send, and how many BWT its answer may take (1, or what the card asked for with S(WTX)). The caller may wipe `block` once it is sent. */
export interface T1Sending {
  readonly block: Uint8Array;
  readonly bwt: number;
}

/** Why an exchange ended without an answer. After `protocol` the card was brought back in step; after `mute` and `garbled` it could not be. */
export class T1Error extends Error {
  override readonly name = "T1Error";
  readonly kind: "mute" | "garbled" | "protocol";
  constructor(kind: "mute" | "garbled" | "protocol", message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What the ATR says of the card, and how much the reader takes. */
export interface T1Options {
  /** IFSC, 1..254 bytes. */
  readonly ifsc: number;
  /** BWI, 0..9: BWT is 2^BWI times 100 ms and 11 etu. */
  readonly bwi: number;
  readonly edc: Edc;
  /** IFSD to announce, 1..254 bytes; default 254. */
  readonly ifsd?: number;
}

const R = 0x80;
const MORE = 0x20;
const RESPONSE = 0x20;
const RESYNCH = 0xc0;
const IFS = 0xc1;
const ABORT = 0xc2;
const WTX = 0xc3;
const EDC_ERROR = 1;
const OTHER_ERROR = 2;
/** Until §11.4.2's S(IFS) says otherwise. */
const DEFAULT_IFSD = 32;
/** Sendings of one block, or errors one after the other, before the sides start anew (rules 6.4 and 7.4.2: two more tries). */
const TRIES = 3;
/** Blocks per exchange that carry nothing forward: errors, empty I-blocks, IFS. */
const IDLE_BLOCKS = 64;
/** Waiting that S(WTX) may ask for per exchange, in all, ms. */
const EXTENSIONS_MS = 600_000;
/** Longest answer APDU. */
const MAX_ANSWER = 65538;
const nothing = new Uint8Array(0);

/**
 * The interface device's half of the block protocol T=1 (ISO/IEC 7816-3 §11), for readers that exchange TPDUs. Pure: it has no clock and no
 * line. Each generator yields a block to send and wants what came for it:
 *
 * ```
 *   for (let step = exchange.next(); !step.done; step = exchange.next(await sendAndReceive(step.value)));
 * ```
 *
 * Whoever gives an exchange up half-way calls its `return()`; the next one then begins with S(RESYNCH request). Nothing is sent twice that the
 * card acknowledged, and a command whose fate is unknown is never sent again.
 */
export class T1 {
  readonly #edc: Edc;
  readonly #bwtMs: number;
  readonly #wantedIfsd: number;
  readonly #firstIfsc: number;
  #ifsc: number;
  #ifsd = DEFAULT_IFSD;
  /** N(S) of our next I-block, and the N(S) we expect. */
  #ns = 0;
  #nr = 0;
  /** An exchange was given up half-way: neither side knows where the other is. */
  #lost = false;

  constructor(options: T1Options) {
    this.#edc = options.edc;
    this.#bwtMs = 100 * 2 ** options.bwi;
    this.#firstIfsc = this.#ifsc = options.ifsc;
    this.#wantedIfsd = options.ifsd ?? 254;
  }

  /** Bytes of INF the card takes, as last said by it. */
  get ifsc(): number {
    return this.#ifsc;
  }

  /** Bytes of INF the card may send. */
  get ifsd(): number {
    return this.#ifsd;
  }

  /** S(IFS request) for a larger IFSD. A card that talks but does not know it keeps 32. Throws {@link T1Error} for one that does not talk. */
  *start(): Generator<T1Sending, void, T1Received> {
    const ended = yield* this.#supervise(IFS, Uint8Array.of(this.#wantedIfsd));
    if (ended === "answered") this.#ifsd = this.#wantedIfsd;
    else if (ended !== "invalid")
      throw new T1Error(ended === "garbled" ? "garbled" : "mute", `the card did not answer S(IFS request) ${TRIES} times`);
  }

  /** One APDU. `command` is read block by block and must stay as it is until the end. Throws {@link T1Error}. */
  *exchange(command: Uint8Array): Generator<T1Sending, Uint8Array<ArrayBuffer>, T1Received> {
    if (this.#lost) yield* this.#resynchronise("garbled", "an exchange was given up");
    this.#lost = true;
    const answer = yield* this.#run(command);
    this.#lost = false;
    return answer;
  }

  *#run(command: Uint8Array): Generator<T1Sending, Uint8Array<ArrayBuffer>, T1Received> {
    const parts: Uint8Array[] = [];
    let size = 0;
    let sent = 0;
    let chunk = Math.min(command.length, this.#ifsc);
    let acknowledged = false;
    let errors = 0;
    let idle = 0;
    let waitedMs = 0;
    let bwt = 1;
    const information = (): Uint8Array =>
      encodeT1((this.#ns << 6) | (sent + chunk < command.length ? MORE : 0), command.subarray(sent, sent + chunk), this.#edc);
    const ready = (error = 0): Uint8Array => encodeT1(R | (this.#nr << 4) | error, nothing, this.#edc);

    for (let block = information(); ; ) {
      const received = this.#decode(yield { block, bwt });
      bwt = 1;
      const allSent = sent + chunk === command.length;
      if (typeof received !== "string") {
        const { pcb, inf } = received;
        if ((pcb & 0x80) === 0) {
          if (allSent && (pcb & 0x1f) === 0 && ((pcb >> 6) & 1) === this.#nr && inf.length <= this.#ifsd) {
            if (!acknowledged) this.#ns ^= 1;
            acknowledged = true;
            this.#nr ^= 1;
            size += inf.length;
            if (size > MAX_ANSWER) throw yield* this.#giveUp("garbled", "an answer longer than any APDU's");
            parts.push(inf.slice());
            if (!(pcb & MORE)) return join(parts, size);
            errors = 0;
            if (inf.length === 0 && ++idle > IDLE_BLOCKS) throw yield* this.#giveUp("garbled", "empty blocks without end");
            block = ready();
            continue;
          }
        } else if ((pcb & 0xec) === R && inf.length === 0 && !acknowledged) {
          // N(R) says what it wants: the next part of our chain (rule 2.2), or the last one again (rule 7.1)
          const next = ((pcb >> 4) & 1) !== this.#ns;
          if (!next || !allSent) {
            if (next) {
              this.#ns ^= 1;
              sent += chunk;
              chunk = Math.min(command.length - sent, this.#ifsc);
              errors = 0;
            } else if (++errors > TRIES || ++idle > IDLE_BLOCKS)
              throw yield* this.#giveUp("garbled", "the card asks for the same block again and again");
            block = information();
            continue;
          }
        } else if (pcb === WTX && inf.length === 1) {
          const multiplier = inf[0]! || 1;
          waitedMs += multiplier * this.#bwtMs;
          if (waitedMs > EXTENSIONS_MS) throw yield* this.#giveUp("mute", "the card asks for more time without end", "mute");
          errors = 0;
          bwt = multiplier;
          block = encodeT1(WTX | RESPONSE, inf.slice(), this.#edc);
          continue;
        } else if (pcb === IFS && inf.length === 1 && inf[0] !== 0 && inf[0] !== 255) {
          if (++idle > IDLE_BLOCKS) throw yield* this.#giveUp("garbled", "IFS requests without end");
          this.#ifsc = inf[0]!;
          block = encodeT1(IFS | RESPONSE, inf.slice(), this.#edc);
          continue;
        } else if (pcb === ABORT && inf.length === 0) {
          throw yield* this.#abortedByCard();
        } else if ((pcb & 0xe0) === 0xe0 && !acknowledged && errors > 0) {
          // our R made it repeat a response from before our I-block, which it never had; N(S) keeps it from doing it twice
          if (++errors > TRIES || ++idle > IDLE_BLOCKS) throw yield* this.#giveUp("garbled", "the card repeats an old response");
          block = information();
          continue;
        }
      }
      // rule 7.1: garbled, invalid or silent is answered by what we expect
      if (++errors > TRIES || ++idle > IDLE_BLOCKS)
        throw yield* this.#giveUp(
          received === "silence" ? "mute" : "garbled",
          received === "silence" ? "no answer to three blocks" : "three blocks in a row could not be used",
        );
      block = ready(received === "garbled" ? EDC_ERROR : OTHER_ERROR);
    }
  }

  #decode(received: T1Received): T1Block | "garbled" | "invalid" | "silence" {
    if (typeof received === "string") return received;
    const block = decodeT1(received, this.#edc);
    return typeof block === "string" || block.nad === 0 ? block : "invalid"; // node addresses are not used (§11.3.2.1)
  }

  /** An S request of ours until its response comes, at most three sendings (rule 6.4). "invalid": the card talks, but does not answer this. */
  *#supervise(kind: number, inf: Uint8Array): Generator<T1Sending, "answered" | "garbled" | "invalid" | "silence", T1Received> {
    let ended: "garbled" | "invalid" | "silence" = "silence";
    for (let i = 0; i < TRIES; i++) {
      const received = this.#decode(yield { block: encodeT1(kind, inf, this.#edc), bwt: 1 });
      if (typeof received === "string") ended = received;
      else if (received.pcb === (kind | RESPONSE) && received.inf.length === inf.length && received.inf[0] === inf[0]) return "answered";
      else ended = "invalid";
    }
    return ended;
  }

  /** Both sides start anew (rule 6). Throws when the card does not answer that either. The sizes fall back to what every card takes. */
  *#resynchronise(kind: "mute" | "garbled", why: string): Generator<T1Sending, void, T1Received> {
    const ended = yield* this.#supervise(RESYNCH, nothing);
    if (ended !== "answered") throw new T1Error(kind, `${why}, and the card did not resynchronise`);
    this.#ns = this.#nr = 0;
    this.#ifsc = Math.min(this.#ifsc, this.#firstIfsc);
    this.#lost = false;
  }

  /** Ends an exchange for a reason, with the card in step again. The command is not sent again: it may have been executed. */
  *#giveUp(unheard: "mute" | "garbled", why: string, named: T1Error["kind"] = "protocol"): Generator<T1Sending, T1Error, T1Received> {
    yield* this.#resynchronise(unheard, why);
    return new T1Error(named, why);
  }

  /** S(ABORT request) of the card: after our response its R-block gives the right to send back, and N(R) is our next N(S) (rule 9). */
  *#abortedByCard(): Generator<T1Sending, T1Error, T1Received> {
    const why = "the card aborted the chain";
    for (let i = 0; i < TRIES; i++) {
      const received = this.#decode(yield { block: encodeT1(ABORT | RESPONSE, nothing, this.#edc), bwt: 1 });
      if (typeof received === "string") break;
      const { pcb, inf } = received;
      if (inf.length === 0 && (pcb & 0xec) === R) {
        this.#ns = (pcb >> 4) & 1;
        this.#lost = false;
        return new T1Error("protocol", why);
      }
      if (pcb !== ABORT || inf.length > 0) break; // the same request again: it did not hear us
    }
    return yield* this.#giveUp("garbled", why);
  }
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
