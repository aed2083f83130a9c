import { type Answer, answerOf, type Command } from "@inkan/device-proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  abortMs,
  answerFailure,
  exchange,
  type ExchangeInput,
  type ExchangeOutput,
  type ExchangeRequest,
  type ExchangeState,
  initialExchange,
  maxProbes,
  probeMs,
  wakeAt,
} from "./machine.js";

const request: ExchangeRequest = {
  name: "XfrBlock",
  slot: 0,
  specific: [0, 0, 0],
  data: Uint8Array.of(0, 0xa4, 4, 0),
  timeoutMs: 1000,
  silenceMs: 300,
};
const answer = (sequence: number, change: Partial<Answer> = {}): ExchangeInput => ({
  type: "answer",
  answer: { name: "DataBlock", slot: 0, sequence, icc: "active", status: "ok", error: 0, specific: 0, data: new Uint8Array(0), ...change },
});
const stop: ExchangeInput = { type: "abort", why: { code: "aborted", details: {} } };

/** Plays [time, input] pairs and gives what came out, shortened to words. */
function play(...steps: readonly (readonly [number, ExchangeInput])[]): { state: ExchangeState; said: string[] } {
  let state = initialExchange;
  const said: string[] = [];
  for (const [now, input] of steps) {
    const next = exchange(state, input, now);
    state = next.state;
    said.push(...next.outputs.map(word));
  }
  return { state, said };
}
function word(output: ExchangeOutput): string {
  switch (output.type) {
    case "send":
      return `${output.command.name} ${output.command.sequence}`;
    case "abort-control":
      return `control ${output.sequence}`;
    case "settle":
      return "answer" in output ? `answered ${output.answer.status}` : `failed ${output.failure.code}`;
    default:
      return output.type;
  }
}
const start: ExchangeInput = { type: "start", request };
const tick: ExchangeInput = { type: "tick" };

