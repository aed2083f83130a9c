/** An endpoint of the active configuration. */
export interface EndpointInfo {
  /** bEndpointAddress: number, bit 7 = IN. */
  readonly address: number;
  readonly type: "bulk" | "interrupt" | "isochronous" | "control";
  readonly maxPacket: number;
  /** Frames between polls (interrupt). */
  readonly interval: number;
}

/** An interface (alternate setting 0 … n in order of appearance). */
export interface InterfaceInfo {
  readonly number: number;
  readonly alternate: number;
  readonly classCode: number;
  readonly subclass: number;
  readonly protocol: number;
  /** iInterface. */
  readonly string: number;
  readonly endpoints: EndpointInfo[];
  /** Class-specific descriptors (type 0x21, 0x24, …), whole. */
  readonly extras: Uint8Array[];
}

/** A configuration descriptor with everything in it. */
export interface ConfigurationInfo {
  readonly value: number;
  readonly interfaces: InterfaceInfo[];
  readonly raw: Uint8Array;
}

/** The device descriptor's fields the host uses. */
export interface DeviceInfo {
  readonly usbVersion: number;
  readonly deviceClass: number;
  readonly maxPacket0: number;
  readonly vendorId: number;
  readonly productId: number;
  readonly deviceVersion: number;
  readonly manufacturer: number;
  readonly product: number;
  readonly serial: number;
  readonly configurations: number;
}

const u16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const types = ["control", "isochronous", "bulk", "interrupt"] as const;

/** Reads a device descriptor (USB 2.0 §9.6.1). Throws a plain Error that says what is wrong. */
export function parseDevice(bytes: Uint8Array): DeviceInfo {
  if (bytes.length < 18 || bytes[0] !== 18 || bytes[1] !== 1)
    throw new Error(`device descriptor: ${bytes.length} bytes, bLength ${bytes[0]}, type ${bytes[1]}`);
  return {
    usbVersion: u16(bytes, 2),
    deviceClass: bytes[4]!,
    maxPacket0: bytes[7]!,
    vendorId: u16(bytes, 8),
    productId: u16(bytes, 10),
    deviceVersion: u16(bytes, 12),
    manufacturer: bytes[14]!,
    product: bytes[15]!,
    serial: bytes[16]!,
    configurations: bytes[17]!,
  };
}

/** Reads a configuration with its interfaces and endpoints (§9.6.3 …). Throws a plain Error that says what is wrong. */
export function parseConfiguration(raw: Uint8Array): ConfigurationInfo {
  if (raw.length < 9 || raw[1] !== 2) throw new Error("configuration descriptor: no header");
  if (u16(raw, 2) !== raw.length) throw new Error(`configuration descriptor: wTotalLength ${u16(raw, 2)}, ${raw.length} bytes`);
  const interfaces: InterfaceInfo[] = [];
  for (let at = raw[0]!; at < raw.length; ) {
    const length = raw[at]!;
    const one = raw.subarray(at, at + length);
    if (length < 2 || one.length !== length) throw new Error(`descriptor at ${at}: bLength ${length} runs over the end`);
    const present = interfaces.at(-1);
    if (one[1] === 4 && length >= 9)
      interfaces.push({
        number: one[2]!,
        alternate: one[3]!,
        classCode: one[5]!,
        subclass: one[6]!,
        protocol: one[7]!,
        string: one[8]!,
        endpoints: [],
        extras: [],
      });
    else if (one[1] === 5 && length >= 7) {
      if (!present) throw new Error(`endpoint 0x${one[2]!.toString(16)} stands before any interface`);
      present.endpoints.push({ address: one[2]!, type: types[one[3]! & 3]!, maxPacket: u16(one, 4) & 0x7ff, interval: one[6]! });
    } else if (present) present.extras.push(one.slice());
    at += length;
  }
  const declared = raw[4]!;
  const found = new Set(interfaces.map((one) => one.number)).size;
  if (declared !== found) throw new Error(`bNumInterfaces ${declared}, ${found} found`);
  return { value: raw[5]!, interfaces, raw };
}

/** A string descriptor's text (UTF-16LE, §9.6.7). */
export function parseString(bytes: Uint8Array): string {
  if (bytes.length < 2 || bytes[1] !== 3 || bytes[0] !== bytes.length || bytes.length % 2)
    throw new Error(`string descriptor: ${bytes.length} bytes, bLength ${bytes[0]}`);
  return new TextDecoder("utf-16le", { fatal: true }).decode(bytes.subarray(2));
}
