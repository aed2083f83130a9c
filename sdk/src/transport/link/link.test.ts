import { channel, encodeFrame, hex, serviceMessage, sessionKind } from "@inkan/device-proto";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../testing/fake-clock.js";
import { LinkReaderSide } from "../../../testing/link-reader.js";
import { InkanError } from "../../errors.js";
import type { ByteStream } from "../byte-stream.js";
import type { ClosedReason, TransportEvent } from "../transport.js";
import { initialLink, link, linkWakeAt } from "./session.js";
import { LinkTransport } from "./transport.js";

/** What the line does to a chunk: gives what arrives. */
type Line = (chunk: Uint8Array) => Uint8Array;
const clean: Line = (chunk) => chunk;

/** A reader on a line of 1 ms delay each way; the world moves by the clock alone. */
class Wire implements ByteStream {
  onData: ((chunk: Uint8Array) => void) | undefined;
  readonly closed: Promise<ClosedReason>;
  readonly reader = new LinkReaderSide();
  readonly clock: FakeClock;
  toReader: Line;
  fromReader: Line;
  sent = 0;
  received = 0;
  #fate!: (reason: ClosedReason) => void;
  #running = true;
  constructor(clock: FakeClock, toReader: Line = clean, fromReader: Line = clean) {
    this.clock = clock;
    this.toReader = toReader;
    this.fromReader = fromReader;
    this.closed = new Promise((resolve) => (this.#fate = resolve));
    void this.#pump();
  }
  async #pump(): Promise<void> {
    while (this.#running) {
      await this.clock.sleep(1);
      const out = this.reader.poll(this.clock.now());
      if (!out.length) continue;
      this.received += out.length;
      this.onData?.(this.fromReader(out));
    }
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.sent += bytes.length;
    const arrives = this.toReader(bytes.slice());
    await this.clock.sleep(1);
    this.reader.receive(arrives, this.clock.now());
  }
  async close(): Promise<void> {
    this.fail("closed");
  }
  fail(reason: ClosedReason): void {
    this.#running = false;
    this.#fate(reason);
  }
}

const clock = new FakeClock();
const address = { uri: "serial:/dev/test", path: "/dev/test", name: "test", virtual: true };
const entropy = (bytes: Uint8Array): void => void bytes.fill(7);
const open = (wire: ByteStream, signal?: AbortSignal): Promise<LinkTransport> =>
  LinkTransport.open(wire, { address, clock, entropy, ...(signal && { signal }) });
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  clock.run(
    promise.then(
      () => "no error",
      (error: unknown) => (error instanceof InkanError ? error.code : String(error)),
    ),
  );
const bytes = (n: number, seed = 1): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (i * 31 + seed * 17) & 255);
/** Sends and waits for the answer. */
async function exchange(transport: LinkTransport, message: Uint8Array): Promise<Uint8Array> {
  const answer = new Promise<Uint8Array>((resolve) => (transport.onMessage = resolve));
  void transport.send(message);
  return clock.run(answer, 60_000);
}
/** A small seeded generator, so that a failure can be played again. */
function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

afterEach(async () => {
  await clock.advance(2);
  expect(clock.pending, "a timer leaked").toBe(0);
});

