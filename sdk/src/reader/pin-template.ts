import { pinModifyBlock, pinOperation, pinVerifyBlock } from "@inkan/device-proto";
import { InkanError } from "../errors.js";

/** What the reader asks for on its own pad, and what it sends to the card with it. The secret itself never comes to the host. */
export interface PinVerifyTemplate {
  /** CLA INS P1 P2 of VERIFY; the reader appends Lc and the secret. */
  readonly header: readonly [number, number, number, number];
  /** Fewest and most characters, 1..255. */
  readonly minLength: number;
  readonly maxLength: number;
  /** How characters go to the card: `ascii` also lets letters be typed on the pad; default `ascii`. */
  readonly format?: "ascii" | "bcd" | "binary";
  /** Seconds the person has for each key, 0..255; 0 (default) leaves it to the reader. */
  readonly timeoutSeconds?: number;
  /** Language of the prompt, default `ja`. */
  readonly language?: "ja" | "en";
}

/** The same for CHANGE REFERENCE DATA: a new secret, typed twice when `confirm`. */
export interface PinModifyTemplate extends PinVerifyTemplate {
  /** Ask for the new secret twice, default true. */
  readonly confirm?: boolean;
  /** Ask for the current secret, too, and send it before the new one; default false. */
  readonly askCurrent?: boolean;
}

const formats = { binary: 0, bcd: 1, ascii: 2 } as const;
const languages = { ja: 0x0411, en: 0x0409 } as const;

function common(template: PinVerifyTemplate): {
  bTimeOut: number;
  bmFormatString: number;
  bmPINBlockString: number;
  bmPINLengthFormat: number;
  wPINMaxExtraDigit: number;
  wLangId: number;
  apdu: Uint8Array;
} {
  const { header, minLength, maxLength, format = "ascii", timeoutSeconds = 0, language = "ja" } = template;
  const inByte = (value: number, least: number): boolean => Number.isInteger(value) && value >= least && value <= 255;
  if (!inByte(minLength, 1) || !inByte(maxLength, minLength))
    throw new InkanError("usage", { detail: "the lengths of a secret must be 1..255, the least first" });
  if (!inByte(timeoutSeconds, 0)) throw new InkanError("usage", { detail: "the time for a secret must be 0..255 seconds" });
  if (header.some((byte) => !inByte(byte, 0))) throw new InkanError("usage", { detail: "CLA INS P1 P2 must be 0..255" });
  return {
    bTimeOut: timeoutSeconds,
    // system unit bytes, position 0 after Lc, left-justified
    bmFormatString: 0x80 | formats[format],
    // no length field in the block, block as long as the secret: Lc is the secret's length
    bmPINBlockString: 0,
    bmPINLengthFormat: 0,
    wPINMaxExtraDigit: (minLength << 8) | maxLength,
    wLangId: languages[language],
    // Lc 00 stands there because the readers that insist on one (SPR 332/532) and those that tolerate it (ours) both take it
    apdu: Uint8Array.of(...header, 0),
  };
}

/** abData of PC_to_RDR_Secure for a verification (CCID 1.1 §6.1.11). Throws `usage` for impossible lengths. */
export function verifyBlock(template: PinVerifyTemplate): Uint8Array<ArrayBuffer> {
  const { apdu, ...fields } = common(template);
  return pinVerifyBlock.encode({
    bPINOperation: pinOperation.verify,
    ...fields,
    bEntryValidationCondition: 0x02,
    bNumberMessage: 1,
    bMsgIndex: 0,
    bTeoPrologue: new Uint8Array(3),
    abPINApdu: apdu,
  });
}

/** abData of PC_to_RDR_Secure for a modification (CCID 1.1 §6.1.12). Throws `usage` for impossible lengths. */
export function modifyBlock(template: PinModifyTemplate): Uint8Array<ArrayBuffer> {
  const { apdu, ...fields } = common(template);
  const { confirm = true, askCurrent = false } = template;
  // messages: current (if asked), new, new again (if confirmed); bMsgIndex2 and 3 exist as far as they are counted
  const messages = 1 + Number(confirm) + Number(askCurrent);
  const tail = new Uint8Array(messages - 1 + 3 + apdu.length);
  for (let i = 1; i < messages; i++) tail[i - 1] = i;
  tail.set(apdu, messages - 1 + 3);
  return pinModifyBlock.encode({
    bPINOperation: pinOperation.modify,
    ...fields,
    bInsertionOffsetOld: 0,
    bInsertionOffsetNew: 0,
    bConfirmPIN: Number(confirm) | (Number(askCurrent) << 1),
    bEntryValidationCondition: 0x02,
    bNumberMessage: messages,
    bMsgIndex1: 0,
    tail,
  });
}
