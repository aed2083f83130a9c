/** Bytes that are not what ISO/IEC 7816 says: the card's, or the caller's. Says where and which rule, never the bytes. */
export class Iso7816Error extends Error {
  override readonly name = "Iso7816Error";
  readonly subject: "apdu" | "atr" | "tlv";
  /** Byte offset in the input. */
  readonly offset: number;
  /** Which rule was broken. */
  readonly rule: string;

  constructor(subject: "apdu" | "atr" | "tlv", offset: number, rule: string) {
    super(`${subject}: byte ${offset}: ${rule}`);
    this.subject = subject;
    this.offset = offset;
    this.rule = rule;
  }
}
