import { channel, Deframer, encodeFrame, type Frame, helloAck, linkLimits, rate, sessionKind } from "@inkan/device-proto";

interface Part {
  readonly channel: number;
  readonly more: boolean;
  readonly payload: Uint8Array;
}

/**
 * The reader's side of the link in TypeScript, for tests of the host's side: the same rules as firmware/link, in the smallest form. It is
 * driven by hand: bytes in by `receive`, bytes out and time by `poll`.
 */
export class LinkReaderSide {
  /** Whole messages of the host, in order of delivery: [channel, bytes]. */
  readonly delivered: [number, Uint8Array][] = [];
  /** Called for each CCID message; gives the answer. */
  onCommand: (message: Uint8Array) => Uint8Array | undefined = () => undefined;
  /** The version it answers; an old reader says 1. */
  version: number = linkLimits.version;
  /** The rate of its line now, bit/s. */
  baud: number = linkLimits.defaultBaud;
  sessions = 0;
  #rateAck: number | undefined;
  #trial: { readonly from: number; readonly to: number; readonly until: number } | undefined;
  readonly #deframer = new Deframer();
  #hostMax = 1;
  #tag = 0;
  #nonce: Uint8Array = new Uint8Array(0);
  #expected = 0;
  #ackNow = false;
  #helloAck = false;
  #pong = false;
  #parts: Uint8Array[][] = [];
  #queue: Part[] = [];
  #flight: Part[] = [];
  #base = 0;
  #unsent = 0;
  #progress = 0;
  #tries = 0;

  /** Is a session open. */
  get open(): boolean {
    return this.#tag !== 0;
  }

  /** Power off and on: everything of the session is forgotten. */
  reset(): void {
    this.#tag = 0;
  }

  receive(chunk: Uint8Array, now: number): void {
    this.#deframer.push(chunk, (item) => {
      if ("frame" in item) this.#frame(item.frame, now);
    });
  }

  /** What to send now. */
  poll(now: number): Uint8Array {
    const out: Uint8Array[] = [];
    const send = (frame: Omit<Frame, "tag" | "ack">): void => void out.push(encodeFrame({ ...frame, ack: this.#expected, tag: this.#tag }));
    const session = (kind: number, payload: Uint8Array = new Uint8Array(0)): void =>
      send({ channel: channel.session, session: kind, more: false, seq: 0, payload });
    if (this.#helloAck) {
      this.#helloAck = false;
      session(
        sessionKind.helloAck,
        helloAck.encode({
          version: Math.min(this.version, this.#hostMax),
          nonce: this.#nonce,
          tag: this.#tag,
          window: linkLimits.window,
          maxPayload: linkLimits.maxPayload,
          bootCount: this.sessions,
        }),
      );
    }
    if (this.#trial) this.baud = now < this.#trial.until ? this.#trial.to : this.#trial.from;
    if (this.#trial && now >= this.#trial.until) this.#trial = undefined;
    if (!this.open) return new Uint8Array(0);
    if (this.#rateAck !== undefined) {
      // leaves at the old rate: the new one is set when it is next asked for bytes
      const { baud } = this;
      const to = this.#rateAck;
      this.#rateAck = undefined;
      session(sessionKind.rateAck, rate.encode({ baud: to }));
      if (to) this.#trial = { from: baud, to, until: now + linkLimits.rateTrialMs };
    }
    if (this.#pong) {
      this.#pong = false;
      session(sessionKind.pong);
    }
    if (this.#flight.length && this.#unsent === this.#flight.length && now >= this.#progress + linkLimits.retransmitMs) {
      if (this.#tries++ === linkLimits.retransmissions) {
        this.#tag = 0;
        return new Uint8Array(0);
      }
      this.#unsent = 0;
    }
    while (this.#flight.length < linkLimits.window && this.#queue.length) this.#flight.push(this.#queue.shift()!);
    while (this.#unsent < this.#flight.length) {
      send({ ...this.#flight[this.#unsent]!, session: 0, seq: (this.#base + this.#unsent) & 255 });
      this.#unsent++;
      this.#progress = now;
      this.#ackNow = false;
    }
    if (this.#ackNow) {
      this.#ackNow = false;
      session(sessionKind.ack);
    }
    return out.length ? Uint8Array.from(out.flatMap((bytes) => [...bytes])) : new Uint8Array(0);
  }

  /** Queues a message to the host. */
  say(on: number, message: Uint8Array): void {
    for (let at = 0; at === 0 || at < message.length; at += linkLimits.maxPayload) {
      this.#queue.push({
        channel: on,
        more: at + linkLimits.maxPayload < message.length,
        payload: message.slice(at, at + linkLimits.maxPayload),
      });
    }
  }

  #frame(frame: Frame, now: number): void {
    if (frame.channel === channel.session && frame.session === sessionKind.hello && frame.tag === 0) {
      const nonce = frame.payload.slice(2, 10);
      this.#hostMax = frame.payload[1]!;
      if (!this.open || nonce.some((byte, i) => byte !== this.#nonce[i])) {
        this.sessions++;
        this.#tag = (this.sessions % 255) + 1;
        this.#nonce = nonce;
        this.#expected = this.#base = this.#unsent = this.#tries = 0;
        this.#parts = [];
        this.#queue = [];
        this.#flight = [];
      }
      this.#helloAck = true;
      return;
    }
    if (!this.open || frame.tag !== this.#tag) return;
    if (this.#trial && this.baud === this.#trial.to) this.#trial = undefined;
    const done = (frame.ack - this.#base) & 255;
    if (done > 0 && done <= this.#flight.length) {
      this.#flight.splice(0, done);
      this.#base = frame.ack;
      this.#unsent = Math.max(0, this.#unsent - done);
      this.#tries = 0;
      this.#progress = now;
    }
    if (frame.channel === channel.session) {
      if (frame.session === sessionKind.ping) this.#pong = true;
      if (frame.session === sessionKind.rate && this.version >= 2) {
        const { baud } = rate.decode(frame.payload);
        this.#rateAck = baud >= linkLimits.leastBaud && baud <= linkLimits.mostBaud ? baud : 0;
      }
      if (frame.session === sessionKind.bye) this.#tag = 0;
      return;
    }
    this.#ackNow = true;
    if (frame.seq !== this.#expected) return;
    this.#expected = (this.#expected + 1) & 255;
    const parts = (this.#parts[frame.channel] ??= []);
    parts.push(frame.payload);
    if (frame.more) return;
    this.#parts[frame.channel] = [];
    const message = Uint8Array.from(parts.flatMap((part) => [...part]));
    this.delivered.push([frame.channel, message]);
    const answer = frame.channel === channel.ccid ? this.onCommand(message) : undefined;
    if (answer) this.say(frame.channel, answer);
  }
}
