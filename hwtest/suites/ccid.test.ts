import { ccidClaims, dataRates, endpoints, hex, notices, PC_to_RDR, RDR_to_PC, slotError } from "@inkan/device-proto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CcidBench, fastAtr, slowIns, thinkingCard } from "./ccid-rig.js";
import { T1Card } from "@inkan/hwtest/cards";

/** What the matrix cannot say: commands in a row, the control and interrupt pipes, and a bus that does not wait. */

let bench: CcidBench;
beforeEach(async () => {
  bench = await CcidBench.open();
});
afterEach(() => bench.close());

const board = () => bench.reader.board;
const slowApdu = Uint8Array.of(0x00, slowIns, 0, 0, 4);
const apdu = Uint8Array.of(0x00, 0xb0, 0, 0, 4);
/** A VERIFY typed on the pad, 240 s of patience, nobody types. */
const verify = Uint8Array.of(0, 0, 0x82, 0x00, 0x00, 4, 4, 2, 1, 9, 4, 0, 0, 0, 0, 0x00, 0x20, 0x00, 0x80);

async function card(line = thinkingCard().line): Promise<void> {
  board().slot.insert(line);
  await board().run(80);
}
async function poweredCard(options: Parameters<typeof thinkingCard>[0] = {}): Promise<Uint8Array[]> {
  const { line, seen } = thinkingCard(options);
  await card(line);
  await bench.ask(bench.usb, PC_to_RDR.IccPowerOn);
  return seen;
}
const failedWith = (answer: Uint8Array | undefined): number => (answer && answer[7]! >> 6 === 1 ? answer[8]! : -1);
const works = async (): Promise<void> => {
  expect(failedWith(await bench.ask(bench.usb, PC_to_RDR.IccPowerOn))).toBe(-1);
  expect(hex((await bench.ask(bench.usb, PC_to_RDR.XfrBlock, apdu)).subarray(10))).toBe("010203049000");
};

