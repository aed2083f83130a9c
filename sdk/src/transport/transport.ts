import type { BlackBoxEvent, Health, Policies, PolicyName } from "@inkan/device-proto";
/** Why a transport is no longer usable. */
export type ClosedReason = "closed" | "unplugged" | "port-lost" | "session-broken" | "violation";

/** Where a reader is and what it calls itself, as far as known without asking the card. */
export interface ReaderAddress {
  /** The URI that opens it again, e.g. `usb:E661A4D1`, `serial:/dev/ttyACM0`, `virtual:`. */
  readonly uri: string;
  readonly name: string;
  readonly serial?: string;
  readonly path?: string;
  readonly firmware?: string;
  /** True for the virtual board and every other simulated reader; every JSON result carries it. */
  readonly virtual: boolean;
}

/** Who a reader says it is, by the link's identify message or by its USB descriptors. */
export interface ReaderIdentity {
  readonly product: string;
  /** Firmware version; over USB bcdDevice as `major.minor.patch`. */
  readonly firmware?: string;
  /** The flash's unique id, upper-case hexadecimal. */
  readonly serial?: string;
  /** First 8 bytes of the running image's SHA-256; only the link says it. */
  readonly imageHash?: Uint8Array;
  /** True when the product uses the pid.codes test ids. */
  readonly testIds: boolean;
  /** True when the image was signed with the repository's TEST key; only the link says it. */
  readonly testKey?: boolean;
}

/** What a transport reports besides answers, for traces. */
export type TransportEvent =
  | { readonly type: "discarded"; readonly bytes: Uint8Array; readonly reason: string }
  | { readonly type: "retransmitted"; readonly frames: number }
  | { readonly type: "session"; readonly version: number; readonly bootCount: number };

/**
 * Carries whole CCID messages (10-byte header and data, CCID 1.1 §6) both ways, in order. It knows nothing of sequence numbers,
 * timeouts of commands or their meaning: that is `exchange`'s business.
 */
export interface Transport {
  readonly address: ReaderAddress;
  /** dwMaxCCIDMessageLength: the longest message the reader takes, in bytes. */
  readonly maxMessageLength: number;
  /** dwFeatures of the class descriptor; without it the reference reader's (extended APDU level). */
  readonly features?: number;
  /** bPINSupport: bit 0 verify, bit 1 modify; without it both. */
  readonly pinSupport?: number;
  /** False when the reader has no interrupt path, so that card events must be polled; without it true. */
  readonly notifies?: boolean;
  /** Says who the reader is without touching the card. */
  identify?(signal?: AbortSignal): Promise<ReaderIdentity>;
  /** How the reader has been since its last reset, where the transport can ask for it. */
  health?(signal?: AbortSignal): Promise<Health>;
  /** Everything the reader has written down, where the transport can ask for it; oldest first. */
  blackBox?(signal?: AbortSignal): Promise<readonly BlackBoxEvent[]>;
  /** Which policies are in force, where the transport can ask for it. */
  policies?(signal?: AbortSignal): Promise<Policies>;
  /** Has the reader's display ask whether a policy shall be switched off, where the transport can; {@link policies} tells how it ends. */
  policyOff?(policy: PolicyName, signal?: AbortSignal): Promise<void>;
  /** Lights the reader's display for 3 s, where the transport can ask for it. */
  blink?(signal?: AbortSignal): Promise<void>;
  /** Sends one PC_to_RDR message. Resolves when the transport needs the bytes no more (they may be wiped then), not when it is answered. */
  send(message: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Called with each RDR_to_PC message on the answer path. Set once, before the first `send`. The bytes are the callee's to keep. */
  onMessage: ((message: Uint8Array) => void) | undefined;
  /** Called with each message of the interrupt path (RDR_to_PC_NotifySlotChange, RDR_to_PC_HardwareError). */
  onNotice: ((notice: Uint8Array) => void) | undefined;
  onEvent: ((event: TransportEvent) => void) | undefined;
  /** The control-pipe half of an abort (CCID 1.1 §5.3.1). On the link this is a message of its own. */
  abort(slot: number, sequence: number): Promise<void>;
  /** Resolves once, when the transport is gone for whatever reason; never rejects. */
  readonly closed: Promise<ClosedReason>;
  close(): Promise<void>;
}
