import { T1, T1Error, type T1Received, type T1Sending } from "@inkan/sdk/iso7816";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Responder } from "../src/cards/responder.js";

/** What becomes of one block on its way. "late": it comes instead of the answer to the next block; "queued": before it. */
const faults = ["drop", "duplicate", "flip", "late", "queued"] as const;
type Fault = (typeof faults)[number];

/** The SDK's host engine against the simulated card's half of T=1, with faults by the number of the block, either way. */
class Line {
  readonly host: T1;
  readonly card: Responder;
  executed = 0;
  blocks = 0;
  faults = new Map<number, Fault>();
  /** Thinking in units of BWT, so that the card asks for more time. */
  thinks = 0;
  #stale: number[][] = [];
  readonly #bit: number;

  constructor(options: { crc?: boolean; bit?: number; ifsc?: number } = {}) {
    const crc = options.crc ?? false;
    const ifsc = options.ifsc ?? 32;
    this.#bit = options.bit ?? 0;
    this.host = new T1({ ifsc, bwi: 4, edc: crc ? "crc" : "lrc" });
    this.card = new Responder((command) => {
      this.executed++;
      return { response: Uint8Array.of(...command, 0x90, 0), thinkMs: 0 };
    }, {});
    this.card.start({ inverse: false, fidi: 0x11, extraGuard: 0, specific: false, ifsc, bwi: 4, cwi: 13, crc }, 0);
  }

  #spoil(bytes: readonly number[]): number[] {
    const at = this.#bit % (bytes.length * 8);
    return bytes.map((byte, i) => (i === at >> 3 ? byte ^ (1 << (at & 7)) : byte));
  }

  #hear(bytes: readonly number[]): number[] | undefined {
    let step = this.card.receive(bytes, false);
    if (step.kind === "think" || step.kind === "go-on") step = this.thinks-- > 0 ? this.card.moreTime(3) : this.card.answer();
    return step.kind === "send" ? step.bytes : undefined;
  }

  #carry({ block }: T1Sending): T1Received {
    const sent = [...block];
    const there = this.faults.get(this.blocks++);
    if (there === "drop") return "silence";
    let back = this.#hear(there === "flip" ? this.#spoil(sent) : sent);
    if (there === "duplicate") back = this.#hear(sent) ?? back;
    if (!back) return "silence";
    const here = there === "late" || there === "queued" ? there : this.faults.get(this.blocks++);
    if (here === "flip") back = this.#spoil(back);
    if (here === "duplicate") this.#stale.push(back);
    if (here === "late" || here === "queued") {
      this.#stale.push(back);
      return "silence";
    }
    if (here === "drop") return "silence";
    const stale = here === "duplicate" ? undefined : this.#stale.shift();
    if (stale && [...this.faults.values()].includes("queued")) this.#stale.push(back);
    return Uint8Array.from(stale ?? back);
  }

  run<T>(exchange: Generator<T1Sending, T, T1Received>, limit = 400): T {
    this.#stale = [];
    let step = exchange.next();
    for (let n = 0; !step.done; n++) {
      if (n > limit) throw new Error("the exchange does not end");
      step = exchange.next(this.#carry(step.value));
    }
    return step.value;
  }
}

const command = Uint8Array.from({ length: 50 }, (_, i) => i + 1);
const answer = Uint8Array.of(...command, 0x90, 0);

/** Plays one exchange with faults, then one without: right or a named error, once at most, and in step again. */
function endsWell(line: Line, plan: ReadonlyMap<number, Fault>): void {
  line.faults = new Map(plan);
  let ended: unknown;
  try {
    ended = line.run(line.host.exchange(command));
    expect(ended).toEqual(answer);
  } catch (error) {
    if (!(error instanceof T1Error)) throw error;
  }
  expect(line.executed, "times the card carried the command out").toBeLessThanOrEqual(1);
  line.faults = new Map();
  const before = line.executed;
  expect(line.run(line.host.exchange(command)), "the next one").toEqual(answer);
  expect(line.executed).toBe(before + 1);
}