describe("abort", () => {
  const abort = (sequence: number, slot = 0): Uint8Array => Uint8Array.of(PC_to_RDR.Abort, 0, 0, 0, 0, slot, sequence, 0, 0, 0);

  test.each([
    ["control first", true],
    ["message first", false],
  ])("of a running command, %s: the command fails, then the abort is answered, and the slot goes on", async (_, controlFirst) => {
    await poweredCard();
    const slow = bench.message(PC_to_RDR.XfrBlock, slowApdu);
    await bench.usb.say(slow);
    await board().run(30);
    const sequence = bench.sequence;
    if (controlFirst) await bench.controlAbort(sequence);
    await bench.usb.say(abort(sequence));
    if (!controlFirst) {
      expect(await bench.usb.hear(100)).toBeUndefined(); // one half alone stops nothing
      await bench.controlAbort(sequence);
    }
    const stopped = await bench.usb.hear(500);
    expect([stopped?.[6], failedWith(stopped)]).toEqual([slow[6], slotError.CMD_ABORTED]);
    const answer = await bench.usb.hear(100);
    expect(answer && hex(answer)).toBe(hex(Uint8Array.of(RDR_to_PC.SlotStatus, 0, 0, 0, 0, 0, sequence, answer![7]!, 0, answer![9]!)));
    await works();
  });

  test("the two halves must have one sequence number; the right one heals it", async () => {
    await poweredCard();
    const sequence = bench.sequence;
    await bench.controlAbort(sequence);
    await bench.usb.say(abort((sequence + 7) & 255));
    expect(await bench.usb.hear(100)).toBeUndefined();
    const between = bench.message(PC_to_RDR.GetSlotStatus);
    await bench.usb.say(between);
    expect(failedWith(await bench.usb.hear(100))).toBe(slotError.CMD_ABORTED); // §5.3.1: until the message comes all commands fail
    await bench.usb.say(abort(sequence));
    expect((await bench.usb.hear(100))?.[6]).toBe(sequence);
    await works();
  });

  test("of a slot there is not: the control request stalls, the message is refused", async () => {
    await poweredCard();
    expect((await bench.controlAbort(1, 1)).status).toBe("stall");
    await bench.usb.say(abort(9, 1));
    expect(failedWith(await bench.usb.hear(100))).toBe(5);
    await works();
  });

  test("of a PIN entry: the lamp goes out, nothing reaches the card", async () => {
    const seen = await poweredCard();
    const secure = bench.message(PC_to_RDR.Secure, verify);
    await bench.usb.say(secure);
    await board().runUntil(() => board().lamp, board().nowNs + 2e9);
    const sequence = bench.sequence;
    await bench.controlAbort(sequence);
    await bench.usb.say(abort(sequence));
    expect(failedWith(await bench.usb.hear(500))).toBe(slotError.CMD_ABORTED);
    expect((await bench.usb.hear(100))?.[6]).toBe(sequence);
    expect(board().lamp).toBe(false);
    expect(seen.filter((command) => command[1] === 0x20 && command.length > 4)).toEqual([]);
    await works();
  });

  test("in the middle of a chain: the chain is gone", async () => {
    const seen = await poweredCard();
    await bench.ask(bench.usb, PC_to_RDR.XfrBlock, new Uint8Array(100), [0, 1, 0]);
    const sequence = bench.sequence;
    await bench.controlAbort(sequence);
    await bench.usb.say(abort(sequence));
    expect((await bench.usb.hear(100))?.[6]).toBe(sequence);
    expect(failedWith(await bench.ask(bench.usb, PC_to_RDR.XfrBlock, new Uint8Array(100), [0, 2, 0]))).toBe(8);
    expect(seen).toEqual([]);
    await works();
  });

  test("over the link the message alone is enough, and is answered after what it stopped", async () => {
    await card();
    await bench.ask(bench.link, PC_to_RDR.IccPowerOn);
    const slow = bench.message(PC_to_RDR.XfrBlock, slowApdu);
    await bench.link.say(slow);
    await board().run(100);
    const stop = bench.message(PC_to_RDR.Abort);
    await bench.link.say(stop);
    const stopped = await bench.link.hear(500);
    expect([stopped?.[6], failedWith(stopped)]).toEqual([slow[6], slotError.CMD_ABORTED]);
    expect((await bench.link.hear(500))?.[6]).toBe(stop[6]);
  });
});

