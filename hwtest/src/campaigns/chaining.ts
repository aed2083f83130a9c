import { Reader, type Transport } from "@inkan/sdk";
import { openVirtualReader } from "../board/open-virtual-reader.js";
import { T1Card } from "../cards/index.js";
import type { Campaign } from "./campaign.js";
import { seeded } from "./secret-pair.js";

/** 512/64, TC1 = FF, IFSC 254: the fastest line there is. */
const atr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0x31, 0xfe, 0x46, 0xb0);
/** Every twentieth case is as long as an APDU can be, both ways; the others have up to this many bytes. */
const SHORT = 3_000;
const LONG = 65_535;
const RARELY = 20;

/** A host whose messages hold `length` bytes, header included. What it is asked it asks of the transport itself. */
function shortMessages(transport: Transport, length: number): Transport {
  return new Proxy(transport, {
    get(target, property) {
      if (property === "maxMessageLength") return length;
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? (value as (...all: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, property, value) => Reflect.set(target, property, value),
  });
}

/** The SDK behind a pipe of short messages: chained commands of every length reach the card whole, and so do their answers. */
export const chaining: Campaign = {
  name: "chaining",
  on: ["arm"],
  cases: 20,
  about: "APDUs up to 64 KiB from a host whose CCID messages hold 271 bytes or fewer, over USB: the card gets each whole",
  async run({ seed, from, to }, failed, ran) {
    for (let number = from; number < to; number++) {
      const random = seeded(seed * 1_000_003 + number);
      const longest = number % RARELY === 0;
      const data = new Uint8Array(longest ? LONG : 1 + random(SHORT)).map(() => random(256));
      const reply = Uint8Array.of(...new Uint8Array(longest ? LONG : random(SHORT)).map(() => random(256)), 0x90, 0x00);
      const messages = longest ? 271 : 60 + random(212);
      const seen: Uint8Array[] = [];
      const transmit = (command: Uint8Array): { response: Uint8Array; thinkMs: number } => {
        seen.push(command);
        return { response: reply, thinkMs: 0 };
      };
      const bench = await openVirtualReader({ pace: "free", card: new T1Card({ atr, powerOn: () => atr, transmit }), fingers: false });
      try {
        const transport = await bench.transport();
        const reader = await Reader.open(shortMessages(transport, messages), { clock: bench.clock });
        const card = await reader.connect();
        const command = Uint8Array.of(0x00, 0xd6, 0, 0, 0, data.length >> 8, data.length & 255, ...data, 0, 0);
        const { data: back, sw } = await card.transmit(command);
        const whole = seen.length === 1 && Buffer.compare(seen[0]!, command) === 0;
        const same = sw === 0x9000 && Buffer.compare(back, reply.subarray(0, -2)) === 0;
        if (!whole || !same)
          failed(number, `${command.length} bytes in messages of ${messages}: the ${whole ? "answer" : "command"} is another`);
        await reader.close();
      } catch (error) {
        failed(number, `${data.length} bytes in messages of ${messages}: ${String(error)}`);
      } finally {
        await bench.close();
      }
      ran?.(1);
    }
  },
};
