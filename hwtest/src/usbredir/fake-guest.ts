import { UsbredirParser } from "./parser.js";
import { type Body, encodePacket, ourCapabilities, type Packet, type PacketName, VERSION_SIZE } from "./wire.js";

/** The other end of a connection, for tests: says what it is told to say and keeps what it hears. */
export class FakeGuest {
  readonly heard: Packet[] = [];
  readonly #parser = new UsbredirParser("host", ourCapabilities);
  readonly #send: (bytes: Uint8Array) => void;
  #nextId = 0x1_0000_0000n;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  /** Bytes from the peer. */
  receive(chunk: Uint8Array): void {
    for (const packet of this.#parser.push(chunk)) this.heard.push(packet);
  }

  /** hello with QEMU's capabilities, or others. */
  hello(capabilities = 0xff): void {
    const word = Uint8Array.of(capabilities & 0xff, 0, 0, 0);
    this.#send(encodePacket("hello", 0n, { version: new Uint8Array(VERSION_SIZE), capabilities: word }, false));
  }

  /** Sends a packet under a new id, which is given back. */
  say<N extends PacketName>(name: N, body: Body<N>, id = this.#nextId++): bigint {
    this.#send(encodePacket(name, id, body));
    return id;
  }

  control(setup: readonly [number, number, number, number, number], data: Uint8Array = new Uint8Array(0)): bigint {
    const [requestType, request, value, index, length] = setup;
    return this.say("control_packet", { endpoint: requestType & 0x80, request, requestType, status: 0xa5, value, index, length, data });
  }

  bulkOut(endpoint: number, data: Uint8Array): bigint {
    return this.say("bulk_packet", { endpoint, status: 0, length: data.length & 0xffff, lengthHigh: data.length >>> 16, stream: 0, data });
  }

  bulkIn(endpoint: number, length: number): bigint {
    const data = new Uint8Array(0);
    return this.say("bulk_packet", { endpoint, status: 0, length: length & 0xffff, lengthHigh: length >>> 16, stream: 0, data });
  }

  /** The packets of a name that came, with an id if one is given. */
  all<N extends PacketName>(name: N, id?: bigint): Extract<Packet, { name: N }>[] {
    return this.heard.filter((one): one is Extract<Packet, { name: N }> => one.name === name && (id === undefined || one.id === id));
  }
}