describe("chaining", () => {
  // The longest there is, 65 544 bytes, is campaign `chaining`: the card line alone takes seconds for it.
  test("an APDU of 3 000 bytes in 271-byte messages over USB, its answer in one", async () => {
    const data = Uint8Array.from({ length: 3_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
    const command = Uint8Array.of(0x00, 0xd6, 0, 0, 0, data.length >> 8, data.length & 255, ...data, 0xff, 0xff);
    let seen: Uint8Array | undefined;
    const transmit = (whole: Uint8Array): { response: Uint8Array; thinkMs: number } => {
      seen = whole;
      return { response: Uint8Array.of(...data, 0x90, 0x00), thinkMs: 0 };
    };
    await card(new T1Card({ atr: fastAtr, powerOn: () => fastAtr, transmit }));
    await bench.ask(bench.usb, PC_to_RDR.IccPowerOn);
    const part = 271 - 10;
    let answer = new Uint8Array(0);
    for (let at = 0; at < command.length; at += part) {
      const last = at + part >= command.length;
      answer = (
        await bench.ask(bench.usb, PC_to_RDR.XfrBlock, command.subarray(at, at + part), [0, at === 0 ? 1 : last ? 2 : 3, 0])
      ).slice();
      // bChainParameter 10h: an empty answer that asks for the next part
      if (!last) expect(hex(answer)).toBe(hex(Uint8Array.of(RDR_to_PC.DataBlock, 0, 0, 0, 0, 0, answer[6]!, 0, 0, 0x10)));
    }
    expect(Buffer.compare(seen!, command)).toBe(0);
    expect(answer[9]).toBe(0); // begins and ends here: dwMaxCCIDMessageLength holds every answer
    expect(Buffer.compare(answer.subarray(10), Uint8Array.of(...data, 0x90, 0x00))).toBe(0);
  });

  test("over the link a chain is refused", async () => {
    await card();
    await bench.ask(bench.link, PC_to_RDR.IccPowerOn);
    expect(failedWith(await bench.ask(bench.link, PC_to_RDR.XfrBlock, apdu, [0, 1, 0]))).toBe(8);
  });
});

describe("the clock may rest", () => {
  /** {@link fastAtr} with TA for T=15: how the clock may rest, classes A, B, C. */
  const restingAtr = (stop: number): Uint8Array => {
    const atr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0xb1, 0xfe, 0x46, 0x1f, (stop << 6) | 7, 0);
    atr[10] = atr.subarray(1, 10).reduce((sum, byte) => sum ^ byte, 0);
    return atr;
  };
  test.each([
    ["low", 1, 1],
    ["high", 2, 2],
    ["either way", 3, 1],
  ])("%s: it stops, is told, and runs again by itself before the next exchange", async (_, stop, status) => {
    await poweredCard({ atr: restingAtr(stop) });
    expect((await bench.ask(bench.usb, PC_to_RDR.GetParameters))[14]).toBe(stop);
    for (let round = 0; round < 2; round++) {
      await bench.ask(bench.usb, PC_to_RDR.XfrBlock, apdu);
      const stopped = await bench.ask(bench.usb, PC_to_RDR.IccClock, undefined, [1, 0, 0]);
      expect([stopped[7], stopped[9]]).toEqual([0, status]);
      await board().run(20);
      expect((await bench.ask(bench.usb, PC_to_RDR.GetSlotStatus))[9]).toBe(status);
      if (round === 0) expect((await bench.ask(bench.usb, PC_to_RDR.IccClock))[9]).toBe(0);
      expect(hex((await bench.ask(bench.usb, PC_to_RDR.XfrBlock, apdu)).subarray(10))).toBe("010203049000");
      expect((await bench.ask(bench.usb, PC_to_RDR.GetSlotStatus))[9]).toBe(0);
    }
    await bench.ask(bench.usb, PC_to_RDR.IccClock, undefined, [1, 0, 0]);
    expect((await bench.ask(bench.usb, PC_to_RDR.IccPowerOff))[7]).toBe(1);
    await works();
  });

  test("pulled while it rests: everything is off", async () => {
    await poweredCard({ atr: restingAtr(2) });
    await bench.ask(bench.usb, PC_to_RDR.IccClock, undefined, [1, 0, 0]);
    await bench.reader.remove();
    expect(await bench.slotStatus(bench.usb)).toBe(2);
    await card();
    await works();
  });
});

describe("the interrupt pipe", () => {
  test("slot changes are told, each once", async () => {
    await board().run(50);
    bench.notices.length = 0;
    await card();
    await bench.reader.remove();
    await board().run(50);
    expect(bench.notices.map((notice) => hex(notice))).toEqual([
      hex(Uint8Array.of(notices.NotifySlotChange, 3)),
      hex(Uint8Array.of(notices.NotifySlotChange, 2)),
    ]);
  });

  test("over-current while a command runs: RDR_to_PC_HardwareError with its bSeq, and the command says HW_ERROR", async () => {
    await poweredCard();
    bench.notices.length = 0;
    const slow = bench.message(PC_to_RDR.XfrBlock, slowApdu);
    await bench.usb.say(slow);
    await board().run(30);
    board().slot.overCurrent(true);
    expect(failedWith(await bench.usb.hear(500))).toBe(slotError.HW_ERROR);
    board().slot.overCurrent(false);
    await board().run(100);
    expect(bench.notices.map((notice) => hex(notice))).toEqual([hex(Uint8Array.of(notices.HardwareError, 0, slow[6]!, 1))]);
    await works();
  });

  test("over-current while nothing runs: the host is told, the card is off", async () => {
    await poweredCard();
    bench.notices.length = 0;
    board().slot.overCurrent(true);
    await board().run(50);
    board().slot.overCurrent(false);
    await board().run(400);
    expect(bench.notices.map((notice) => notice[0])).toEqual([notices.HardwareError]);
    expect(await bench.slotStatus(bench.usb)).toBe(1);
    await works();
  });

  test("suspend switches the card off, also under a command; resume tells the host to look again", async () => {
    await poweredCard();
    await bench.usb.say(bench.message(PC_to_RDR.XfrBlock, slowApdu));
    await board().run(30);
    board().usb.suspend();
    await board().run(100);
    expect(board().slot.card).not.toBeNull();
    bench.notices.length = 0;
    board().usb.resume();
    await board().run(100);
    expect(bench.notices.map((notice) => hex(notice))).toEqual([hex(Uint8Array.of(notices.NotifySlotChange, 3))]);
    expect(bench.usb.unheard).toEqual([]); // this host's command ended with its suspend
    expect(await bench.slotStatus(bench.usb)).toBe(1);
    await works();
  });
});

describe("the control pipe", () => {
  test("GET_CLOCK_FREQUENCIES and GET_DATA_RATES give what the class descriptor counts", async () => {
    const clocks = await bench.control([0xa1, 2, 0, 0, 0, 0, 64, 0]);
    expect([...clocks.data]).toEqual([ccidClaims.dwDefaultClock & 255, ccidClaims.dwDefaultClock >> 8, 0, 0]);
    const rates = await bench.control([0xa1, 3, 0, 0, 0, 0, 0, 4]);
    const view = new DataView(rates.data.buffer, rates.data.byteOffset, rates.data.length);
    expect(Array.from({ length: rates.data.length / 4 }, (_, i) => view.getUint32(4 * i, true))).toEqual([...dataRates]);
    expect(rates.data.length / 4).toBe(ccidClaims.bNumDataRatesSupported);
  });

  test.each([
    ["ABORT that wants data", [0xa1, 1, 0, 0, 0, 0, 4, 0]],
    ["GET_DATA_RATES that gives data", [0x21, 3, 0, 0, 0, 0, 0, 0]],
    ["an unknown request", [0xa1, 4, 0, 0, 0, 0, 4, 0]],
  ])("%s stalls", async (_, setup) => {
    expect((await bench.control(setup)).status).toBe("stall");
  });
});

describe("the bulk pipes", () => {
  test("a message longer than dwMaxCCIDMessageLength is refused at its header, and dropped to its end", async () => {
    await poweredCard();
    for (const length of [65_545, 66_000, 70_000]) {
      const message = bench.message(PC_to_RDR.XfrBlock, new Uint8Array(length));
      await bench.usb.say(message);
      const answer = await bench.usb.hear(100);
      expect([answer?.[6], failedWith(answer)]).toEqual([message[6], 1]);
    }
    await works();
  });

  test("behind a transfer of whole packets dwLength alone says where the message ends: what follows is the next message", async () => {
    await poweredCard();
    const good = bench.message(PC_to_RDR.Escape, new Uint8Array(54));
    const second = bench.message(PC_to_RDR.GetSlotStatus);
    await bench.out(Uint8Array.of(...good, ...second)); // one transfer, 74 bytes
    // status is answered at once, before what needs the buffer
    const answers = [await bench.usb.hear(100), await bench.usb.hear(100)].map((answer) => answer?.[6]);
    expect(answers.toSorted()).toEqual([good[6], second[6]].toSorted());
  });

  const halt = (endpoint: number): number[] => [0x02, 3, 0, 0, endpoint, 0, 0, 0];
  const clear = (endpoint: number): number[] => [0x02, 1, 0, 0, endpoint, 0, 0, 0];

  test("a halted OUT pipe stalls; CLEAR_FEATURE begins anew at DATA0, whichever half and toggle it stood at", async () => {
    await poweredCard();
    for (let round = 0; round < 4; round++) {
      await bench.control(halt(endpoints.ccidOut));
      expect((await bench.out(bench.message(PC_to_RDR.GetSlotStatus))).status).toBe("stall");
      await bench.control(clear(endpoints.ccidOut));
      for (let i = 0; i <= round; i++) expect(failedWith(await bench.ask(bench.usb, PC_to_RDR.GetSlotStatus))).toBe(-1);
    }
    await works();
  });

  test("a halted IN pipe keeps its answer: after CLEAR_FEATURE it is offered again", async () => {
    await poweredCard();
    for (let round = 0; round < 4; round++) {
      await bench.control(halt(endpoints.ccidIn));
      const message = bench.message(PC_to_RDR.GetSlotStatus);
      await bench.usb.say(message);
      await board().run(5);
      expect(bench.usb.unheard).toEqual([]);
      await bench.control(clear(endpoints.ccidIn));
      bench.listenAgain();
      expect((await bench.usb.hear(100))?.[6]).toBe(message[6]);
      for (let i = 0; i < round; i++) await bench.ask(bench.usb, PC_to_RDR.GetSlotStatus);
    }
    await works();
  });

  test("CLEAR_FEATURE on pipes that are not halted, as hosts do when they begin", async () => {
    await poweredCard();
    for (let round = 0; round < 3; round++) {
      await bench.ask(bench.usb, PC_to_RDR.GetSlotStatus);
      await bench.control(clear(endpoints.ccidOut));
      await bench.control(clear(endpoints.ccidIn));
    }
    await works();
  });
});

describe("a bus reset", () => {
  const stages: readonly (readonly [string, () => Promise<void>])[] = [
    ["idle, card powered", async () => undefined],
    ["half a message sent", async () => void (await bench.out(bench.message(PC_to_RDR.XfrBlock, new Uint8Array(1000)).subarray(0, 640)))],
    [
      "a command running",
      async () => {
        await bench.usb.say(bench.message(PC_to_RDR.XfrBlock, slowApdu));
        await board().run(30);
      },
    ],
    [
      "a block on its way to the card",
      async () => {
        await bench.usb.say(bench.message(PC_to_RDR.XfrBlock, Uint8Array.of(0, 0xd6, 0, 0, 240, ...new Uint8Array(240))));
        await board().run(4);
      },
    ],
    [
      "an answer that nobody has read",
      async () => {
        await bench.control([2, 3, 0, 0, 0x81, 0, 0, 0]);
        await bench.usb.say(bench.message(PC_to_RDR.XfrBlock, apdu));
        await board().run(20);
      },
    ],
    ["a chain open", async () => void (await bench.ask(bench.usb, PC_to_RDR.XfrBlock, new Uint8Array(100), [0, 1, 0]))],
    [
      "a secret being typed",
      async () => {
        await bench.usb.say(bench.message(PC_to_RDR.Secure, verify));
        await board().runUntil(() => board().lamp, board().nowNs + 2e9);
      },
    ],
    ["half an abort", async () => void (await bench.controlAbort(77))],
    [
      "the clock resting",
      async () => {
        await bench.ask(bench.usb, PC_to_RDR.IccClock, undefined, [1, 0, 0]);
      },
    ],
    [
      "both pipes halted",
      async () => void (await bench.control([2, 3, 0, 0, 1, 0, 0, 0]), await bench.control([2, 3, 0, 0, 0x81, 0, 0, 0])),
    ],
  ];
  test.each(stages)("with %s: the card is off, the lamp dark, nothing of before is answered, and the next host works", async (_, stage) => {
    await poweredCard();
    await stage();
    board().usb.host.resetPort();
    await board().runUntil(() => board().usb.host.device !== undefined, board().nowNs + 1e9);
    await board().run(50);
    expect(board().lamp).toBe(false);
    bench.listenAgain();
    await board().run(50);
    expect(bench.usb.unheard).toEqual([]);
    expect(await bench.slotStatus(bench.usb)).toBe(1);
    await works();
  });
});