describe("the exchange machine", () => {
  test.each<[string, (readonly [number, ExchangeInput])[], string[], ExchangeState["at"]]>([
    [
      "an answer",
      [
        [0, start],
        [1, answer(0)],
      ],
      ["XfrBlock 0", "answered ok"],
      "idle",
    ],
    [
      "a failed answer of any name",
      [
        [0, start],
        [1, answer(0, { name: "SlotStatus", status: "failed" })],
      ],
      ["XfrBlock 0", "answered failed"],
      "idle",
    ],
    [
      "an answer to another sequence number",
      [
        [0, start],
        [1, answer(9)],
        [2, answer(0)],
      ],
      ["XfrBlock 0", "report", "answered ok"],
      "idle",
    ],
    [
      "an answer of another slot",
      [
        [0, start],
        [1, answer(0, { slot: 1 })],
      ],
      ["XfrBlock 0", "report"],
      "waiting",
    ],
    ["an answer nobody asked for", [[0, answer(3)]], ["report"], "idle"],
    [
      "a second answer",
      [
        [0, start],
        [1, answer(0)],
        [2, answer(0)],
      ],
      ["XfrBlock 0", "answered ok", "report"],
      "idle",
    ],
    [
      "time extensions",
      [
        [0, start],
        [250, answer(0, { status: "timeExtension" })],
        [400, tick],
        [549, tick],
        [549, answer(0)],
      ],
      ["XfrBlock 0", "answered ok"],
      "idle",
    ],
    [
      "time extensions do not outlast the deadline",
      [
        [0, start],
        [250, answer(0, { status: "timeExtension" })],
        [500, answer(0, { status: "timeExtension" })],
        [750, answer(0, { status: "timeExtension" })],
        [1000, tick],
      ],
      ["XfrBlock 0", "control 1", "Abort 1"],
      "aborting",
    ],
    [
      "silence, then abort",
      [
        [0, start],
        [300, tick],
        [310, answer(0, { status: "failed" })],
        [311, answer(1, { name: "SlotStatus" })],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "report", "failed deadline-passed"],
      "idle",
    ],
    [
      "the answer comes with the abort: the caller has left",
      [
        [0, start],
        [10, stop],
        [11, answer(0)],
        [12, answer(1, { name: "SlotStatus" })],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "report", "failed aborted"],
      "idle",
    ],
    [
      "a reader without abort",
      [
        [0, start],
        [10, stop],
        [11, answer(1, { name: "SlotStatus", status: "failed" })],
        [12, answer(0)],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "report", "report", "failed aborted"],
      "idle",
    ],
    [
      "a reader without abort that answers first",
      [
        [0, start],
        [10, stop],
        [11, answer(0)],
        [12, answer(1, { status: "failed" })],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "report", "report", "failed aborted"],
      "idle",
    ],
    [
      "aborted twice",
      [
        [0, start],
        [10, stop],
        [11, stop],
        [12, answer(1)],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "failed aborted"],
      "idle",
    ],
    [
      "an abort without an answer is probed",
      [
        [0, start],
        [10, stop],
        [10 + abortMs, tick],
        [10 + abortMs + 5, answer(2, { name: "SlotStatus" })],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "GetSlotStatus 2", "failed aborted"],
      "idle",
    ],
    [
      "a reader that is dead",
      [
        [0, start],
        [10, stop],
        [10 + abortMs, tick],
        ...Array.from({ length: maxProbes }, (_, i) => [10 + abortMs + (i + 1) * probeMs, tick] as const),
        [99999, start],
      ],
      [
        "XfrBlock 0",
        "control 1",
        "Abort 1",
        "GetSlotStatus 2",
        "GetSlotStatus 3",
        "GetSlotStatus 4",
        "failed aborted",
        "close",
        "failed protocol",
      ],
      "closed",
    ],
    [
      "the wrong kind of answer",
      [
        [0, start],
        [1, answer(0, { name: "Parameters" })],
        [2, answer(1, { name: "SlotStatus" })],
      ],
      ["XfrBlock 0", "GetSlotStatus 1", "failed protocol"],
      "idle",
    ],
    [
      "a malformed message",
      [
        [0, start],
        [1, { type: "malformed", rule: "dwLength" }],
        [2, answer(0)],
        [3, answer(1, { name: "SlotStatus" })],
      ],
      ["XfrBlock 0", "GetSlotStatus 1", "report", "failed protocol"],
      "idle",
    ],
    [
      "the cable",
      [
        [0, start],
        [1, { type: "closed", reason: "unplugged" }],
        [2, start],
      ],
      ["XfrBlock 0", "failed reader-unplugged", "failed reader-unplugged"],
      "closed",
    ],
    [
      "a broken session with a command in flight",
      [
        [0, start],
        [1, { type: "closed", reason: "session-broken" }],
        [2, start],
      ],
      ["XfrBlock 0", "failed outcome-unknown", "failed session-broken"],
      "closed",
    ],
    [
      "closed while aborting: the first reason stays",
      [
        [0, start],
        [1, stop],
        [2, { type: "closed", reason: "session-broken" }],
      ],
      ["XfrBlock 0", "control 1", "Abort 1", "failed aborted"],
      "closed",
    ],
  ])("%s", (_, steps, said, at) => {
    const result = play(...steps);
    expect(result.said).toEqual(said);
    expect(result.state.at).toBe(at);
  });

  test("sequence numbers wrap at 256 and are never reused for the abort", () => {
    let state: ExchangeState = { at: "idle", next: 255 };
    state = exchange(state, start, 0).state;
    const { outputs } = exchange(state, stop, 1);
    expect(outputs.map(word)).toEqual(["control 0", "Abort 0"]);
  });

  test("every start is settled exactly once, whatever comes", () => {
    const names = Object.keys(answerOf) as Command["name"][];
    const input: fc.Arbitrary<ExchangeInput> = fc.oneof(
      fc.record({
        type: fc.constant("start" as const),
        request: fc.record({
          name: fc.constantFrom(...names),
          slot: fc.constant(0),
          specific: fc.constant([0, 0, 0] as const),
          data: fc.constant(new Uint8Array(0)),
          timeoutMs: fc.integer({ min: 1, max: 5000 }),
          silenceMs: fc.integer({ min: 1, max: 5000 }),
        }),
      }),
      fc
        .record({
          sequence: fc.integer({ min: 0, max: 12 }),
          slot: fc.integer({ min: 0, max: 1 }),
          name: fc.constantFrom("DataBlock" as const, "SlotStatus" as const),
          status: fc.constantFrom("ok" as const, "failed" as const, "timeExtension" as const),
        })
        .map(({ sequence, ...change }) => answer(sequence, change)),
      fc.constant<ExchangeInput>({ type: "malformed", rule: "x" }),
      fc.constant(stop),
      fc.constant<ExchangeInput>({ type: "send-failed", why: { code: "unexpected", details: {} } }),
      fc.constant(tick),
      fc.constantFrom<ExchangeInput>({ type: "closed", reason: "unplugged" }, { type: "closed", reason: "session-broken" }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), input), { maxLength: 40 }), (steps) => {
        let state = initialExchange;
        let now = 0;
        let started = 0;
        let settled = 0;
        const feed = (next: ExchangeInput): void => {
          if (next.type === "start" && state.at !== "idle" && state.at !== "closed") return; // the queue's promise
          if (next.type === "start") started++;
          const result = exchange(state, next, now);
          state = result.state;
          settled += result.outputs.filter((output) => output.type === "settle").length;
          expect(started - settled).toBe(state.at === "idle" || state.at === "closed" ? 0 : 1);
        };
        for (const [ms, next] of steps) {
          now += ms;
          feed(next);
        }
        // left alone, time ends everything: at most deadline, abort and probes
        for (let i = 0; wakeAt(state) !== undefined; i++) {
          expect(i).toBeLessThan(2 + maxProbes);
          now = Math.max(now, wakeAt(state)!);
          feed(tick);
        }
        expect(settled).toBe(started);
      }),
      { numRuns: 3000 },
    );
  });
});

test("what a failed answer means", () => {
  const mean = (error: number, icc: Answer["icc"], had = true): string =>
    answerFailure({ name: "DataBlock", slot: 0, sequence: 0, icc, status: "failed", error, specific: 0, data: new Uint8Array(0) }, had)
      .code;
  expect([
    mean(0xef, "active"),
    mean(0xf0, "active"),
    mean(0xfe, "active"),
    mean(0xfe, "absent"),
    mean(0xfe, "absent", false),
    mean(0xff, "active"),
    mean(0xff, "absent"),
    mean(0xe0, "inactive"),
    mean(0x00, "active"),
    mean(0x07, "active"),
    mean(0xfd, "active"),
    mean(0xf6, "inactive"),
    mean(0xc0, "active"),
  ]).toEqual([
    "pin-cancelled",
    "pin-timeout",
    "card-mute",
    "card-pulled",
    "no-card",
    "aborted",
    "card-pulled",
    "slot-busy",
    "unsupported",
    "protocol",
    "card-parity",
    "unsupported",
    "card-short-only",
  ]);
});
