import type {
  BindingInterface,
  BindingPortInterface,
  OpenOptions,
  PortInfo,
  PortStatus,
  SetOptions,
  UpdateOptions,
} from "@serialport/bindings-interface" with { "resolution-mode": "require" };
import type { CdcAcm, LineCoding } from "./cdc.js";
import type { UsbHost } from "./usb-host.js";

const PARITY: Readonly<Record<string, LineCoding["parity"]>> = { none: 0, odd: 1, even: 2, mark: 3, space: 4 };

/** Path under which the board's port is listed unless told otherwise. */
export const VIRTUAL_PORT = "virtual:ttyACM0";

/** An error after which `serialport` knows that the caller closed the port, and not the device. */
function canceled(): Error & { canceled: true } {
  return Object.assign(new Error("Canceled"), { canceled: true as const });
}

/** The port of the virtual board as `serialport` sees any port. */
export class VirtualSerialPort implements BindingPortInterface {
  readonly openOptions: Required<OpenOptions>;
  readonly #cdc: CdcAcm;
  isOpen = true;
  /** Bytes that came and were not read yet. */
  #chunks: Uint8Array[] = [];
  #reader: { readonly take: (chunk: Uint8Array) => void; readonly fail: (reason: Error) => void } | undefined;
  #lost: Error | undefined;

  constructor(cdc: CdcAcm, openOptions: Required<OpenOptions>) {
    this.#cdc = cdc;
    this.openOptions = openOptions;
    cdc.onData = (bytes) => {
      this.#chunks.push(bytes);
      this.#reader?.take(this.#chunks[0]!);
    };
    cdc.onClosed = (reason) => {
      if (!this.isOpen) return;
      this.#lost = reason === "closed" ? canceled() : new Error("the device was unplugged");
      this.#reader?.fail(this.#lost);
    };
  }

  async close(): Promise<void> {
    if (!this.isOpen) throw new Error("Port is not open");
    this.isOpen = false;
    this.#reader?.fail(canceled());
    await this.#cdc.close({ hangUp: this.openOptions.hupcl });
    this.#cdc.onData = undefined;
    this.#cdc.onClosed = undefined;
    this.#chunks = [];
  }

  async read(buffer: Buffer, offset: number, length: number): Promise<{ buffer: Buffer; bytesRead: number }> {
    if (!Buffer.isBuffer(buffer)) throw new TypeError('"buffer" is not a Buffer');
    if (!Number.isInteger(offset) || offset < 0) throw new TypeError('"offset" is not an integer or is negative');
    if (!Number.isInteger(length) || length < 1) throw new TypeError('"length" is not a positive integer');
    if (buffer.length < offset + length) throw new Error("buffer is too small");
    if (!this.isOpen) throw new Error("Port is not open");
    if (this.#reader) throw new Error("a read is in progress");
    if (!this.#chunks.length) {
      if (this.#lost) throw this.#lost;
      await new Promise<unknown>((resolve, reject) => {
        this.#reader = { take: resolve, fail: reject };
      }).finally(() => (this.#reader = undefined));
    }
    let bytesRead = 0;
    while (bytesRead < length && this.#chunks.length) {
      const chunk = this.#chunks[0]!;
      const count = Math.min(length - bytesRead, chunk.length);
      buffer.set(chunk.subarray(0, count), offset + bytesRead);
      bytesRead += count;
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
    }
    return { buffer, bytesRead };
  }

  async write(buffer: Buffer): Promise<void> {
    if (!Buffer.isBuffer(buffer)) throw new TypeError('"buffer" is not a Buffer');
    this.#need();
    try {
      await this.#cdc.write(buffer);
    } catch (error) {
      throw this.isOpen && (error as { code?: string }).code !== "ECANCELED" ? error : canceled();
    }
  }

  async update(options: UpdateOptions): Promise<void> {
    if (typeof options?.baudRate !== "number") throw new TypeError('"options.baudRate" is not a number');
    this.#need();
    await this.#cdc.setCoding({ baudRate: options.baudRate });
  }

  async set(options: SetOptions): Promise<void> {
    if (typeof options !== "object") throw new TypeError('"options" is not an object');
    this.#need();
    await this.#cdc.setLines({
      ...(options.dtr === undefined ? {} : { dtr: options.dtr }),
      ...(options.rts === undefined ? {} : { rts: options.rts }),
    });
    if (options.brk) await this.#cdc.sendBreak(0xffff);
  }

  /** CDC-ACM has no CTS: it reads as set, as in Linux. */
  async get(): Promise<PortStatus> {
    this.#need();
    const { dcd, dsr } = this.#cdc.state;
    return { cts: true, dsr, dcd };
  }

  async getBaudRate(): Promise<{ baudRate: number }> {
    this.#need();
    return { baudRate: this.#cdc.coding.baudRate };
  }

  /** Drops what was received and not read, and what was written and not sent. */
  async flush(): Promise<void> {
    this.#need();
    this.#chunks = [];
    this.#cdc.discard();
  }

  async drain(): Promise<void> {
    this.#need();
    await this.#cdc.drain();
    if (!this.isOpen) throw canceled();
  }

  #need(): void {
    if (!this.isOpen) throw new Error("Port is not open");
    if (this.#lost) throw this.#lost;
  }
}

/** What `serialBinding` gives: a binding with the virtual board as its only port. */
export type VirtualBinding = BindingInterface<VirtualSerialPort, OpenOptions, PortInfo>;

/**
 * A binding for `serialport` (`new SerialPortStream({ binding, path, baudRate })`) over the board's CDC function, in this process.
 * `list` names the port only while the board is plugged in and configured.
 */
export function serialBinding(host: UsbHost, cdc: CdcAcm, path = VIRTUAL_PORT): VirtualBinding {
  let present: VirtualSerialPort | undefined;
  return {
    async list(): Promise<PortInfo[]> {
      const { device } = host;
      if (!device || !cdc.present) return [];
      const hex = (value: number): string => value.toString(16).padStart(4, "0");
      return [
        {
          path,
          manufacturer: device.strings.get(device.info.manufacturer),
          serialNumber: device.strings.get(device.info.serial),
          pnpId: undefined,
          locationId: undefined,
          vendorId: hex(device.info.vendorId),
          productId: hex(device.info.productId),
        },
      ];
    },
    async open(options: OpenOptions): Promise<VirtualSerialPort> {
      if (typeof options?.path !== "string") throw new TypeError('"path" is not a string');
      if (typeof options.baudRate !== "number") throw new TypeError('"baudRate" is not a number');
      if (options.path !== path || !cdc.present) throw new Error(`Error: No such file or directory, cannot open ${options.path}`);
      if (present?.isOpen && cdc.isOpen) throw new Error("Error Resource temporarily unavailable Cannot lock port");
      const all: Required<OpenOptions> = {
        dataBits: 8,
        lock: true,
        stopBits: 1,
        parity: "none",
        rtscts: false,
        xon: false,
        xoff: false,
        xany: false,
        hupcl: true,
        ...options,
      };
      const parity = PARITY[all.parity];
      if (parity === undefined) throw new TypeError(`"parity" is not one of ${Object.keys(PARITY).join(", ")}`);
      try {
        await cdc.open({ coding: { baudRate: all.baudRate, dataBits: all.dataBits, stopBits: all.stopBits, parity } });
      } catch (error) {
        if ((error as { code?: string }).code === "EBUSY")
          throw new Error("Error Resource temporarily unavailable Cannot lock port", { cause: error });
        throw error;
      }
      present = new VirtualSerialPort(cdc, all);
      return present;
    },
  };
}
