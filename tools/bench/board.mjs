// On the virtual board with the released image, in the board's own time: nothing of the host's speed is in these figures.
import { cardClockHz, headerLength } from "@inkan/device-proto";
import { cdcStream, openVirtualReader } from "@inkan/hwtest/board";
import { T1Card } from "@inkan/hwtest/cards";
import { Reader } from "@inkan/sdk";
import { LinkTransport } from "@inkan/sdk/link";
import { usbBytesPerSecond } from "./framing.mjs";
import { samples } from "./measure.mjs";

const rounds = 5;
/** The My Number Card's: TA1 = 13 (372/4), TC1 = FF (11 etu from character to character), T=1, IFSC 251. */
const atr = Uint8Array.from(Buffer.from("3BDA13FF8131FB468012392F31C173C601C03B", "hex"));
/** 512/64, the shortest etu the reader takes, IFSC 254: only to fill the reader's buffer soon. */
const fastAtr = Uint8Array.from(Buffer.from("3BD097FF8131FE46B0", "hex"));

/** A card that answers every command at once with `length` bytes and 9000. */
function fileCard(answerToReset, length) {
  const response = Uint8Array.from({ length: length + 2 }, (_, i) => (i < length ? (i * 31) & 255 : i === length ? 0x90 : 0));
  return new T1Card({ atr: answerToReset, powerOn: () => answerToReset, transmit: () => ({ response, thinkMs: 0 }) });
}

async function withReader(options, use) {
  const reader = await openVirtualReader({ pace: "free", fingers: false, ...options });
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

/** Payload bytes over all bytes the host puts on the line while command follows command, acknowledgements of the answers included. */
const linkEfficiency = (size) => () =>
  withReader({ card: "none" }, async (reader) => {
    const { board, clock } = reader;
    await board.usb.attach();
    await board.cdc.open({ dtr: true });
    const port = cdcStream(board.cdc);
    let sent = 0;
    const counted = {
      onData: undefined,
      closed: port.closed,
      close: () => port.close(),
      write: (bytes) => {
        sent += bytes.length;
        return port.write(bytes);
      },
    };
    port.onData = (bytes) => counted.onData?.(bytes);
    const random = (bytes) => bytes.forEach((_, i) => (bytes[i] = board.engine.random() >>> 24));
    const address = { uri: "virtual:", name: "bench", virtual: true };
    const transport = await LinkTransport.open(counted, { address, clock, entropy: random });
    const shares = await samples(rounds, async () => {
      const before = sent;
      const messages = 40;
      for (let i = 0; i < messages; i++) {
        // There is no command 00: the reader refuses it at once, in ten bytes.
        const message = new Uint8Array(size);
        random(message);
        message.set([0x00, (size - headerLength) & 255, (size - headerLength) >> 8, 0, 0, 0, i]);
        const answered = new Promise((resolve) => (transport.onMessage = resolve));
        await transport.send(message);
        await board.engine.pump.hold(Promise.race([answered, clock.sleep(1000).then(() => Promise.reject(new Error("no answer in 1 s")))]));
      }
      return (messages * size) / (sent - before);
    });
    await transport.close();
    return shares;
  });

/**
 * The least time of 252-byte reads over the time they took. An exchange is two blocks: prologue 3, INF, LRC 1. From character to
 * character 11 etu (TC1 = FF), at a change of direction 22 (BGT, ISO 7816-3 §11.3.2); 372/4 clocks are an etu.
 */
const lineUse = () =>
  withReader({ card: fileCard(atr, 252) }, async (reader) => {
    const { clock } = reader;
    const sdk = await Reader.open(await reader.transport(), { clock });
    const card = await sdk.connect();
    const read = Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 252);
    const exchangeEtu = (4 + read.length - 1) * 11 + 22 + (4 + 254 - 1) * 11 + 22;
    const reads = 8;
    const leastMs = ((reads * exchangeEtu - 11) * (372 / 4) * 1000) / cardClockHz;
    const take = async () => {
      const from = clock.now();
      for (let i = 0; i < reads; i++) {
        const { data, sw } = await card.transmit(read);
        if (sw !== 0x9000 || data.length !== 252) throw new Error(`SW ${sw.toString(16)}, ${data.length} bytes`);
      }
      return leastMs / (clock.now() - from);
    };
    await take();
    const shares = await samples(rounds, take);
    await sdk.close();
    return shares;
  });

/** The CCID pipes' bytes per second, the slower direction, over the bus' own. */
const usbBulk = () =>
  withReader({ card: fileCard(fastAtr, 12_000) }, async ({ board }) => {
    await board.usb.attach();
    await board.run(300);
    const { host } = board.usb;
    const ccid = host.device.configuration.interfaces.find((one) => one.classCode === 0x0b);
    const [out, into] = [0, 0x80].map((way) => ccid.endpoints.find((one) => one.type === "bulk" && (one.address & 0x80) === way).address);
    /** Ends with the board's time at which the transfer ended. Submit at once what belongs together: the board may run on past the end of one. */
    const transfer = (request) =>
      board.engine.pump.hold(
        new Promise((resolve, reject) =>
          host.submit(request, ({ status, data, actual }) =>
            status === "ok" ? resolve({ data, actual, atNs: board.nowNs }) : reject(new Error(`transfer ${status}`)),
          ),
        ),
      );
    let sequence = 0;
    const command = (type, data) => {
      const message = new Uint8Array(headerLength + data.length);
      new DataView(message.buffer).setUint32(1, data.length, true);
      message.set([type], 0);
      message[6] = sequence++ & 255;
      message.set(data, headerLength);
      return message;
    };
    const answered = async (message) => {
      const [, answer] = await Promise.all([
        transfer({ kind: "out", endpoint: out, data: message }),
        transfer({ kind: "in", endpoint: into, length: 65_600 }),
      ]);
      return answer;
    };
    if (((await answered(command(0x62, new Uint8Array(0)))).data[7] & 0xc0) !== 0) throw new Error("the card was not powered");
    const readAll = command(0x6f, Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00));
    return samples(rounds, async () => {
      // Out: the longest message there is, an escape that is received to its end and then refused. Until the refusal is here.
      const longest = command(0x6b, new Uint8Array(65_544));
      const from = board.nowNs;
      const { atNs: refused } = await answered(longest);
      const outRate = (longest.length * 1e9) / (refused - from);
      // In: from the first packet's end to the last's.
      const [begun, ended] = await Promise.all([
        transfer({ kind: "in", endpoint: into, length: 64 }),
        transfer({ kind: "in", endpoint: into, length: 65_600 }),
        transfer({ kind: "out", endpoint: out, data: readAll }),
      ]);
      if (begun.data[0] !== 0x80 || begun.actual + ended.actual !== headerLength + 12_002) throw new Error("the answer is not whole");
      const inRate = (ended.actual * 1e9) / (ended.atNs - begun.atNs);
      return Math.min(outRate, inRate) / usbBytesPerSecond;
    });
  });

export const figures = {
  "link-eff-1k": linkEfficiency(1024),
  "link-eff-64": linkEfficiency(64),
  "line-use": lineUse,
  "usb-bulk": usbBulk,
};
