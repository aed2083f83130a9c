// lsusb's reading of the reader against device-proto's descriptors: every field of every descriptor, in order, and nothing else.

/** usbutils says of every CCID that is not of version 1.00 that its own table is of 1.00. */
const ACCEPTED = "bcdCCID 1.10 (Warning: Only accurate for version 1.0)";
const COMPLAINT = /unrecognized|unknown|invalid|warning|error|cannot|can['’]t|couldn['’]t/i;

// Fields by descriptor type: USB 2.0 tables 9-8 to 9-13, the IAD ECN, CCID 1.1 table 5.1-1, CDC 1.2 §5.2.3, in the order of the bytes and
// under the names (and misspellings) of lsusb. [name, size, how it is printed]; without a name the byte is not printed.
const layouts = {
  1: [
    "Device Descriptor:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["bcdUSB", 2, "bcd"],
    ["bDeviceClass", 1],
    ["bDeviceSubClass", 1],
    ["bDeviceProtocol", 1],
    ["bMaxPacketSize0", 1],
    ["idVendor", 2, "hex"],
    ["idProduct", 2, "hex"],
    ["bcdDevice", 2, "bcd"],
    ["iManufacturer", 1, "string"],
    ["iProduct", 1, "string"],
    ["iSerial", 1, "string"],
    ["bNumConfigurations", 1],
  ],
  2: [
    "Configuration Descriptor:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["wTotalLength", 2, "hex"],
    ["bNumInterfaces", 1],
    ["bConfigurationValue", 1],
    ["iConfiguration", 1, "string"],
    ["bmAttributes", 1, "hex"],
    ["MaxPower", 1, "power"],
  ],
  4: [
    "Interface Descriptor:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["bInterfaceNumber", 1],
    ["bAlternateSetting", 1],
    ["bNumEndpoints", 1],
    ["bInterfaceClass", 1],
    ["bInterfaceSubClass", 1],
    ["bInterfaceProtocol", 1],
    ["iInterface", 1, "string"],
  ],
  5: [
    "Endpoint Descriptor:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["bEndpointAddress", 1, "hex"],
    ["bmAttributes", 1],
    ["wMaxPacketSize", 2, "hex"],
    ["bInterval", 1],
  ],
  11: [
    "Interface Association:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["bFirstInterface", 1],
    ["bInterfaceCount", 1],
    ["bFunctionClass", 1],
    ["bFunctionSubClass", 1],
    ["bFunctionProtocol", 1],
    ["iFunction", 1, "string"],
  ],
  0x21: [
    "ChipCard Interface Descriptor:",
    ["bLength", 1],
    ["bDescriptorType", 1],
    ["bcdCCID", 2, "bcd"],
    ["nMaxSlotIndex", 1],
    ["bVoltageSupport", 1],
    ["dwProtocols", 4],
    ["dwDefaultClock", 4],
    ["dwMaxiumumClock", 4],
    ["bNumClockSupported", 1],
    ["dwDataRate", 4],
    ["dwMaxDataRate", 4],
    ["bNumDataRatesSupp.", 1],
    ["dwMaxIFSD", 4],
    ["dwSyncProtocols", 4, "hex8"],
    ["dwMechanical", 4, "hex8"],
    ["dwFeatures", 4, "hex8"],
    ["dwMaxCCIDMsgLen", 4],
    ["bClassGetResponse", 1, "echo"],
    ["bClassEnvelope", 1, "echo"],
    ["wlcdLayout", 2, "lcd"],
    ["bPINSupport", 1],
    ["bMaxCCIDBusySlots", 1],
  ],
};
// CDC functional descriptors by their subtype; lsusb leaves their first three bytes out.
const head = [
  ["", 1],
  ["", 1],
  ["", 1],
];
const functional = {
  0: ["CDC Header:", ...head, ["bcdCDC", 2, "bcd"]],
  1: ["CDC Call Management:", ...head, ["bmCapabilities", 1, "hex"], ["bDataInterface", 1]],
  2: ["CDC ACM:", ...head, ["bmCapabilities", 1, "hex"]],
  6: ["CDC Union:", ...head, ["bMasterInterface", 1], ["bSlaveInterface", 1]],
};

const digits = (value, count) => value.toString(16).padStart(count, "0");
const printed = {
  bcd: (value) => `${(value >> 8).toString(16)}.${digits(value & 255, 2)}`,
  hex: (value, size) => `0x${digits(value, 2 * size)}`,
  hex8: (value) => digits(value, 8).toUpperCase(),
  power: (value) => `${2 * value}mA`,
  echo: (value) => (value === 0xff ? "echo" : String(value)),
  // CCID 1.1: lines in the high byte, characters per line in the low one.
  lcd: (value) => (value === 0 ? "none" : `${value & 255} cols ${value >> 8} lines`),
};

/** What lsusb -v must say: one line per descriptor and per field, blanks made one. */
export function expectedLines(device, configuration, strings) {
  const lines = [];
  for (const bytes of [device, ...descriptorsOf(configuration)]) {
    const [title, ...fields] = (bytes[1] === 0x24 ? functional[bytes[2]] : layouts[bytes[1]]) ?? [`type ${bytes[1]}`];
    lines.push(title);
    let at = 0;
    for (const [name, size, how] of fields) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
      at += size;
      if (name === "") continue;
      lines.push(`${name} ${how === "string" ? `${value} ${strings[value] ?? ""}`.trim() : (printed[how] ?? String)(value, size)}`);
    }
    if (at !== bytes.length) lines.push(`${bytes.length - at} bytes more than the layout has`);
  }
  return lines;
}

function* descriptorsOf(configuration) {
  // A length of 0 would never end.
  for (let at = 0; configuration[at] > 0; at += configuration[at]) yield configuration.subarray(at, at + configuration[at]);
}

/**
 * Where lsusb's output differs from the descriptors, in words; empty = nowhere. What lsusb adds behind a value (names of classes, units) is its
 * own; lines that explain the field above (indented deeper) too.
 */
export function differsFromDescriptors(output, device, configuration, strings) {
  const faults = [];
  const lines = output.map((line) => line.trim().replaceAll(/\s+/g, " ")).filter((line) => line !== "");
  for (const line of lines) if (COMPLAINT.test(line) && line !== ACCEPTED) faults.push(`lsusb complains: ${line}`);
  const expected = expectedLines(device, configuration, strings);
  const field = /^((bcd|id|[bdwin])[A-Z]\S*|bm[A-Z]\S*|dw[A-Z]\S*|wlcdLayout|MaxPower) /;
  const found = lines.filter((line) => field.test(`${line} `) || /^(Interface Association|CDC [A-Z]\w*.*|.* Descriptor):$/.test(line));
  for (let index = 0; index < Math.max(found.length, expected.length); index++) {
    const [is, should] = [found[index] ?? "nothing", expected[index] ?? "nothing"];
    const exact = /^i[A-Z]/.test(should) || should.endsWith(":");
    if (is === should || (!exact && is.startsWith(`${should} `))) continue;
    faults.push(`line ${index + 1} is "${is}", should be "${should}"`);
    if (faults.length > 5) break;
  }
  // GET_STATUS of the device: bus-powered, no remote wake-up.
  if (!lines.includes("Device Status: 0x0000")) faults.push("GET_STATUS is not answered with 0x0000");
  return faults;
}
