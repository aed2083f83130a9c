import { linkLimits } from "@inkan/device-proto";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../testing/fake-clock.js";
import { LinkReaderSide } from "../../../testing/link-reader.js";
import type { ByteStream } from "../byte-stream.js";
import type { ClosedReason } from "../transport.js";
import { rating, type Rating, type RatingInput, ratingWakeAt } from "./rating.js";
import { LinkTransport } from "./transport.js";

const clock = new FakeClock();
afterEach(async () => {
  await clock.advance(2);
  expect(clock.pending, "a timer leaked").toBe(0);
});

/** A cable between two ends that understand each other only at the same rate, and at rates it is good for. */
class Cable implements ByteStream {
  onData: ((chunk: Uint8Array) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly reader = new LinkReaderSide();
  baud: number = linkLimits.defaultBaud;
  /** Highest rate that comes through. */
  goodTo = 3_000_000;
  /** Chunks of the reader that get lost, by their number. */
  lost: readonly number[] = [];
  readonly asked: number[] = [];
  #said = 0;
  #running = true;
  #end!: (reason: ClosedReason) => void;
  constructor() {
    this.closed = new Promise((resolve) => (this.#end = resolve));
    void (async () => {
      while (this.#running) {
        const at = this.reader.baud;
        const out = this.reader.poll(clock.now());
        if (out.length && at === this.baud && at <= this.goodTo && !this.lost.includes(this.#said++)) this.onData?.(out);
        await clock.sleep(1);
      }
    })();
  }
  async write(bytes: Uint8Array): Promise<void> {
    const at = this.baud;
    const copy = bytes.slice();
    await clock.sleep(1);
    if (at === this.reader.baud && at <= this.goodTo) this.reader.receive(copy, clock.now());
    else this.reader.receive(copy.fill(0x80), clock.now());
  }
  async setRate(baud: number): Promise<void> {
    this.asked.push(baud);
    await clock.sleep(3);
    if (baud === 1_234_567) throw new Error("not with this adapter");
    this.baud = baud;
  }
  async close(): Promise<void> {
    this.#running = false;
    this.#end("closed");
  }
}

const address = { uri: "serial:/dev/test", name: "test", virtual: true };
const open = (cable: Cable, raiseTo: number, more: { readonly versionMax?: number } = {}): Promise<LinkTransport> =>
  clock.run(
    LinkTransport.open(cable, { address, clock, entropy: (bytes) => void bytes.fill(7), baud: linkLimits.defaultBaud, raiseTo, ...more }),
    10_000,
  );
/** Both ends agree, and an exchange gets through. */
async function works(cable: Cable, transport: LinkTransport, baud: number): Promise<void> {
  expect([transport.baud, cable.baud, cable.reader.baud]).toEqual([baud, baud, baud]);
  cable.reader.onCommand = (message) => message.slice().reverse();
  const answer = new Promise<Uint8Array>((resolve) => (transport.onMessage = resolve));
  void transport.send(Uint8Array.from({ length: 3000 }, (_, i) => i & 255));
  expect((await clock.run(answer, 60_000)).length).toBe(3000);
  await clock.run(transport.close());
}

describe("a session gets its line to another rate", () => {
  test.each([9_600, 921_600, 3_000_000])("%i baud", async (baud) => {
    const cable = new Cable();
    const transport = await open(cable, baud);
    expect(cable.asked).toEqual([baud]);
    await works(cable, transport, baud);
  });
  test("the rate it has is not asked for", async () => {
    const cable = new Cable();
    const transport = await open(cable, 115_200);
    expect(cable.asked).toEqual([]);
    await works(cable, transport, 115_200);
  });
  test("an old reader, and an old host: nobody asks, and the session is there", async () => {
    for (const [version, versionMax] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const cable = new Cable();
      cable.reader.version = version;
      const transport = await open(cable, 3_000_000, { versionMax });
      expect(cable.asked).toEqual([]);
      await works(cable, transport, 115_200);
    }
  });
  test("a rate the reader does not have: the line keeps its own", async () => {
    const cable = new Cable();
    const transport = await open(cable, 4_000_000);
    expect(cable.asked).toEqual([]);
    await works(cable, transport, 115_200);
  });
  test("a cable that is not good for it: both are back within a second", async () => {
    const cable = new Cable();
    cable.goodTo = 1_000_000;
    const from = clock.now();
    const transport = await open(cable, 3_000_000);
    expect(clock.now() - from).toBeLessThan(1_000);
    expect(cable.asked).toEqual([3_000_000, 115_200]);
    await works(cable, transport, 115_200);
  });
  test("an adapter that is not: the reader is waited for", async () => {
    const cable = new Cable();
    const transport = await open(cable, 1_234_567);
    await works(cable, transport, 115_200);
  });
  test.each([[[1]], [[2]], [[1, 2]], [[2, 3, 4]]])("answers %j of the reader get lost: asked again, pinged again", async (lost) => {
    const cable = new Cable();
    cable.lost = lost;
    await works(cable, await open(cable, 921_600), 921_600);
  });
});

test("whatever comes in whatever order, it ends, with one of the two rates and at most three questions", () => {
  const inputs = fc.oneof(
    fc.constant<RatingInput>({ type: "tick" }),
    fc.constant<RatingInput>({ type: "pong" }),
    fc.constantFrom(0, 115_200, 921_600, 5).map((baud): RatingInput => ({ type: "rate-ack", baud })),
    fc.constantFrom(115_200, 921_600).map((baud): RatingInput => ({ type: "line", baud })),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(inputs, fc.integer({ min: 0, max: 200 })), { maxLength: 60 }), (steps) => {
      let now = 0;
      let asked = 0;
      let ended: number | undefined;
      let state: Rating | undefined;
      const step = (input: RatingInput): void => {
        const { state: next, does } = rating(state, input, { baud: 115_200, can: true }, now);
        state = next;
        for (const one of does) {
          if (one.type === "ask") asked++;
          if (one.type !== "rated") continue;
          expect(ended).toBeUndefined();
          ended = one.baud;
        }
      };
      step({ type: "rate", baud: 921_600 });
      for (const [input, ms] of steps) {
        now += ms;
        if (ended === undefined) step(input);
      }
      for (let i = 0; i < 40 && ended === undefined; i++) {
        const at: number = ratingWakeAt(state!);
        if (at === Infinity) step({ type: "line", baud: state!.at === "setting" ? 921_600 : 115_200 });
        else {
          now = Math.max(now, at);
          step({ type: "tick" });
        }
      }
      expect([115_200, 921_600]).toContain(ended);
      expect(asked).toBeLessThanOrEqual(3);
      expect(state).toBeUndefined();
    }),
  );
});
