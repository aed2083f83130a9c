import {
  type Answer,
  answerOf,
  ccidClaims,
  type Command,
  type CommandName,
  encodeAnswer,
  notices,
  PC_to_RDR,
  slotError,
} from "@inkan/device-proto";
import type { Clock } from "../src/exchange/clock.js";
import type { ClosedReason, ReaderAddress, Transport, TransportEvent } from "../src/transport/transport.js";
import { FakeGuard } from "./fake-guard.js";
import { FakeSlot, type RawCommand } from "./fake-slot.js";
import { readTemplate } from "./fake-template.js";

/** A card as a fake reader needs it; `JpkiTestCard` is one. */
export interface FakeReaderCard {
  /** Resets the card's security state and gives its ATR; empty = it is mute. */
  powerOn(): Uint8Array;
  /** An empty response = it has fallen silent. */
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
  /** What the person does when the display asks whether to sign. Default OK. */
  readonly consent?: () => "ok" | "cancel" | "timeout";
  /** Replaces one reflex: gives other answers, an empty list for silence, or `undefined` to let the good manners act. */
  readonly reflex?: (command: Command, polite: () => FakeAnswers) => FakeAnswers | undefined;
  readonly features?: number;
  readonly notifies?: boolean;
  readonly maxMessageLength?: number;
  /**
   * Which of the reader's faces this is. Over USB (the default) an abort is two things, on the control pipe and on the bulk pipe, and a
   * long APDU may come in chained messages; over the link the message alone aborts, and an APDU comes whole.
   */
  readonly face?: "usb" | "link";
  /** The pad-only policy: a JPKI secret that a host typed is refused with 6982. Default off. */
  readonly padOnly?: boolean;
}

type Result = { readonly data?: Uint8Array; readonly failed?: number; readonly extension?: boolean; readonly chain?: number };
type Say = (result: Result, afterMs?: number) => FakeAnswers;

/** While it works it says so this often, ms. */
const EXTENSION_MS = 1000;
/** A person looks, then presses, ms. */
const PERSON_MS = 500;
/** The display asks for consent this long, ms. */
const CONSENT_MS = 60_000;
const HEADER = 10;
const none = new Uint8Array(0);

