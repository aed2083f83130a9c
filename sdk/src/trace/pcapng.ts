import {
  bytes,
  configurationDescriptor,
  deviceDescriptor,
  endpoints,
  referenceProduct,
  struct,
  u16le,
  u32le,
  u8,
} from "@inkan/device-proto";
import { concat, toHex } from "../der/bytes.js";
import type { TraceEvent } from "./event.js";

/** What a sniffer would have seen when the device was enumerated; without it a dissector does not know that the pipes are CCID's. */
export interface UsbDescriptors {
  readonly device: Uint8Array;
  readonly configuration: Uint8Array;
}

/**
 * usbmon's binary record, 64 octets (Linux Documentation/usb/usbmon.rst, `struct usbmon_packet`), LINKTYPE_USB_LINUX_MMAPPED.
 * 64-bit fields are two words, low first.
 */
const usbmonHeader = struct({
  id: u32le,
  idHigh: u32le,
  type: u8,
  transferType: u8,
  endpoint: u8,
  device: u8,
  bus: u16le,
  flagSetup: u8,
  flagData: u8,
  seconds: u32le,
  secondsHigh: u32le,
  microseconds: u32le,
  status: u32le,
  length: u32le,
  captured: u32le,
  setup: bytes(8),
  interval: u32le,
  startFrame: u32le,
  transferFlags: u32le,
  descriptors: u32le,
});
const linkType = 220;
const transfer = { interrupt: 1, control: 2, bulk: 3 } as const;
const code = (character: string): number => character.charCodeAt(0);
/** -EINPROGRESS, the status of a submitted transfer. */
const inProgress = 0xffffff8d;
/** Where the captured device sits: a place like any other. */
const place = { device: 2, bus: 1 } as const;

interface Transfer {
  readonly atUs: number;
  readonly kind: keyof typeof transfer;
  readonly endpoint: number;
  readonly data: Uint8Array;
  /** Control transfers only. */
  readonly setup?: Uint8Array;
  readonly comment?: string;
}

/** Writes the whole capture file: section header, interface, one submit and one complete record for each transfer. */
export function pcapng(events: readonly TraceEvent[], startedAt: Date, descriptors?: UsbDescriptors): Uint8Array<ArrayBuffer> {
  const device = descriptors?.device ?? deviceDescriptor(referenceProduct);
  const configuration = descriptors?.configuration ?? configurationDescriptor();
  const transfers = [getDescriptor(1, device), getDescriptor(2, configuration)];
  let comments: string[] = [];
  for (const event of events) {
    const words = remark(event);
    if (words !== undefined) comments.push(words);
    const pipe = pipeOf(event);
    if (pipe === undefined) continue;
    const comment = comments.join("\n");
    comments = [];
    transfers.push({ ...pipe, atUs: Math.round(event.at * 1000), data: event.bytes, ...(comment === "" ? {} : { comment }) });
  }
  const startUs = startedAt.getTime() * 1000;
  const records = transfers.flatMap((each, i) => record(each, i + 1, startUs));
  // What was noted after the last message has no packet to hang on to: it goes to the interface's statistics.
  const rest = comments.length === 0 ? [] : [block(5, words32(0, 0, 0), options([1, text(comments.join("\n"))]))];
  return concat(sectionHeader(), interfaceBlock(), ...records, ...rest);
}

function pipeOf({ kind, direction }: TraceEvent): Pick<Transfer, "kind" | "endpoint"> | undefined {
  if (kind === "notice") return { kind: "interrupt", endpoint: endpoints.ccidInterrupt };
  if (kind !== "ccid" || direction === "none") return undefined;
  return { kind: "bulk", endpoint: direction === "to-reader" ? endpoints.ccidOut : endpoints.ccidIn };
}

/** What a packet comment says about an event; link frames and APDUs stand in the messages already. */
function remark(event: TraceEvent): string | undefined {
  const parts: string[] = [];
  if (event.kind === "discarded") parts.push(`discarded ${event.bytes.length} bytes: ${toHex(event.bytes.subarray(0, 64))}`);
  if (event.text !== undefined && event.kind !== "link" && event.kind !== "apdu") parts.push(event.text);
  if (event.kind === "ccid") for (const [at, length] of event.redactedAt) parts.push(`redacted: ${length} bytes from byte ${at}`);
  return parts.length === 0 ? undefined : parts.join("; ");
}

function getDescriptor(type: number, descriptor: Uint8Array): Transfer {
  const setup = Uint8Array.of(0x80, 0x06, 0x00, type, 0x00, 0x00, descriptor.length & 0xff, descriptor.length >> 8);
  return { atUs: 0, kind: "control", endpoint: 0x80, data: descriptor, setup };
}

function record(each: Transfer, id: number, startUs: number): Uint8Array[] {
  const inward = (each.endpoint & 0x80) !== 0;
  const us = startUs + each.atUs;
  const header = (type: "S" | "C", captured: Uint8Array, withSetup: boolean): Uint8Array =>
    usbmonHeader.encode({
      id,
      idHigh: 0,
      type: code(type),
      transferType: transfer[each.kind],
      endpoint: each.endpoint,
      ...place,
      flagSetup: withSetup ? 0 : code("-"),
      flagData: captured.length > 0 ? 0 : code(inward ? "<" : ">"),
      seconds: Math.floor(us / 1e6) % 2 ** 32,
      secondsHigh: Math.floor(us / 1e6 / 2 ** 32),
      microseconds: us % 1e6,
      status: type === "S" ? inProgress : 0,
      length: each.data.length,
      captured: captured.length,
      setup: withSetup ? each.setup! : new Uint8Array(8),
      interval: each.kind === "interrupt" ? 16 : 0,
      startFrame: 0,
      transferFlags: 0,
      descriptors: 0,
    });
  const none = new Uint8Array(0);
  const submitted = inward ? none : each.data;
  const completed = inward ? each.data : none;
  const commented = each.comment === undefined ? none : options([1, text(each.comment)]);
  return [
    packet(us, concat(header("S", submitted, each.setup !== undefined), submitted), inward ? none : commented),
    packet(us, concat(header("C", completed, false), completed), inward ? commented : none),
  ];
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const padded = (data: Uint8Array): Uint8Array => concat(data, new Uint8Array(-data.length & 3));

function words32(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(4 * values.length);
  const view = new DataView(out.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, true));
  return out;
}

/** Options of a pcapng block: (code, length, value, padding)…, closed by opt_endofopt. A comment may hold 65535 octets. */
function options(...list: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const one = ([type, value]: readonly [number, Uint8Array]): Uint8Array => {
    const kept = value.subarray(0, 0xffff);
    return concat(Uint8Array.of(type & 0xff, type >> 8, kept.length & 0xff, kept.length >> 8), padded(kept));
  };
  return concat(...list.map(one), new Uint8Array(4));
}

/** A block: type, total length, body, total length again. */
function block(type: number, ...body: readonly Uint8Array[]): Uint8Array {
  const content = concat(...body);
  const total = words32(content.length + 12);
  return concat(words32(type), total, content, total);
}

function sectionHeader(): Uint8Array {
  // Byte order mark, version 1.0, section length unknown (−1).
  return block(0x0a0d0d0a, words32(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff), options([4, text("inkan")]));
}

function interfaceBlock(): Uint8Array {
  return block(1, words32(linkType, 0), options([2, text("inkan")], [9, Uint8Array.of(6)]));
}

function packet(us: number, data: Uint8Array, opts: Uint8Array): Uint8Array {
  return block(6, words32(0, Math.floor(us / 2 ** 32), us % 2 ** 32, data.length, data.length), padded(data), opts);
}
