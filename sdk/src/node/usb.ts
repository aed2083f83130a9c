import { InkanError } from "../errors.js";
import type { ReaderAddress } from "../transport/transport.js";
import type { UsbDeviceLike } from "../transport/usb-device-like.js";

/** Class of smart card readers. */
const SMART_CARD = 0x0b;
/** An OUT transfer of the longest message takes 60 ms at full speed; a reader that is busy may hold it back, ms. */
const OUT_MS = 10_000;

/** What node-usb has beyond WebUSB. */
interface NodeUsbDevice extends UsbDeviceLike {
  readonly bus?: string;
  readonly ports?: readonly number[];
  readonly deviceVersionMajor?: number;
  readonly deviceVersionMinor?: number;
  readonly deviceVersionSubminor?: number;
  transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>, timeout?: number): ReturnType<UsbDeviceLike["transferOut"]>;
}

/** A CCID reader found on the bus. */
export interface FoundUsbReader {
  readonly address: ReaderAddress;
  readonly device: UsbDeviceLike;
}

/**
 * The CCID readers on the bus, found by class. Rejects with `package-missing` (no `usb` package) or `usb-missing` (no bus: then `usb` 3
 * must not even be asked for events, for its connect listener throws out of a timer and ends the process).
 */
export async function findUsbReaders(): Promise<FoundUsbReader[]> {
  let usb: { getDevices(): Promise<unknown[]> };
  try {
    const { WebUSB } = await import("usb");
    usb = new WebUSB({ allowAllDevices: true });
  } catch (error) {
    throw new InkanError("package-missing", { package: "usb", command: "npm install usb" }, { cause: error as Error });
  }
  let devices: NodeUsbDevice[];
  try {
    devices = (await usb.getDevices()) as NodeUsbDevice[];
  } catch (error) {
    throw new InkanError("usb-missing", { detail: (error as Error).message }, { cause: error as Error });
  }
  return devices.filter(isReader).map((device) => ({ address: addressOf(device), device: adapt(device) }));
}

/** A device that cannot be read is none of ours: hubs of other users, devices that leave in this moment. */
function isReader(device: NodeUsbDevice): boolean {
  try {
    return device.configurations.some((configuration) =>
      configuration.interfaces.some((one) => one.alternates.some((alternate) => alternate.interfaceClass === SMART_CARD)),
    );
  } catch {
    return false;
  }
}

function addressOf(device: NodeUsbDevice): ReaderAddress {
  const { vendorId, productId, bus, ports, deviceVersionMajor: major, deviceVersionMinor: minor, deviceVersionSubminor: patch } = device;
  const read = (get: () => string | null | undefined): string | undefined => {
    try {
      return get() || undefined;
    } catch {
      return undefined; // strings need the permission to open the device
    }
  };
  const serial = read(() => device.serialNumber);
  const ids = [vendorId, productId].map((id) => id.toString(16).padStart(4, "0")).join(":");
  const path = bus === undefined ? undefined : `${bus}-${(ports ?? []).join(".")}`;
  return {
    uri: `usb:${serial ?? path ?? ids}`,
    name: read(() => device.productName) ?? ids,
    ...(serial !== undefined && { serial }),
    ...(path !== undefined && { path }),
    ...(major !== undefined && { firmware: `${major}.${minor}.${patch}` }),
    virtual: false,
  };
}

/** node-usb gives up an OUT transfer after a second unless told otherwise; IN transfers are repeated by the transport anyway. */
function adapt(device: NodeUsbDevice): UsbDeviceLike {
  return {
    get vendorId() {
      return device.vendorId;
    },
    get productId() {
      return device.productId;
    },
    get productName() {
      return device.productName ?? null;
    },
    get serialNumber() {
      return device.serialNumber ?? null;
    },
    get configuration() {
      return device.configuration ?? null;
    },
    get configurations() {
      return device.configurations;
    },
    open: () => device.open(),
    close: () => device.close(),
    selectConfiguration: (value) => device.selectConfiguration(value),
    claimInterface: (number) => device.claimInterface(number),
    releaseInterface: (number) => device.releaseInterface(number),
    controlTransferIn: (setup, length) => device.controlTransferIn(setup, length),
    controlTransferOut: (setup, data) => device.controlTransferOut(setup, data ?? new Uint8Array(0)),
    transferIn: (endpoint, length) => device.transferIn(endpoint, length),
    transferOut: (endpoint, data) => device.transferOut(endpoint, data, OUT_MS),
    clearHalt: (direction, endpoint) => device.clearHalt(direction, endpoint),
    reset: () => device.reset(),
  };
}
