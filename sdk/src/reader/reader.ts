import {
  type Answer,
  type BlackBoxEvent,
  ccidClaims,
  type CommandName,
  type Health,
  notices,
  type Policies,
  type PolicyName,
} from "@inkan/device-proto";
import { abortError, InkanError, isInkanError } from "../errors.js";
import { type Clock, startTimer } from "../exchange/clock.js";
import { answerFailure, closedFailure } from "../exchange/machine.js";
import { Exchange } from "../exchange/runner.js";
import { systemClock } from "../exchange/system-clock.js";
import type { TraceSink } from "../trace/event.js";
import { Recorder } from "../transport/record.js";
import type { ReaderAddress, ReaderIdentity, Transport } from "../transport/transport.js";
import { type CallOptions, Card, type CardPort } from "./card.js";
import { ReaderEvents } from "./events.js";
import { levelOf } from "./level.js";

/** Options of {@link Reader.open}. */
export interface ReaderOptions {
  /** Where time comes from; default the wall clock. */
  readonly clock?: Clock;
  /** Gets every message, redacted. */
  readonly trace?: TraceSink;
  /** Longest wait for the reader's first answer, ms; default 5 000. */
  readonly timeoutMs?: number;
  /** Aborts the opening, nothing later. */
  readonly signal?: AbortSignal;
  /** Called once after the transport was closed, by `close()`: gives back what the transport stands on. */
  readonly release?: () => Promise<void>;
}

/** Options of {@link Reader.connect}. */
export interface ConnectOptions extends CallOptions {
  /** Wait until a card is put in, instead of failing with no-card. */
  readonly waitForCard?: boolean;
}

/** State of the card slot: nothing in it, a card that is off, a card that is powered. */
export type SlotState = "absent" | "present" | "active";

/** The reader sends a time extension at least every 20 s while it or a person thinks; 30 s without any means it is gone. */
const SILENCE_MS = 30_000;
const STATUS_MS = 5_000;
/** Three voltage classes, each with its wait for an ATR, and warm resets. */
const POWER_MS = 30_000;
/** Without an interrupt path the slot is asked this often while somebody listens, ms. */
const POLL_MS = 300;
/** With one, a wait for a card still asks this often, should a notice get lost, ms. */
const POLL_BESIDE_NOTICES_MS = 2_000;
/** While a person decides about a policy the reader is asked this often, ms. */
const POLICY_POLL_MS = 250;
const none = new Uint8Array(0);