describe("a session", () => {
  test.each([10, 64, 1024, 1025, 8192, 8193, 65_554])("an exchange of %i bytes both ways", async (size) => {
    const wire = new Wire(clock);
    wire.reader.onCommand = (message) => message.slice().reverse();
    const transport = await clock.run(open(wire));
    const message = bytes(size);
    expect(hex(await exchange(transport, message))).toBe(hex(message.slice().reverse()));
    await clock.run(transport.close());
    await clock.advance(2);
    expect(wire.reader.open).toBe(false);
    expect(await transport.closed).toBe("closed");
  });

  test.each([
    [1014, 0.98],
    [54, 0.85],
  ])("payload of %i bytes behind each CCID header: at least %f of the bytes on the line", async (size, share) => {
    const wire = new Wire(clock);
    wire.reader.onCommand = (message) => message;
    const transport = await clock.run(open(wire));
    await exchange(transport, bytes(size + 10));
    const before = [wire.sent, wire.received];
    for (let i = 0; i < 50; i++) await exchange(transport, bytes(size + 10, i));
    const useful = 50 * (size + 10);
    expect(useful / (wire.sent - before[0]!)).toBeGreaterThanOrEqual(share);
    await clock.run(transport.close());
  });

  test("nobody there, noise, and a reader of another version are three troubles", async () => {
    const deaf: Line = () => new Uint8Array(0);
    expect(await codeOf(open(new Wire(clock, deaf)))).toBe("no-reader");
    const noisy = new Wire(clock, deaf);
    const noise = setNoise(noisy, Uint8Array.of(1, 2, 3, 0, 9, 9, 0));
    expect(await codeOf(open(noisy))).toBe("port-garbage");
    noise();
    const other = new Wire(clock, deaf);
    const refusing = setNoise(
      other,
      encodeFrame({ channel: 0, session: sessionKind.refuse, more: false, seq: 0, ack: 0, tag: 0, payload: Uint8Array.of(1, 3, 4) }),
    );
    const error = await clock.run(open(other).catch((failure: unknown) => failure as InkanError));
    expect([(error as InkanError).code, (error as InkanError).message]).toEqual([
      "link-version",
      "The reader speaks link version 3-4, this program 1-2.",
    ]);
    refusing();
    await clock.advance(500);
  });

  test("opening can be aborted", async () => {
    const controller = new AbortController();
    const opening = codeOf(open(new Wire(clock, () => new Uint8Array(0)), controller.signal));
    await clock.advance(100);
    controller.abort();
    expect(await opening).toBe("aborted");
  });

  test("a hello-ack that gets lost is asked for again", async () => {
    let first = true;
    const wire = new Wire(clock, clean, (chunk) => {
      const lost = first;
      first = false;
      return lost ? new Uint8Array(0) : chunk;
    });
    const transport = await clock.run(open(wire));
    expect(wire.reader.sessions).toBe(1);
    await clock.run(transport.close());
  });

  test("pings keep an idle session; a reader that is gone is noticed in 20 s", async () => {
    const wire = new Wire(clock);
    const transport = await clock.run(open(wire));
    await clock.advance(60_000);
    expect(wire.reader.open).toBe(true);
    wire.toReader = () => new Uint8Array(0);
    const began = clock.now();
    expect(await clock.run(transport.closed)).toBe("session-broken");
    expect(clock.now() - began).toBeLessThanOrEqual(20_100);
    await clock.run(transport.close());
  });

  test("a reader that was reset: the command's outcome is unknown, and nothing is sent to the new session", async () => {
    const wire = new Wire(clock);
    const transport = await clock.run(open(wire));
    wire.reader.reset();
    void transport.send(bytes(20));
    expect(await clock.run(transport.closed)).toBe("session-broken");
    expect(wire.reader.delivered).toEqual([]);
    await clock.run(transport.close());
  });

  test("the port goes away", async () => {
    const wire = new Wire(clock);
    const transport = await clock.run(open(wire));
    const sending = transport.send(bytes(20_000));
    wire.fail("port-lost");
    expect(await transport.closed).toBe("port-lost");
    await clock.run(sending);
  });

  test("notices, and service messages", async () => {
    const wire = new Wire(clock);
    const transport = await clock.run(open(wire));
    const notices: string[] = [];
    transport.onNotice = (notice) => notices.push(hex(notice));
    const heard = wire.fromReader;
    wire.fromReader = (chunk) =>
      heard(
        Uint8Array.of(
          ...chunk,
          ...encodeFrame({ channel: 0, session: sessionKind.notice, more: false, seq: 0, ack: 0, tag: 2, payload: Uint8Array.of(0x50, 3) }),
        ),
      );
    const identity = Uint8Array.of(0, 3, 65, 66, 67, 5, 48, 46, 49, 46, 48, ...bytes(8), ...bytes(8, 2), 3);
    const identify = transport.identify();
    const off = answerServices(wire, (id) => (id === 1 ? identity : Uint8Array.of(1)));
    expect(await clock.run(identify)).toMatchObject({
      product: "ABC",
      firmware: "0.1.0",
      testIds: true,
      testKey: true,
      serial: hex(bytes(8)).toUpperCase(),
    });
    expect(await codeOf(transport.blink())).toBe("unsupported");
    off();
    expect(await codeOf(transport.blink())).toBe("deadline-passed");
    expect(notices[0]).toBe("5003");
    await clock.run(transport.close());
  });
});

/** Has the line say `noise` every 100 ms. */
function setNoise(wire: Wire, noise: Uint8Array): () => void {
  const controller = new AbortController();
  void (async () => {
    try {
      for (;;) {
        await clock.sleep(100, controller.signal);
        wire.onData?.(noise);
      }
    } catch {
      // the test is over
    }
  })();
  return () => controller.abort();
}

