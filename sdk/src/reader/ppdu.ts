import { hex } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { modifyBlock, type PinModifyTemplate, type PinVerifyTemplate, verifyBlock } from "./pin-template.js";

/** Features of PC/SC part 10 that a reader with a pad has, by their tag. */
export const pcscFeature = {
  getFeatures: 0x00,
  verifyPinDirect: 0x06,
  modifyPinDirect: 0x07,
  ifdPinProperties: 0x0a,
  getTlvProperties: 0x12,
} as const;

/** Status words the reader itself gives to VERIFY_PIN_DIRECT and MODIFY_PIN_DIRECT (part 10 §2.5); all others are the card's. */
export const pcscPinStatus = { timeout: 0x6400, cancelled: 0x6401, invalidParameter: 0x6b80 } as const;

/** What GET_TLV_PROPERTIES tells (part 10 §2.6.14). Tags this SDK does not know are left out. */
export interface ReaderProperties {
  readonly lcdLayout?: number;
  readonly entryValidationCondition?: number;
  readonly timeOut2?: number;
  readonly minPinSize?: number;
  readonly maxPinSize?: number;
  readonly firmwareId?: string;
  /** Bit 0: pseudo APDUs through SCardControl, bit 1: through SCardTransmit. */
  readonly ppduSupport?: number;
  readonly maxApduDataSize?: number;
  readonly vendorId?: number;
  readonly productId?: number;
}

const names: Readonly<Record<number, keyof ReaderProperties>> = {
  1: "lcdLayout",
  2: "entryValidationCondition",
  3: "timeOut2",
  6: "minPinSize",
  7: "maxPinSize",
  8: "firmwareId",
  9: "ppduSupport",
  10: "maxApduDataSize",
  11: "vendorId",
  12: "productId",
};

/**
 * A pseudo APDU (part 10, `FF C2 01 <feature>`): goes to the reader by {@link Card.transmit} like any other and never reaches the card.
 * @throws InkanError `usage` for more than 255 bytes of data.
 */
export function pseudoApdu(feature: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (data.length > 255) throw new InkanError("usage", { detail: "a pseudo APDU carries at most 255 bytes" });
  return data.length === 0
    ? Uint8Array.of(0xff, 0xc2, 0x01, feature, 0x00)
    : Uint8Array.of(0xff, 0xc2, 0x01, feature, data.length, ...data);
}

/** VERIFY_PIN_DIRECT with PIN_VERIFY_STRUCTURE: CCID's block with bTimeOut2 and ulDataLength. Throws `usage` for impossible lengths. */
export function verifyPinDirect(template: PinVerifyTemplate): Uint8Array {
  const block = verifyBlock(template);
  const apdu = block.subarray(15);
  return pseudoApdu(
    pcscFeature.verifyPinDirect,
    Uint8Array.of(block[1]!, block[1]!, ...block.subarray(2, 15), apdu.length, 0, 0, 0, ...apdu),
  );
}

/** MODIFY_PIN_DIRECT with PIN_MODIFY_STRUCTURE, in which all three message indexes stand. Throws `usage` for impossible lengths. */
export function modifyPinDirect(template: PinModifyTemplate): Uint8Array {
  const block = modifyBlock(template);
  const messages = block[11]!;
  const more = Number(messages !== 0) + Number(messages === 3);
  const apdu = block.subarray(15 + more + 3);
  const indexes = [block[15]!, block[16]!].map((index, at) => (at < more ? index : 0));
  return pseudoApdu(
    pcscFeature.modifyPinDirect,
    Uint8Array.of(block[1]!, block[1]!, ...block.subarray(2, 15), ...indexes, 0, 0, 0, apdu.length, 0, 0, 0, ...apdu),
  );
}

/** Reads GET_TLV_PROPERTIES' data: tag, length, value; numbers little-endian. @throws InkanError `protocol` for a value that is cut off. */
export function parseProperties(data: Uint8Array): ReaderProperties {
  const found: Record<string, number | string> = {};
  for (let at = 0; at < data.length; ) {
    const [tag, length] = [data[at]!, data[at + 1]];
    const value = data.subarray(at + 2, at + 2 + (length ?? 0));
    if (length === undefined || value.length !== length)
      throw new InkanError("protocol", { detail: `properties end within tag ${hex(Uint8Array.of(tag))}` });
    const name = names[tag];
    if (name === "firmwareId") found[name] = new TextDecoder().decode(value);
    else if (name !== undefined) found[name] = [...value].reduceRight((number, byte) => number * 256 + byte, 0);
    at += 2 + length;
  }
  return found;
}
