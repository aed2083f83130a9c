import type { UsbConfigurationLike, UsbDeviceLike, UsbInResultLike, UsbOutResultLike, UsbSetupLike } from "@inkan/sdk";
import type { EnumeratedDevice, UsbHost } from "./usb-host.js";
import type { TransferRequest, TransferResult } from "./usb-transfer.js";

/** Errors as WebUSB names them: `NetworkError`, `AbortError`, `NotFoundError`, `InvalidStateError`. */
export class UsbDeviceError extends Error {
  override readonly name: "NetworkError" | "AbortError" | "NotFoundError" | "InvalidStateError";
  constructor(name: UsbDeviceError["name"], message: string) {
    super(message);
    this.name = name;
  }
}

/** Options of the virtual device. */
export interface VirtualUsbDeviceOptions {
  /**
   * Pace `free`: whether a pending IN transfer makes board time run by itself. Off by default, because a transport always has one
   * pending; then time runs while a deadline, an OUT or a control transfer is pending.
   */
  readonly readsRunTime?: boolean;
}

const REQUEST_TYPE = { standard: 0, class: 1, vendor: 2 } as const;
const RECIPIENT = { device: 0, interface: 1, endpoint: 2, other: 3 } as const;
/** How long an enumeration may take, in ms of board time. */
const ENUMERATION_MS = 10_000;

/** Plugs the board in (if it is not) and waits until it is configured. Rejects with `NetworkError` when it cannot be enumerated. */
export function attachUsb(host: UsbHost, deadlineMs = ENUMERATION_MS): Promise<EnumeratedDevice> {
  if (host.device) return Promise.resolve(host.device);
  if (host.failure !== undefined) host.resetPort();
  return host.host.pump.waitFor(
    (resolve, reject) => {
      const stop = host.listen({
        configured: resolve,
        disconnected: (reason) => reject(new UsbDeviceError("NetworkError", `The device could not be enumerated: ${reason}.`)),
      });
      host.plug();
      return stop;
    },
    { deadlineNs: host.host.nowNs + deadlineMs * 1e6 },
  );
}

/** The virtual board as a WebUSB device. The object stays the same over unplugging and plugging in; it must be opened again. */
export class VirtualUsbDevice implements UsbDeviceLike {
  readonly #host: UsbHost;
  readonly #readsRunTime: boolean;
  #opened = false;
  readonly #claimed = new Set<number>();
  /** Running transfers, by number: how to end their promises from this side. */
  readonly #running = new Map<number, (error: UsbDeviceError) => void>();

  constructor(host: UsbHost, options: VirtualUsbDeviceOptions = {}) {
    this.#host = host;
    this.#readsRunTime = options.readsRunTime ?? false;
    host.listen({
      disconnected: (reason) => {
        if (reason !== "reset") this.#forget();
      },
    });
  }

  get vendorId(): number {
    return this.#host.device?.info.vendorId ?? 0;
  }
  get productId(): number {
    return this.#host.device?.info.productId ?? 0;
  }
  get manufacturerName(): string | null {
    return this.#string((device) => device.info.manufacturer);
  }
  get productName(): string | null {
    return this.#string((device) => device.info.product);
  }
  get serialNumber(): string | null {
    return this.#string((device) => device.info.serial);
  }
  /** True between `open` and `close` or unplugging. */
  get opened(): boolean {
    return this.#opened;
  }
  get configuration(): UsbConfigurationLike | null {
    return this.configurations[0] ?? null;
  }
  get configurations(): readonly UsbConfigurationLike[] {
    const { device } = this.#host;
    return device ? [describe(device)] : [];
  }

