import { createHash, randomBytes, verify, X509Certificate } from "node:crypto";
import { isInkanError, Reader, type Transport, UsbTransport } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { LinkTransport } from "@inkan/sdk/link";
import { serialStream } from "@inkan/sdk/node";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { standardMaterial } from "../authority/index.js";
import { Fingers } from "../board/fingers.js";
import { openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { BoardDeadline } from "../board/pace.js";
import { serialBinding, VIRTUAL_PORT } from "../board/serial-binding.js";
import { UsbDeviceError } from "../board/usb-device.js";
import { type ApduCard, T1Card } from "../cards/index.js";
import { signsAgain } from "./next-session.js";
import { type Observation, leaves, tap } from "./secrecy.js";

/** The faces a program can leave by. */
export type Face = "usb" | "link";

/** How a host can vanish, by face. `unplug`, `reset` and `suspend` happen to the cable, the others to the program. */
export const vanishings = {
  usb: ["reset", "suspend", "unplug", "killed"],
  link: ["reset", "suspend", "unplug", "killed", "port-closed", "silence"],
} as const;
/** One of {@link vanishings}. */
export type Vanishing = (typeof vanishings)[Face][number];

const ADDRESS = { uri: "virtual:", name: "virtual reader", virtual: true } as const;
/** Between the plug and the program, ms: a card that is in has been debounced by then. */
const PLUGGED_MS = 300;
/** The signature's secret in the card. */
const SECRET_FILE = 0x1b;
const SECRET_TRIES = 5;
const selectJpki = Buffer.from("00a4040c0ad392f000260100000001", "hex");
const selectSecret = [0x00, 0xa4, 0x02, 0x0c, 0x02, 0x00, SECRET_FILE];
/** No conversation of this world takes longer, ms of board time: the pad's and the link's longest waits are in it. */
const PATIENCE_MS = 200_000;
/** What a reader is given to notice that its host is gone and to put everything away: the link's silence of 20 s, and a second. */
const SETTLE_MS = { silence: 21_000, killed: 21_000, other: 1000 } as const;

/** What a program got out of a session. */
export interface Outcome {
  /** The error's code; `signed` when there was none, `unnamed` when it has no name, `hangs` when nothing ever came. */
  readonly word: string;
  readonly detail?: string;
}

/**
 * One reader with one card and one person, through the whole of a day on which the host vanishes: a first session that may be struck, and a
 * second one that must work.
 */
export class VanishingHost {
  readonly bench: VirtualReader;
  readonly face: Face;
  readonly #secret: string;
  readonly #card: JpkiTestCard;
  readonly #wire: readonly string[];
  readonly #fingers: Fingers;
  /** How often the pad asked the person for the secret, and what the person typed each time: right or wrong. */
  readonly asked = { right: 0, wrong: 0 };
  /** VERIFYs with a secret that came to the card, as it judged them. */
  readonly verified = { right: 0, wrong: 0 };
  /** The person types something else. */
  wrong = false;
  #again = false;
  #silent = false;
  #packet: (() => void) | undefined;

  private constructor(bench: VirtualReader, face: Face, secret: string, card: JpkiTestCard) {
    this.bench = bench;
    this.face = face;
    this.#secret = secret;
    this.#card = card;
    this.#wire = tap(bench);
    this.#fingers = new Fingers(bench.board.front, bench.board.keypad, bench.board.engine.pump, { secret: () => this.#type() });
    bench.board.slot.insert(this.#newCard());
    const { controller } = bench.board.usb.host;
    const begin = controller.beginIn.bind(controller);
    controller.beginIn = (address, number) => {
      this.#packet?.();
      return begin(address, number);
    };
  }

  /** A board that has power and no cable yet, the card in it: the first session plugs it in. `secret` is the card's signature password. */
  static async boot(
    face: Face,
    secret: string,
    firmware: { readonly image: Uint8Array; readonly boot: Uint8Array },
  ): Promise<VanishingHost> {
    const bench = await openVirtualReader({ pace: "free", fingers: false, face, ...firmware });
    return new VanishingHost(bench, face, secret, JpkiTestCard.standard({ ...standardMaterial(), signPassword: secret }));
  }

  /** What left the reader so far and all that is in it, as `findSecret` takes it. */
  look(outcome: string): Observation {
    const { board } = this.bench;
    const state = board.engine.save();
    const models: Record<string, string> = {};
    for (const [name, model] of Object.entries(state.models)) if (name !== "card") leaves(model, name, models);
    const { ram, dpram } = state;
    return { wire: this.#wire, trace: "", outcome, endNs: board.nowNs, screens: [], flash: "", ram: { looked: ram }, dpram, models };
  }

  /** How many IN tokens the host has sent. */
  get packets(): number {
    return this.#wire.length;
  }

  /** Resolves when the host begins its `count`th IN token from now, in the middle of the board's run. */
  packet(count: number, signal: AbortSignal): Promise<void> {
    let left = count;
    return this.bench.board.engine.pump.waitFor<void>(
      (resolve) => {
        this.#packet = () => {
          if (--left === 0) resolve();
        };
        return () => (this.#packet = undefined);
      },
      { background: true, signal },
    );
  }

  /** A mistake for the checks' own tests: the card hears a secret that nobody typed, `past` the counter or through it. */
  verifyUnasked(secret: string, past: "counter" | "nothing"): void {
    const card = past === "counter" ? this.#card : this.#counted();
    card.powerOn();
    const text = Buffer.from(secret, "ascii");
    for (const command of [selectJpki, selectSecret, [0x00, 0x20, 0x00, 0x80, text.length, ...text]])
      card.transmit(Uint8Array.from(command));
  }

  /** Tries left at the card, behind everybody's back. */
  get triesLeft(): number | undefined {
    return this.#card.triesLeft("jpki", SECRET_FILE);
  }

  /** Tries that must be left when every wrong VERIFY the card saw cost one and a right one gave all back. */
  #triesDue = SECRET_TRIES;
  get triesDue(): number {
    return this.#triesDue;
  }

  /** Plugs in, connects, verifies on the pad, signs, and looks at the signature. Every handle it opened is closed when it ends. */
  sign(): Promise<Outcome> {
    return this.#within(() => this.#session(async (reader) => this.#signature(reader)));
  }

  /** The same with the authentication key, without its certificate. */
  signAgain(): Promise<Outcome> {
    this.#again = true;
    return this.#within(() => this.#session(async (reader) => signsAgain(reader, standardMaterial().authCertificate)));
  }

  async #within(session: () => Promise<Outcome>): Promise<Outcome> {
    const enough = new AbortController();
    const limit = this.bench.clock.sleep(PATIENCE_MS, enough.signal).then(
      (): Outcome => ({ word: "hangs" }),
      (): Outcome => ({ word: "hangs" }),
    );
    const outcome = await Promise.race([session(), limit]);
    enough.abort();
    await limit;
    return outcome;
  }

  /** Does it to the host, now. Comes back when the cable is as it will stay. */
  async vanish(how: Vanishing, away: number): Promise<void> {
    const { board, clock } = this.bench;
    if (how === "reset") board.usb.host.resetPort();
    else if (how === "suspend") {
      board.usb.suspend();
      await clock.sleep(away);
      board.usb.resume();
    } else if (how === "unplug") board.usb.detach();
    // The system closes what a killed program had open, without a word to the reader.
    else if (how === "killed") await (this.face === "usb" ? board.usb.device.close() : board.cdc.close({ hangUp: false }));
    else if (how === "port-closed") await board.cdc.close({ hangUp: true });
    else this.#silent = true;
  }

  /** Lets the reader notice, and the person finish what the pad still asks. */
  async settle(how: Vanishing): Promise<void> {
    const { board, clock } = this.bench;
    await board.runUntil(() => !board.lamp, board.nowNs + PATIENCE_MS * 1e6);
    await clock.sleep(how === "silence" || how === "killed" ? SETTLE_MS[how] : SETTLE_MS.other);
  }

  /** The same card out and in again. */
  async reinsert(): Promise<void> {
    await this.bench.remove();
    await this.bench.clock.sleep(300);
    await this.bench.insert(this.#newCard());
    await this.bench.clock.sleep(300);
  }

  async close(): Promise<void> {
    this.#fingers.close();
    await this.bench.close();
  }

  async #session(work: (reader: Reader) => Promise<boolean>): Promise<Outcome> {
    let reader: Reader | undefined;
    try {
      reader = await Reader.open(await this.#open(), { clock: this.bench.clock });
      return (await work(reader)) ? { word: "signed" } : { word: "unnamed", detail: "a signature that does not verify" };
    } catch (error) {
      if (isInkanError(error))
        return { word: error.code, ...(error.code === "unexpected" || error.code === "protocol" ? { detail: error.message } : {}) };
      return { word: "unnamed", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    } finally {
      await reader?.close();
    }
  }

  async #signature(reader: Reader): Promise<boolean> {
    const jpki = await openJpki(await reader.connect({}));
    await jpki.verify("sign", { on: "pad" });
    const signer = await jpki.signer("sign");
    const document = randomBytes(32);
    const signature = await signer.sign("sha256", createHash("sha256").update(document).digest());
    return verify("sha256", document, new X509Certificate(signer.certificate).publicKey, signature);
  }

  /** The cable goes in and a program opens the reader as it opens any. A reader that cannot be enumerated is the kernel's to say; the program finds none. */
  async #open(): Promise<Transport> {
    this.#silent = false;
    const { board, clock } = this.bench;
    await board.usb.attach().catch((error: unknown) => {
      if (!(error instanceof UsbDeviceError || error instanceof BoardDeadline)) throw error;
    });
    await board.run(PLUGGED_MS);
    if (this.face === "usb") return UsbTransport.open(board.usb.device, { address: ADDRESS, clock });
    const stream = await serialStream(VIRTUAL_PORT, { binding: serialBinding(board.usb.host, board.cdc) });
    const write = stream.write.bind(stream);
    const hear = board.cdc.onData;
    board.cdc.onData = (bytes) => {
      if (!this.#silent) hear?.(bytes);
    };
    stream.write = async (bytes) => {
      if (!this.#silent) await write(bytes);
    };
    const entropy = (bytes: Uint8Array): void => bytes.forEach((_, index) => (bytes[index] = board.engine.random() >>> 24));
    return LinkTransport.open(stream, { address: ADDRESS, clock, entropy });
  }

  #type(): string {
    this.asked[this.wrong ? "wrong" : "right"]++;
    if (this.#again) return standardMaterial().authPin;
    return this.wrong ? differing(this.#secret) : this.#secret;
  }

  #newCard(): T1Card {
    return new T1Card(this.#counted());
  }

  #counted(): ApduCard {
    const card = this.#card;
    return {
      atr: card.atr,
      powerOn: () => card.powerOn(),
      transmit: (command) => {
        const answer = card.transmit(command);
        if (command[1] === 0x20 && command.length > 5) this.#count(answer.response);
        return answer;
      },
      save: () => card.save(),
      load: (state) => card.load(state as Parameters<JpkiTestCard["load"]>[0]),
    };
  }

  #count(response: Uint8Array): void {
    const right = response[0] === 0x90;
    this.verified[right ? "right" : "wrong"]++;
    if (this.#card.save().selectedFile === SECRET_FILE) this.#triesDue = right ? SECRET_TRIES : this.#triesDue - 1;
  }
}

/** Another secret of the same length. */
function differing(secret: string): string {
  return secret.startsWith("A") ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
}
