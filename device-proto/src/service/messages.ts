import { bytes, rest, struct, u8 } from "../codec/index.js";

/** Our own messages (channel 2 of the link). `readOnly` ones change nothing; the others need OK on the pad. */
export const serviceMessages = {
  identify: { id: 0x01, readOnly: true },
  blink: { id: 0x02, readOnly: true },
  blackBox: { id: 0x05, readOnly: true },
  health: { id: 0x06, readOnly: true },
} as const;

/** status of a service answer. */
export const serviceStatus = { ok: 0, unknown: 1, badLength: 2, refused: 3, busy: 4 } as const;

/** identify's answer after its variable strings: see {@link decodeIdentity}. */
export const identityTail = struct({ uniqueId: bytes(8), imageHash: bytes(8), flags: u8, more: rest });

/** Who a reader says it is. */
export interface Identity {
  readonly product: string;
  readonly firmware: string;
  /** The flash's unique id, 8 bytes; also the USB serial number in upper-case hex. */
  readonly uniqueId: Uint8Array;
  /** First 8 bytes of the running image's SHA-256. */
  readonly imageHash: Uint8Array;
  /** True when the product uses the pid.codes test ids. */
  readonly testIds: boolean;
  /** True when the image was signed with the repository's TEST key. */
  readonly testKey: boolean;
}

/** Decodes identify's answer data (after the status byte). Throws CodecError. Unknown bytes at the end are tolerated: newer readers say more. */
export function decodeIdentity(data: Uint8Array): Identity {
  const text = struct({ length: u8, rest });
  const decoder = new TextDecoder();
  const product = text.decode(data);
  const version = text.decode(product.rest.subarray(product.length));
  const tail = identityTail.decode(version.rest.subarray(version.length));
  return {
    product: decoder.decode(product.rest.subarray(0, product.length)),
    firmware: decoder.decode(version.rest.subarray(0, version.length)),
    uniqueId: tail.uniqueId,
    imageHash: tail.imageHash,
    testIds: (tail.flags & 1) !== 0,
    testKey: (tail.flags & 2) !== 0,
  };
}
