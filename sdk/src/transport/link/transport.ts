import {
  type BlackBoxEvent,
  blackBoxRequest,
  blackBoxStore,
  ccidClaims,
  channel,
  CodecError,
  Deframer,
  decodeBlackBoxPage,
  decodeIdentity,
  decodePolicies,
  encodeFrameInto,
  type Frame,
  type Health,
  healthLayout,
  hex,
  linkLimits,
  mergeBlackBox,
  maxEncodedFrame,
  serviceMessage,
  type Policies,
  type PolicyName,
  policyBits,
  policyOffRequest,
  serviceMessages,
  serviceStatus,
} from "@inkan/device-proto";
import { abortError, InkanError } from "../../errors.js";
import { type Clock, startTimer } from "../../exchange/clock.js";
import { systemClock } from "../../exchange/system-clock.js";
import type { ByteStream } from "../byte-stream.js";
import type { ClosedReason, ReaderAddress, ReaderIdentity, Transport, TransportEvent } from "../transport.js";
import { initialLink, link, type LinkEnd, type LinkInput, type LinkState, linkWakeAt } from "./session.js";

/** Options of {@link LinkTransport.open}. */
export interface LinkOptions {
  readonly address: ReaderAddress;
  /** Default the wall clock. */
  readonly clock?: Clock;
  /** Fills the session's nonce; default the platform's random numbers. A test gives its own, so that a session is repeatable. */
  readonly entropy?: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** Longest wait for the reader's answer to hello, ms; default 3 000. */
  readonly timeoutMs?: number;
  /** Bits per second where the line has a rate: frames are kept so short that one takes at most 100 ms, and their time is allowed for. */
  readonly baud?: number;
  /** The rate to change to once the session is open, where stream and reader can; else the line keeps `baud`. */
  readonly raiseTo?: number;
  /** Highest version to offer; default the newest. */
  readonly versionMax?: number;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
}

const SERVICE_MS = 3_000;

/** 10 bits per byte on the line; at least 16 bytes, so that a CCID header fits. */
const maxPayloadAt = (baud: number): number =>
  baud > 0 ? Math.max(16, Math.min(linkLimits.maxPayload, Math.floor(baud / 100) - 16)) : linkLimits.maxPayload;

