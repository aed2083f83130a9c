import { answerOf, ccidClaims, type Command, decodeCommand, encodeAnswer, notices, pinVerifyBlock, slotError } from "@inkan/device-proto";
import type { Clock } from "../src/exchange/clock.js";
import type { ClosedReason, ReaderAddress, Transport, TransportEvent } from "../src/transport/transport.js";

/** A card as a fake reader needs it; `JpkiTestCard` is one. */
export interface FakeReaderCard {
  /** Resets the card's security state and gives its ATR. */
  powerOn(): Uint8Array;
  transmit(command: Uint8Array): { readonly response: Uint8Array; readonly thinkMs: number };
}

/** What a fake reader does for one command: messages in order, each after `afterMs`. */
export type FakeAnswers = readonly { readonly afterMs: number; readonly message: Uint8Array }[];

/** Options of {@link FakeReader}. */
export interface FakeReaderOptions {
  readonly clock: Clock;
  readonly card?: FakeReaderCard;
  /** What the person does when the pad asks: type a secret, press cancel, or let it time out. Default cancel. */
  readonly pad?: () => Uint8Array | "cancel" | "timeout";
  /** Replaces one reflex: gives other answers, an empty list for silence, or `undefined` to let the good manners act. */
  readonly reflex?: (command: Command, polite: () => FakeAnswers) => FakeAnswers | undefined;
  readonly features?: number;
  readonly notifies?: boolean;
  readonly maxMessageLength?: number;
}

/** Most silence of a reader that works, ms. */
const EXTENSION_MS = 15_000;
const none = new Uint8Array(0);

/**
 * A reader that speaks real CCID messages, as a transport. Good manners by default: every message answered, time extensions, abort on both
 * pipes, notices; a test replaces one reflex. Fakes the device, not the functions of the SDK.
 */
export class FakeReader implements Transport {
  readonly address: ReaderAddress = { uri: "fake:", name: "fake reader", virtual: true };
  readonly maxMessageLength: number;
  readonly features: number;
  readonly pinSupport = 3;
  readonly notifies: boolean;
  onMessage: ((message: Uint8Array) => void) | undefined;
  onNotice: ((notice: Uint8Array) => void) | undefined;
  onEvent: ((event: TransportEvent) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  /** Every PC_to_RDR message, in order. */
  readonly commands: Command[] = [];
  /** bSeq of each ABORT on the control pipe. */
  readonly controlAborts: number[] = [];
  readonly #options: FakeReaderOptions;
  #settleClosed!: (reason: ClosedReason) => void;
  #card: FakeReaderCard | undefined;
  #active = false;
  #running: { readonly command: Command; readonly cancel: AbortController } | undefined;
  #chain: Uint8Array = none;
  #gone = false;

  constructor(options: FakeReaderOptions) {
    this.#options = options;
    this.#card = options.card;
    this.features = options.features ?? ccidClaims.dwFeatures;
    this.notifies = options.notifies ?? true;
    this.maxMessageLength = options.maxMessageLength ?? ccidClaims.dwMaxCCIDMessageLength;
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  /** Puts a card in. */
  insert(card: FakeReaderCard): void {
    this.#card = card;
    if (this.notifies) this.onNotice?.(Uint8Array.of(notices.NotifySlotChange, 3));
  }

  /** Pulls the card out; a running command ends as the standard says. */
  remove(): void {
    this.#card = undefined;
    this.#active = false;
    const running = this.#running;
    if (running) {
      running.cancel.abort();
      this.#running = undefined;
      this.onMessage?.(this.answer(running.command, { failed: slotError.ICC_MUTE }));
    }
    if (this.notifies) this.onNotice?.(Uint8Array.of(notices.NotifySlotChange, 2));
  }

  /** The cable is pulled, or another fate. */
  vanish(reason: ClosedReason = "unplugged"): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#running?.cancel.abort();
    this.#settleClosed(reason);
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#gone) throw new Error("the reader is gone");
    const command = decodeCommand(message)!;
    this.commands.push(command);
    if (command.name === "Abort") return this.#abort(command);
    if (this.#running) return void this.onMessage?.(this.answer(command, { failed: slotError.CMD_SLOT_BUSY }));
    const polite = (): FakeAnswers => this.#polite(command);
    const answers = this.#options.reflex?.(command, polite) ?? polite();
    const cancel = new AbortController();
    this.#running = { command, cancel };
    void this.#play(answers, cancel.signal);
  }

  async abort(_slot: number, sequence: number): Promise<void> {
    this.controlAborts.push(sequence);
  }

  async close(): Promise<void> {
    this.vanish("closed");
  }

  /** An answer to `command`: ok with `data`, or failed with a bError. */
  answer(
    command: Command,
    result: { readonly data?: Uint8Array; readonly failed?: number; readonly extension?: boolean; readonly chain?: number },
  ): Uint8Array {
    return encodeAnswer({
      name: answerOf[command.name],
      slot: command.slot,
      sequence: command.sequence,
      icc: this.#card ? (this.#active ? "active" : "inactive") : "absent",
      status: result.failed !== undefined ? "failed" : result.extension ? "timeExtension" : "ok",
      error: result.failed ?? (result.extension ? 1 : 0),
      specific: result.chain ?? 0,
      data: result.data ?? none,
    });
  }

  #abort(command: Command): void {
    const running = this.#running;
    if (running) {
      running.cancel.abort();
      this.#running = undefined;
      this.onMessage?.(this.answer(running.command, { failed: slotError.CMD_ABORTED }));
    }
    this.onMessage?.(this.answer(command, {}));
  }

  async #play(answers: FakeAnswers, signal: AbortSignal): Promise<void> {
    try {
      await Promise.resolve();
      for (const [i, { afterMs, message }] of answers.entries()) {
        if (afterMs > 0) await this.#options.clock.sleep(afterMs, signal);
        if (signal.aborted) return;
        if (i === answers.length - 1) this.#running = undefined;
        this.onMessage?.(message);
      }
      if (answers.length === 0) this.#running = undefined;
    } catch {
      // aborted while it thought: whoever aborted has answered
    }
  }

