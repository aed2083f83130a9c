import { clocks } from "../board.js";
import { bytes, type Infer, struct, u16le, u32le, u8 } from "../codec/index.js";
import type { Product } from "../product/product.js";

/** The CCID class descriptor (CCID 1.1 table 5.1-1), 54 bytes. */
export const ccidClassDescriptor = struct({
  bLength: u8,
  bDescriptorType: u8,
  bcdCCID: u16le,
  bMaxSlotIndex: u8,
  bVoltageSupport: u8,
  dwProtocols: u32le,
  dwDefaultClock: u32le,
  dwMaximumClock: u32le,
  bNumClockSupported: u8,
  dwDataRate: u32le,
  dwMaxDataRate: u32le,
  bNumDataRatesSupported: u8,
  dwMaxIFSD: u32le,
  dwSynchProtocols: u32le,
  dwMechanical: u32le,
  dwFeatures: u32le,
  dwMaxCCIDMessageLength: u32le,
  bClassGetResponse: u8,
  bClassEnvelope: u8,
  wLcdLayout: u16le,
  bPINSupport: u8,
  bMaxCCIDBusySlots: u8,
});

/** Endpoint addresses of the composite device. */
export const endpoints = { ccidOut: 0x01, ccidIn: 0x81, ccidInterrupt: 0x82, cdcNotify: 0x83, cdcOut: 0x04, cdcIn: 0x84 } as const;
/** Interface numbers. */
export const interfaces = { ccid: 0, cdcControl: 1, cdcData: 2 } as const;
/** String descriptor indexes. */
export const stringIndex = { vendor: 1, product: 2, serial: 3, ccid: 4, link: 5 } as const;

/** Card clock in Hz: 125 MHz / 35. */
export const cardClockHz = clocks.sys / clocks.cardDivider;
/** F values by the upper nibble of TA1 (ISO 7816-3 table 7); 0 = reserved. */
export const clockRateF = [372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0] as const;
/** D values by the lower nibble of TA1 (ISO 7816-3 table 8); 0 = reserved. */
export const baudRateD = [0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0] as const;

/** One Fi/Di pair the reader uses. */
export interface RatePair {
  /** TA1. */
  readonly ta1: number;
  readonly f: number;
  readonly d: number;
  /** Bits per second at 3.571 MHz, rounded down. */
  readonly rate: number;
}
/**
 * Fi/Di pairs the card line makes exactly: the PIO divider is F·560/D in 1/256ths, its error must be ≤ 0.5 %, and an etu must be at least
 * 8 card clocks, the fastest that the line was measured at.
 */
export const ratePairs: readonly RatePair[] = clockRateF.flatMap((f, fi) =>
  baudRateD.flatMap((d, di) => {
    if (!f || !d || f / d < 8) return [];
    const divider = (f * 560) / d;
    if (Math.abs(Math.round(divider) / divider - 1) > 0.005) return [];
    return [{ ta1: (fi << 4) | di, f, d, rate: Math.floor((cardClockHz * d) / f) }];
  }),
);
/** The distinct data rates of {@link ratePairs} within 9 600 … 446 428 bit/s, ascending: what GET_DATA_RATES answers. */
export const dataRates: readonly number[] = [...new Set(ratePairs.map((pair) => pair.rate))]
  .filter((rate) => rate >= 9600 && rate <= 446428)
  .sort((a, b) => a - b);

/** What the reference reader claims; a claim here is proven by a test. */
export const ccidClaims: Infer<typeof ccidClassDescriptor> = {
  bLength: ccidClassDescriptor.size,
  bDescriptorType: 0x21,
  bcdCCID: 0x0110,
  bMaxSlotIndex: 0,
  bVoltageSupport: 0x07,
  dwProtocols: 0x00000003,
  dwDefaultClock: Math.floor(cardClockHz / 1000),
  dwMaximumClock: Math.floor(cardClockHz / 1000),
  bNumClockSupported: 1,
  dwDataRate: 9600,
  dwMaxDataRate: 446428,
  bNumDataRatesSupported: dataRates.length,
  dwMaxIFSD: 254,
  dwSynchProtocols: 0,
  dwMechanical: 0,
  // automatic parameters by ATR 02, voltage 08, clock 10, baud rate 20, parameter negotiation by the reader 40, clock stop 100, IFSD 400; short and
  // extended APDU level 40000
  dwFeatures: 0x0004057a,
  dwMaxCCIDMessageLength: 65554,
  bClassGetResponse: 0xff,
  bClassEnvelope: 0xff,
  wLcdLayout: 0x0410,
  bPINSupport: 3,
  bMaxCCIDBusySlots: 1,
};

/** The device descriptor (USB 2.0 table 9-8). */
export const deviceDescriptorLayout = struct({
  bLength: u8,
  bDescriptorType: u8,
  bcdUSB: u16le,
  bDeviceClass: u8,
  bDeviceSubClass: u8,
  bDeviceProtocol: u8,
  bMaxPacketSize0: u8,
  idVendor: u16le,
  idProduct: u16le,
  bcdDevice: u16le,
  iManufacturer: u8,
  iProduct: u8,
  iSerialNumber: u8,
  bNumConfigurations: u8,
});

