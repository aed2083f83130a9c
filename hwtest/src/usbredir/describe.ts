import type { ConfigurationInfo, EndpointInfo, InterfaceInfo } from "../board/usb-descriptors.js";
import { type Body, NO_ENDPOINT } from "./wire.js";

const SLOTS = 32;
const types = { control: 0, isochronous: 1, bulk: 2, interrupt: 3 } as const;

/** Place of an endpoint in ep_info: its number, + 16 for IN. */
export const endpointSlot = (address: number): number => ((address & 0x80) >> 3) | (address & 15);

/** The interfaces of a configuration, each in the alternate setting that is chosen (0 unless told). */
export function chosenInterfaces(configuration: ConfigurationInfo | undefined, alternates: ReadonlyMap<number, number>): InterfaceInfo[] {
  return (configuration?.interfaces ?? []).filter((one) => one.alternate === (alternates.get(one.number) ?? 0));
}

/** ep_info of a device whose endpoint 0 takes `maxPacket0` bytes. An unconfigured device has no interfaces. */
export function endpointInfo(interfaces: readonly InterfaceInfo[], maxPacket0: number): Body<"ep_info"> {
  const body = {
    types: new Uint8Array(SLOTS).fill(NO_ENDPOINT),
    intervals: new Uint8Array(SLOTS),
    interfaces: new Uint8Array(SLOTS),
    maxPackets: new Uint8Array(2 * SLOTS),
  };
  const put = (slot: number, one: Pick<EndpointInfo, "type" | "interval" | "maxPacket">, owner: number): void => {
    body.types[slot] = types[one.type];
    body.intervals[slot] = one.interval;
    body.interfaces[slot] = owner;
    new DataView(body.maxPackets.buffer).setUint16(2 * slot, one.maxPacket, true);
  };
  for (const slot of [0, 16]) put(slot, { type: "control", interval: 0, maxPacket: maxPacket0 }, 0);
  for (const one of interfaces) for (const endpoint of one.endpoints) put(endpointSlot(endpoint.address), endpoint, one.number);
  return body;
}

/** interface_info; a device with more than 32 interfaces cannot be described and does not exist here. */
export function interfaceInfo(interfaces: readonly InterfaceInfo[]): Body<"interface_info"> {
  const list = interfaces.slice(0, SLOTS);
  const column = (value: (one: InterfaceInfo) => number): Uint8Array => {
    const bytes = new Uint8Array(SLOTS);
    list.forEach((one, index) => (bytes[index] = value(one)));
    return bytes;
  };
  return {
    count: list.length,
    numbers: column((one) => one.number),
    classes: column((one) => one.classCode),
    subclasses: column((one) => one.subclass),
    protocols: column((one) => one.protocol),
  };
}