  #polite(command: Command): FakeAnswers {
    const say = (result: Parameters<FakeReader["answer"]>[1], afterMs = 0): FakeAnswers => [
      { afterMs, message: this.answer(command, result) },
    ];
    switch (command.name) {
      case "GetSlotStatus":
        return say({});
      case "IccPowerOff":
        this.#active = false;
        return say({});
      case "IccPowerOn":
        if (!this.#card) return say({ failed: slotError.ICC_MUTE });
        this.#active = true;
        return say({ data: this.#card.powerOn() });
      case "XfrBlock":
        return this.#transfer(command, command.data, say);
      case "Secure":
        return this.#secure(command, say);
      default:
        return say({ failed: slotError.CMD_NOT_SUPPORTED });
    }
  }

  #transfer(
    command: Command,
    data: Uint8Array,
    say: (result: Parameters<FakeReader["answer"]>[1], afterMs?: number) => FakeAnswers,
  ): FakeAnswers {
    if (!this.#card || !this.#active) return say({ failed: slotError.ICC_MUTE });
    const level = command.specific[1];
    if (level === 1 || level === 3) {
      this.#chain = Uint8Array.of(...this.#chain, ...data);
      return say({ chain: 0x10 });
    }
    const apdu = level === 2 ? Uint8Array.of(...this.#chain, ...data) : data;
    this.#chain = none;
    const { response, thinkMs } = this.#card.transmit(apdu);
    const extensions = Array.from({ length: Math.floor(thinkMs / EXTENSION_MS) }, () => ({
      afterMs: EXTENSION_MS,
      message: this.answer(command, { extension: true }),
    }));
    return [...extensions, ...say({ data: response }, thinkMs % EXTENSION_MS)];
  }

  #secure(command: Command, say: (result: Parameters<FakeReader["answer"]>[1], afterMs?: number) => FakeAnswers): FakeAnswers {
    const typed = this.#options.pad?.() ?? "cancel";
    if (typed === "cancel") return say({ failed: slotError.PIN_CANCELLED }, 500);
    if (typed === "timeout") return say({ failed: slotError.PIN_TIMEOUT }, 60_000 % EXTENSION_MS);
    const header = pinVerifyBlock.decode(command.data).abPINApdu.subarray(0, 4);
    return this.#transfer(command, Uint8Array.of(...header, typed.length, ...typed), say);
  }
}