/** Carries CCID messages over the framed link on any byte stream, see docs/reference/link.md. */
export class LinkTransport implements Transport {
  readonly address: ReaderAddress;
  readonly maxMessageLength = ccidClaims.dwMaxCCIDMessageLength;
  readonly features = ccidClaims.dwFeatures;
  readonly pinSupport = ccidClaims.bPINSupport;
  readonly notifies = true;
  onMessage: ((message: Uint8Array) => void) | undefined;
  onNotice: ((notice: Uint8Array) => void) | undefined;
  onEvent: ((event: TransportEvent) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  readonly #deframer = new Deframer();
  readonly #scratch = new Uint8Array(linkLimits.maxPayload + 8);
  #maxPayload: number;
  #baud: number;
  #state: LinkState = initialLink;
  #cancelTimer: (() => void) | undefined;
  #armedFor: number | undefined;
  #armedInBackground = false;
  #settleClosed!: (reason: ClosedReason) => void;
  #opening: { resolve(): void; reject(error: InkanError): void } | undefined;
  #nextId = 1;
  #nextService = 0;
  #over = false;
  readonly #taken = new Map<number, () => void>();
  readonly #services = new Map<number, { readonly id: number; resolve(data: Uint8Array): void; reject(error: InkanError): void }>();

  private constructor(stream: ByteStream, options: LinkOptions) {
    this.address = options.address;
    this.#stream = stream;
    this.#clock = options.clock ?? systemClock;
    this.#baud = options.baud ?? 0;
    this.#maxPayload = maxPayloadAt(this.#baud);
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    stream.onData = (chunk) => this.#receive(chunk);
    void stream.closed.then((reason) => this.#end(reason, { code: reason === "closed" ? "aborted" : "reader-unplugged", details: {} }));
  }

  /**
   * Opens a session. Rejects with `no-reader` when nothing answers, `port-garbage` when what answers is no Inkan reader, `link-version`,
   * `reader-unplugged`, `aborted`; the stream is closed then.
   */
  static async open(stream: ByteStream, options: LinkOptions): Promise<LinkTransport> {
    const transport = new LinkTransport(stream, options);
    const nonce = new Uint8Array(8);
    (options.entropy ?? ((bytes) => void globalThis.crypto.getRandomValues(bytes)))(nonce);
    const { signal } = options;
    const onAbort = (): void => transport.#step({ type: "bye" });
    try {
      if (signal?.aborted) throw abortError(signal);
      signal?.addEventListener("abort", onAbort, { once: true });
      await new Promise<void>((resolve, reject) => {
        transport.#opening = { resolve, reject };
        transport.#step({
          type: "open",
          nonce,
          timeoutMs: options.timeoutMs ?? 3_000,
          baud: transport.#baud,
          ...(options.versionMax !== undefined && { versionMax: options.versionMax }),
        });
      });
      const { raiseTo } = options;
      if (raiseTo !== undefined && stream.setRate)
        await new Promise<void>((resolve, reject) => {
          transport.#opening = { resolve, reject };
          transport.#step({ type: "rate", baud: raiseTo });
        });
      return transport;
    } catch (error) {
      await transport.close();
      throw signal?.aborted ? abortError(signal) : error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Bits per second of the line now; 0 = it has no rate, or it is not known. */
  get baud(): number {
    return this.#baud;
  }

  send(message: Uint8Array): Promise<void> {
    return this.#send(channel.ccid, message);
  }

  /** The link has no control pipe: PC_to_RDR_Abort alone stops a command. */
  async abort(): Promise<void> {}

  async identify(signal?: AbortSignal): Promise<ReaderIdentity> {
    const data = await this.#service(serviceMessages.identify.id, signal);
    const { product, firmware, uniqueId, imageHash, testIds, testKey } = decoded("identify", data, decodeIdentity);
    return { product, firmware, serial: hex(uniqueId).toUpperCase(), imageHash, testIds, testKey };
  }

  async health(signal?: AbortSignal): Promise<Health> {
    return decoded("health", await this.#service(serviceMessages.health.id, signal), (data) => {
      return healthLayout.decode(data.subarray(0, healthLayout.size)); // a newer reader may say more
    });
  }

  async blackBox(signal?: AbortSignal): Promise<readonly BlackBoxEvent[]> {
    const store = async (which: number): Promise<BlackBoxEvent[]> => {
      const events: BlackBoxEvent[] = [];
      for (let page: number | undefined = 0; page !== undefined; ) {
        const asked: Uint8Array = blackBoxRequest.encode({ store: which, page });
        const answer = decoded("black box", await this.#service(serviceMessages.blackBox.id, signal, asked), decodeBlackBoxPage);
        events.push(...answer.events);
        // pages only go up, or a reader that lies would be read for ever
        if (answer.next !== undefined && answer.next <= page)
          throw new InkanError("protocol", { detail: "black box: its pages run in a circle" });
        page = answer.next;
      }
      return events;
    };
    const flash = await store(blackBoxStore.flash);
    return mergeBlackBox(await store(blackBoxStore.ring), flash);
  }

  async policies(signal?: AbortSignal): Promise<Policies> {
    return decoded("policies", await this.#service(serviceMessages.policies.id, signal), decodePolicies);
  }

  async policyOff(policy: PolicyName, signal?: AbortSignal): Promise<void> {
    await this.#service(serviceMessages.policyOff.id, signal, policyOffRequest.encode({ policy: policyBits[policy] }));
  }

  async blink(signal?: AbortSignal): Promise<void> {
    await this.#service(serviceMessages.blink.id, signal);
  }

  /** Ends the session with bye, so that the reader powers the card off, and closes the stream. May be called twice. */
  async close(): Promise<void> {
    this.#step({ type: "bye" });
    await this.#stream.close();
    this.#end("closed", { code: "aborted", details: {} });
  }

  #send(on: number, message: Uint8Array): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#taken.set(id, resolve);
      this.#step({ type: "send", channel: on, message, id, maxPayload: this.#maxPayload });
    });
  }