  async open(): Promise<void> {
    if (!this.#host.device) throw new UsbDeviceError("NotFoundError", "The device was disconnected.");
    this.#opened = true;
  }

  /** Gives the interfaces back; transfers still pending reject with `AbortError`. */
  async close(): Promise<void> {
    for (const [id, fail] of [...this.#running]) {
      fail(new UsbDeviceError("AbortError", "The transfer was cancelled."));
      this.#host.cancel(id);
    }
    this.#forget();
  }

  /** As in libusb's WebUSB: choosing the configuration that is active already asks nothing of the device. */
  async selectConfiguration(value: number): Promise<void> {
    this.#needOpen();
    if (value === this.configuration?.configurationValue) return;
    throw new UsbDeviceError("NotFoundError", "The configuration value provided is not supported by the device.");
  }

  async claimInterface(number: number): Promise<void> {
    this.#needOpen();
    if (!this.configuration?.interfaces.some((one) => one.interfaceNumber === number))
      throw new UsbDeviceError(
        "NotFoundError",
        "The interface number provided is not supported by the device in its current configuration.",
      );
    if (!this.#host.claim(number, this)) throw new UsbDeviceError("NetworkError", "Unable to claim interface.");
    this.#claimed.add(number);
  }

  async releaseInterface(number: number): Promise<void> {
    this.#needOpen();
    if (this.#claimed.delete(number)) this.#host.release(number, this);
  }

  async controlTransferIn(setup: UsbSetupLike, length: number): Promise<UsbInResultLike> {
    const packet = this.#setup(setup, 0x80, length);
    return received(await this.#transfer({ kind: "control", setup: packet }, false));
  }

  async controlTransferOut(setup: UsbSetupLike, data: Uint8Array<ArrayBuffer> = new Uint8Array(0)): Promise<UsbOutResultLike> {
    const packet = this.#setup(setup, 0, data.length);
    return sent(await this.#transfer({ kind: "control", setup: packet, data }, false));
  }

  async transferIn(endpointNumber: number, length: number): Promise<UsbInResultLike> {
    const endpoint = this.#endpoint(endpointNumber, 0x80);
    return received(await this.#transfer({ kind: "in", endpoint, length }, !this.#readsRunTime));
  }

  async transferOut(endpointNumber: number, data: Uint8Array<ArrayBuffer>): Promise<UsbOutResultLike> {
    const endpoint = this.#endpoint(endpointNumber, 0);
    return sent(await this.#transfer({ kind: "out", endpoint, data }, false));
  }

  /** CLEAR_FEATURE(ENDPOINT_HALT); both sides begin with DATA0 again. */
  async clearHalt(direction: "in" | "out", endpointNumber: number): Promise<void> {
    const endpoint = this.#endpoint(endpointNumber, direction === "in" ? 0x80 : 0);
    const result = await this.#transfer({ kind: "control", setup: Uint8Array.of(0x02, 1, 0, 0, endpoint, 0, 0, 0) }, false);
    if (result.status !== "ok") throw new UsbDeviceError("NetworkError", "Unable to clear endpoint.");
  }

  /** A port reset and a new enumeration. The device stays open and its interfaces claimed, pending transfers reject. */
  async reset(): Promise<void> {
    this.#needOpen();
    this.#host.resetPort();
    await attachUsb(this.#host);
  }

  #string(index: (device: EnumeratedDevice) => number): string | null {
    const { device } = this.#host;
    return (device && device.strings.get(index(device))) ?? null;
  }

  #forget(): void {
    this.#opened = false;
    for (const number of this.#claimed) this.#host.release(number, this);
    this.#claimed.clear();
  }

  #needOpen(): void {
    if (!this.#opened)
      throw this.#host.device
        ? new UsbDeviceError("InvalidStateError", "The device must be opened first.")
        : new UsbDeviceError("NotFoundError", "The device was disconnected.");
  }

  #endpoint(number: number, direction: 0 | 0x80): number {
    this.#needOpen();
    const address = number | direction;
    const owner = this.#host.device?.configuration.interfaces.find((one) => one.endpoints.some((endpoint) => endpoint.address === address));
    if (!owner || !this.#claimed.has(owner.number))
      throw new UsbDeviceError("NotFoundError", "The specified endpoint is not part of a claimed and selected alternate interface.");
    return address;
  }

  #setup(setup: UsbSetupLike, direction: 0 | 0x80, length: number): Uint8Array {
    this.#needOpen();
    if (setup.recipient === "interface" && !this.#claimed.has(setup.index & 0xff))
      throw new UsbDeviceError("InvalidStateError", "The specified interface has not been claimed.");
    const type = direction | (REQUEST_TYPE[setup.requestType] << 5) | RECIPIENT[setup.recipient];
    return Uint8Array.of(
      type,
      setup.request,
      setup.value & 0xff,
      setup.value >> 8,
      setup.index & 0xff,
      setup.index >> 8,
      length & 0xff,
      length >> 8,
    );
  }

  #transfer(request: TransferRequest, background: boolean): Promise<TransferResult> {
    const host = this.#host;
    return host.host.pump.waitFor<TransferResult>(
      (resolve, reject) => {
        const id = host.submit(request, (result) => {
          if (result.status === "cancelled") reject(new UsbDeviceError("AbortError", "The transfer was cancelled."));
          else if (result.status === "disconnected") reject(new UsbDeviceError("NetworkError", "The device was disconnected."));
          else if (result.status === "error" || result.status === "timeout")
            reject(new UsbDeviceError("NetworkError", "A transfer error has occurred."));
          else resolve(result);
        });
        this.#running.set(id, reject);
        return () => {
          this.#running.delete(id);
          host.cancel(id);
        };
      },
      { background },
    );
  }
}

function received(result: TransferResult): UsbInResultLike {
  return { status: outcome(result), data: new DataView(result.data.buffer, result.data.byteOffset, result.data.length) };
}

function sent(result: TransferResult): UsbOutResultLike {
  return { status: outcome(result), bytesWritten: result.actual };
}

function outcome(result: TransferResult): "ok" | "stall" | "babble" {
  return result.status === "stall" || result.status === "babble" ? result.status : "ok";
}

function describe(device: EnumeratedDevice): UsbConfigurationLike {
  const numbers = [...new Set(device.configuration.interfaces.map((one) => one.number))];
  return {
    configurationValue: device.configuration.value,
    interfaces: numbers.map((number) => ({
      interfaceNumber: number,
      alternates: device.configuration.interfaces
        .filter((one) => one.number === number)
        .map((one) => ({
          interfaceClass: one.classCode,
          interfaceSubclass: one.subclass,
          interfaceProtocol: one.protocol,
          endpoints: one.endpoints.map((endpoint) => ({
            endpointNumber: endpoint.address & 15,
            direction: endpoint.address & 0x80 ? ("in" as const) : ("out" as const),
            type: endpoint.type === "control" ? ("bulk" as const) : endpoint.type,
            packetSize: endpoint.maxPacket,
          })),
        })),
    })),
  };
}
