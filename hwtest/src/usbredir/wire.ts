import { bytes, CodecError, type Infer, rest, struct, u16le, u32le, u8 } from "@inkan/device-proto";

/**
 * The part of usbredir 0.7 (docs/usb-redirection-protocol.md of spice/usbredir) that carries a device without streams, filters,
 * isochronous endpoints and buffered bulk: framing and layouts. Everything is little-endian.
 */

/** Rules of the protocol; a broken one ends the connection. */
export const usbredirRules = {
  "no-hello": "the first packet is a hello",
  "second-hello": "there is one hello",
  "unknown-packet": "only packets of the agreed subset are sent",
  "wrong-sender": "a packet comes from the side it belongs to",
  "wrong-length": "a packet has the length of its layout",
  "too-long": "data of one packet is at most 1 MiB",
  "data-length": "data agrees with the length field and the direction of the endpoint",
  capabilities: "both sides can do what the device needs (4 max packet sizes, 5 64-bit ids, 6 32-bit bulk lengths)",
  "duplicate-id": "an id is used for one transfer at a time",
  "too-many-transfers": "at most 1024 transfers and 16 MiB of them are under way",
} as const;
/** Name of a rule. */
export type UsbredirRule = keyof typeof usbredirRules;

/** The other side broke a rule of the protocol. */
export class UsbredirError extends Error {
  override readonly name = "UsbredirError";
  readonly rule: UsbredirRule;
  constructor(rule: UsbredirRule, detail: string) {
    super(`usbredir/${rule}: ${detail} (${usbredirRules[rule]})`);
    this.rule = rule;
  }
}

/** Capabilities by bit: 1 device version in device_connect, 4 packet sizes in ep_info, 5 ids of 64 bits, 6 bulk lengths of 32 bits. */
export const capabilities = { deviceVersion: 1 << 1, maxPacketSize: 1 << 4, ids64: 1 << 5, bulkLength32: 1 << 6 } as const;
/** What this side says it can do. Streams (0), filter (2), disconnect ack (3) and bulk receiving (7) are left out: their packets are never needed. */
export const ourCapabilities = capabilities.deviceVersion | capabilities.maxPacketSize | capabilities.ids64 | capabilities.bulkLength32;

/** Status byte of answers. */
export const statuses = { success: 0, cancelled: 1, inval: 2, ioerror: 3, stall: 4, timeout: 5, babble: 6 } as const;
/** Speed in device_connect. */
export const FULL_SPEED = 1;
/** Endpoint type in ep_info that says: no such endpoint. */
export const NO_ENDPOINT = 255;
/** Data in one packet, in bytes. */
export const MAX_DATA = 1 << 20;
/** Capability words a hello may have (the protocol allows more to come). */
const MAX_CAPABILITY_WORDS = 16;

/** hello's version string. */
export const VERSION_SIZE = 64;

/** Who sends a packet: the guest (QEMU), the host of the device (we), or both. */
export type Sender = "guest" | "host";

const none = struct({});
const status = u8;
const endpoint = u8;
const info = bytes(32);

/** Packets by name: number, senders, layout. `rest` is data. */
export const packets = {
  hello: { type: 0, from: ["guest", "host"], layout: struct({ version: bytes(VERSION_SIZE), capabilities: rest }) },
  device_connect: {
    type: 1,
    from: ["host"],
    layout: struct({
      speed: u8,
      deviceClass: u8,
      subclass: u8,
      protocol: u8,
      vendorId: u16le,
      productId: u16le,
      deviceVersion: u16le,
    }),
  },
  device_disconnect: { type: 2, from: ["host"], layout: none },
  reset: { type: 3, from: ["guest"], layout: none },
  interface_info: {
    type: 4,
    from: ["host"],
    layout: struct({ count: u32le, numbers: info, classes: info, subclasses: info, protocols: info }),
  },
  /** With capability 4, without 0. Index = endpoint number, + 16 for IN. `maxPackets` holds 32 u16. */
  ep_info: { type: 5, from: ["host"], layout: struct({ types: info, intervals: info, interfaces: info, maxPackets: bytes(64) }) },
  set_configuration: { type: 6, from: ["guest"], layout: struct({ configuration: u8 }) },
  get_configuration: { type: 7, from: ["guest"], layout: none },
  configuration_status: { type: 8, from: ["host"], layout: struct({ status, configuration: u8 }) },
  set_alt_setting: { type: 9, from: ["guest"], layout: struct({ interface: u8, alternate: u8 }) },
  get_alt_setting: { type: 10, from: ["guest"], layout: struct({ interface: u8 }) },
  alt_setting_status: { type: 11, from: ["host"], layout: struct({ status, interface: u8, alternate: u8 }) },
  start_interrupt_receiving: { type: 15, from: ["guest"], layout: struct({ endpoint }) },
  stop_interrupt_receiving: { type: 16, from: ["guest"], layout: struct({ endpoint }) },
  interrupt_receiving_status: { type: 17, from: ["host"], layout: struct({ status, endpoint }) },
  cancel_data_packet: { type: 21, from: ["guest"], layout: none },
  /** In requests the status byte holds rubbish. */
  control_packet: {
    type: 100,
    from: ["guest", "host"],
    layout: struct({ endpoint, request: u8, requestType: u8, status, value: u16le, index: u16le, length: u16le, data: rest }),
  },
  /** With capability 6. */
  bulk_packet: {
    type: 101,
    from: ["guest", "host"],
    layout: struct({ endpoint, status, length: u16le, stream: u32le, lengthHigh: u16le, data: rest }),
  },
  interrupt_packet: { type: 103, from: ["guest", "host"], layout: struct({ endpoint, status, length: u16le, data: rest }) },
} as const;

