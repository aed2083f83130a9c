/** JPKI's application (docs/reference/jpki-card.md §1). */
const jpki = Uint8Array.of(0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01);
/** The signature key's file; its signatures want a person's OK. */
const SIGNATURE_KEY = 0x001a;

/** What a reader that watches APDUs makes of one. */
export type FakeVerdict = "pass" | "ask" | "refuse";

/** What firmware/guard sees: which application and file were selected, and so which commands a person must confirm or type. */
export class FakeGuard {
  readonly #padOnly: boolean;
  #jpki = false;
  #file: number | undefined;

  constructor(padOnly: boolean) {
    this.#padOnly = padOnly;
  }

  /** The card was powered on or off. */
  reset(): void {
    this.#jpki = false;
    this.#file = undefined;
  }

  /** Before the card gets a command of the host. */
  before(apdu: Uint8Array): FakeVerdict {
    const ins = apdu[1];
    if (this.#padOnly && this.#jpki && (ins === 0x20 || ins === 0x24) && apdu.length > 5) return "refuse";
    return this.#jpki && ins === 0x2a && this.#file === SIGNATURE_KEY ? "ask" : "pass";
  }

  /** What the card answered. */
  after(apdu: Uint8Array, response: Uint8Array): void {
    if (apdu[1] !== 0xa4 || response.at(-2) !== 0x90) return;
    const data = apdu.subarray(5, 5 + (apdu[4] ?? 0));
    if (apdu[2] === 0x04) {
      // a prefix of the name selects it, too
      this.#jpki = data.length > 0 && data.length <= jpki.length && data.every((byte, i) => byte === jpki[i]);
      this.#file = undefined;
    } else if (apdu[2] === 0x02) this.#file = (data[0]! << 8) | data[1]!;
  }
}
