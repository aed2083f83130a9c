/**
 * The part of a WebUSB device that the SDK uses, in our own words, so that no DOM library is needed. npm `usb` (node-usb), a
 * browser's `navigator.usb` and the virtual board's host all fit it.
 */
export interface UsbDeviceLike {
  readonly vendorId: number;
  readonly productId: number;
  readonly productName?: string | null;
  readonly serialNumber?: string | null;
  readonly configuration?: UsbConfigurationLike | null;
  readonly configurations: readonly UsbConfigurationLike[];
  open(): Promise<void>;
  close(): Promise<void>;
  selectConfiguration(value: number): Promise<void>;
  claimInterface(number: number): Promise<void>;
  releaseInterface(number: number): Promise<void>;
  controlTransferIn(setup: UsbSetupLike, length: number): Promise<UsbInResultLike>;
  controlTransferOut(setup: UsbSetupLike, data?: Uint8Array<ArrayBuffer>): Promise<UsbOutResultLike>;
  /** One bulk or interrupt IN transfer: ends with a short packet, a ZLP, or `length` bytes. */
  transferIn(endpointNumber: number, length: number): Promise<UsbInResultLike>;
  transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>): Promise<UsbOutResultLike>;
  clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void>;
  reset(): Promise<void>;
}
export interface UsbConfigurationLike {
  readonly configurationValue: number;
  readonly interfaces: readonly UsbInterfaceLike[];
}
export interface UsbInterfaceLike {
  readonly interfaceNumber: number;
  readonly alternates: readonly {
    readonly interfaceClass: number;
    readonly interfaceSubclass: number;
    readonly interfaceProtocol: number;
    readonly endpoints: readonly {
      readonly endpointNumber: number;
      readonly direction: "in" | "out";
      readonly type: "bulk" | "interrupt" | "isochronous";
      readonly packetSize: number;
    }[];
  }[];
}
export interface UsbSetupLike {
  readonly requestType: "standard" | "class" | "vendor";
  readonly recipient: "device" | "interface" | "endpoint" | "other";
  readonly request: number;
  readonly value: number;
  readonly index: number;
}
export interface UsbInResultLike {
  readonly status?: "ok" | "stall" | "babble" | undefined;
  readonly data?: DataView | undefined;
}
export interface UsbOutResultLike {
  readonly status?: "ok" | "stall" | "babble" | undefined;
  readonly bytesWritten?: number;
}
