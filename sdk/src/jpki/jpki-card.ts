import { InkanError } from "../errors.js";
import { Queue } from "../exchange/queue.js";
import type { PinVerifyTemplate } from "../reader/pin-template.js";
import { digestInfo } from "../signing/digest-info.js";
import type { Signer } from "../signing/signer.js";
import { parseCertificate } from "../trust/certificate.js";
import { cardStatus, JpkiFiles } from "./files.js";
import type { CertificateName, Which } from "./layout.js";
import { files, secretRules, tokens } from "./layout.js";
import type { JpkiPort, JpkiResponse } from "./port.js";
import { foldSecret } from "./secret.js";

/** Where the secret comes from. A host's buffer is overwritten with zeros, however the call ends. */
export type SecretSource = { readonly on: "pad" } | { readonly on: "host"; readonly pin: Uint8Array<ArrayBuffer> };

/** Options of {@link JpkiCard.verify}. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  /** Go on although one try is left. Default false: refused with `pin-last-try`. */
  readonly lastTry?: boolean;
  /** Language of the pad's prompt. Default: the reader's. */
  readonly language?: "ja" | "en";
  /** Seconds the pad waits for each key. Default: the reader's. */
  readonly timeoutSeconds?: number;
}

/** What {@link JpkiCard.verify} did besides verifying. */
export interface Verified {
  /** Lower-case letters of a host's password were folded to upper case, as the card stores them. */
  readonly folded: boolean;
}

/**
 * The JPKI application of a card. What was verified counts until another application is selected, and every method leaves the
 * application selected. Calls take turns, since each is a conversation: between selecting a secret and trying it no other call may
 * select another. Nothing that spends a try is ever repeated.
 */
export class JpkiCard {
  readonly #port: JpkiPort;
  readonly #files: JpkiFiles;
  readonly #turns = new Queue();
  /** Name of the token, without its padding: `JPKIAPICCTOKEN2` on a My Number card. */
  readonly token: string;
  readonly kind: "card" | "old-card" | "android" | "iphone" | "unknown";

  private constructor(port: JpkiPort, cardFiles: JpkiFiles, token: string) {
    this.#port = port;
    this.#files = cardFiles;
    this.token = token;
    this.kind = tokens[token] ?? "unknown";
  }

  /** See {@link openJpki}. */
  static async open(port: JpkiPort, options: { readonly signal?: AbortSignal } = {}): Promise<JpkiCard> {
    const cardFiles = new JpkiFiles(port);
    await cardFiles.selectApplication(options.signal);
    const name = new TextDecoder("latin1").decode(await cardFiles.readStart(files.token, 32, options.signal)).replace(/[ \0]+$/, "");
    if (!name.startsWith("JPKIAP")) throw new InkanError("card-unknown");
    return new JpkiCard(port, cardFiles, name);
  }

