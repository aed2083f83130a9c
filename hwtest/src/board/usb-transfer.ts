/** How a transfer ended. `short` packets are "ok"; `disconnected` = the device left or was reset; `error` = no handshake three times. */
export type TransferStatus = "ok" | "stall" | "babble" | "cancelled" | "disconnected" | "timeout" | "error";

/** What a transfer gives. */
export interface TransferResult {
  readonly status: TransferStatus;
  /** Bytes received (IN), empty otherwise. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Bytes moved: received for IN, acknowledged for OUT. */
  readonly actual: number;
}

/**
 * A request to the host. Endpoint addresses carry the direction in bit 7. A control transfer ends as "timeout" after `timeoutMs`;
 * without one, after 5 s, and that breaks the rule `usb/no-answer`.
 */
export type TransferRequest =
  | { readonly kind: "control"; readonly setup: Uint8Array; readonly data?: Uint8Array; readonly timeoutMs?: number }
  | { readonly kind: "in"; readonly endpoint: number; readonly length: number }
  | { readonly kind: "out"; readonly endpoint: number; readonly data: Uint8Array };

/** A transfer on its way, as plain data. */
export interface Transfer {
  readonly id: number;
  /** Belongs to the enumeration, not to anybody outside. */
  readonly internal: boolean;
  readonly endpoint: number;
  /** Control: the SETUP packet; else empty. */
  readonly setup: number[];
  /** Data goes to the host. */
  readonly into: boolean;
  /** OUT: what to send. IN: room for what comes. */
  readonly data: Uint8Array;
  /** Bytes moved so far. */
  done: number;
  /** 0 SETUP, 1 data, 2 status; bulk and interrupt are always in 1. */
  stage: 0 | 1 | 2;
  /** Tokens in a row that nobody answered. */
  silent: number;
  /** Board time at which a control transfer has failed. */
  readonly deadlineNs: number;
  cancelled: boolean;
  /** Not to be answered in time breaks a rule: the caller set no time limit of its own. */
  readonly mustAnswer: boolean;
}

/** An endpoint as the host sees it. */
export interface Pipe {
  readonly endpoint: number;
  readonly type: "control" | "bulk" | "interrupt";
  readonly maxPacket: number;
  /** Interrupt: frames between polls. */
  readonly interval: number;
  /** Next data toggle. */
  toggle: number;
  queue: Transfer[];
  /** The device said NAK: not asked again before it re-arms something (it could only say NAK again). */
  waiting: boolean;
  /** When the last NAK ended; retries stand on a grid from there. */
  nakNs: number;
  notBeforeNs: number;
  /** Interrupt: the frame of the next poll. */
  nextFrame: number;
  /** OUT: the last packet's handshake was lost. IN: our last ACK was lost. */
  repeated: boolean;
  /** Data packets acknowledged so far, for the loss of every n-th acknowledgement. */
  packets: number;
}

/** A fresh pipe. */
export function makePipe(endpoint: number, type: Pipe["type"], maxPacket: number, interval = 1): Pipe {
  return {
    endpoint,
    type,
    maxPacket,
    interval,
    toggle: 0,
    queue: [],
    waiting: false,
    nakNs: 0,
    notBeforeNs: 0,
    nextFrame: 0,
    repeated: false,
    packets: 0,
  };
}

/** Handshakes to lose, to prove that retransmission and toggles work. 0 = none; n = every n-th acknowledgement of an endpoint. */
export interface UsbFaults {
  /** The host's ACK of an IN packet never reaches the device. */
  loseHostAckEvery: number;
  /** The device's ACK of an OUT packet never reaches the host. */
  loseDeviceAckEvery: number;
  /**
   * The host's ACKs on endpoint 0 too. Not the device's: a repeated OUT packet on endpoint 0 finds no armed buffer on this chip
   * (arming one in advance would swallow the next request's data), so real hosts run into their time limit there.
   */
  control: boolean;
}

/** Bits on the wire at 12 Mbit/s (USB 2.0 §5.8.4, table 5-9: 13 bytes of overhead per bulk transaction), in ns. */
const bits = (count: number): number => Math.round((count * 1000) / 12);
/** How long transactions take. */
export const wireNs = {
  /** Token, data, handshake, turn-arounds. */
  transaction: (bytes: number): number => bits(104 + 8 * bytes),
  /** IN token answered by NAK or STALL. */
  refusedIn: bits(64),
  /** Token and 18 bit times of silence. */
  silentIn: bits(53),
  sof: bits(35),
  frame: 1_000_000,
  /** A packet must be over this long before the next SOF. */
  guard: bits(10),
  /** A host controller fetches the next stage's descriptor after a SETUP; in this time firmware takes back what is left of an older request. */
  afterSetup: 10_000,
  /** NAKed control and bulk endpoints are asked again on this grid. */
  retryGrid: 10_000,
} as const;