describe("the SDK's T=1 engine against the simulated card", () => {
  test("a six-block exchange: both sides chain", () => {
    const line = new Line();
    expect(line.run(line.host.exchange(command))).toEqual(answer);
    expect(line.blocks).toBe(6);
  });

  test("after S(IFS) the answer comes in one block; 64 KiB go both ways", () => {
    const line = new Line({ ifsc: 254, crc: true });
    line.run(line.host.start());
    expect(line.host.ifsd).toBe(254);
    const long = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7) & 255);
    expect(line.run(line.host.exchange(long), 1200)).toEqual(Uint8Array.of(...long, 0x90, 0));
  });

  test("a card that asks for more time is given it, and the reader is told how much", () => {
    const line = new Line();
    line.thinks = 5;
    const exchange = line.host.exchange(command);
    const waits: number[] = [];
    const watched = (function* (): Generator<T1Sending, Uint8Array, T1Received> {
      let step = exchange.next();
      while (!step.done) {
        waits.push(step.value.bwt);
        step = exchange.next(yield step.value);
      }
      return step.value;
    })();
    expect(line.run(watched)).toEqual(answer);
    expect(waits.filter((bwt) => bwt === 3)).toHaveLength(5);
    line.thinks = 1e9;
    expect(() => line.run(line.host.exchange(command), 100_000), "without end").toThrow(/more time without end/);
  });

  for (const crc of [false, true])
    test(`${crc ? "CRC" : "LRC"}: every single fault at every block, and every pair`, () => {
      const places = Array.from({ length: 6 }, (_, i) => i);
      for (const i of places)
        for (const first of faults) {
          endsWell(new Line({ crc, bit: 13 * i }), new Map([[i, first]]));
          // the second fault may also meet what the first one caused
          for (let j = i + 1; j < 14; j++)
            for (const second of faults)
              endsWell(
                new Line({ crc, bit: 7 * i + 3 * j }),
                new Map([
                  [i, first],
                  [j, second],
                ]),
              );
        }
    });

  test("one block lost, damaged or doubled costs time, not the answer", () => {
    for (const crc of [false, true])
      for (const begin of [false, true])
        for (let i = 0; i < 8; i++)
          for (const fault of ["drop", "flip", "duplicate"] as const) {
            const line = new Line({ crc, bit: 5 * i });
            if (begin) line.run(line.host.start());
            line.blocks = 0;
            line.faults = new Map([[i, fault]]);
            expect(line.run(line.host.exchange(command)), `block ${i}: ${fault}`).toEqual(answer);
            expect(line.executed).toBe(1);
          }
  });

  test("any faults at all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(40), fc.constantFrom(...faults)), { maxLength: 20 }),
        fc.nat(2000),
        fc.boolean(),
        (plan, bit, crc) => endsWell(new Line({ crc, bit }), new Map(plan)),
      ),
      { numRuns: 2000 },
    );
  });

  test("a card that says anything at all never hangs it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom("garbled" as const, "silence" as const)), {
          minLength: 1,
          maxLength: 60,
        }),
        (said) => {
          const exchange = new T1({ ifsc: 32, bwi: 4, edc: "lrc" }).exchange(command);
          let n = 0;
          const play = (): void => {
            for (let step = exchange.next(); !step.done; n++) step = exchange.next(said[n % said.length]!);
          };
          try {
            play();
          } catch (error) {
            expect(error).toBeInstanceOf(T1Error);
          }
          expect(n).toBeLessThan(2000);
        },
      ),
    );
  });

  test("a card that asks for the same block, or sends empty ones, for ever", () => {
    const endless = (said: (n: number) => Uint8Array): string => {
      const exchange = new T1({ ifsc: 32, bwi: 4, edc: "lrc" }).exchange(command);
      try {
        let n = 0;
        for (let step = exchange.next(); !step.done && n < 1000; n++) step = exchange.next(said(n));
        return "no end";
      } catch (error) {
        return (error as T1Error).message;
      }
    };
    const block = (pcb: number): Uint8Array => Uint8Array.of(0, pcb, 0, pcb);
    expect(endless(() => block(0x80))).toMatch(/same block again and again/);
    // takes the first part, then sends empty I-blocks of a chain
    expect(endless((n) => (n === 0 ? block(0x90) : block(n & 1 ? 0x20 : 0x60)))).toMatch(/empty blocks without end/);
  });

  test("given up half-way, the next exchange begins with S(RESYNCH)", () => {
    const line = new Line();
    const exchange = line.host.exchange(command);
    exchange.next();
    exchange.return(new Uint8Array(0));
    const next = line.host.exchange(command);
    const first = next.next();
    expect(!first.done && [...first.value.block]).toEqual([0, 0xc0, 0, 0xc0]);
    next.return(new Uint8Array(0));
    expect(line.run(line.host.exchange(command))).toEqual(answer);
  });
});
