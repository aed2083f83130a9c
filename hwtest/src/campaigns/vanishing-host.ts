import { createHash, randomBytes, verify, X509Certificate } from "node:crypto";
import { isInkanError, Reader, type Transport } from "@inkan/sdk";
import { openJpki } from "@inkan/sdk/jpki";
import { LinkTransport } from "@inkan/sdk/link";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { standardMaterial } from "../authority/index.js";
import { Fingers } from "../board/fingers.js";
import { cdcStream, openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { type ApduCard, T1Card } from "../cards/index.js";
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

/** Which key a session signs with. */
type Which = "auth" | "sign";
/** The signature's secret in the card. */
const SECRET_FILE = 0x1b;
const SECRET_TRIES = 5;
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
  #which: Which = "sign";
  #transport: Transport | undefined;
  #silent = false;

  private constructor(bench: VirtualReader, face: Face, secret: string, card: JpkiTestCard) {
    this.bench = bench;
    this.face = face;
    this.#secret = secret;
    this.#card = card;
    this.#wire = tap(bench);
    this.#fingers = new Fingers(bench.board.front, bench.board.keypad, bench.board.engine.pump, { secret: () => this.#type() });
    bench.board.slot.insert(this.#newCard());
  }

  /** A board that is plugged in and configured, the card in it. `secret` is the card's signature password. */
  static async boot(
    face: Face,
    secret: string,
    firmware: { readonly image: Uint8Array; readonly boot: Uint8Array },
  ): Promise<VanishingHost> {
    const bench = await openVirtualReader({ pace: "free", fingers: false, face, ...firmware });
    const host = new VanishingHost(bench, face, secret, JpkiTestCard.standard({ ...standardMaterial(), signPassword: secret }));
    await bench.board.usb.attach();
    return host;
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

  /** Times in ns at which the host saw a packet. */
  get packets(): readonly number[] {
    return this.#wire.map((line) => Number(line.split(" ", 1)[0]));
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

  /** Connects, verifies on the pad, signs with a key, and looks at the signature. Every handle it opened is closed when it ends. */
  async sign(which: Which): Promise<Outcome> {
    this.#which = which;
    const enough = new AbortController();
    const limit = this.bench.clock.sleep(PATIENCE_MS, enough.signal).then(
      (): Outcome => ({ word: "hangs" }),
      (): Outcome => ({ word: "hangs" }),
    );
    const outcome = await Promise.race([this.#session(which), limit]);
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

  async #session(which: Which): Promise<Outcome> {
    let reader: Reader | undefined;
    try {
      this.#transport = await this.#open();
      reader = await Reader.open(this.#transport, { clock: this.bench.clock });
      const jpki = await openJpki(await reader.connect({}));
      await jpki.verify(which, { on: "pad" });
      const signer = await jpki.signer(which);
      const document = randomBytes(32);
      const signature = await signer.sign("sha256", createHash("sha256").update(document).digest());
      const good = verify("sha256", document, new X509Certificate(signer.certificate).publicKey, signature);
      return good ? { word: "signed" } : { word: "unnamed", detail: "a signature that does not verify" };
    } catch (error) {
      if (isInkanError(error)) return { word: error.code };
      return { word: "unnamed", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    } finally {
      await reader?.close();
    }
  }

  async #open(): Promise<Transport> {
    this.#silent = false;
    if (this.face === "usb") return this.bench.transport();
    const { board, clock } = this.bench;
    await board.usb.attach();
    await board.run(300);
    await board.cdc.open({ dtr: true });
    const stream = cdcStream(board.cdc);
    const { write } = stream;
    const hear = board.cdc.onData;
    board.cdc.onData = (bytes) => {
      if (!this.#silent) hear?.(bytes);
    };
    stream.write = async (bytes) => {
      if (!this.#silent) await write(bytes);
    };
    const entropy = (bytes: Uint8Array): void => bytes.forEach((_, index) => (bytes[index] = board.engine.random() >>> 24));
    return LinkTransport.open(stream, { address: { uri: "virtual:", name: "virtual reader", virtual: true }, clock, entropy });
  }

  #type(): string {
    this.asked[this.wrong ? "wrong" : "right"]++;
    if (this.#which === "auth") return standardMaterial().authPin;
    return this.wrong ? differing(this.#secret) : this.#secret;
  }

  #newCard(): T1Card {
    const card = this.#card;
    const counting: ApduCard = {
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
    return new T1Card(counting);
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