/** A card reader: one slot, one card at a time, one command at a time. */
export class Reader implements AsyncDisposable {
  readonly address: ReaderAddress;
  /** card-inserted, card-removed, closed. */
  readonly events: ReaderEvents;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #exchange: Exchange;
  readonly #release: (() => Promise<void>) | undefined;
  #card: Card | undefined;
  #connecting = false;
  /** Is a card in the slot, as last seen. */
  #present: boolean | undefined;
  #stopPolling: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  private constructor(transport: Transport, options: ReaderOptions) {
    this.address = transport.address;
    this.#transport = transport;
    this.#release = options.release;
    this.#clock = options.clock ?? systemClock;
    const recorder = options.trace ? new Recorder(options.trace, this.#clock) : undefined;
    this.events = new ReaderEvents((wanted) => this.#poll(wanted && transport.notifies === false));
    // at the moment the answer comes, not a microtask later: a notice right behind it tells what happened after it
    this.#exchange = new Exchange(transport, this.#clock, recorder, (answer) => this.#saw(answer.icc !== "absent"));
    transport.onNotice = (notice) => {
      recorder?.notice(notice);
      this.#notice(notice);
    };
    if (recorder) transport.onEvent = (event) => recorder.transportEvent(event);
    void transport.closed.then((reason) => {
      this.#closed = true;
      this.#poll(false);
      const { code, details } = closedFailure(reason, undefined);
      this.#card?.detach(new InkanError(code, details));
      this.events.emit({ type: "closed", reason });
    });
  }

  /** Opens a reader over any transport and asks its slot's state once, so that a reader that does not answer fails here. Rejects with an {@link InkanError}; the transport is closed then. */
  static async open(transport: Transport, options: ReaderOptions = {}): Promise<Reader> {
    const reader = new Reader(transport, options);
    try {
      await reader.slotStatus({ timeoutMs: options.timeoutMs ?? STATUS_MS, ...(options.signal && { signal: options.signal }) });
      return reader;
    } catch (error) {
      // why it could not be opened counts, not what giving it back said on top
      await reader.close().catch(() => undefined);
      throw error;
    }
  }

  /** Who the reader says it is, without touching the card. */
  async identify(options: { readonly signal?: AbortSignal } = {}): Promise<ReaderIdentity> {
    if (this.#transport.identify) return this.#transport.identify(options.signal);
    const { name, serial, firmware } = this.address;
    return { product: name, testIds: false, ...(serial !== undefined && { serial }), ...(firmware !== undefined && { firmware }) };
  }

  /** Lights the reader's display, so that a person sees which one it is. Rejects with `unsupported` where the transport cannot ask for it. */
  async blink(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (!this.#transport.blink) throw new InkanError("unsupported", { detail: "blinking works over the link (serial: or virtual:)" });
    await this.#transport.blink(options.signal);
  }

  /** How the reader has been since its last reset: uptime, counters, stack. Rejects with `unsupported` where the transport cannot ask for it. */
  async health(options: { readonly signal?: AbortSignal } = {}): Promise<Health> {
    if (!this.#transport.health) throw new InkanError("unsupported", { detail: "health is told over the link (serial: or virtual:)" });
    return this.#transport.health(options.signal);
  }

  /**
   * What the reader wrote down of its last days: kinds of messages, status words and times, never contents; oldest first. Rejects with
   * `unsupported` where the transport cannot ask for it.
   */
  async blackBox(options: { readonly signal?: AbortSignal } = {}): Promise<readonly BlackBoxEvent[]> {
    if (!this.#transport.blackBox)
      throw new InkanError("unsupported", { detail: "the black box is read over the link (serial: or virtual:)" });
    return this.#transport.blackBox(options.signal);
  }

  /** Which policies the reader obeys. Rejects with `unsupported` where the transport cannot ask for it. */
  async policies(options: { readonly signal?: AbortSignal } = {}): Promise<Policies> {
    if (!this.#transport.policies) throw new InkanError("unsupported", { detail: "policies are told over the link (serial: or virtual:)" });
    return this.#transport.policies(options.signal);
  }

  /**
   * Asks for a policy to be switched off, and waits until the person at the pad has decided: OK held for 3 s, within 60 s. Only with the card
   * off; three requests per power-up. Resolves with the policies then in force; `request` says how it ended. Rejects with `unsupported` where the
   * transport cannot ask or the reader refuses (the policy is not on, no request is left), `slot-busy` while the card is on.
   */
  async switchPolicyOff(policy: PolicyName, options: { readonly signal?: AbortSignal } = {}): Promise<Policies> {
    const { signal } = options;
    if (!this.#transport.policyOff)
      throw new InkanError("unsupported", { detail: "policies are switched over the link (serial: or virtual:)" });
    await this.#transport.policyOff(policy, signal);
    for (;;) {
      const policies = await this.policies(options);
      if (policies.request !== "asking") return policies;
      await this.#newsOr(POLICY_POLL_MS, signal);
    }
  }

  /** What is in the slot now. */
  async slotStatus(options: CallOptions = {}): Promise<SlotState> {
    const timeoutMs = options.timeoutMs ?? STATUS_MS;
    const answer = await this.#run("GetSlotStatus", [0, 0, 0], none, { ...options, timeoutMs });
    // a reader whose slot is busy or empty may answer "failed" and still tell the slot's state (CCID 1.1 §6.2.6)
    return answer.icc === "absent" ? "absent" : answer.icc === "active" ? "active" : "present";
  }

  /**
   * Powers the card on. Rejects with no-card, card-mute, card-pulled, slot-busy (another connection owns the card), unsupported,
   * deadline-passed, aborted, reader-unplugged.
   */
  async connect(options: ConnectOptions = {}): Promise<Card> {
    if (this.#connecting || this.#card?.active)
      throw new InkanError("usage", { detail: "a card is connected already; disconnect it first" });
    this.#connecting = true;
    const until = options.timeoutMs === undefined ? Infinity : this.#clock.now() + options.timeoutMs;
    try {
      if (options.waitForCard) await this.#waitForCard(until, options.signal);
      // 0 = automatic voltage selection where the reader claims it (dwFeatures bit 3), else 5 V first
      const select = (this.#transport.features ?? ccidClaims.dwFeatures) & 0x08 ? 0 : 1;
      const answer = await this.#run("IccPowerOn", [select, 0, 0], none, {
        timeoutMs: Math.min(options.timeoutMs ?? POWER_MS, Math.max(1, until - this.#clock.now())),
        ...(options.signal && { signal: options.signal }),
      });
      if (answer.status !== "ok") throw this.#failure(answer, false);
      // pulled right after it answered: the notice came before anybody could hold the card
      if (this.#present === false) throw new InkanError("card-pulled");
      const card = new Card(this.#port(), answer.data);
      this.#card = card;
      return card;
    } finally {
      this.#connecting = false;
    }
  }

  /** Settles what is in flight, powers the card off and gives the transport back. May be called twice; never rejects for a reader that is gone. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#poll(false);
    try {
      if (!this.#closed) {
        this.#exchange.flush();
        this.#card?.flush(new InkanError("aborted"));
        await this.#card?.[Symbol.asyncDispose]();
      }
    } finally {
      try {
        await this.#transport.close();
      } finally {
        await this.#release?.();
      }
    }
  }

  #port(): CardPort {
    const features = this.#transport.features ?? ccidClaims.dwFeatures;
    return {
      level: levelOf(features),
      features,
      maxMessageLength: this.#transport.maxMessageLength,
      pinSupport: this.#transport.pinSupport ?? ccidClaims.bPINSupport,
      command: async (name, specific, data, options) => {
        const answer = await this.#run(name, specific, data, options);
        if (answer.status === "ok") return answer;
        throw this.#failure(answer, true);
      },
      released: (card) => {
        if (this.#card === card) this.#card = undefined;
      },
    };
  }

  #failure(answer: Answer, had: boolean): InkanError {
    const { code, details } = answerFailure(answer, had);
    return new InkanError(code, details);
  }

  async #run(
    name: CommandName,
    specific: readonly [number, number, number],
    data: Uint8Array,
    options: CallOptions & { readonly timeoutMs: number },
  ): Promise<Answer> {
    const { timeoutMs, signal } = options;
    return this.#exchange.run({ name, slot: 0, specific, data, timeoutMs, silenceMs: Math.min(SILENCE_MS, timeoutMs) }, signal);
  }

  /** RDR_to_PC_NotifySlotChange: two bits per slot, bit 0 present, bit 1 changed since the last one (CCID 1.1 §6.3.1). */
  #notice(notice: Uint8Array): void {
    const bits = notice[1];
    if (notice[0] !== notices.NotifySlotChange || bits === undefined) return;
    const present = (bits & 1) !== 0;
    // "changed, and there again": the card that was in is not the one that is in
    if (bits & 2 && present && this.#present) this.#saw(false);
    this.#saw(present);
  }

  #saw(present: boolean): void {
    const before = this.#present;
    this.#present = present;
    if (before === undefined || before === present) return;
    if (!present) {
      this.#card?.detach(new InkanError("card-pulled"));
      this.#card = undefined;
    }
    this.events.emit({ type: present ? "card-inserted" : "card-removed" });
  }

  async #waitForCard(until: number, signal: AbortSignal | undefined): Promise<void> {
    const every = this.#transport.notifies === false ? POLL_MS : POLL_BESIDE_NOTICES_MS;
    const rest = (): number => until - this.#clock.now();
    for (let looked = false; ; looked = true) {
      const timeoutMs = Math.max(1, Math.min(STATUS_MS, rest()));
      const state = await this.slotStatus({ timeoutMs, ...(signal && { signal }) }).catch((error: unknown) => {
        // the time ran out during a look: there was no card at the one before
        if (looked && timeoutMs < STATUS_MS && isInkanError(error, "deadline-passed")) throw new InkanError("no-card");
        throw error;
      });
      if (state !== "absent") return;
      if (rest() <= 0) throw new InkanError("no-card");
      await this.#newsOr(Math.min(every, rest()), signal);
    }
  }

  /** Resolves with the next event or after `ms`, whichever is first; rejects when the signal is aborted or the reader is gone. */
  #newsOr(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        off();
        cancel();
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const onAbort = (): void => end(() => reject(abortError(signal!)));
      const off = this.events.on(() => end(resolve));
      const cancel = startTimer(this.#clock, ms, () => end(resolve));
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted) onAbort();
    });
  }

  #poll(wanted: boolean): void {
    this.#stopPolling?.();
    this.#stopPolling = undefined;
    if (!wanted || this.#closed) return;
    // a question may be in flight when polling stops, and when it starts again: each run knows for itself that it is over
    let over = false;
    let cancel: () => void;
    const again = (): void => {
      if (!over) cancel = startTimer(this.#clock, POLL_MS, ask);
    };
    const ask = (): void => {
      // a command in flight brings the slot's state itself
      if (this.#exchange.busy) again();
      else this.slotStatus().then(again, again);
    };
    this.#stopPolling = () => {
      over = true;
      cancel();
    };
    again();
  }
}