/** The device descriptor, 18 bytes: EF/02/01, because an IAD is used (USB IAD ECN). */
export function deviceDescriptor(product: Product): Uint8Array<ArrayBuffer> {
  return deviceDescriptorLayout.encode({
    bLength: 18,
    bDescriptorType: 1,
    bcdUSB: 0x0200,
    bDeviceClass: 0xef,
    bDeviceSubClass: 2,
    bDeviceProtocol: 1,
    bMaxPacketSize0: 64,
    idVendor: product.usb.vendorId,
    idProduct: product.usb.productId,
    bcdDevice: product.usb.bcdDevice,
    iManufacturer: stringIndex.vendor,
    iProduct: stringIndex.product,
    iSerialNumber: stringIndex.serial,
    bNumConfigurations: 1,
  });
}

const interfaceLayout = struct({
  bLength: u8,
  bDescriptorType: u8,
  bInterfaceNumber: u8,
  bAlternateSetting: u8,
  bNumEndpoints: u8,
  bInterfaceClass: u8,
  bInterfaceSubClass: u8,
  bInterfaceProtocol: u8,
  iInterface: u8,
});
const endpointLayout = struct({
  bLength: u8,
  bDescriptorType: u8,
  bEndpointAddress: u8,
  bmAttributes: u8,
  wMaxPacketSize: u16le,
  bInterval: u8,
});

const anInterface = (number: number, endpointCount: number, interfaceClass: readonly [number, number, number], name: number): Uint8Array =>
  interfaceLayout.encode({
    bLength: 9,
    bDescriptorType: 4,
    bInterfaceNumber: number,
    bAlternateSetting: 0,
    bNumEndpoints: endpointCount,
    bInterfaceClass: interfaceClass[0],
    bInterfaceSubClass: interfaceClass[1],
    bInterfaceProtocol: interfaceClass[2],
    iInterface: name,
  });
const anEndpoint = (address: number, type: "bulk" | "interrupt", packet: number, interval: number): Uint8Array =>
  endpointLayout.encode({
    bLength: 7,
    bDescriptorType: 5,
    bEndpointAddress: address,
    bmAttributes: type === "bulk" ? 2 : 3,
    wMaxPacketSize: packet,
    bInterval: interval,
  });

/** The whole configuration descriptor, 159 bytes: CCID as interface 0, then the CDC-ACM pair under an IAD. Bus-powered, 200 mA (a class A card takes 60 mA). */
export function configurationDescriptor(): Uint8Array<ArrayBuffer> {
  const cdcHeader = struct({ bFunctionLength: u8, bDescriptorType: u8, bDescriptorSubtype: u8, data: bytes(2) });
  const parts = [
    anInterface(interfaces.ccid, 3, [0x0b, 0, 0], stringIndex.ccid),
    ccidClassDescriptor.encode(ccidClaims),
    anEndpoint(endpoints.ccidOut, "bulk", 64, 0),
    anEndpoint(endpoints.ccidIn, "bulk", 64, 0),
    anEndpoint(endpoints.ccidInterrupt, "interrupt", 8, 16),
    Uint8Array.of(8, 11, interfaces.cdcControl, 2, 2, 2, 0, stringIndex.link),
    anInterface(interfaces.cdcControl, 1, [2, 2, 0], stringIndex.link),
    cdcHeader.encode({ bFunctionLength: 5, bDescriptorType: 0x24, bDescriptorSubtype: 0, data: Uint8Array.of(0x10, 0x01) }),
    cdcHeader.encode({ bFunctionLength: 5, bDescriptorType: 0x24, bDescriptorSubtype: 1, data: Uint8Array.of(0, interfaces.cdcData) }),
    // ACM: SET_LINE_CODING, SET_CONTROL_LINE_STATE, GET_LINE_CODING and SERIAL_STATE (PSTN 1.2 §5.3.2)
    Uint8Array.of(4, 0x24, 2, 2),
    cdcHeader.encode({
      bFunctionLength: 5,
      bDescriptorType: 0x24,
      bDescriptorSubtype: 6,
      data: Uint8Array.of(interfaces.cdcControl, interfaces.cdcData),
    }),
    anEndpoint(endpoints.cdcNotify, "interrupt", 16, 32),
    anInterface(interfaces.cdcData, 2, [0x0a, 0, 0], 0),
    anEndpoint(endpoints.cdcOut, "bulk", 64, 0),
    anEndpoint(endpoints.cdcIn, "bulk", 64, 0),
  ];
  const total = 9 + parts.reduce((sum, part) => sum + part.length, 0);
  const output = new Uint8Array(total);
  output.set(Uint8Array.of(9, 2, total & 255, total >> 8, 3, 1, 0, 0x80, 100));
  let at = 9;
  for (const part of parts) {
    output.set(part, at);
    at += part.length;
  }
  return output;
}

/** String descriptors by index, without the serial number (3), which is the flash's unique id at run time. */
export function usbStrings(product: Product): Readonly<Record<number, string>> {
  return {
    [stringIndex.vendor]: product.vendorName,
    [stringIndex.product]: product.productName,
    [stringIndex.ccid]: product.usb.ccidName,
    [stringIndex.link]: product.usb.linkName,
  };
}
