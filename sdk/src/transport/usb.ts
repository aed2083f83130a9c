import { headerLength, isTestId } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import type { Clock } from "../exchange/clock.js";
import { systemClock } from "../exchange/system-clock.js";
import type { ClosedReason, ReaderAddress, ReaderIdentity, Transport, TransportEvent } from "./transport.js";
import { type CcidInterface, findCcidInterface } from "./usb-descriptors.js";
import type { UsbDeviceLike, UsbInResultLike } from "./usb-device-like.js";
import { usbFailure } from "./usb-failure.js";

/** Options of {@link UsbTransport.open}. */
export interface UsbOptions {
  readonly address: ReaderAddress;
  /** Default the wall clock. */
  readonly clock?: Clock;
}

const GET_DESCRIPTOR = 6;
const DEVICE = 0x0100;
const CONFIGURATION = 0x0200;
/** CCID class request ABORT (CCID 1.1 §5.3.1). */
const ABORT = 1;
/** This many failed transfers in a row, 20 ms apart, and the reader is given up. */
const FAILURES = 10;
const PAUSE_MS = 20;
/** A message from a reader that claims less may still be this long, bytes. */
const LEAST_MESSAGE = 271;

/**
 * Carries CCID messages over the bulk pipes of a USB reader.
 *
 * ```
 *   OUT  │ one transfer per message, no ZLP after a multiple of the packet size: dwLength tells the reader, as with libccid │
 *   IN   │ one packet │ the rest, as long as dwLength says │      an empty packet before, between or after is skipped
 * ```
 *
 * The first IN transfer asks for one packet only: a message that ends on a packet boundary then needs no ZLP to be seen, and a
 * transfer that a driver's timeout cancels can have lost nothing.
 */