/**
 * A reader that speaks real CCID messages, as a transport. Good manners by default: what the released firmware answers, with the same
 * bStatus and bError (the whole table of `device-proto/src/ccid/matrix.ts` is held against both); a test replaces one reflex. Fakes the
 * device, not the functions of the SDK.
 *
 * @example A program that takes a Reader is tested without hardware, in no time and to the byte:
 * ```ts
 * const card = {
 *   powerOn: () => Uint8Array.of(0x3b, 0x00),
 *   transmit: (command: Uint8Array) => ({ response: Uint8Array.of(command[1]!, 0x90, 0x00), thinkMs: 5 }),
 * };
 * const clock = new FakeClock();
 * const fake = new FakeReader({ clock, card });
 * const reader = await clock.run(Reader.open(fake, { clock }));
 * const connected = await clock.run(reader.connect());
 * const response = await clock.run(connected.transmit(Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x01)));
 * expect([response.sw, ...response.data]).toEqual([0x9000, 0xb0]);
 * fake.remove();
 * await expect(clock.run(connected.transmit(Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x01)))).rejects.toMatchObject({ code: "card-pulled" });
 * await clock.run(reader.close());
 * expect(clock.pending).toBe(0);
 * ```
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
  /** Every PC_to_RDR message that is one, in order. */
  readonly commands: Command[] = [];
  /** bSeq of each ABORT on the control pipe. */
  readonly controlAborts: number[] = [];
  readonly #options: FakeReaderOptions;
  readonly #slot: FakeSlot;
  readonly #guard: FakeGuard;
  /** Every face of this reader, this one among them. */
  readonly #faces: Set<FakeReader>;
  #settleClosed!: (reason: ClosedReason) => void;
  #running: { readonly command: RawCommand; readonly cancel: AbortController } | undefined;
  /** What came of a chained APDU. */
  #chain: Uint8Array | undefined;
  /** The halves of an abort that wait for the other (CCID 1.1 §5.3.1): bSeq on the control pipe, the message on the bulk pipe. */
  #abortControl: number | undefined;
  #abortBulk: RawCommand | undefined;
  #gone = false;

  /** `beside`: a face of the same reader, so that both have one slot. */
  constructor(options: FakeReaderOptions, beside?: FakeReader) {
    this.#options = options;
    this.#slot = beside ? beside.#slot : new FakeSlot();
    this.#guard = beside ? beside.#guard : new FakeGuard(options.padOnly ?? false);
    this.#faces = (beside ? beside.#faces : new Set<FakeReader>()).add(this);
    if (options.card !== undefined) this.#slot.card = options.card;
    this.features = options.features ?? ccidClaims.dwFeatures;
    this.notifies = options.notifies ?? true;
    this.maxMessageLength = options.maxMessageLength ?? ccidClaims.dwMaxCCIDMessageLength;
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  /** Another face of this reader: another host, the same slot. Options it does not name are this one's. */
  another(options: Partial<FakeReaderOptions> = {}): FakeReader {
    const own = Object.fromEntries(Object.entries(this.#options).filter(([name]) => name !== "card"));
    return new FakeReader({ clock: this.#options.clock, ...own, ...options }, this);
  }

  /** Puts a card in, where one is in after pulling that out. */
  insert(card: FakeReaderCard): void {
    if (this.#slot.card !== undefined) this.remove();
    this.#slot.card = card;
    for (const face of this.#faces) face.#notify(3);
  }

  /** Pulls the card out; a running command ends as the standard says. */
  remove(): void {
    this.#slot.card = undefined;
    this.#powerOff();
    for (const face of this.#faces) face.#stop(slotError.ICC_MUTE);
    for (const face of this.#faces) face.#notify(2);
  }

  /** The cable is pulled, or another fate. The card goes off with the face that owned it. */
  vanish(reason: ClosedReason = "unplugged"): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#faces.delete(this);
    this.#running?.cancel.abort();
    this.#ended();
    this.#chain = undefined;
    if (this.#slot.owner === this) this.#powerOff();
    this.#settleClosed(reason);
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#gone) throw new Error("the reader is gone");
    const raw = readRaw(message);
    // fewer bytes than a header have no bSeq to answer to
    if (raw === undefined) return;
    const { name } = raw;
    const command: Command | undefined = name && { ...raw, name, data: raw.data };
    if (command) this.commands.push(command);
    if (raw.name === "Abort" && raw.slot === 0 && raw.says === 0 && raw.data.length === 0) {
      const answers = this.#options.reflex?.(command!, () => politeAbort);
      if (answers !== undefined && answers !== politeAbort) {
        // a reflex of its own: told as it is, what runs goes on, and the other half of the abort has gone the same way
        this.#abortControl = undefined;
        return void this.#play(answers, new AbortController().signal, () => undefined);
      }
      this.#abortBulk = raw;
      return this.#aborts();
    }
    if (this.#abortControl !== undefined) return this.#tell(raw, { failed: slotError.CMD_ABORTED });
    if (this.#slot.running !== undefined) return this.#busy(raw);
    const polite = (): FakeAnswers => this.#polite(raw);
    this.#start(raw, (command && this.#options.reflex?.(command, polite)) ?? polite());
  }

  async abort(_slot: number, sequence: number): Promise<void> {
    if (this.#gone) return;
    this.controlAborts.push(sequence);
    if (this.#options.face === "link") return;
    this.#abortControl = sequence;
    this.#aborts();
  }

  async close(): Promise<void> {
    this.vanish("closed");
  }

  /** An answer to `command`: ok with `data`, or failed with a bError. */
  answer(command: Command, result: Result): Uint8Array {
    return this.#answer({ ...command, type: PC_to_RDR[command.name], says: command.data.length }, result);
  }

  #answer({ name, slot, sequence }: RawCommand, { data, failed, extension, chain }: Result): Uint8Array {
    const answerName = name === undefined ? "SlotStatus" : answerOf[name];
    // there is one slot
    const icc = slot === 0 ? this.#slot.icc : "absent";
    const answer: Answer = {
      name: answerName,
      slot,
      sequence,
      icc,
      status: failed !== undefined ? "failed" : extension ? "timeExtension" : "ok",
      error: failed ?? (extension ? 1 : 0),
      // bClockStatus: running, or stopped low; bProtocolNum; bChainParameter
      specific:
        answerName === "SlotStatus"
          ? Number(icc !== "active")
          : answerName === "Parameters" && icc === "active"
            ? this.#slot.protocol
            : (chain ?? 0),
      data: data ?? none,
    };
    return encodeAnswer(answer);
  }

  #tell(command: RawCommand, result: Result): void {
    this.onMessage?.(this.#answer(command, result));
  }

  #notify(bits: number): void {
    if (this.notifies) this.onNotice?.(Uint8Array.of(notices.NotifySlotChange, bits));
  }

  #powerOff(): void {
    this.#slot.powerOff();
    this.#guard.reset();
  }

  /** The slot takes commands again. */
  #ended(): void {
    this.#running = undefined;
    if (this.#slot.running === this) this.#slot.running = undefined;
  }

  /** Ends what runs with an error. */
  #stop(error: number): void {
    const running = this.#running;
    if (!running) return;
    running.cancel.abort();
    this.#ended();
    this.#tell(running.command, { failed: error });
  }

  /** While a command runs here or at another face: status is told, another's abort finds nothing, all else waits its turn. */
  #busy(raw: RawCommand): void {
    if (raw.slot !== 0) return this.#tell(raw, { failed: 5 });
    // 1 = dwLength: it carries no data
    if (raw.name === "GetSlotStatus") return this.#tell(raw, raw.says === 0 && raw.data.length === 0 ? {} : { failed: 1 });
    this.#tell(raw, { failed: slotError.CMD_SLOT_BUSY });
  }

  /** CCID 1.1 §5.3.1: when both halves are there the command is over, and the abort is answered. */
  #aborts(): void {
    const link = this.#options.face === "link";
    if (this.#abortControl !== undefined || (link && this.#abortBulk)) {
      this.#chain = undefined;
      this.#stop(slotError.CMD_ABORTED);
    }
    const bulk = this.#abortBulk;
    if (!bulk || (!link && this.#abortControl !== bulk.sequence)) return;
    this.#abortBulk = this.#abortControl = undefined;
    this.#tell(bulk, {});
  }

  #start(command: RawCommand, answers: FakeAnswers): void {
    const cancel = new AbortController();
    this.#running = { command, cancel };
    this.#slot.running = this;
    void this.#play(answers, cancel.signal);
  }

  async #play(answers: FakeAnswers, signal: AbortSignal, ended = () => this.#ended()): Promise<void> {
    try {
      await Promise.resolve();
      for (const [i, { afterMs, message }] of answers.entries()) {
        if (afterMs > 0) await this.#options.clock.sleep(afterMs, signal);
        if (signal.aborted) return;
        if (i === answers.length - 1) ended();
        this.onMessage?.(message);
      }
      if (answers.length === 0 && !signal.aborted) ended();
    } catch {
      // aborted while it thought: whoever aborted has answered
    }
  }

  #polite(raw: RawCommand): FakeAnswers {
    // anything but the next part ends a chain; status may be asked in between
    if (raw.name !== "XfrBlock" && raw.name !== "GetSlotStatus") this.#chain = undefined;
    const say: Say = (result, afterMs = 0) => [
      ...Array.from({ length: Math.ceil(afterMs / EXTENSION_MS) - 1 }, () => ({
        afterMs: EXTENSION_MS,
        message: this.#answer(raw, { extension: true }),
      })),
      { afterMs: afterMs === 0 ? 0 : ((afterMs - 1) % EXTENSION_MS) + 1, message: this.#answer(raw, result) },
    ];
    const failed = this.#slot.refusal(this, raw);
    if (failed === undefined) return this.#carryOut(raw, raw.name!, say);
    this.#chain = undefined;
    return say({ failed });
  }

  #carryOut(raw: RawCommand, name: CommandName, say: Say): FakeAnswers {
    const { specific, data } = raw;
    const given = (result: Uint8Array | number): FakeAnswers => say(typeof result === "number" ? { failed: result } : { data: result });
    switch (name) {
      case "GetSlotStatus":
      case "Abort":
        return say({});
      case "IccPowerOff":
        this.#powerOff();
        return say({});
      case "IccPowerOn":
        if (specific[0] > 3) return say({ failed: 7 });
        this.#guard.reset();
        return this.#powerOn(say);
      case "XfrBlock":
        return this.#transfer(raw, say);
      case "Secure":
        return this.#secure(raw, say);
      case "GetParameters":
      case "ResetParameters":
        return say({ data: this.#slot.parameters() });
      case "SetParameters":
        return given(this.#slot.setParameters(specific[0], data));
      case "SetDataRateAndClockFrequency":
        return given(this.#slot.dataRate(data));
      case "IccClock":
        return say(specific[0] === 0 ? {} : { failed: 7 });
      case "T0APDU": {
        // FFh: the class of the command, the only one the reader can honour
        const bad = specific[0] > 3 ? 7 : specific[0] & 1 && specific[1] !== 0xff ? 8 : specific[0] & 2 && specific[2] !== 0xff ? 9 : 0;
        return say(bad ? { failed: bad } : {});
      }
      case "Escape":
      case "Mechanical":
        return say({ failed: slotError.CMD_NOT_SUPPORTED });
    }
  }

  #powerOn(say: Say): FakeAnswers {
    const atr = this.#slot.powerOn(this);
    if (atr.length > 0) return say({ data: atr });
    this.#powerOff();
    return say({ failed: slotError.ICC_MUTE });
  }

  /** wLevelParameter (CCID 1.1 §6.1.4): 0 whole, 1 begins, 3 goes on, 2 ends. */
  #transfer({ specific, data }: RawCommand, say: Say): FakeAnswers {
    const level = specific[1] | (specific[2] << 8);
    const first = level === 0 || level === 1;
    const chain = this.#chain;
    this.#chain = undefined;
    if (level > 3 || first !== (chain === undefined) || (level !== 0 && this.#options.face === "link")) return say({ failed: 8 });
    const apdu = chain ? Uint8Array.of(...chain, ...data) : data;
    if (level === 1 || level === 3) {
      this.#chain = apdu;
      return say({ chain: 0x10 });
    }
    if (apdu.length < 4) return say({ failed: 1 });
    return this.#exchange(apdu, say);
  }

  #exchange(apdu: Uint8Array, say: Say): FakeAnswers {
    const sw = (high: number, low: number, afterMs?: number): FakeAnswers => say({ data: Uint8Array.of(high, low) }, afterMs);
    const verdict = this.#guard.before(apdu);
    if (verdict === "refuse") return sw(0x69, 0x82);
    let lookedMs = 0;
    if (verdict === "ask") {
      const pressed = this.#options.consent?.() ?? "ok";
      if (pressed === "cancel") return sw(0x64, 0x01, PERSON_MS);
      if (pressed === "timeout") return sw(0x64, 0x00, CONSENT_MS);
      lookedMs = PERSON_MS;
    }
    return this.#toCard(apdu, say, lookedMs);
  }

  #toCard(apdu: Uint8Array, say: Say, beforeMs: number): FakeAnswers {
    const { response, thinkMs } = this.#slot.card!.transmit(apdu);
    if (response.length === 0) {
      this.#powerOff();
      return say({ failed: slotError.ICC_MUTE }, beforeMs + thinkMs);
    }
    this.#guard.after(apdu, response);
    return say({ data: response }, beforeMs + thinkMs);
  }

  #secure({ specific, data }: RawCommand, say: Say): FakeAnswers {
    // a template in one piece only
    if (specific[1] !== 0 || specific[2] !== 0) return say({ failed: 8 });
    const template = readTemplate(data);
    if (typeof template === "number") return say({ failed: HEADER + template });
    const typed = this.#options.pad?.() ?? "cancel";
    if (typed === "cancel") return say({ failed: slotError.PIN_CANCELLED }, PERSON_MS);
    // OK with too few characters is not taken, and the person gives up
    if (typed === "timeout" || typed.length < template.min) return say({ failed: slotError.PIN_TIMEOUT }, template.timeoutMs);
    return this.#toCard(template.insert(typed.subarray(0, template.max)), say, PERSON_MS);
  }
}

/** What a reflex gets for "the polite answer" of an abort: that is not a list, but the end of what runs. */
const politeAbort: FakeAnswers = [];

function readRaw(message: Uint8Array): RawCommand | undefined {
  if (message.length < HEADER) return undefined;
  const type = message[0]!;
  const name = (Object.keys(PC_to_RDR) as CommandName[]).find((each) => PC_to_RDR[each] === type);
  const says = new DataView(message.buffer, message.byteOffset).getUint32(1, true);
  const specific = [message[7]!, message[8]!, message[9]!] as const;
  return { type, name, slot: message[5]!, sequence: message[6]!, specific, says, data: message.slice(HEADER) };
}
