import { encodeAnswer, encodeCommand, hex, unhex } from "@inkan/device-proto";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../../testing/fake-clock.js";
import type { TraceEvent } from "../trace/event.js";
import { Recorder } from "./record.js";

const secret = "4a4b4c4d";
const none = new Uint8Array(0);
const xfr = (sequence: number, apdu: string, level = 0): Uint8Array =>
  encodeCommand({ name: "XfrBlock", slot: 0, sequence, specific: [0, level, 0], data: unhex(apdu) });
const secure = (sequence: number): Uint8Array =>
  encodeCommand({ name: "Secure", slot: 0, sequence, specific: [0, 0, 0], data: unhex("00") });
const answer = (sequence: number, data: string, extension = false): Uint8Array =>
  encodeAnswer({
    name: "DataBlock",
    slot: 0,
    sequence,
    icc: "active",
    status: extension ? "timeExtension" : "ok",
    error: extension ? 1 : 0,
    specific: 0,
    data: data ? unhex(data) : none,
  });

function recorded(): { recorder: Recorder; events: TraceEvent[]; text(): string } {
  const events: TraceEvent[] = [];
  const recorder = new Recorder({ event: (event) => events.push(event) }, new FakeClock());
  return { recorder, events, text: () => events.map((event) => hex(event.bytes)).join(" ") };
}
const verify = xfr(7, `0020008004${secret}`);

describe("what was sent and comes back", () => {
  test("a command that a line echoes is hidden like the command", () => {
    const { recorder, events, text } = recorded();
    recorder.toReader(verify);
    recorder.fromReader(verify);
    recorder.fromReader(answer(7, "9000"));
    recorder.fromReader(verify);
    expect(text()).not.toContain(secret);
    expect(events.map((event) => event.redactedAt)).toEqual([[[14, 5]], [[10, 9]], [], [[10, 9]]]);
  });

  test("discarded bytes are hidden while a secret is out, and only then", () => {
    const { recorder, events } = recorded();
    const discard = (): void => recorder.transportEvent({ type: "discarded", bytes: unhex(`6f09${secret}`), reason: "bad-crc" });
    const hidden = (): boolean => {
      discard();
      const last = events.at(-1)!;
      expect(last.bytes.length).toBe(6);
      return !hex(last.bytes).includes(secret);
    };
    expect(hidden()).toBe(false);
    recorder.toReader(xfr(6, "00200080"));
    expect(hidden(), "a question without a secret").toBe(false);
    recorder.toReader(verify);
    expect(hidden()).toBe(true);
    recorder.fromReader(answer(7, "", true));
    expect(hidden(), "it only asked for time").toBe(true);
    recorder.fromReader(answer(6, "9000"));
    expect(hidden(), "another command's answer").toBe(true);
    recorder.fromReader(answer(7, "9000"));
    expect(hidden()).toBe(false);
    recorder.toReader(xfr(8, `0020008008${secret}`, 1));
    recorder.fromReader(answer(8, ""));
    recorder.toReader(xfr(9, secret, 2));
    expect(hidden(), "the rest of a chain").toBe(true);
    recorder.fromReader(answer(9, "9000"));
    recorder.toReader(secure(10));
    expect(hidden(), "the pad's").toBe(true);
  });
});

test("the answers of two PC_to_RDR_Secure are hidden, in whatever order they come", () => {
  const { recorder, text } = recorded();
  recorder.toReader(secure(1));
  recorder.toReader(secure(2));
  recorder.fromReader(answer(1, `${secret}9000`));
  recorder.fromReader(answer(2, `${secret}9000`));
  expect(text()).not.toContain(secret);
  recorder.toReader(xfr(2, "00b0000004"));
  recorder.fromReader(answer(2, `${secret}9000`));
  expect(text()).toContain(secret);
});