export class UsbTransport implements Transport {
  readonly address: ReaderAddress;
  readonly maxMessageLength: number;
  readonly features: number;
  readonly pinSupport: number;
  readonly notifies: boolean;
  onMessage: ((message: Uint8Array) => void) | undefined;
  onNotice: ((notice: Uint8Array) => void) | undefined;
  onEvent: ((event: TransportEvent) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly #device: UsbDeviceLike;
  readonly #clock: Clock;
  readonly #ccid: CcidInterface;
  readonly #bcdDevice: number;
  readonly #stop = new AbortController();

  #settleClosed!: (reason: ClosedReason) => void;
  #closing: Promise<void> | undefined;
  /** An answer has begun where one was looked for. A program that was killed while it read has left the rest of its answer in the pipe. */
  #inStep = false;
  #sending: Promise<unknown> = Promise.resolve();

  private constructor(device: UsbDeviceLike, ccid: CcidInterface, bcdDevice: number, options: UsbOptions) {
    this.#device = device;
    this.#ccid = ccid;
    this.#bcdDevice = bcdDevice;
    this.#clock = options.clock ?? systemClock;
    this.address = options.address;
    this.maxMessageLength = Math.max(LEAST_MESSAGE, ccid.claims.dwMaxCCIDMessageLength);
    this.features = ccid.claims.dwFeatures;
    this.pinSupport = ccid.claims.bPINSupport;
    this.notifies = ccid.interrupt !== undefined;
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  /**
   * Opens the device, finds its CCID interface by class, and claims it. Rejects with `permission-denied`, `port-in-use`,
   * `reader-unplugged`, `unsupported` (no CCID interface), `protocol`; the device is closed then.
   */
  static async open(device: UsbDeviceLike, options: UsbOptions): Promise<UsbTransport> {
    const path = options.address.path ?? options.address.uri;
    try {
      await device.open();
      const configuration = device.configuration ?? device.configurations[0];
      if (!configuration) throw new InkanError("unsupported", { detail: "the USB device has no configuration" });
      if (!device.configuration) await device.selectConfiguration(configuration.configurationValue);
      // the index in GET_DESCRIPTOR is a position, not bConfigurationValue
      const index = Math.max(
        0,
        device.configurations.findIndex((other) => other.configurationValue === configuration.configurationValue),
      );
      const head = await descriptor(device, CONFIGURATION | index, 9);
      const whole = await descriptor(device, CONFIGURATION | index, head[2]! | (head[3]! << 8));
      const ccid = findCcidInterface(whole);
      const about = await descriptor(device, DEVICE, 18);
      await device.claimInterface(ccid.interfaceNumber);
      const transport = new UsbTransport(device, ccid, about[12]! | (about[13]! << 8), options);
      void transport.#readAnswers();
      void transport.#readNotices();
      return transport;
    } catch (error) {
      await device.close().catch(() => undefined);
      throw error instanceof InkanError ? error : usbFailure(error, path);
    }
  }

  async send(message: Uint8Array): Promise<void> {
    // a transfer at a time: two at once may be mixed up by a driver
    const mine = this.#sending.then(() => this.#sendOne(message));
    this.#sending = mine.catch(() => undefined);
    return mine;
  }

  async #sendOne(message: Uint8Array): Promise<void> {
    if (this.#stop.signal.aborted) throw new InkanError("reader-unplugged");
    const { number } = this.#ccid.out;
    try {
      const result = await this.#device.transferOut(number, message as Uint8Array<ArrayBuffer>);
      if (result.status === "stall") {
        await this.#device.clearHalt("out", number);
        throw new InkanError("protocol", { detail: "the reader stalled its bulk OUT pipe" });
      }
    } catch (error) {
      const failure = error instanceof InkanError ? error : usbFailure(error, this.address.uri);
      if (failure.code === "reader-unplugged") this.#end("unplugged");
      throw failure;
    }
  }

  async abort(slot: number, sequence: number): Promise<void> {
    // node-usb wants data, though there is none
    await this.#device.controlTransferOut(
      { requestType: "class", recipient: "interface", request: ABORT, value: (sequence << 8) | slot, index: this.#ccid.interfaceNumber },
      new Uint8Array(0),
    );
  }

  async identify(): Promise<ReaderIdentity> {
    const { vendorId, productId, productName, serialNumber } = this.#device;
    const bcd = this.#bcdDevice;
    return {
      product: productName || this.address.name,
      firmware: `${(bcd >> 12) * 10 + ((bcd >> 8) & 15)}.${(bcd >> 4) & 15}.${bcd & 15}`,
      ...(serialNumber && { serial: serialNumber }),
      testIds: isTestId(vendorId, productId),
    };
  }

  /** Gives the interface back. May be called twice; never rejects. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    // whoever holds the device gives its pending transfers up on release; a driver that does not, times them out
    await this.#device.releaseInterface(this.#ccid.interfaceNumber).catch(() => undefined);
    await this.#device.close().catch(() => undefined);
    this.#end("closed");
  }

  #end(reason: ClosedReason): void {
    this.#settleClosed(reason);
    if (reason !== "closed") {
      this.#stop.abort();
      void this.close();
    }
  }

  async #readAnswers(): Promise<void> {
    const { number, packetSize } = this.#ccid.in;
    while (!this.#stop.signal.aborted) {
      const first = await this.#transfer(number, packetSize);
      if (!first?.length) continue;
      if (first.length < headerLength) {
        this.onEvent?.({ type: "discarded", bytes: first, reason: "shorter than a CCID header" });
        continue;
      }
      if (!this.#inStep && !startsAnswer(first)) {
        this.onEvent?.({ type: "discarded", bytes: first, reason: "the rest of an answer to a program before us" });
        continue;
      }
      this.#inStep = true;
      const total = headerLength + (first[1]! | (first[2]! << 8) | (first[3]! << 16)) + first[4]! * 2 ** 24;
      if (total > Math.max(this.maxMessageLength, 65_556)) {
        this.onEvent?.({ type: "discarded", bytes: first, reason: `dwLength ${total - headerLength} beyond dwMaxCCIDMessageLength` });
        this.#end("violation");
        return;
      }
      const message = await this.#rest(first, total, number, packetSize);
      if (message) this.#deliver(message);
    }
  }

  /** The message is whole when dwLength bytes are there or a short packet ends it early; then it is given on as it is, for the codec to name. */
  async #rest(first: Uint8Array, total: number, number: number, packetSize: number): Promise<Uint8Array | undefined> {
    if (first.length >= total || first.length < packetSize) return first;
    const message = new Uint8Array(total);
    message.set(first);
    let have = first.length;
    while (have < total) {
      const wanted = Math.ceil((total - have) / packetSize) * packetSize;
      const next = await this.#transfer(number, wanted);
      if (!next) return undefined;
      const useful = next.subarray(0, total - have);
      message.set(useful, have);
      have += useful.length;
      if (next.length < wanted) break;
    }
    return have === total ? message : message.subarray(0, have);
  }

  async #readNotices(): Promise<void> {
    const { interrupt } = this.#ccid;
    while (interrupt && !this.#stop.signal.aborted) {
      const notice = await this.#transfer(interrupt.number, interrupt.packetSize);
      if (notice?.length) this.onNotice?.(notice);
    }
  }

