import { type Answer, type CommandName, headerLength } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { Queue } from "../exchange/queue.js";
import { CommandApdu, type ResponseApdu } from "../iso7816/apdu.js";
import { carry, type ExchangeLevel, parseResponse } from "./level.js";
import { modifyBlock, type PinModifyTemplate, type PinVerifyTemplate, verifyBlock } from "./pin-template.js";
import { TpduCard } from "./tpdu.js";

/** How long and how interruptibly to wait. */
export interface CallOptions {
  /** Ends the call wherever it is, waiting for its turn included. */
  readonly signal?: AbortSignal;
  /** Longest time for each message to the reader, ms. Counts from its turn: the wait for commands before it is not in it. */
  readonly timeoutMs?: number;
}

/** What a card needs of its reader. */
export interface CardPort {
  readonly level: ExchangeLevel;
  /** dwFeatures. */
  readonly features: number;
  readonly maxMessageLength: number;
  readonly pinSupport: number;
  /** Runs a command for this card; rejects with what a failed answer means. */
  command(
    name: CommandName,
    specific: readonly [number, number, number],
    data: Uint8Array,
    options: CallOptions & { readonly timeoutMs: number },
  ): Promise<Answer>;
  /** The card is off or gone. */
  released(card: Card): void;
}

/** Longest time for an APDU: the person may have to confirm it on the pad (≤ 240 s), ms. */
const APDU_MS = 300_000;
/** Longest time for a secret on the pad: 240 s in all, and the card, ms. */
const PAD_MS = 270_000;

/** A powered card. Everything it does goes through the reader's one queue; nothing is ever repeated by itself. */
export class Card implements AsyncDisposable {
  /** The answer to reset. */
  readonly atr: Uint8Array;
  readonly #port: CardPort;
  #gone: InkanError | undefined;
  /** An APDU may take several messages: those of two must not mix. */
  readonly #apdus = new Queue();
  #tpdu: TpduCard | undefined;

  /** For {@link Reader.connect}. */
  constructor(port: CardPort, atr: Uint8Array) {
    this.#port = port;
    this.atr = atr;
  }

  /** False after disconnect, removal or the reader's end. */
  get active(): boolean {
    return this.#gone === undefined;
  }

  /**
   * Sends an APDU and gives the card's response, whatever its status word. Rejects with card-pulled, card-mute, deadline-passed (default
   * 300 s: a person may have to confirm), aborted, outcome-unknown, reader-unplugged, slot-busy, protocol, unsupported.
   */
  async transmit(apdu: Uint8Array | CommandApdu, options: CallOptions = {}): Promise<ResponseApdu> {
    const bytes = apdu instanceof CommandApdu ? apdu.toBytes() : apdu;
    if (bytes.length < 4 || bytes.length > 65544) throw new InkanError("usage", { detail: "an APDU has 4 to 65544 bytes" });
    const timeoutMs = options.timeoutMs ?? APDU_MS;
    const run = (name: CommandName, specific: readonly [number, number, number], data: Uint8Array): Promise<Answer> =>
      this.#run(name, specific, data, { ...options, timeoutMs });
    try {
      return await this.#apdus.run(() => {
        const maxData = this.#port.maxMessageLength - headerLength;
        if (this.#port.level === "tpdu") {
          this.#tpdu ??= new TpduCard(this.atr, this.#port.features, maxData);
          return this.#tpdu.transmit(bytes, run);
        }
        return carry(this.#port.level, bytes, maxData, (data, level) => run("XfrBlock", [0, level & 255, level >> 8], data));
      }, options.signal);
    } finally {
      if (bytes !== apdu) bytes.fill(0);
    }
  }

  /**
   * Has the person type a secret on the reader's pad and the reader give it to the card. Resolves with the card's status word (9000, 63Cx,
   * 6983 …). Rejects with pin-cancelled, pin-timeout, card-pulled, aborted, slot-busy, unsupported.
   */
  async verifyOnPad(template: PinVerifyTemplate, options: CallOptions = {}): Promise<ResponseApdu> {
    return this.#secure(1, verifyBlock(template), options);
  }

  /** Has the person type a new secret on the pad; otherwise like {@link Card.verifyOnPad}. */
  async modifyOnPad(template: PinModifyTemplate, options: CallOptions = {}): Promise<ResponseApdu> {
    return this.#secure(2, modifyBlock(template), options);
  }

  async #secure(bit: number, block: Uint8Array, options: CallOptions): Promise<ResponseApdu> {
    if (!(this.#port.pinSupport & bit)) throw new InkanError("unsupported", { detail: "the reader has no PIN pad for this" });
    if (this.#port.level === "tpdu")
      throw new InkanError("unsupported", { detail: "a secret on the pad of a reader that exchanges TPDUs" });
    const answer = await this.#apdus.run(
      () => this.#run("Secure", [0, 0, 0], block, { ...options, timeoutMs: options.timeoutMs ?? PAD_MS }),
      options.signal,
    );
    return parseResponse(answer.data);
  }

  #run(
    name: CommandName,
    specific: readonly [number, number, number],
    data: Uint8Array,
    options: CallOptions & { readonly timeoutMs: number },
  ): Promise<Answer> {
    if (this.#gone) return Promise.reject(this.#gone);
    return this.#port.command(name, specific, data, options);
  }

  /** For the reader: the card is not there any more, and this is why. */
  detach(why: InkanError): void {
    this.#gone ??= why;
  }

  /** For the reader: it closes, and what waits for its turn is given up. */
  flush(error: InkanError): void {
    this.#apdus.flush(error);
  }

  /** Powers the card off: every secret verified on it is forgotten. May be called twice. */
  async disconnect(): Promise<void> {
    if (this.#gone) return;
    this.#gone = new InkanError("usage", { detail: "the card was disconnected" });
    try {
      await this.#port.command("IccPowerOff", [0, 0, 0], new Uint8Array(0), { timeoutMs: 5_000 });
    } finally {
      this.#port.released(this);
    }
  }

  /** {@link Card.disconnect}; a reader that is gone by then has powered the card off, too, so that is no failure. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.disconnect();
    } catch (error) {
      if (!(error instanceof InkanError)) throw error;
    }
  }
}
