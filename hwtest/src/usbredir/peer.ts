import type { EnumeratedDevice, UsbHost } from "../board/usb-host.js";
import type { EndpointInfo, InterfaceInfo } from "../board/usb-descriptors.js";
import type { TransferRequest, TransferResult } from "../board/usb-transfer.js";
import { chosenInterfaces, endpointInfo, interfaceInfo } from "./describe.js";
import { capabilityWord, UsbredirParser } from "./parser.js";
import { GuestTransfers, statusOf, submit } from "./transfers.js";
import { type Body, encodePacket, FULL_SPEED, MAX_DATA, ourCapabilities, type Packet, type PacketName, statuses } from "./wire.js";
import { UsbredirError, VERSION_SIZE } from "./wire.js";

/** Where the peer's bytes go. */
export interface PeerWire {
  /** Takes bytes, in order. */
  write(bytes: Uint8Array): void;
  /** More is queued than the other side takes: standing interrupt polls wait. */
  readonly congested: boolean;
  /** The connection is over because of the peer: the other side broke a rule, or the board stopped. Called once. */
  failed(error: unknown): void;
}

/** Packets kept while the port is being reset; QEMU does not wait for the end of one. */
const MAX_HELD = 1024;
/** A reset with its enumeration, in ms of board time. */
const SETTLE_MS = 10_000;

const request = {
  deviceDescriptor: (): Uint8Array => Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0),
  getConfiguration: (): Uint8Array => Uint8Array.of(0x80, 8, 0, 0, 0, 0, 1, 0),
  setConfiguration: (value: number): Uint8Array => Uint8Array.of(0x00, 9, value, 0, 0, 0, 0, 0),
  getInterface: (number: number): Uint8Array => Uint8Array.of(0x81, 10, 0, 0, number, 0, 1, 0),
  setInterface: (number: number, alternate: number): Uint8Array => Uint8Array.of(0x01, 11, alternate, 0, number, 0, 0, 0),
};

/**
 * The device's side of a usbredir connection: the guest's host controller (QEMU) asks for transfers, the board's USB host plays
 * them on the bus.
 *
 * What the guest's controller keeps to itself is played here: after each `reset` a bus reset, the bench's own enumeration with
 * SET_ADDRESS (the bench's host must know the endpoints, and the device is judged again each time), then SET_CONFIGURATION(0), so that
 * the guest finds the device in the Address state (USB 2.0 §9.1.1) as it expects. SET_CONFIGURATION and SET_INTERFACE come as packets and
 * go out as SETUP packets; data toggles are the bench's host's.
 */
export class UsbredirPeer {
  readonly #host: UsbHost;
  readonly #wire: PeerWire;
  readonly #parser = new UsbredirParser("guest", ourCapabilities);
  readonly #transfers: GuestTransfers;
  /** Endpoint → ends its polling. */
  readonly #polls = new Map<number, AbortController>();
  readonly #alternates = new Map<number, number>();
  readonly #end = new AbortController();
  readonly #stopListening: () => void;
  #greeted = false;
  #ids64 = false;
  /** The guest was told of the device. */
  #present = false;
  #configuration = 0;
  #resetting = false;
  /** Pieces of work on the port that are under way; packets wait in `held`. */
  #settling = 0;
  #held: Packet[] = [];
  #pushed = 0n;
  #resume: (() => void)[] = [];

