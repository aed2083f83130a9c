import { channel, Deframer, encodeFrame, hex, linkLimits } from "@inkan/device-proto";
import { Reader } from "@inkan/sdk";
import { type ByteStream, LinkTransport } from "@inkan/sdk/link";
import { openVirtualReader } from "../board/open-virtual-reader.js";
import { uartStream } from "../board/uart-stream.js";
import { T1Card } from "../cards/index.js";
import { type Damage, spoil } from "./link-noise-sdk.js";
import { seeded } from "./secret-pair.js";

const BAUD = 921_600;
const BIT_ERRORS = 1e-4;
/** Of one case. */
const APDUS = 50;
const CORRUPTED_PER_APDU = 10;

/** A card that counts what it is told: each command carries its number, each answer what only that command has. */
class CountingCard {
  readonly atr = Uint8Array.from(Buffer.from("3BD097FF8131FE46B0", "hex"));
  readonly told: string[] = [];
  powerOn(): Uint8Array {
    return this.atr;
  }
  transmit(command: Uint8Array): { response: Uint8Array; thinkMs: number } {
    this.told.push(hex(command));
    return { response: answerTo(command), thinkMs: 0 };
  }
}
const answerTo = (command: Uint8Array): Uint8Array => Uint8Array.of(...command.subarray(5).toReversed(), command.length, 0x90, 0x00);
const command = (number: number, data: Uint8Array): Uint8Array =>
  Uint8Array.of(0x80, 0x10, number >> 8, number & 255, data.length, ...data);

/** What a third party on the line can know of the session: its tag, and the number either side expects next. */
class Eavesdropper {
  readonly #fromHost = new Deframer();
  readonly #fromReader = new Deframer();
  /** What the host would acknowledge. */
  ack = 0;
  tag = 0;
  next = 0;
  hearReader(bytes: Uint8Array): void {
    this.#fromReader.push(bytes, (item) => {
      if ("frame" in item && item.frame.channel !== channel.session) this.ack = (item.frame.seq + 1) & 255;
    });
  }
  hearHost(bytes: Uint8Array): void {
    this.#fromHost.push(bytes, (item) => {
      if (!("frame" in item)) return;
      const { frame } = item;
      if (frame.tag) this.tag = frame.tag;
      if (frame.channel !== channel.session) this.next = (frame.seq + 1) & 255;
    });
  }
}

/**
 * One session of 50 APDUs on UART0 at 921 600 baud; one bit in 10 000 is turned over, both ways. Between them corrupted copies of a frame that would be the
 * very next and carries a command nobody gave. What went wrong, if anything.
 */
export async function playSession(seed: number, damage: Damage = spoil, apdus = APDUS): Promise<string[]> {
  const random = seeded(seed);
  const problems: string[] = [];
  const counting = new CountingCard();
  const bench = await openVirtualReader({ pace: "free", card: new T1Card(counting), fingers: false, seed: 1 + random(2 ** 31) });
  try {
    const { board, clock } = bench;
    await board.run(500);
    const port = uartStream(board);
    const ear = new Eavesdropper();
    const stream: ByteStream = Object.assign(port, {
      write: ((write) => (bytes: Uint8Array) => {
        ear.hearHost(bytes);
        return write(bytes);
      })(port.write.bind(port)),
    });
    const { far } = board.uart;
    const hand = far.onData!;
    far.onData = (chunk) => {
      ear.hearReader(chunk);
      hand(chunk);
    };
    const transport = await LinkTransport.open(stream, {
      address: { uri: "serial:", name: "uart0", virtual: true },
      clock,
      entropy: (bytes) => bytes.forEach((_, i) => (bytes[i] = random(256))),
      baud: linkLimits.defaultBaud,
      raiseTo: BAUD,
    });
    if (transport.baud !== BAUD) problems.push(`the line has ${transport.baud} baud`);
    const reader = await Reader.open(transport, { clock });
    const card = await reader.connect();
    board.uart.far.bitErrorRate = BIT_ERRORS;
    const given: string[] = [];
    for (let number = 0; number < apdus; number++) {
      for (let i = 0; i < CORRUPTED_PER_APDU; i++) board.uart.far.send(damage(threat(ear, random), random));
      const data = Uint8Array.from({ length: 1 + random(120) }, () => random(256));
      const apdu = command(number, data);
      given.push(hex(apdu));
      const response = await card.transmit(apdu);
      if (hex(response.toBytes()) !== hex(answerTo(apdu))) problems.push(`APDU ${number} was answered ${hex(response.toBytes())}`);
    }
    if (counting.told.length !== given.length)
      problems.push(`${given.length} commands were given, the card was told ${counting.told.length}`);
    if (counting.told.join() !== given.join()) problems.push("the card was told other commands, or in another order");
    if (board.uart.far.flips === 0) problems.push("no bit was turned over");
    if (board.uart.overruns > 0) problems.push(`${board.uart.overruns} characters found no room in the FIFO`);
    board.uart.far.bitErrorRate = 0;
    await reader.close();
  } catch (error) {
    problems.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  } finally {
    await bench.close();
  }
  return problems;
}

/** PC_to_RDR_XfrBlock with a command that nobody gave, as the frame the reader waits for. */
function threat(ear: Eavesdropper, random: (below: number) => number): Uint8Array {
  const apdu = command(
    0x8000 + random(0x7fff),
    Uint8Array.from({ length: 1 + random(60) }, () => random(256)),
  );
  const payload = Uint8Array.of(0x6f, apdu.length, 0, 0, 0, 0, random(256), 0, 0, 0, ...apdu);
  const frame = { channel: channel.ccid, session: 0, more: false, seq: ear.next, ack: ear.ack, tag: ear.tag, payload };
  return encodeFrame(frame);
}