  /** Selects the application again: whatever was verified no longer counts. */
  async reselect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#turns.run(() => this.#files.selectApplication(options.signal), options.signal);
  }

  /** Tries left of a secret; 0 = blocked; `undefined` when the card does not say. Spends no try. */
  async triesLeft(which: Which, options: { readonly signal?: AbortSignal } = {}): Promise<number | undefined> {
    return this.#turns.run(() => this.#tries(which, options), options.signal);
  }

  async #tries(which: Which, options: { readonly signal?: AbortSignal }): Promise<number | undefined> {
    await this.#files.selectFile(files.secret[which], options.signal);
    const { sw } = await this.#port.transmit(Uint8Array.of(0x00, 0x20, 0x00, 0x80), options);
    if ((sw & 0xfff0) === 0x63c0) return sw & 0xf;
    // 6983 and 6984 mean blocked on one card or another; 9000 = verified already; 6300 = no counter (jpki-card.md §4.3).
    if (sw === 0x6983 || sw === 0x6984) return 0;
    if (sw === 0x9000 || sw === 0x6300) return undefined;
    throw cardStatus(sw);
  }

  /**
   * Verifies a secret. Looks at the tries left first: blocked is refused, and so is the last try unless allowed. Errors: `pin-wrong`
   * (with `secretTriesLeft`), `pin-blocked`, `pin-last-try`, `pin-short`, `pin-long`, `pin-characters`, and the pad's own.
   */
  async verify(which: Which, source: SecretSource, options: VerifyOptions = {}): Promise<Verified> {
    try {
      const folded = source.on === "host" && which === "sign" && foldSecret(source.pin);
      if (source.on === "host") checkSecret(which, source.pin);
      await this.#turns.run(() => this.#try(which, source, options), options.signal);
      return { folded };
    } finally {
      if (source.on === "host") source.pin.fill(0);
    }
  }

  async #try(which: Which, source: SecretSource, options: VerifyOptions): Promise<void> {
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const tries = await this.#tries(which, signal);
    if (tries === 0) throw new InkanError("pin-blocked", { tries: 0 });
    if (tries === 1 && options.lastTry !== true) throw new InkanError("pin-last-try", { tries: 1 });
    judge(source.on === "pad" ? await this.#onPad(which, options) : await this.#onHost(source.pin, signal));
  }

  /** The file is selected already, by reading its counter. */
  async #onPad(which: Which, { language, timeoutSeconds, signal }: VerifyOptions): Promise<JpkiResponse> {
    const { minimum, maximum } = secretRules[which];
    const template: PinVerifyTemplate = {
      header: [0x00, 0x20, 0x00, 0x80],
      minLength: minimum,
      maxLength: maximum,
      format: "ascii",
      ...(language === undefined ? {} : { language }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    };
    return this.#port.verifyOnPad(template, signal === undefined ? {} : { signal });
  }

  async #onHost(pin: Uint8Array, signal: { readonly signal?: AbortSignal }): Promise<JpkiResponse> {
    const apdu = new Uint8Array(5 + pin.length);
    apdu.set([0x00, 0x20, 0x00, 0x80, pin.length]);
    apdu.set(pin, 5);
    try {
      return await this.#port.transmit(apdu, signal);
    } finally {
      apdu.fill(0);
    }
  }

  /** A certificate, DER, without the file's padding. `sign` needs its secret verified first: it names its holder. */
  async readCertificate(name: CertificateName, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.#turns.run(() => this.#files.readObject(files.certificate[name], options.signal), options.signal);
  }

  /**
   * The card's key as a {@link Signer}; its secret must be verified. The DigestInfo is built here from a digest of a known hash, so
   * that nobody can have the card sign bytes of his own choice.
   */
  async signer(which: Which, options: { readonly signal?: AbortSignal } = {}): Promise<Signer> {
    const certificate = await this.readCertificate(which, options);
    const { publicKey } = readOwn(certificate);
    if (publicKey.family !== "rsa" || publicKey.rsa?.modulus.length !== 256)
      throw new InkanError("unsupported", { detail: `${publicKey.family} key` });
    const length = publicKey.rsa.modulus.length;
    return {
      certificate,
      key: "rsa",
      sign: async (hash, digest, { signal } = {}) => {
        const info = digestInfo(hash, digest);
        const apdu = Uint8Array.of(0x80, 0x2a, 0x00, 0x80, info.length, ...info, 0x00);
        const { data, sw } = await this.#turns.run(async () => {
          await this.#files.selectFile(files.key[which], signal);
          return this.#port.transmit(apdu, signal === undefined ? {} : { signal });
        }, signal);
        // The reader's consent screen answers for the card (device-proto/firmware/guard/guard.h): 6401 the person said no, 6400 nobody answered.
        if (sw === 0x6401) throw new InkanError("consent-refused");
        if (sw === 0x6400) throw new InkanError("consent-timeout");
        if (sw !== 0x9000) throw cardStatus(sw);
        if (data.length !== length) throw new InkanError("protocol", { detail: `a signature of ${data.length} bytes, not ${length}` });
        return data;
      },
    };
  }
}

/** Opens the JPKI application. A card is recognised by what it answers, never by its ATR: `card-unknown` when there is no such application. */
export function openJpki(card: JpkiPort, options: { readonly signal?: AbortSignal } = {}): Promise<JpkiCard> {
  return JpkiCard.open(card, options);
}

function judge({ sw }: JpkiResponse): void {
  if (sw === 0x9000) return;
  const tries = (sw & 0xfff0) === 0x63c0 ? sw & 0xf : undefined;
  if (tries === 0 || sw === 0x6983 || sw === 0x6984) throw new InkanError("pin-blocked", { tries: 0 });
  if (tries !== undefined) throw new InkanError("pin-wrong", { tries });
  throw cardStatus(sw);
}

/** Before a try is spent: what cannot be right is refused on the host. The message never says more than which rule was broken. */
function checkSecret(which: Which, pin: Uint8Array): void {
  const { characters, minimum, maximum } = secretRules[which];
  if (pin.length < minimum) throw new InkanError("pin-short", { min: minimum });
  if (pin.length > maximum) throw new InkanError("pin-long", { max: maximum });
  if (!pin.every((octet) => characters.test(String.fromCharCode(octet)))) throw new InkanError("pin-characters");
}

function readOwn(certificate: Uint8Array): ReturnType<typeof parseCertificate> {
  try {
    return parseCertificate(certificate);
  } catch (error) {
    throw new InkanError("certificate-unreadable", { detail: error instanceof Error ? error.message : String(error) });
  }
}
