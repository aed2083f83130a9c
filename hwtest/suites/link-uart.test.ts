import { headerLength, hex, linkLimits } from "@inkan/device-proto";
import { openVirtualReader, uartStream, type VirtualReader } from "@inkan/hwtest/board";
import { T1Card } from "@inkan/hwtest/cards";
import { Reader, type TransportEvent } from "@inkan/sdk";
import { type ByteStream, LinkTransport } from "@inkan/sdk/link";
import { afterEach, describe, expect, test } from "vitest";

/** The link on UART0 of the released image: a line with a rate, which the session may change. */

let bench: VirtualReader | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const address = { uri: "serial:", name: "uart0", virtual: true };
const FASTEST = linkLimits.mostBaud;

async function boot(card: "standard" | "none" | T1Card = "none"): Promise<VirtualReader> {
  bench = await openVirtualReader({ pace: "free", card, fingers: false });
  await bench.board.run(500);
  return bench;
}

/** Opens a session on the cable, as a host that was just started: its port is at the usual rate. */
function session(
  reader: VirtualReader,
  raiseTo?: number,
  nonce = 1,
  stream: ByteStream = uartStream(reader.board),
): Promise<LinkTransport> {
  reader.board.uart.far.baud = linkLimits.defaultBaud;
  return LinkTransport.open(stream, {
    address,
    clock: reader.clock,
    entropy: (bytes) => void bytes.fill(nonce),
    baud: linkLimits.defaultBaud,
    ...(raiseTo !== undefined && { raiseTo }),
  });
}

/** A card that answers every command at once with `length` bytes and 9000, at the shortest etu the reader takes. */
function fileCard(length: number): T1Card {
  const atr = Uint8Array.from(Buffer.from("3BD097FF8131FE46B0", "hex"));
  const response = Uint8Array.from({ length: length + 2 }, (_, i) => (i < length ? (i * 31) & 255 : i === length ? 0x90 : 0));
  return new T1Card({ atr, powerOn: () => atr, transmit: () => ({ response, thinkMs: 0 }) });
}

/** `type` with `length` bytes of data. */
function message(type: number, sequence: number, length: number): Uint8Array {
  const bytes = Uint8Array.from({ length: headerLength + length }, (_, i) => (i * 7 + sequence) & 255);
  new DataView(bytes.buffer).setUint32(1, length, true);
  bytes[0] = type;
  bytes.set([0, sequence, 0, 0, 0], 5);
  return bytes;
}
/** The answer to `command`, time extensions left out. */
function answered(reader: VirtualReader, transport: LinkTransport, command: Uint8Array): Promise<Uint8Array> {
  const answer = new Promise<Uint8Array>((resolve) => {
    transport.onMessage = (came) => {
      if (came[7]! >> 6 !== 2) resolve(came);
    };
  });
  void transport.send(command);
  return reader.board.engine.pump.hold(answer);
}

describe("a rate for the session", () => {
  test.each([9_600, 921_600, FASTEST])("%i baud from power-up, and the usual one after the session", async (baud) => {
    const reader = await boot("standard");
    const { uart } = reader.board;
    const transport = await session(reader, baud);
    expect([transport.baud, uart.far.baud]).toEqual([baud, baud]);
    expect(Math.abs(uart.baud / baud - 1)).toBeLessThan(0.005);
    const sdk = await Reader.open(transport, { clock: reader.clock });
    const card = await sdk.connect();
    const answer = await card.transmit(
      Uint8Array.of(0x00, 0xa4, 0x04, 0x0c, 10, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01),
    );
    expect(answer.sw).toBe(0x9000);
    await sdk.close();
    await reader.board.run(50);
    expect(Math.abs(uart.baud / linkLimits.defaultBaud - 1)).toBeLessThan(0.005);
    expect(uart.overruns).toBe(0);
  });

  test("a line that is not good for it: both ends are back at the rate before, and the session lives", async () => {
    const reader = await boot();
    const { board } = reader;
    const good = uartStream(board);
    // This end's clock is 10 % off at the fast rate: neither reads the other.
    const stream: ByteStream = Object.assign(good, {
      setRate: async (baud: number): Promise<void> => {
        await board.run(1);
        board.uart.far.baud = baud > 1_000_000 ? baud * 0.9 : baud;
      },
    });
    const transport = await session(reader, FASTEST, 1, stream);
    expect(transport.baud).toBe(linkLimits.defaultBaud);
    expect(Math.abs(board.uart.baud / linkLimits.defaultBaud - 1)).toBeLessThan(0.005);
    expect((await transport.identify()).product).toContain("Inkan");
    await transport.close();
  });

  test("a host that died at a fast rate keeps nobody out: the next one is heard at the usual rate within its second hello", async () => {
    const reader = await boot("standard");
    const first = await session(reader, FASTEST, 1);
    const sdk = await Reader.open(first, { clock: reader.clock });
    await sdk.connect();
    // It dies: no bye. Its stream stays open in this process, but nobody speaks on it.
    reader.board.uart.far.onData = undefined;
    const from = reader.clock.now();
    const second = await session(reader, undefined, 2);
    expect(reader.clock.now() - from).toBeLessThan(1_500);
    expect(await (await Reader.open(second, { clock: reader.clock })).slotStatus()).toBe("present");
    await second.close();
    await sdk.close();
  });
});

