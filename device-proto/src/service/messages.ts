import { bytes, CodecError, rest, struct, u16le, u32le, u8 } from "../codec/index.js";

/** Our own messages (channel 2 of the link). `readOnly` ones change nothing; the others need OK on the pad. */
export const serviceMessages = {
  identify: { id: 0x01, readOnly: true },
  blink: { id: 0x02, readOnly: true },
  policies: { id: 0x03, readOnly: true },
  policyOff: { id: 0x04, readOnly: false },
  blackBox: { id: 0x05, readOnly: true },
  health: { id: 0x06, readOnly: true },
} as const;

/** status of a service answer. */
export const serviceStatus = { ok: 0, unknown: 1, badLength: 2, refused: 3, busy: 4 } as const;

/** Bits of a set of policies: signatures only after OK on the pad; JPKI's secrets only from the pad. */
export const policyBits = { consent: 1, padOnly: 2 } as const;
/** Name of a policy. */
export type PolicyName = keyof typeof policyBits;
/** Where the policies in force come from; `unreadable`: the settings in flash are not to be trusted, the strictest policies are in force. */
export const settingsSource = { product: 0, settings: 1, unreadable: 2 } as const;
/** What became of the last request to switch a policy off, since the reader's reset. */
export const policyRequest = { none: 0, asking: 1, done: 2, refused: 3, timeout: 4, failed: 5 } as const;
/** Answer data of service message 03, behind the status: sets of policies, source, last request, requests left until power-up. */
export const policiesAnswer = struct({ inForce: u8, product: u8, source: u8, request: u8, left: u8 });
/** Request data of service message 04: one bit of {@link policyBits}. */
export const policyOffRequest = struct({ policy: u8 });
/** One record of the settings in flash, 16 bytes; the check is CRC-32 over the twelve before it. */
export const settingsRecord = struct({ sequence: u32le, kind: u8, policies: u8, reserved: u16le, more: u32le, check: u32le });

/** Which policies a reader obeys, and what became of the last request to switch one off. */
export interface Policies {
  readonly inForce: readonly PolicyName[];
  /** The product's own. */
  readonly product: readonly PolicyName[];
  readonly source: keyof typeof settingsSource;
  readonly request: keyof typeof policyRequest;
  /** Requests the reader will still show until its next power-up. */
  readonly requestsLeft: number;
}

/** Decodes the answer data of service message 03 (after the status byte). Throws CodecError. */
export function decodePolicies(data: Uint8Array): Policies {
  const answer = policiesAnswer.decode(data.subarray(0, policiesAnswer.size)); // a newer reader may say more
  const names = (set: number): PolicyName[] => (Object.keys(policyBits) as PolicyName[]).filter((name) => set & policyBits[name]);
  return {
    inForce: names(answer.inForce),
    product: names(answer.product),
    source: nameOf(settingsSource, answer.source),
    request: nameOf(policyRequest, answer.request),
    requestsLeft: answer.left,
  };
}

function nameOf<T extends string>(table: Readonly<Record<T, number>>, value: number): T {
  const found = (Object.keys(table) as T[]).find((name) => table[name] === value);
  if (found === undefined) throw new CodecError(0, `service message 03: unknown value ${value}`);
  return found;
}

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
