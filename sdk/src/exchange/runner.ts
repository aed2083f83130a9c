import { type Answer, CodecError, decodeAnswer, encodeCommand } from "@inkan/device-proto";
import { abortError, InkanError, toInkanError } from "../errors.js";
import type { Recorder } from "../transport/record.js";
import type { Transport } from "../transport/transport.js";
import { type Clock, startTimer } from "./clock.js";
import {
  closedFailure,
  exchange,
  type ExchangeInput,
  type ExchangeRequest,
  type ExchangeState,
  type Failure,
  initialExchange,
  wakeAt,
} from "./machine.js";
import { Queue } from "./queue.js";

interface Caller {
  resolve(answer: Answer): void;
  reject(error: InkanError): void;
}

/** Drives the pure machine: owns the clock, the transport's answer path and the queue of one slot. */
export class Exchange {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #recorder: Recorder | undefined;
  readonly #onAnswer: ((answer: Answer) => void) | undefined;
  readonly #queue = new Queue();
  #state: ExchangeState = initialExchange;
  #caller: Caller | undefined;
  /** Gives the turn to the next command. */
  #free: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #armedFor: number | undefined;

  /** `onAnswer` hears of each answer a command ends with, before the caller does and in order with what else the transport brings. */
  constructor(transport: Transport, clock: Clock, recorder?: Recorder, onAnswer?: (answer: Answer) => void) {
    this.#transport = transport;
    this.#clock = clock;
    this.#recorder = recorder;
    this.#onAnswer = onAnswer;
    transport.onMessage = (message) => this.#receive(message);
    void transport.closed.then((reason) => {
      const failure = closedFailure(reason, undefined);
      this.#queue.close(new InkanError(failure.code, failure.details));
      this.#step({ type: "closed", reason });
    });
  }

  /** True while a command is in flight or queued. */
  get busy(): boolean {
    return this.#queue.busy;
  }

  /**
   * Runs one command and gives its answer, ok or failed. Rejects with an {@link InkanError} when there is none: aborted, deadline-passed,
   * reader-unplugged, session-broken, outcome-unknown, protocol. An abort or a deadline is told at once; what comes next waits until the
   * reader has really stopped.
   */
  run(request: ExchangeRequest, signal?: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.run(() => this.#start(request, signal, { resolve, reject }), signal).catch(reject);
    });
  }

  /** Settles what is in flight (by aborting it) and what is queued; the exchange itself goes on. */
  flush(): void {
    this.#queue.flush(new InkanError("aborted"));
    this.#step({ type: "abort", why: { code: "aborted", details: {} } });
  }

  /** Resolves when the slot is free for the next command; `caller` may have been told before. */
  #start(request: ExchangeRequest, signal: AbortSignal | undefined, caller: Caller): Promise<void> {
    return new Promise((done) => {
      const onAbort = (): void => {
        const error = abortError(signal!);
        this.#step({ type: "abort", why: { code: error.code, details: error.details } });
      };
      this.#caller = caller;
      this.#free = () => {
        this.#free = this.#caller = undefined;
        signal?.removeEventListener("abort", onAbort);
        done();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#step({ type: "start", request });
      // aborted between its turn and now
      if (signal?.aborted) onAbort();
    });
  }

  #receive(message: Uint8Array): void {
    this.#recorder?.fromReader(message);
    let answer: Answer | undefined;
    try {
      answer = decodeAnswer(message);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      return this.#step({ type: "malformed", rule: error.message });
    }
    this.#step(answer ? { type: "answer", answer } : { type: "malformed", rule: `unknown message ${message[0]!.toString(16)} or status` });
  }

  #step(input: ExchangeInput): void {
    const { state, outputs } = exchange(this.#state, input, this.#clock.now());
    this.#state = state;
    this.#arm();
    if (state.at === "aborting" || state.at === "probing") this.#caller?.reject(errorOf(state.why));
    for (const output of outputs) {
      switch (output.type) {
        case "send":
          this.#send(encodeCommand(output.command));
          break;
        case "abort-control":
          // a reader may stall the request; PC_to_RDR_Abort and the deadline are what counts
          this.#transport.abort(output.slot, output.sequence).catch(() => undefined);
          break;
        case "settle":
          if ("answer" in output) {
            this.#onAnswer?.(output.answer);
            this.#caller?.resolve(output.answer);
          } else this.#caller?.reject(errorOf(output.failure));
          this.#free?.();
          break;
        case "report":
          this.#recorder?.note(output.text);
          break;
        case "close":
          void this.#transport.close();
          break;
      }
    }
  }

  #send(message: Uint8Array): void {
    this.#recorder?.toReader(message);
    this.#transport.send(message).then(
      // the APDU in it may have held a secret the host typed
      () => message.fill(0),
      (error: unknown) => {
        message.fill(0);
        const { code, details } = toInkanError(error);
        this.#step({ type: "send-failed", why: { code, details } });
      },
    );
  }

  #arm(): void {
    const at = wakeAt(this.#state);
    if (at === this.#armedFor) return;
    this.#cancelTimer?.();
    this.#armedFor = at;
    this.#cancelTimer =
      at === undefined
        ? undefined
        : startTimer(this.#clock, Math.max(0, at - this.#clock.now()), () => {
            this.#armedFor = undefined;
            this.#cancelTimer = undefined;
            this.#step({ type: "tick" });
          });
  }
}

const errorOf = (failure: Failure): InkanError => new InkanError(failure.code, failure.details);