describe("full speed", () => {
  /** Payload per second of the line's, at the rate the host's end has: ten bits a byte. */
  const share = (bytes: number, ms: number): number => (bytes * 10_000) / ms / FASTEST;

  test("3 Mbaud, both ways: at least 95 % of the line is payload", async () => {
    const reader = await boot(fileCard(12_000));
    const transport = await session(reader, FASTEST);
    const clock = reader.clock;
    const events: TransportEvent[] = [];
    transport.onEvent = (event) => events.push(event);
    await answered(reader, transport, message(0x62, 0, 0));
    // To the reader: the longest message there is, an Escape that it takes whole and refuses.
    const longest = message(0x6b, 1, 65_544);
    let from = clock.now();
    await answered(reader, transport, longest);
    expect(share(longest.length, clock.now() - from)).toBeGreaterThan(0.95);
    // From the reader: from the first byte of the answer to its last. What came before, while the card was read, is no part of it.
    const { far } = reader.board.uart;
    const hand = far.onData!;
    let last = 0;
    far.onData = (chunk) => {
      if (clock.now() - last > 5) from = clock.now() - (chunk.length * 10_000) / FASTEST;
      last = clock.now();
      hand(chunk);
    };
    const answer = await answered(reader, transport, Uint8Array.of(0x6f, 7, 0, 0, 0, 0, 2, 0, 0, 0, 0x00, 0xb0, 0, 0, 0, 0, 0));
    const ms = last - from;
    expect([answer[0], answer.length]).toEqual([0x80, headerLength + 12_002]);
    expect(share(answer.length, ms)).toBeGreaterThan(0.95);
    expect(events.filter((event) => event.type !== "session")).toEqual([]);
    expect(reader.board.uart.overruns).toBe(0);
    await transport.close();
  });

  test("nothing is lost at 3 Mbaud while the card sends at 223 kbaud, USB is busy and the display draws", async () => {
    const reader = await boot(fileCard(4_000));
    const { board, clock } = reader;
    const transport = await session(reader, FASTEST);
    const events: TransportEvent[] = [];
    transport.onEvent = (event) => events.push(event);
    await board.usb.attach();
    await answered(reader, transport, message(0x62, 0, 0));
    // The USB face asks for the slot's status without a pause.
    const { host } = board.usb;
    const ccid = host.device!.configuration.interfaces.find((one) => one.classCode === 0x0b)!;
    const [out, into] = [0, 0x80].map((way) => ccid.endpoints.find((one) => one.type === "bulk" && (one.address & 0x80) === way)!.address);
    let usbAnswers = 0;
    let usbGoesOn = true;
    const ask = (): void => {
      host.submit({ kind: "out", endpoint: out!, data: message(0x65, usbAnswers & 255, 0) }, () => undefined);
      host.submit({ kind: "in", endpoint: into!, length: 64 }, ({ status }) => {
        if (status !== "ok") return;
        usbAnswers++;
        if (usbGoesOn) ask();
      });
    };
    ask();
    // The line to the reader is kept busy with commands of 3 KiB that find the slot busy, while the card answers.
    const read = Uint8Array.of(0x6f, 7, 0, 0, 0, 0, 255, 0, 0, 0, 0x00, 0xb0, 0, 0, 0, 0, 0);
    let others = 0;
    const answer = new Promise<Uint8Array>((resolve) => {
      transport.onMessage = (came) => {
        if (came[6] === 255 && came[7]! >> 6 !== 2) resolve(came);
        else if (came[6] !== 255) others++;
      };
    });
    void transport.send(read);
    void transport.blink();
    let done = false;
    void answer.then(() => (done = true));
    let sent = 0;
    const from = clock.now();
    const chatter = async (): Promise<void> => {
      while (!done) await board.engine.pump.hold(transport.send(message(0x6f, sent++ % 200, 3 * 1024 - headerLength)));
    };
    await Promise.all([chatter(), chatter(), chatter()]);
    const lineUse = (sent * 3 * 1036 * 10_000) / (clock.now() - from) / FASTEST;
    usbGoesOn = false;
    const bytes = await answer;
    const expected = Uint8Array.from({ length: 4_002 }, (_, i) => (i < 4_000 ? (i * 31) & 255 : i === 4_000 ? 0x90 : 0));
    expect(hex(bytes.subarray(headerLength)) === hex(expected)).toBe(true);
    await board.run(200);
    expect(others).toBe(sent);
    expect(lineUse).toBeGreaterThan(0.3);
    expect(usbAnswers).toBeGreaterThan(50);
    expect(board.uart.overruns).toBe(0);
    expect(events.filter((event) => event.type === "discarded")).toEqual([]);
    // One at most: a command that came when the answer stood there unacknowledged is not taken, and said again. A lost frame would be one more.
    expect(events.filter((event) => event.type === "retransmitted").length).toBeLessThanOrEqual(1);
    await transport.close();
  });
});