  /** Sends a service request without data and gives the answer's data after its status byte. */
  #service(id: number, signal: AbortSignal | undefined, data: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      if (this.#over) return reject(new InkanError("session-broken"));
      const sequence = this.#nextService;
      this.#nextService = (sequence + 1) & 255;
      const end = (settle: () => void): void => {
        this.#services.delete(sequence);
        cancel();
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const onAbort = (): void => end(() => reject(abortError(signal!)));
      const cancel = startTimer(this.#clock, SERVICE_MS, () => end(() => reject(new InkanError("deadline-passed", { ms: SERVICE_MS }))));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#services.set(sequence, { id, resolve: (data) => end(() => resolve(data)), reject: (error) => end(() => reject(error)) });
      void this.#send(channel.service, serviceMessage.encode({ id, sequence, length: data.length, data }));
    });
  }

  #serviceAnswer(message: Uint8Array): void {
    let answer: ReturnType<typeof serviceMessage.decode>;
    try {
      answer = serviceMessage.decode(message);
    } catch (error) {
      if (error instanceof CodecError) return;
      throw error;
    }
    const waiting = this.#services.get(answer.sequence);
    if (!waiting || (waiting.id | 0x80) !== answer.id) return;
    if (answer.length !== answer.data.length || answer.length === 0)
      return waiting.reject(new InkanError("protocol", { detail: "a service answer of another length than it says" }));
    const code = answer.data[0];
    if (code === serviceStatus.ok) waiting.resolve(answer.data.subarray(1));
    else if (code === serviceStatus.busy) waiting.reject(new InkanError("slot-busy"));
    else waiting.reject(new InkanError("unsupported", { detail: `service message ${waiting.id} (status ${code})` }));
  }

  #receive(chunk: Uint8Array): void {
    this.#deframer.push(chunk, (item) => {
      if ("frame" in item) this.#step({ type: "frame", frame: item.frame });
      else this.onEvent?.({ type: "discarded", bytes: item.discarded, reason: item.reason });
    });
  }

  #step(input: LinkInput): void {
    const { state, outputs } = link(this.#state, input, this.#clock.now());
    this.#state = state;
    this.#arm();
    for (const output of outputs) {
      switch (output.type) {
        case "write":
          this.#write(output.frames);
          break;
        case "message":
          if (output.channel === channel.ccid) this.onMessage?.(output.message);
          else if (output.channel === channel.service) this.#serviceAnswer(output.message);
          break;
        case "notice":
          this.onNotice?.(output.notice);
          break;
        case "taken":
          this.#taken.get(output.id)?.();
          this.#taken.delete(output.id);
          break;
        case "opened":
          this.onEvent?.({ type: "session", version: output.version, bootCount: output.bootCount });
          this.#opening?.resolve();
          this.#opening = undefined;
          break;
        case "line":
          void this.#setLine(output.baud);
          break;
        case "rated":
          this.#baud = output.baud;
          this.#maxPayload = maxPayloadAt(output.baud);
          this.#opening?.resolve();
          this.#opening = undefined;
          break;
        case "retransmitted":
          this.onEvent?.({ type: "retransmitted", frames: output.frames });
          break;
        case "over":
          this.#end(output.why.code === "aborted" ? "closed" : output.why.code === "protocol" ? "violation" : "session-broken", output.why);
          break;
      }
    }
  }

  /** Frames back to back share delimiters: 00 frame 00 frame 00. */
  #write(frames: readonly Frame[]): void {
    let size = 1;
    for (const frame of frames) size += Math.min(maxEncodedFrame + 1, frame.payload.length + 16);
    const bytes = new Uint8Array(size);
    let at = 1;
    for (const frame of frames) at += encodeFrameInto(frame, bytes, at, this.#scratch);
    this.#scratch.fill(0);
    // it may have held a secret the host typed
    const wipe = (): void => void bytes.fill(0);
    this.#stream.write(bytes.subarray(0, at)).then(wipe, wipe);
  }

  #end(reason: ClosedReason, why: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#state = { at: "over", why };
    this.#arm();
    // silence and noise are different troubles: the first may be the wrong port, the second is a wrong speed or another device
    const code = why.code === "no-reader" && this.#deframer.discardedBytes > 0 ? "port-garbage" : why.code;
    const error = new InkanError(code, { path: this.address.path ?? this.address.uri, ...why.details });
    this.#opening?.reject(error);
    this.#opening = undefined;
    for (const done of this.#taken.values()) done();
    this.#taken.clear();
    for (const waiting of [...this.#services.values()]) waiting.reject(error);
    this.#settleClosed(reason);
    if (reason !== "closed") void this.#stream.close();
  }

  async #setLine(baud: number): Promise<void> {
    try {
      await this.#stream.setRate!(baud);
      this.#baud = baud;
    } catch {
      // the port has no such rate: the line keeps the one it had
    }
    this.#step({ type: "line", baud: this.#baud });
  }

  #arm(): void {
    const wake = linkWakeAt(this.#state);
    if (wake?.at === Infinity) return;
    if (wake?.at === this.#armedFor) return;
    // every frame moves the next ping: a timer that is too early costs one idle tick in 5 s, moving it costs something each time
    if (wake?.background && this.#armedInBackground && this.#armedFor !== undefined && this.#armedFor < wake.at) return;
    this.#cancelTimer?.();
    this.#armedFor = wake?.at;
    this.#armedInBackground = wake?.background ?? false;
    this.#cancelTimer =
      wake &&
      startTimer(
        this.#clock,
        Math.max(0, wake.at - this.#clock.now()),
        () => {
          this.#armedFor = undefined;
          this.#cancelTimer = undefined;
          this.#step({ type: "tick" });
        },
        { background: wake.background },
      );
  }
}

/** A service answer's data; bytes that are none of it are the reader's fault. */
function decoded<T>(what: string, data: Uint8Array, decode: (data: Uint8Array) => T): T {
  try {
    return decode(data);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new InkanError("protocol", { detail: `${what}: ${error.message}` }, { cause: error });
  }
}
