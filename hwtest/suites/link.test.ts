import { crc32, encodeFrame, headerLength, hex, pins, sessionKind } from "@inkan/device-proto";
import { cdcStream, openVirtualReader, type VirtualReader } from "@inkan/hwtest/board";
import { Reader, type TransportEvent } from "@inkan/sdk";
import { type ByteStream, LinkTransport } from "@inkan/sdk/link";
import { afterEach, describe, expect, test } from "vitest";

/**
 * The link on the whole: the SDK's session against the released image on the virtual board, over a CDC line that a test can spoil.
 */

let bench: VirtualReader | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const address = { uri: "virtual:", name: "reader", virtual: true };
const entropy = (bytes: Uint8Array): void => void bytes.fill(0x5a);

/** Plugs a reader in and opens its port, without a session. */
async function plug(card: "standard" | "none" = "standard"): Promise<VirtualReader> {
  bench = await openVirtualReader({ pace: "free", card, fingers: false });
  await bench.board.usb.attach();
  await bench.board.run(300);
  await bench.board.cdc.open({ dtr: true });
  return bench;
}

type Spoil = (bytes: Uint8Array) => Uint8Array;
/** The port with both directions in a test's hands, and counted. */
function line(
  reader: VirtualReader,
  toReader: Spoil = (bytes) => bytes,
  fromReader: Spoil = (bytes) => bytes,
): ByteStream & { sent: number; received: number; toReader: Spoil; fromReader: Spoil } {
  const port = cdcStream(reader.board.cdc);
  const stream = {
    sent: 0,
    received: 0,
    toReader,
    fromReader,
    onData: undefined as ByteStream["onData"],
    closed: port.closed,
    close: () => port.close(),
    write: async (bytes: Uint8Array) => {
      stream.sent += bytes.length;
      const arrives = stream.toReader(bytes.slice());
      if (arrives.length) await port.write(arrives);
    },
  };
  port.onData = (chunk) => {
    stream.received += chunk.length;
    stream.onData?.(stream.fromReader(chunk.slice()));
  };
  return stream;
}

/** Seeded, so that a failure can be played again. */
function random(seed: number): () => number {
  let counter = seed;
  return () => crc32(Uint8Array.of(counter & 255, (counter >> 8) & 255, (counter++ >> 16) & 255, 7)) / 2 ** 32;
}

const select = Uint8Array.of(0x00, 0xa4, 0x04, 0x0c, 10, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01);
const selectCertificate = Uint8Array.of(0x00, 0xa4, 0x02, 0x0c, 2, 0x00, 0x0a);
const read256 = Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x00);

describe("the link on the released image", () => {
  test("the reader never sends first", async () => {
    const reader = await plug();
    let heard = 0;
    reader.board.cdc.onData = (bytes) => (heard += bytes.length);
    await reader.remove();
    await reader.board.cdc.write(
      Uint8Array.of(
        0,
        1,
        2,
        3,
        0,
        ...encodeFrame({ channel: 0, session: sessionKind.ping, more: false, seq: 0, ack: 0, tag: 9, payload: new Uint8Array(0) }),
      ),
    );
    await reader.clock.sleep(30_000);
    expect(heard).toBe(0);
  });

  test("payload over all bytes under continuous load: from the host at least 85 % at 64 bytes, 98 % at 1 KiB", async () => {
    const reader = await plug();
    const stream = line(reader);
    const transport = await LinkTransport.open(stream, { address, clock: reader.clock, entropy });
    const answer = (): Promise<Uint8Array> => new Promise((resolve) => (transport.onMessage = resolve));
    for (const [size, share] of [
      [64, 0.85],
      [1024, 0.98],
    ] as const) {
      // a message that the reader refuses at once, for there is no such one: its answer is ten bytes
      const message = new Uint8Array(size);
      message.set([0x00, (size - headerLength) & 255, (size - headerLength) >> 8]);
      let useful = 0;
      const before = stream.sent;
      for (let i = 0; i < 40; i++) {
        message[6] = i;
        const answered = answer();
        void transport.send(message.slice());
        const expired = new AbortController();
        await Promise.race([answered, reader.clock.sleep(1000, expired.signal).then(() => Promise.reject(new Error("no answer")))]);
        expired.abort();
        useful += size;
      }
      expect(useful / (stream.sent - before)).toBeGreaterThanOrEqual(share);
    }
    await transport.close();
  });

  test("noise both ways: every APDU answered right, and none twice", async () => {
    const reader = await plug();
    const next = random(20261122);
    const bad: Spoil = (bytes) => {
      if (next() < 0.03) bytes[Math.floor(next() * bytes.length)]! ^= 1 << Math.floor(next() * 8);
      if (next() < 0.02)
        return Uint8Array.of(...bytes.subarray(0, Math.floor(next() * bytes.length)), ...bytes.subarray(Math.ceil(next() * bytes.length)));
      if (next() < 0.02) return Uint8Array.of(...bytes, ...bytes);
      if (next() < 0.02) return Uint8Array.of(0, 1 + Math.floor(next() * 255), ...bytes);
      return bytes;
    };
    const stream = line(reader);
    const transport = await LinkTransport.open(stream, { address, clock: reader.clock, entropy });
    const sdk = await Reader.open(transport, { clock: reader.clock });
    const events: TransportEvent[] = [];
    transport.onEvent = (event) => events.push(event);
    const card = await sdk.connect();
    expect((await card.transmit(select)).sw).toBe(0x9000);
    expect((await card.transmit(selectCertificate)).sw).toBe(0x9000);
    const right = hex((await card.transmit(read256)).toBytes());
    stream.toReader = stream.fromReader = bad;
    for (let i = 0; i < 150; i++) expect(hex((await card.transmit(read256)).toBytes())).toBe(right);
    stream.toReader = stream.fromReader = (bytes) => bytes;
    expect(events.filter((event) => event.type === "discarded").length).toBeGreaterThan(3);
    expect(events.some((event) => event.type === "retransmitted")).toBe(true);
    await sdk.close();
  });

  test("a host that vanishes without a word: after 20 s the card is off, and another host gets a fresh one", async () => {
    const reader = await plug();
    const stream = line(reader);
    const first = await LinkTransport.open(stream, { address, clock: reader.clock, entropy });
    const sdk = await Reader.open(first, { clock: reader.clock });
    await sdk.connect();
    stream.toReader = () => new Uint8Array(0);
    expect(reader.board.engine.nets.level(pins.cardVcc)).toBe(1);
    await reader.clock.sleep(21_000);
    expect(reader.board.engine.nets.level(pins.cardVcc)).toBe(0);
    await sdk.close();
  });

  test("a second session takes the link over: the first host's card is off, its frames are nobody's", async () => {
    const reader = await plug();
    const stream = line(reader);
    const first = await Reader.open(await LinkTransport.open(stream, { address, clock: reader.clock, entropy }), { clock: reader.clock });
    await first.connect();
    const second = await Reader.open(
      await LinkTransport.open(line(reader), { address, clock: reader.clock, entropy: (bytes) => void bytes.fill(1) }),
      { clock: reader.clock },
    );
    expect(await second.slotStatus()).toBe("present");
    await second.close();
  });
});
