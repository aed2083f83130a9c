import { PC_to_RDR } from "@inkan/device-proto";
import { type Card, isInkanError, Reader } from "@inkan/sdk";
import { FakeClock, FakeReader, type FakeReaderCard } from "@inkan/sdk/testing";
import { seeded } from "./secret-pair.js";

/** Ways a call may end that are no fault of the SDK's. */
const endings: Readonly<Record<string, readonly string[]>> = {
  transmit: ["aborted", "deadline-passed", "card-pulled", "card-mute", "reader-unplugged", "slot-busy", "usage", "no-card"],
  pad: ["aborted", "deadline-passed", "card-pulled", "card-mute", "reader-unplugged", "slot-busy", "usage", "pin-cancelled", "pin-timeout"],
  status: ["aborted", "deadline-passed", "reader-unplugged"],
  connect: ["aborted", "deadline-passed", "card-pulled", "no-card", "card-mute", "reader-unplugged", "slot-busy", "usage"],
  disconnect: ["aborted", "deadline-passed", "card-pulled", "card-mute", "reader-unplugged", "slot-busy"],
  open: ["aborted", "deadline-passed", "reader-unplugged"],
  close: [],
};
/** Beyond its deadline a call may take this long (R17), ms of fake time. */
const LATE_MS = 50;
/** A reader that says nothing of a command to be stopped is given up after this long: 10 s for the abort, three probes of 2 s; and the margin. */
const GIVEN_UP_MS = 17_000;
/** Nothing in a case takes longer, ms of fake time. */
const LIMIT_MS = 3_600_000;
/** Between two deeds of anybody, at most, ms. */
const LONGEST_PAUSE_MS = 3_000;
/** 3B 02 and two historical bytes: which card, and its how manieth power-on. */
const ATR_HEAD = [0x3b, 0x02] as const;

type Kind = keyof typeof endings;

/** A connected card: the handle, and which card and power-on it stands for. */
interface Held {
  readonly card: Card;
  readonly serial: number;
  readonly power: number;
}

/** One host: a face of the reader, and what the SDK made of it. */
interface Host {
  /** Somebody opens it now. */
  opening: boolean;
  /** Its face has been opened once. */
  used: boolean;
  fake: FakeReader;
  reader: Reader | undefined;
  held: Held | undefined;
}

