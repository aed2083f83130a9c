import { configurationDescriptor, deviceDescriptor, referenceProduct, usbStrings } from "@inkan/device-proto";
import { expect, test } from "vitest";

const file = (name: string): string => new URL(`../../dev/usb-guest/${name}.mjs`, import.meta.url).href;
const { differsFromDescriptors, expectedLines } = (await import(file("lsusb"))) as {
  differsFromDescriptors: (
    output: string[],
    device: Uint8Array,
    configuration: Uint8Array,
    strings: Readonly<Record<number, string>>,
  ) => string[];
  expectedLines: (device: Uint8Array, configuration: Uint8Array, strings: Readonly<Record<number, string>>) => string[];
};
const { loudLines } = (await import(file("kernel-log"))) as { loudLines: (lines: string[]) => string[] };

const device = deviceDescriptor(referenceProduct);
const configuration = configurationDescriptor();
const strings = { ...usbStrings(referenceProduct), 3: "E661A4D1731B0001" };
const right = [
  "Bus 001 Device 002: ID 1209:0001 Generic pid.codes Test PID",
  ...expectedLines(device, configuration, strings).map((line) =>
    line.startsWith("bcdCCID") ? `${line}  (Warning: Only accurate for version 1.0)` : `  ${line}`,
  ),
  "Device Status:     0x0000",
  "  (Bus Powered)",
];

test("lsusb's own words for some of our descriptors, as usbutils 014 prints them", () => {
  expect(right.map((line) => line.trim())).toEqual(
    expect.arrayContaining(["bcdUSB 2.00", "bDeviceClass 239", "iSerial 3 E661A4D1731B0001", "wTotalLength 0x009f", "MaxPower 200mA"]),
  );
  expect(right.map((line) => line.trim())).toEqual(
    expect.arrayContaining([
      "dwFeatures 0004057A",
      "wlcdLayout 16 cols 4 lines",
      "bClassGetResponse echo",
      "CDC Union:",
      "bSlaveInterface 2",
    ]),
  );
});

test("lsusb that says what the descriptors are is right", () => {
  expect(differsFromDescriptors(right, device, configuration, strings)).toEqual([]);
});

test("every byte of the configuration that changes is seen", () => {
  const unseen: number[] = [];
  for (let at = 0; at < configuration.length; at++) {
    const other = configuration.slice();
    other[at]! ^= 1;
    let length = 0;
    for (let next = 0; next <= at && (other[next] ?? 0) > 0; next += other[next]!) length = other[next]!;
    if (length > 0 && differsFromDescriptors(right, device, other, strings).length === 0) unseen.push(at);
  }
  expect(unseen).toEqual([]);
});

test.each([
  ["a missing line", right.filter((line) => !line.includes("dwMaxIFSD")), "dwMaxIFSD"],
  ["an endpoint too many", [...right, "  Endpoint Descriptor:"], "Endpoint Descriptor"],
  ["GET_STATUS stalled", right.filter((line) => !line.startsWith("Device Status")), "GET_STATUS"],
  ["a remote wake-up nobody claimed", right.map((line) => line.replace("0x0000", "0x0002")), "GET_STATUS"],
  ["a complaint", [...right, "  ** UNRECOGNIZED:  05 24"], "complains"],
  ["another string", right.map((line) => line.replace("E661A4D1731B0001", "E661")), "iSerial"],
  ["nothing", [], "Device Descriptor"],
])("lsusb with %s is wrong", (_, output, word) => {
  expect(differsFromDescriptors(output, device, configuration, strings).join("\n")).toContain(word);
});

test("the kernel's log: warnings and worse are loud, an empty log is no log", () => {
  expect(
    loudLines(["<6>[    1.0] usb 1-1: new full-speed USB device", "<5>[    1.1] usb 1-1: a notice", "<30>[ 1.2] udevd[1]: info"]),
  ).toEqual([]);
  expect(loudLines(["<4>[    1.0] usb 1-1: config 1 has an invalid interface"])).toHaveLength(1);
  expect(loudLines(["<3>[    1.0] usb 1-1: device descriptor read/64, error -71", "half a line"])).toHaveLength(2);
  expect(loudLines([])).toHaveLength(1);
});