  constructor(host: UsbHost, wire: PeerWire) {
    this.#host = host;
    this.#wire = wire;
    this.#transfers = new GuestTransfers(host);
    this.#stopListening = host.listen({
      configured: () => {
        if (!this.#resetting) this.#arrived();
      },
      disconnected: () => {
        if (!this.#resetting) this.#left();
      },
    });
    // The hello has a 32-bit id whatever it says.
    const version = new Uint8Array(VERSION_SIZE);
    version.set(new TextEncoder().encode("inkan virtual board"));
    wire.write(encodePacket("hello", 0n, { version, capabilities: words(ourCapabilities) }, false));
    host.host.pump
      .waitFor(() => undefined, { background: true, signal: this.#end.signal })
      .catch((error: unknown) => {
        if (!this.#end.signal.aborted) this.#fail(error);
      });
  }

  /** The guest said hello. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Bytes from the guest. What breaks a rule ends the connection (`wire.failed`). */
  receive(chunk: Uint8Array): void {
    if (this.#end.signal.aborted) return;
    try {
      for (const packet of this.#parser.push(chunk)) this.#take(packet);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The other side takes bytes again. */
  drained(): void {
    for (const go of this.#resume.splice(0)) go();
  }

  /** Ends the peer: transfers are taken back, the guest hears nothing more. */
  close(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#stopListening();
    this.#forget();
    this.drained();
  }

  #fail(error: unknown): void {
    if (this.#end.signal.aborted) return;
    if (this.#present) this.#send("device_disconnect", 0n, {});
    this.close();
    this.#wire.failed(error);
  }

  #send<N extends PacketName>(name: N, id: bigint, body: Body<N>): void {
    if (!this.#end.signal.aborted) this.#wire.write(encodePacket(name, id, body, this.#ids64));
  }

  // ---- packets of the guest ----

  #take(packet: Packet): void {
    if (packet.name === "hello") return this.#hello(packet.body);
    if (this.#settling === 0) return this.#handle(packet);
    if (packet.name === "cancel_data_packet" && this.#cancelHeld(packet.id)) return;
    if (this.#held.length >= MAX_HELD) throw new UsbredirError("too-many-transfers", `${MAX_HELD} packets during a reset`);
    this.#held.push(packet);
  }

  #hello(body: Body<"hello">): void {
    const missing = ourCapabilities & ~capabilityWord(body.capabilities);
    if (missing) throw new UsbredirError("capabilities", `the other side lacks 0x${missing.toString(16)}`);
    this.#greeted = true;
    this.#ids64 = this.#parser.ids64;
    if (this.#host.device) this.#arrived();
  }

  #handle(packet: Packet): void {
    // Without capability 3 packets sent before the guest heard of the device's leaving may still come.
    if (!this.#present) return;
    switch (packet.name) {
      case "reset":
        return this.#settle(() => this.#reset());
      case "set_configuration":
        return this.#settle(() => this.#setConfiguration(packet.id, packet.body.configuration));
      case "get_configuration":
        return this.#getConfiguration(packet.id);
      case "set_alt_setting":
        return this.#settle(() => this.#setAlternate(packet.id, packet.body));
      case "get_alt_setting":
        return this.#getAlternate(packet.id, packet.body.interface);
      case "start_interrupt_receiving":
        return this.#startReceiving(packet.id, packet.body.endpoint);
      case "stop_interrupt_receiving":
        this.#stopReceiving(packet.body.endpoint);
        return this.#send("interrupt_receiving_status", packet.id, { status: statuses.success, endpoint: packet.body.endpoint });
      case "cancel_data_packet":
        return this.#transfers.cancel(packet.id);
      case "control_packet":
        return this.#control(packet.id, packet.body);
      case "bulk_packet":
        return this.#bulk(packet.id, packet.body);
      case "interrupt_packet":
        return this.#interruptOut(packet.id, packet.body);
      default:
        throw new UsbredirError("wrong-sender", packet.name);
    }
  }

  #control(id: bigint, body: Body<"control_packet">): void {
    const { endpoint, request, requestType, value, index, length } = body;
    const answer = (status: number, data: Uint8Array, actual: number): void =>
      this.#send("control_packet", id, { ...body, status, length: actual, data });
    const into = (requestType & 0x80) !== 0;
    if ((endpoint & 15) !== 0) return answer(statuses.inval, new Uint8Array(0), 0);
    const setup = Uint8Array.of(requestType, request, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff, length >> 8);
    this.#transfers.start(id, { kind: "control", setup, data: body.data }, length, (result) =>
      answer(statusOf(result), into ? result.data : new Uint8Array(0), result.actual),
    );
  }

  #bulk(id: bigint, body: Body<"bulk_packet">): void {
    const length = body.length + body.lengthHigh * 0x10000;
    const answer = (status: number, data: Uint8Array, actual: number): void =>
      this.#send("bulk_packet", id, { ...body, status, length: actual & 0xffff, lengthHigh: actual >>> 16, data });
    if (this.#endpoint(body.endpoint)?.type !== "bulk" || length > MAX_DATA) return answer(statuses.inval, new Uint8Array(0), 0);
    const request: TransferRequest =
      body.endpoint & 0x80 ? { kind: "in", endpoint: body.endpoint, length } : { kind: "out", endpoint: body.endpoint, data: body.data };
    this.#transfers.start(id, request, length, (result) => answer(statusOf(result), result.data, result.actual));
  }

  #interruptOut(id: bigint, body: Body<"interrupt_packet">): void {
    const { endpoint, data } = body;
    const answer = (status: number, actual: number): void =>
      this.#send("interrupt_packet", id, { endpoint, status, length: actual, data: new Uint8Array(0) });
    // An answer for an IN endpoint would have to carry data: such a request has none to give.
    if (endpoint & 0x80 || this.#endpoint(endpoint)?.type !== "interrupt") return answer(statuses.inval, 0);
    this.#transfers.start(id, { kind: "out", endpoint, data }, data.length, (result) => answer(statusOf(result), result.actual));
  }

  // ---- interrupt IN: polled here, pushed to the guest ----

  #startReceiving(id: bigint, endpoint: number): void {
    const found = this.#endpoint(endpoint);
    const good = found?.type === "interrupt" && (endpoint & 0x80) !== 0;
    this.#send("interrupt_receiving_status", id, { status: good ? statuses.success : statuses.inval, endpoint });
    if (good && !this.#polls.has(endpoint)) void this.#poll(endpoint, found.maxPacket);
  }

  #stopReceiving(endpoint: number): void {
    this.#polls.get(endpoint)?.abort();
    this.#polls.delete(endpoint);
  }

  async #poll(endpoint: number, maxPacket: number): Promise<void> {
    const abort = new AbortController();
    this.#polls.set(endpoint, abort);
    while (!abort.signal.aborted) {
      if (this.#wire.congested) {
        await new Promise<void>((go) => this.#resume.push(go));
        continue;
      }
      const result = await submit(this.#host, { kind: "in", endpoint, length: maxPacket }, abort.signal).catch(() => undefined);
      if (!result || this.#polls.get(endpoint) !== abort) return;
      if (result.status === "ok") {
        const body = { endpoint, status: statuses.success, length: result.actual, data: result.data };
        this.#send("interrupt_packet", this.#pushed++, body);
      } else {
        this.#polls.delete(endpoint);
        return this.#send("interrupt_receiving_status", 0n, { status: statusOf(result), endpoint });
      }
    }
  }

  // ---- the port ----

  /** Does something during which no other packet is looked at. */
  #settle(work: () => Promise<void>): void {
    this.#settling++;
    work().then(
      () => {
        this.#settling--;
        this.#release();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #release(): void {
    try {
      while (this.#settling === 0 && !this.#end.signal.aborted) {
        const packet = this.#held.shift();
        if (!packet) return;
        this.#handle(packet);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A request that has not begun is answered at once. */
  #cancelHeld(id: bigint): boolean {
    const at = this.#held.findIndex((one) => one.id === id && (one.name === "control_packet" || one.name === "bulk_packet"));
    const [found] = at < 0 ? [] : this.#held.splice(at, 1);
    const nothing = { status: statuses.cancelled, length: 0, data: new Uint8Array(0) };
    if (found?.name === "control_packet") this.#send(found.name, id, { ...found.body, ...nothing });
    if (found?.name === "bulk_packet") this.#send(found.name, id, { ...found.body, ...nothing, lengthHigh: 0 });
    return found !== undefined;
  }

  #arrived(): void {
    const host = this.#host;
    if (!this.#greeted || this.#present || this.#end.signal.aborted) return;
    this.#settle(async () => {
      if (!(await this.#unconfigure())) return;
      const { status, data } = await submit(host, { kind: "control", setup: request.deviceDescriptor() });
      if (status === "ok" && data.length === 18 && host.device) this.#announce(host.device, data);
    });
  }

  /** Class, subclass and protocol stand in bytes 4 to 6 of the device descriptor (USB 2.0 §9.6.1). */
  #announce(device: EnumeratedDevice, descriptor: Uint8Array): void {
    const [deviceClass, subclass, protocol] = descriptor.subarray(4, 7) as unknown as [number, number, number];
    const { vendorId, productId, deviceVersion } = device.info;
    this.#describe();
    this.#present = true;
    this.#send("device_connect", 0n, { speed: FULL_SPEED, deviceClass, subclass, protocol, vendorId, productId, deviceVersion });
  }

  #describe(): void {
    const { device } = this.#host;
    const interfaces = this.#interfaces();
    this.#send("ep_info", 0n, endpointInfo(interfaces, device?.info.maxPacket0 ?? 64));
    this.#send("interface_info", 0n, interfaceInfo(interfaces));
  }

  #left(): void {
    this.#forget();
    if (!this.#present) return;
    this.#present = false;
    this.#send("device_disconnect", 0n, {});
  }

  #forget(): void {
    this.#configuration = 0;
    this.#held = [];
    this.#stopAll();
    this.#transfers.forget();
  }

  #stopAll(): void {
    for (const endpoint of [...this.#polls.keys()]) this.#stopReceiving(endpoint);
  }

  async #reset(): Promise<void> {
    const host = this.#host;
    if (!host.device) return;
    this.#stopAll();
    this.#resetting = true;
    let failure: string | undefined;
    try {
      await host.host.pump.waitFor<void>(
        (resolve) => {
          // Transfers under way end with the reset and are answered as cancelled.
          host.resetPort();
          return host.listen({
            configured: () => resolve(),
            disconnected: (reason) => {
              failure = reason;
              resolve();
            },
          });
        },
        { deadlineNs: host.host.nowNs + SETTLE_MS * 1e6, signal: this.#end.signal },
      );
    } finally {
      this.#resetting = false;
    }
    if (failure !== undefined || !(await this.#unconfigure())) this.#left();
  }

  /** Back to the Address state, where a guest finds a device after a reset. */
  async #unconfigure(): Promise<boolean> {
    this.#configuration = 0;
    this.#alternates.clear();
    const { status } = await submit(this.#host, { kind: "control", setup: request.setConfiguration(0) });
    return status === "ok";
  }

  async #setConfiguration(id: bigint, value: number): Promise<void> {
    this.#stopAll();
    this.#transfers.cancelData();
    const result = await submit(this.#host, { kind: "control", setup: request.setConfiguration(value) });
    if (!this.#present) return;
    if (result.status === "ok") {
      this.#configuration = value;
      this.#alternates.clear();
      this.#describe();
    }
    this.#send("configuration_status", id, { status: statusOf(result), configuration: this.#configuration });
  }

  async #setAlternate(id: bigint, body: Body<"set_alt_setting">): Promise<void> {
    const { interface: number, alternate } = body;
    for (const one of this.#interfaces()) if (one.number === number) for (const { address } of one.endpoints) this.#stopReceiving(address);
    const result = await submit(this.#host, { kind: "control", setup: request.setInterface(number, alternate) });
    if (!this.#present) return;
    if (result.status === "ok") {
      this.#alternates.set(number, alternate);
      this.#describe();
    }
    const chosen = this.#alternates.get(number) ?? 0;
    this.#send("alt_setting_status", id, { status: statusOf(result), interface: number, alternate: chosen });
  }

  #getConfiguration(id: bigint): void {
    this.#ask(id, request.getConfiguration(), (status, value) => this.#send("configuration_status", id, { status, configuration: value }));
  }

  #getAlternate(id: bigint, number: number): void {
    this.#ask(id, request.getInterface(number), (status, value) =>
      this.#send("alt_setting_status", id, { status, interface: number, alternate: value }),
    );
  }

  /** A request with one byte of answer. */
  #ask(id: bigint, setup: Uint8Array, answer: (status: number, value: number) => void): void {
    this.#transfers.start(id, { kind: "control", setup }, 1, (result: TransferResult) => answer(statusOf(result), result.data[0] ?? 0));
  }

  #interfaces(): InterfaceInfo[] {
    const configuration = this.#host.device?.configuration;
    return chosenInterfaces(configuration?.value === this.#configuration ? configuration : undefined, this.#alternates);
  }

  #endpoint(address: number): EndpointInfo | undefined {
    return this.#interfaces()
      .flatMap((one) => one.endpoints)
      .find((one) => one.address === address);
  }
}

function words(word: number): Uint8Array {
  return Uint8Array.of(word & 0xff, (word >> 8) & 0xff, (word >> 16) & 0xff, word >>> 24);
}