  #deliver(message: Uint8Array): void {
    // before the first command there can only be the answer to a program before us
    if (this.onMessage) this.onMessage(message);
    else this.onEvent?.({ type: "discarded", bytes: message, reason: "an answer nobody asked for" });
  }

  /** One IN transfer; `undefined` when there was none: a driver's timeout, a stall that was cleared, or the end. */
  async #transfer(number: number, length: number): Promise<Uint8Array | undefined> {
    for (let failures = 1; ; failures++) {
      let result: UsbInResultLike;
      try {
        result = await this.#device.transferIn(number, length);
        if (result.status === "stall") {
          await this.#device.clearHalt("in", number);
          this.onEvent?.({ type: "discarded", bytes: new Uint8Array(0), reason: `endpoint ${number} IN stalled` });
        } else if (result.status === "babble") {
          // more came than there was room for: what is there is no message, and asking again at once would go on for ever
          this.onEvent?.({ type: "discarded", bytes: bytesOf(result) ?? new Uint8Array(0), reason: `endpoint ${number} IN babbled` });
        } else return bytesOf(result);
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined;
        // node-usb ends an IN transfer after a second; nothing has come, nothing is lost
        if (/cancel|timed? ?out/i.test(String((error as Error).message))) return undefined;
        if (usbFailure(error, this.address.uri).code === "reader-unplugged") {
          this.#end("unplugged");
          return undefined;
        }
        this.onEvent?.({ type: "discarded", bytes: new Uint8Array(0), reason: `endpoint ${number} IN: ${(error as Error).message}` });
      }
      if (failures >= FAILURES) {
        this.#end("violation");
        return undefined;
      }
      await this.#clock.sleep(PAUSE_MS, this.#stop.signal).catch(() => undefined);
      if (this.#stop.signal.aborted) return undefined;
    }
  }
}

/** The head of an RDR_to_PC message on bulk IN: its type, and zeros where bStatus has reserved bits (CCID 1.1 §6.2, §6.2.6). */
const startsAnswer = (packet: Uint8Array): boolean => packet[0]! >= 0x80 && packet[0]! <= 0x84 && (packet[7]! & 0x3c) === 0;

const bytesOf = ({ data }: UsbInResultLike): Uint8Array | undefined =>
  data && new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

async function descriptor(device: UsbDeviceLike, value: number, length: number): Promise<Uint8Array> {
  const { status, data } = await device.controlTransferIn(
    { requestType: "standard", recipient: "device", request: GET_DESCRIPTOR, value, index: 0 },
    length,
  );
  const least = Math.min(length, 9);
  if ((status !== undefined && status !== "ok") || !data || data.byteLength < least)
    throw new InkanError("protocol", { detail: `GET_DESCRIPTOR ${value.toString(16)} is not answered` });
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
