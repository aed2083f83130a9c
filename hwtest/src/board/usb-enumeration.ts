import { parseConfiguration, parseDevice, parseString, type ConfigurationInfo, type DeviceInfo } from "./usb-descriptors.js";
import type { EnumeratedDevice, UsbHost } from "./usb-host.js";
import type { TransferResult } from "./usb-transfer.js";

/** The steps in their order, as a Linux host takes them. */
type Step =
  | "head"
  | "again"
  | "address"
  | "device"
  | "qualifier"
  | "configuration-head"
  | "configuration"
  | "languages"
  | "string"
  | "configure"
  | "done"
  | "failed";

/** How far the enumeration is, as plain data. */
export interface EnumerationState {
  step: Step;
  device: number[];
  configuration: number[];
  language: number;
  /** String indices still to read, and what was read. */
  wanted: number[];
  strings: [number, string][];
  tries: number;
  failure?: string;
}

const GET_DESCRIPTOR = 6;
const descriptor = (type: number, index: number, length: number, language = 0): Uint8Array =>
  Uint8Array.of(0x80, GET_DESCRIPTOR, index, type, language & 0xff, language >> 8, length & 0xff, length >> 8);
/** Linux asks a full-speed device of USB 2.0 this often for its qualifier. */
const QUALIFIER_TRIES = 3;
const ADDRESS = 1;

/** From the first reset to SET_CONFIGURATION: a state machine, so that a snapshot can be taken in the middle of it. */
export class Enumeration {
  readonly #host: UsbHost;
  readonly state: EnumerationState;
  #device: DeviceInfo | undefined;
  #configuration: ConfigurationInfo | undefined;

  constructor(host: UsbHost, state?: EnumerationState) {
    this.#host = host;
    this.state = state
      ? structuredClone(state)
      : { step: "head", device: [], configuration: [], language: 0, wanted: [], strings: [], tries: 0 };
    if (this.state.device.length >= 18) this.#device = parseDevice(Uint8Array.from(this.state.device));
    if (this.state.configuration.length > 9) this.#configuration = parseConfiguration(Uint8Array.from(this.state.configuration));
  }

  get configuration(): ConfigurationInfo | undefined {
    return this.#configuration;
  }

  /** What was found, when all is done. */
  get device(): EnumeratedDevice | undefined {
    if (!this.#device || !this.#configuration) return undefined;
    return { info: this.#device, configuration: this.#configuration, strings: new Map(this.state.strings) };
  }

  /** The bus is ready for the present step. */
  resume(): void {
    const host = this.#host;
    const { state } = this;
    switch (state.step) {
      case "head":
        host.setMaxPacket0(64);
        return this.#ask(descriptor(1, 0, 64));
      case "again":
        state.step = "address";
        return this.resume();
      case "address":
        host.setMaxPacket0(state.device[7] ?? 64);
        return this.#ask(Uint8Array.of(0, 5, ADDRESS, 0, 0, 0, 0, 0));
      case "device":
        return this.#ask(descriptor(1, 0, 18));
      case "qualifier":
        return this.#ask(descriptor(6, 0, 10));
      case "configuration-head":
        return this.#ask(descriptor(2, 0, 9));
      case "configuration":
        return this.#ask(descriptor(2, 0, state.tries));
      case "languages":
        return this.#ask(descriptor(3, 0, 255));
      case "string":
        return this.#ask(descriptor(3, state.wanted[0]!, 255, state.language));
      case "configure":
        return this.#ask(Uint8Array.of(0, 9, this.#configuration!.value, 0, 0, 0, 0, 0));
      default:
        return;
    }
  }

  /** The present step's transfer ended. */
  ended(result: TransferResult): void {
    const { state } = this;
    if (state.step === "qualifier" && result.status === "stall") {
      if (++state.tries < QUALIFIER_TRIES) return this.resume();
      return this.#go("configuration-head");
    }
    if (result.status !== "ok") return this.#fail(`${state.step}: ${result.status}`);
    try {
      this.#take(result.data);
    } catch (error) {
      this.#host.host.violation("usb/bad-descriptor", (error as Error).message);
      this.#fail((error as Error).message);
    }
  }

  #take(data: Uint8Array): void {
    const host = this.#host;
    const { state } = this;
    switch (state.step) {
      case "head":
        if (data.length < 8 || data[1] !== 1) throw new Error(`device descriptor: ${data.length} bytes for a request of 64`);
        if (![8, 16, 32, 64].includes(data[7]!)) throw new Error(`bMaxPacketSize0 ${data[7]}`);
        state.device = [...data];
        state.step = "again";
        return host.timing.resetTwice ? host.resetAgain() : this.resume();
      case "address":
        state.step = "device";
        return host.enumerateLater(host.timing.addressMs);
      case "device":
        this.#device = parseDevice(data);
        state.device = [...data];
        state.tries = 0;
        return this.#go(this.#device.usbVersion >= 0x0200 ? "qualifier" : "configuration-head");
      case "qualifier":
        throw new Error("a full-speed-only device answered a request for its device qualifier (USB 2.0 §9.6.2)");
      case "configuration-head":
        if (data.length !== 9 || data[1] !== 2) throw new Error(`configuration descriptor: ${data.length} bytes for a request of 9`);
        state.tries = data[2]! | (data[3]! << 8);
        return this.#go("configuration");
      case "configuration":
        this.#configuration = parseConfiguration(data);
        state.configuration = [...data];
        state.wanted = this.#stringsWanted();
        return this.#go(state.wanted.length ? "languages" : "configure");
      case "languages":
        if (data.length < 4 || data[1] !== 3) throw new Error(`language list: ${data.length} bytes`);
        state.language = data[2]! | (data[3]! << 8);
        return this.#go("string");
      case "string":
        state.strings.push([state.wanted.shift()!, parseString(data)]);
        return this.#go(state.wanted.length ? "string" : "configure");
      case "configure":
        state.step = "done";
        return host.configured();
      default:
        return;
    }
  }

  #stringsWanted(): number[] {
    const device = this.#device!;
    const all = [device.product, device.manufacturer, device.serial, ...this.#configuration!.interfaces.map((one) => one.string)];
    return [...new Set(all.filter((index) => index !== 0))];
  }

  #ask(setup: Uint8Array): void {
    this.#host.submitInternal({ kind: "control", setup });
  }

  #go(step: Step): void {
    this.state.step = step;
    this.resume();
  }

  #fail(reason: string): void {
    this.state.step = "failed";
    this.state.failure = reason;
    this.#host.enumerationFailed(reason);
  }
}