/** Name of a packet. */
export type PacketName = keyof typeof packets;
/** What a packet holds. */
export type Body<N extends PacketName> = Infer<(typeof packets)[N]["layout"]>;
/** A packet with its id (0 … 2⁶⁴ − 1). */
export type Packet = { readonly [N in PacketName]: { readonly name: N; readonly id: bigint; readonly body: Body<N> } }[PacketName];

/** Header with the id's high half only once both hellos carry capability 5. */
const header32 = struct({ type: u32le, length: u32le, id: u32le });
const header64 = struct({ type: u32le, length: u32le, id: u32le, idHigh: u32le });
/** Size of a header in bytes. */
export const headerSize = (ids64: boolean): number => (ids64 ? header64 : header32).size;

const byType = new Map<number, PacketName>((Object.keys(packets) as PacketName[]).map((name) => [packets[name].type, name]));

/** A packet's bytes. The id of a packet with 32-bit ids must fit into 32 bits. */
export function encodePacket<N extends PacketName>(name: N, id: bigint, body: Body<N>, ids64 = true): Uint8Array<ArrayBuffer> {
  const { type, layout } = packets[name];
  const content = (layout as unknown as { encode(body: Body<N>): Uint8Array }).encode(body);
  const low = Number(id & 0xffffffffn);
  const head = ids64
    ? header64.encode({ type, length: content.length, id: low, idHigh: Number(id >> 32n) })
    : header32.encode({ type, length: content.length, id: low });
  const whole = new Uint8Array(head.length + content.length);
  whole.set(head);
  whole.set(content, head.length);
  return whole;
}

/** A header read and checked, before its body is there: what can be refused is refused before memory is spent on it. */
export interface Header {
  readonly name: PacketName;
  readonly length: number;
  readonly id: bigint;
}

/** Reads a header from `sender`. @throws UsbredirError `unknown-packet`, `wrong-sender`, `too-long`, `wrong-length`. */
export function decodeHeader(input: Uint8Array, ids64: boolean, sender: Sender): Header {
  const head = ids64 ? header64.decode(input) : { ...header32.decode(input), idHigh: 0 };
  const name = byType.get(head.type);
  if (name === undefined) throw new UsbredirError("unknown-packet", `type ${head.type}, ${head.length} bytes`);
  const { layout, from } = packets[name];
  if (!(from as readonly Sender[]).includes(sender)) throw new UsbredirError("wrong-sender", `${name} from the ${sender}`);
  const open = "data" in layout.fields ? MAX_DATA : name === "hello" ? 4 * MAX_CAPABILITY_WORDS : 0;
  if (open === MAX_DATA && head.length > layout.size + open) throw new UsbredirError("too-long", `${name} of ${head.length} bytes`);
  if (head.length < layout.size || head.length > layout.size + open)
    throw new UsbredirError("wrong-length", `${name} of ${head.length} bytes`);
  return { name, length: head.length, id: (BigInt(head.idHigh) << 32n) | BigInt(head.id) };
}

/** Reads a body. @throws UsbredirError `wrong-length`, `data-length`. */
export function decodeBody(head: Header, input: Uint8Array, sender: Sender): Packet {
  const { name, id } = head;
  let packet: Packet;
  try {
    packet = { name, id, body: packets[name].layout.decode(input) } as Packet;
  } catch (error) {
    if (error instanceof CodecError) throw new UsbredirError("wrong-length", `${name}, ${error.message}`);
    throw error;
  }
  checkData(packet, sender);
  return packet;
}

/** Data goes from the guest with OUT requests and to the guest with IN answers; never both, never elsewhere. */
function checkData(packet: Packet, sender: Sender): void {
  if (packet.name !== "control_packet" && packet.name !== "bulk_packet" && packet.name !== "interrupt_packet") {
    if (packet.name === "hello" && packet.body.capabilities.length % 4)
      throw new UsbredirError("wrong-length", `hello with ${packet.body.capabilities.length} bytes of capabilities`);
    return;
  }
  const { body } = packet;
  const length = "lengthHigh" in body ? body.length + body.lengthHigh * 0x10000 : body.length;
  const into = ("requestType" in body ? body.requestType : body.endpoint) & 0x80;
  const due = (into !== 0) === (sender === "host") ? length : 0;
  if (body.data.length !== due)
    throw new UsbredirError(
      "data-length",
      `${packet.name} of endpoint 0x${body.endpoint.toString(16)} says ${length} bytes and carries ${body.data.length}`,
    );
}
