import { describe, expect, test } from "vitest";
import { unhex, hex } from "../codec/index.js";
import { encodePcscdFrame, PcscdDeframer, type PcscdHeard } from "./index.js";

/** What pcscd 1.9.9 with libccid 1.5.2 wrote and read on a pseudo-terminal. */
const traffic = {
  escape: "03 06 6b 01000000 00 00 000000 02 6d",
  powerOn: "03 06 62 00000000 00 14 010000 72",
  setParameters: "03 06 61 07000000 00 15 010000 11 10 00 45 00 fe 00 cd",
  ifs: "03 06 6f 05000000 00 16 000000 00 c1 01 fe 3e 79",
  version: "03 06 83 0f000000 00 00 01 00 00 50726f62655265616465722d302e31 e5",
};
const heard = (...chunks: Uint8Array[]): PcscdHeard[] => {
  const deframer = new PcscdDeframer();
  const all: PcscdHeard[] = [];
  for (const chunk of chunks) deframer.push(chunk, (one) => all.push(one));
  return all;
};

describe("pcscd's serial framing", () => {
  test.each(Object.entries(traffic))("%s, as seen on the line", (_, text) => {
    const frame = unhex(text);
    const message = frame.slice(2, -1);
    expect(hex(encodePcscdFrame(message))).toBe(hex(frame));
    expect(heard(frame)).toEqual([{ kind: "message", message, good: true }]);
    expect(heard(...Array.from(frame, (byte) => Uint8Array.of(byte)))).toEqual(heard(frame));
  });

  test("still working, NAK, a wrong check, a stray byte", () => {
    const frame = unhex(traffic.version);
    const wrong = frame.slice();
    wrong[wrong.length - 1]! ^= 1;
    expect(heard(Uint8Array.of(0x80, ...frame)).map(({ kind }) => kind)).toEqual(["working", "message"]);
    expect(heard(Uint8Array.of(0x03, 0x15, 0x16))).toEqual([{ kind: "nak" }]);
    expect(heard(wrong)).toMatchObject([{ kind: "message", good: false }]);
    expect(heard(Uint8Array.of(0x00, ...frame))).toMatchObject([{ kind: "stray", byte: 0 }, { kind: "message" }]);
    expect(heard(Uint8Array.of(0x03, 0x50))).toEqual([
      { kind: "stray", byte: 0x03 },
      { kind: "stray", byte: 0x50 },
    ]);
  });
});