/** One random interleaving of callers, hands and faults, and everything that must hold in it. */
export class Interleaving {
  readonly #random: (below: number) => number;
  readonly #clock = new FakeClock();
  readonly #problems: string[] = [];
  readonly #hosts: Host[] = [];
  /** Where each tag was seen: by which card, at which power-on, in order. */
  readonly #seen: { readonly tag: number; readonly serial: number; readonly power: number; readonly at: number }[] = [];
  /** Each call's tag with the handle it was made on. */
  readonly #calls: { readonly tag: number; readonly held: Held }[] = [];
  #serials = 0;
  #tags = 0;
  /** Calls to the pad, and PC_to_RDR_Secure messages the readers got: a secret is asked for once per call, or not at all. */
  #padCalls = 0;
  #padAsked = 0;
  /** So many commands stay without an answer. */
  #deaf = 0;
  /** The reader has been deaf or has said nonsense: `protocol` is what to call that. */
  #nonsense = false;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** Plays it; answers with what was wrong. */
  async play(): Promise<readonly string[]> {
    const clock = this.#clock;
    const first = this.#host();
    if (this.#chance(3)) this.#host(first);
    try {
      await clock.run(this.#everybody(), LIMIT_MS);
      this.#deaf = 0;
      await clock.run(Promise.all(this.#hosts.map((host) => this.#close(host))), LIMIT_MS);
      // aborts of calls that ended before
      await clock.advance(LONGEST_PAUSE_MS);
    } catch (error) {
      // FakeClock says it: somebody waits and nothing will ever happen
      this.#problems.push(error instanceof Error ? error.message : String(error));
    }
    if (clock.pending > 0) this.#problems.push(`${clock.pending} timers are left`);
    this.#judgeCard();
    if (this.#padAsked > this.#padCalls) this.#problems.push("the pad was asked twice by one call");
    return this.#problems;
  }

  #host(beside?: Host): Host {
    const host: Host = { fake: this.#face(beside), opening: false, used: false, reader: undefined, held: undefined };
    this.#hosts.push(host);
    return host;
  }

  /** A face of the reader; the second one shares the first one's slot. */
  #face(beside?: Host): FakeReader {
    const options = {
      notifies: !this.#chance(4),
      maxMessageLength: this.#chance(3) ? 40 : 65_554,
      face: this.#chance(2) ? ("usb" as const) : ("link" as const),
      pad: () => this.#person(),
    };
    // over the link an APDU comes whole
    const whole = options.face === "link" ? { ...options, maxMessageLength: 65_554 } : options;
    const reflex = (): [] | undefined => (this.#deaf > 0 ? (this.#deaf--, []) : undefined);
    const fake: FakeReader = beside
      ? beside.fake.another({ ...whole, reflex })
      : new FakeReader({ clock: this.#clock, ...whole, reflex, ...(this.#chance(4) ? {} : { card: this.#newCard() }) });
    this.#guardHandle(fake);
    return fake;
  }

  /** A transport that was closed is used no more; one that was unplugged only until the SDK could know. */
  #guardHandle(fake: FakeReader): void {
    let closed = false;
    let goneAt = Infinity;
    void fake.closed.then(() => (goneAt = this.#clock.now()));
    const { send, abort, close } = { send: fake.send.bind(fake), abort: fake.abort.bind(fake), close: fake.close.bind(fake) };
    const look = (what: string): void => {
      if (closed || this.#clock.now() > goneAt) this.#problems.push(`${what} on a transport that is closed`);
    };
    fake.send = (message) => {
      look("send");
      if (message[0] === PC_to_RDR.Secure) this.#padAsked++;
      return send(message);
    };
    fake.abort = (slot, sequence) => (look("abort"), abort(slot, sequence));
    fake.close = () => ((closed = true), close());
  }

  #newCard(): FakeReaderCard {
    const serial = (this.#serials = (this.#serials + 1) & 0xff);
    let power = 0;
    return {
      powerOn: () => Uint8Array.of(...ATR_HEAD, serial, (power = (power + 1) & 0xff)),
      transmit: (command) => {
        const tag = new DataView(command.buffer, command.byteOffset).getUint32(5);
        this.#seen.push({ tag, serial, power, at: this.#clock.now() });
        // P2 says how long it thinks
        const thinkMs = [0, 3, 1500, 40_000][command[3]! & 3]!;
        return { response: Uint8Array.of(serial, power, ...command.subarray(5, 9), 0x90, 0x00), thinkMs };
      },
    };
  }

  /** What is typed is a tag, too: four letters that no two entries share. */
  #person(): Uint8Array | "cancel" | "timeout" {
    if (this.#chance(3)) return this.#chance(2) ? "cancel" : "timeout";
    return tagBytes(++this.#tags | 0x4000_0000);
  }

  async #everybody(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => this.#open(host)));
    const callers = 2 + this.#random(7);
    await Promise.all([this.#hand(), ...Array.from({ length: callers }, () => this.#caller())]);
  }

  /** A program that makes a few calls, one after the other. */
  async #caller(): Promise<void> {
    for (let calls = 1 + this.#random(3); calls > 0; calls--) {
      await this.#pause();
      const host = this.#hosts[this.#random(this.#hosts.length)]!;
      const { reader, held } = host;
      if (reader === undefined) {
        await this.#open(host);
        continue;
      }
      switch (held === undefined ? 4 + this.#random(4) : this.#random(8)) {
        case 0:
        case 1:
        case 2:
          await this.#transmit(held!);
          break;
        case 3:
          await this.#pad(held!);
          break;
        case 4:
          await this.#call("status", this.#options(5_000), (options) => reader.slotStatus(options));
          break;
        case 5:
        case 6:
          await this.#connect(host, reader);
          break;
        default:
          if (this.#chance(3)) await this.#close(host);
          else if (held) await this.#call("disconnect", { timeoutMs: undefined }, () => held.card.disconnect());
      }
    }
  }

  /** Somebody works the slot and the cable, and the reader has its moods. */
  async #hand(): Promise<void> {
    for (let deeds = this.#random(5); deeds > 0; deeds--) {
      await this.#pause();
      const { fake } = this.#hosts[this.#random(this.#hosts.length)]!;
      const deed = this.#random(12);
      if (deed < 4) fake.remove();
      else if (deed < 8) fake.insert(this.#newCard());
      else if (deed === 8) fake.vanish("unplugged");
      else if (deed === 9) {
        this.#deaf = 1 + this.#random(4);
        this.#nonsense = true;
      } else if (deed === 10) {
        // an answer that nobody asked for
        const command = fake.commands[this.#random(fake.commands.length)];
        if (command) fake.onMessage?.(fake.answer({ ...command, sequence: (command.sequence + 128) & 255 }, { data: new Uint8Array(2) }));
      } else {
        this.#nonsense = true;
        fake.onMessage?.(Uint8Array.of(0x80, 9, 0, 0, 0, 0, 0, 0, 0, 0));
      }
    }
  }

  /** One at a time: a transport has one reader. What was closed or unplugged is plugged in anew. */
  async #open(host: Host): Promise<void> {
    if (host.opening || host.reader) return;
    host.opening = true;
    if (host.used) host.fake = this.#face(host);
    host.used = true;
    const { fake } = host;
    const made = await this.#call("open", { timeoutMs: 2_000 }, () => Reader.open(fake, { clock: this.#clock, timeoutMs: 2_000 }));
    host.reader = made;
    host.opening = false;
  }

  async #close(host: Host): Promise<void> {
    const { reader } = host;
    if (!reader) return;
    host.reader = host.held = undefined;
    await this.#call("close", { timeoutMs: GIVEN_UP_MS + 5_000 }, () => reader.close());
  }

  async #connect(host: Host, reader: Reader): Promise<void> {
    const options = this.#options(undefined);
    const waitForCard = this.#chance(3);
    // without a deadline a wait for a card may be for ever, and rightly so
    const bounded = waitForCard && options.timeoutMs === undefined ? { ...options, timeoutMs: 3_000 } : options;
    const card = await this.#call("connect", { ...bounded, queued: true }, () => reader.connect({ ...bounded, waitForCard }));
    if (!card) return;
    const [serial, power] = [card.atr[2]!, card.atr[3]!];
    if (card.active) host.held = { card, serial, power };
  }

  async #transmit(held: Held): Promise<void> {
    const tag = ++this.#tags;
    const ins = this.#chance(4) ? 0x20 : 0xb0;
    const data = new Uint8Array(this.#chance(3) ? 80 : 4);
    data.set(tagBytes(tag));
    this.#calls.push({ tag, held });
    const options = this.#options(300_000);
    const messages = 1 + Math.ceil(data.length / 30);
    const apdu = Uint8Array.of(0, ins, 0, this.#random(4), data.length, ...data);
    const response = await this.#call("transmit", { ...options, tag, messages }, () => held.card.transmit(apdu, options));
    if (!response) return;
    const [serial, power, ...own] = response.data;
    if (serial !== held.serial || power !== held.power) this.#problems.push("an answer of another card, or of another power-on");
    if (own.join() !== tagBytes(tag).join()) this.#problems.push("an answer that is another caller's");
  }

  async #pad(held: Held): Promise<void> {
    const template = { header: [0x00, 0x20, 0x00, 0x80], minLength: 4, maxLength: 4 } as const;
    const options = this.#options(270_000);
    this.#padCalls++;
    const response = await this.#call("pad", { ...options, queued: true }, () => held.card.verifyOnPad(template, options));
    if (response && (response.data[0] !== held.serial || response.data[1] !== held.power))
      this.#problems.push("a secret went to another card than the one that was held");
  }

  /** Makes a call and judges its end. */
  async #call<T>(
    kind: Kind,
    limits: {
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal;
      readonly tag?: number;
      readonly messages?: number;
      readonly queued?: boolean;
    },
    make: (options: { readonly signal?: AbortSignal; readonly timeoutMs?: number }) => Promise<T>,
  ): Promise<T | undefined> {
    const { signal, timeoutMs } = limits;
    const began = this.#clock.now();
    let stoppedAt = Infinity;
    signal?.addEventListener("abort", () => (stoppedAt = this.#clock.now()), { once: true });
    try {
      return await make({ ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) });
    } catch (error) {
      if (!isInkanError(error)) this.#problems.push(`${kind} ended in ${String(error)}`);
      else if (!endings[kind]!.includes(error.code) && !(error.code === "protocol" && this.#nonsense))
        this.#problems.push(`${kind} ended in ${error.code}`);
      return undefined;
    } finally {
      const now = this.#clock.now();
      if (now > stoppedAt + LATE_MS) this.#problems.push(`${kind} ended ${Math.round(now - stoppedAt)} ms after it was aborted`);
      // from its turn: when the card or the reader got it, or at once where nobody was before it
      const turn = limits.tag === undefined ? began : this.#seen.find((each) => each.tag === limits.tag)?.at;
      const longest = (timeoutMs ?? Infinity) * (limits.messages ?? 1) + LATE_MS;
      if (turn !== undefined && limits.queued !== true && kind !== "status" && now > turn + longest)
        this.#problems.push(`${kind} ended ${Math.round(now - turn)} ms after its turn, its deadline is ${timeoutMs} ms`);
    }
  }

  /** A deadline and an abort, each now and then. */
  #options(otherwise: number | undefined): { readonly signal?: AbortSignal; readonly timeoutMs?: number } {
    const chosen = this.#chance(3) ? [100, 2_000][this.#random(2)]! : otherwise;
    const timeoutMs = chosen === undefined ? {} : { timeoutMs: chosen };
    if (!this.#chance(4)) return timeoutMs;
    const stop = new AbortController();
    void this.#clock.sleep(this.#delay()).then(() => stop.abort());
    return { ...timeoutMs, signal: stop.signal };
  }

  async #pause(): Promise<void> {
    await this.#clock.sleep(this.#delay());
  }
  #delay(): number {
    return [0, 0, this.#random(5), this.#random(100), this.#random(LONGEST_PAUSE_MS)][this.#random(5)]!;
  }
  #chance(of: number): boolean {
    return this.#random(of) === 0;
  }

  /** What the cards saw: nothing twice, nothing out of order, nothing that was meant for another. */
  #judgeCard(): void {
    const tags = this.#seen.map(({ tag }) => tag);
    if (new Set(tags).size !== tags.length) this.#problems.push("a command reached a card twice");
    const last = new Map<Held, number>();
    for (const { tag, serial, power } of this.#seen) {
      const held = this.#calls.find((call) => call.tag === tag)?.held;
      if (held === undefined) continue;
      if (held.serial !== serial || held.power !== power) this.#problems.push("a command reached another card than the one that was held");
      if (tag < (last.get(held) ?? 0)) this.#problems.push("commands of one card changed their order");
      last.set(held, tag);
    }
  }
}

function tagBytes(tag: number): Uint8Array {
  return Uint8Array.of(tag >>> 24, (tag >> 16) & 255, (tag >> 8) & 255, tag & 255);
}