/** Answers service messages as they are delivered. */
function answerServices(wire: Wire, data: (id: number) => Uint8Array): () => void {
  const controller = new AbortController();
  void (async () => {
    try {
      for (let seen = 0; ; ) {
        await clock.sleep(1, controller.signal);
        for (; seen < wire.reader.delivered.length; seen++) {
          const [on, message] = wire.reader.delivered[seen]!;
          if (on !== channel.service) continue;
          const { id, sequence } = serviceMessage.decode(message);
          const answer = data(id);
          wire.reader.say(channel.service, serviceMessage.encode({ id: id | 0x80, sequence, length: answer.length, data: answer }));
        }
      }
    } catch {
      // the test is over
    }
  })();
  return () => controller.abort();
}

describe("a bad line", () => {
  /** Flips, drops, repeats and inserts bytes; `rate` is per chunk and kind. */
  const bad =
    (next: () => number, rate: number): Line =>
    (chunk) => {
      let out = [...chunk];
      if (next() < rate) out[Math.floor(next() * out.length)]! ^= 1 << Math.floor(next() * 8);
      if (next() < rate) out.splice(Math.floor(next() * out.length), 1 + Math.floor(next() * 40));
      if (next() < rate)
        out.splice(
          Math.floor(next() * out.length),
          0,
          ...Array.from({ length: 1 + Math.floor(next() * 20) }, () => Math.floor(next() * 256)),
        );
      if (next() < rate) out = [...out, ...out];
      if (next() < rate) out = [];
      return Uint8Array.from(out);
    };

  test("300 exchanges over noise: each command delivered once and in order, each answer right", async () => {
    const next = random(20240601);
    const wire = new Wire(clock);
    wire.reader.onCommand = (message) => message.map((byte) => byte ^ 0x5a);
    const transport = await clock.run(open(wire));
    const events: TransportEvent[] = [];
    transport.onEvent = (event) => events.push(event);
    wire.toReader = bad(next, 0.05);
    wire.fromReader = bad(next, 0.05);
    const messages = Array.from({ length: 300 }, (_, i) => bytes(10 + Math.floor(next() * (i % 10 ? 200 : 9000)), i));
    for (const message of messages) expect(hex(await exchange(transport, message))).toBe(hex(message.map((byte) => byte ^ 0x5a)));
    expect(wire.reader.delivered.map(([, message]) => hex(message))).toEqual(messages.map(hex));
    expect(events.some((event) => event.type === "retransmitted")).toBe(true);
    expect(events.some((event) => event.type === "discarded")).toBe(true);
    wire.toReader = wire.fromReader = clean;
    await clock.run(transport.close());
  });

  test("any noise at any rate: at most once, in order, and always an end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1 }), fc.double({ min: 0, max: 0.9, noNaN: true }), async (seed, rate) => {
        const next = random(seed);
        const wire = new Wire(clock);
        wire.reader.onCommand = (message) => message;
        const transport = await clock.run(open(wire));
        wire.toReader = bad(next, rate);
        wire.fromReader = bad(next, rate);
        const messages = Array.from({ length: 8 }, (_, i) => bytes(10 + i * 300, i));
        const answers: string[] = [];
        transport.onMessage = (message) => answers.push(hex(message));
        const sends = messages.map((message) => transport.send(message));
        // settled: everything taken, or the session given up
        await clock.run(Promise.all(sends), 120_000);
        const delivered = wire.reader.delivered.map(([, message]) => hex(message));
        expect(delivered).toEqual(messages.map(hex).slice(0, delivered.length));
        expect(answers).toEqual(delivered.slice(0, answers.length));
        wire.toReader = wire.fromReader = clean;
        await clock.run(transport.close());
        await clock.advance(2);
      }),
      { numRuns: 60 },
    );
  });

  test("fuzz: arbitrary frames and bytes never throw and never hold a timer after the end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 60 }),
            fc
              .record({
                channel: fc.integer({ min: 0, max: 3 }),
                session: fc.integer({ min: 0, max: 31 }),
                more: fc.boolean(),
                seq: fc.integer({ min: 0, max: 3 }),
                ack: fc.integer({ min: 0, max: 3 }),
                tag: fc.integer({ min: 0, max: 3 }),
                payload: fc.uint8Array({ maxLength: 40 }),
              })
              .map(encodeFrame),
          ),
          { maxLength: 30 },
        ),
        async (chunks) => {
          const wire = new Wire(clock);
          const transport = await clock.run(open(wire));
          for (const chunk of chunks) wire.onData?.(chunk);
          await settle();
          await clock.run(transport.close());
          await clock.advance(2);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test("the session machine knows no time but the one it is given", () => {
  const opened = link(initialLink, { type: "open", nonce: new Uint8Array(8), timeoutMs: 1000 }, 50);
  expect(linkWakeAt(opened.state)).toEqual({ at: 550, background: false });
  expect(link(opened.state, { type: "tick" }, 1050).state).toMatchObject({ at: "over", why: { code: "no-reader" } });
});
