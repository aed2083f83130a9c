import { hex, slotError, unhex } from "@inkan/device-proto";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../testing/fake-clock.js";
import { FakeReader, type FakeReaderCard, type FakeReaderOptions } from "../../testing/fake-reader.js";
import { InkanError } from "../errors.js";
import { CommandApdu } from "../iso7816/apdu.js";
import type { TraceEvent } from "../trace/event.js";
import { Reader } from "./reader.js";

const atr = unhex("3bda13ff8131fb468012392f31c173c601c03b");
const typed = unhex("31323334");
const ok = unhex("9000");
/** Answers 9000 to everything, at once; `think` and `reply` replace that. */
const card = (reply: (command: Uint8Array) => Uint8Array = () => ok, think = 0): FakeReaderCard & { readonly seen: string[] } => {
  const seen: string[] = [];
  return { seen, powerOn: () => atr, transmit: (command) => (seen.push(hex(command)), { response: reply(command), thinkMs: think }) };
};

const clock = new FakeClock();
const fake = (options: Partial<FakeReaderOptions> = {}): FakeReader => new FakeReader({ clock, ...options });
const open = async (transport: FakeReader): Promise<Reader> => clock.run(Reader.open(transport, { clock }));
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  clock.run(
    promise.then(
      () => "no error",
      (error: unknown) => (error instanceof InkanError ? error.code : String(error)),
    ),
  );

afterEach(() => {
  expect(clock.pending, "a timer leaked").toBe(0);
});

describe("card", () => {
  test("connect, transmit, disconnect; close gives everything back", async () => {
    const inside = card((command) => (command[1] === 0xb0 ? unhex("0102039000") : ok));
    const transport = fake({ card: inside });
    const reader = await open(transport);
    expect(await clock.run(reader.slotStatus())).toBe("present");
    const connected = await clock.run(reader.connect());
    expect(hex(connected.atr)).toBe(hex(atr));
    expect(await clock.run(reader.slotStatus())).toBe("active");
    const response = await clock.run(connected.transmit(new CommandApdu({ cla: 0, ins: 0xb0, p1: 0, p2: 0, ne: 3 })));
    expect([hex(response.data), response.sw]).toEqual(["010203", 0x9000]);
    await clock.run(connected.disconnect());
    await clock.run(connected.disconnect());
    expect(await codeOf(connected.transmit(unhex("00b00000")))).toBe("usage");
    expect(transport.commands.map((command) => command.name)).toEqual([
      "GetSlotStatus",
      "GetSlotStatus",
      "IccPowerOn",
      "GetSlotStatus",
      "XfrBlock",
      "IccPowerOff",
    ]);
    await clock.run(reader.close());
    expect(await codeOf(reader.slotStatus())).toBe("aborted");
  });

  test("no card, a mute card, a card that another connection owns", async () => {
    const reader = await open(fake());
    expect(await codeOf(reader.connect())).toBe("no-card");
    await clock.run(reader.close());
    const failing = (error: number): FakeReader => {
      const transport: FakeReader = fake({
        card: card(),
        reflex: (command) =>
          command.name === "IccPowerOn" ? [{ afterMs: 0, message: transport.answer(command, { failed: error }) }] : undefined,
      });
      return transport;
    };
    for (const [error, code] of [
      [slotError.ICC_MUTE, "card-mute"],
      [slotError.CMD_SLOT_BUSY, "slot-busy"],
      [slotError.BAD_ATR_TS, "unsupported"],
    ] as const) {
      const other = await open(failing(error));
      expect(await codeOf(other.connect())).toBe(code);
      await clock.run(other.close());
    }
  });

  test("waits for a card to be put in, by notice and by polling", async () => {
    for (const notifies of [true, false]) {
      const transport = fake({ notifies });
      const reader = await open(transport);
      const connecting = reader.connect({ waitForCard: true });
      await clock.advance(700);
      transport.insert(card());
      expect(hex((await clock.run(connecting)).atr)).toBe(hex(atr));
      await clock.run(reader.close());
    }
    const reader = await open(fake());
    expect(await codeOf(reader.connect({ waitForCard: true, timeoutMs: 3000 }))).toBe("no-card");
    const controller = new AbortController();
    const waiting = codeOf(reader.connect({ waitForCard: true, signal: controller.signal }));
    await clock.advance(100);
    controller.abort();
    expect(await waiting).toBe("aborted");
    await clock.run(reader.close());
  });

  test("the time for a card and its power-on is one time", async () => {
    let abortedAt = 0;
    const slow = { afterMs: 20_000, message: new Uint8Array(0) };
    const transport = fake({
      reflex: (command, polite) => (command.name === "IccPowerOn" ? [slow, ...polite()] : polite()),
    });
    transport.abort = async () => void (abortedAt = clock.now());
    const reader = await open(transport);
    const began = clock.now();
    const connecting = reader.connect({ waitForCard: true, timeoutMs: 5000 });
    connecting.catch(() => undefined);
    await clock.advance(4000);
    transport.insert(card());
    expect(await codeOf(connecting)).toBe("deadline-passed");
    expect(abortedAt - began).toBe(5000);
    await clock.run(reader.close());
  });

  test("a card that is pulled in the moment it answers is not connected, and the reader knows that the slot is empty", async () => {
    const transport: FakeReader = fake({
      card: card(),
      reflex: (command, polite) => {
        if (command.name !== "IccPowerOn") return polite();
        // answer and notice in one chunk of the line
        queueMicrotask(() => {
          transport.onMessage?.(polite()[0]!.message);
          transport.remove();
        });
        return [];
      },
    });
    const reader = await open(transport);
    const events: string[] = [];
    reader.events.on((event) => events.push(event.type));
    expect(await codeOf(reader.connect())).toBe("card-pulled");
    expect(events).toEqual(["card-removed"]);
    await clock.run(reader.close());
  });

  test("polling ends with the reader, also when a question is in flight, and never doubles", async () => {
    let silent = false;
    const transport = fake({ notifies: false, reflex: (_, polite) => (silent ? [] : polite()) });
    const reader = await open(transport);
    const off = reader.events.on(() => undefined);
    silent = true;
    await clock.advance(400);
    off();
    reader.events.on(() => undefined);
    transport.vanish();
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
    await clock.run(reader.close());
    const other = fake({ notifies: false, reflex: (command, polite) => (command.name === "Abort" || !silent ? polite() : []) });
    silent = false;
    const second = await open(other);
    second.events.on(() => undefined);
    silent = true;
    await clock.advance(400);
    const closing = second.close();
    await clock.run(closing);
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
  });

  test("long thinking is carried by time extensions", async () => {
    const reader = await open(fake({ card: card(() => ok, 100_000) }));
    const connected = await clock.run(reader.connect());
    expect((await clock.run(connected.transmit(unhex("802a008000")))).sw).toBe(0x9000);
    await clock.run(reader.close());
  });

  test("pulled while it works, and pulled at rest", async () => {
    const transport = fake({ card: card(() => ok, 5000) });
    const reader = await open(transport);
    const events: string[] = [];
    reader.events.on((event) => events.push(event.type));
    const connected = await clock.run(reader.connect());
    const working = codeOf(connected.transmit(unhex("802a008000")));
    await clock.advance(1000);
    transport.remove();
    expect(await working).toBe("card-pulled");
    expect(connected.active).toBe(false);
    expect(await codeOf(connected.transmit(unhex("00b00000")))).toBe("card-pulled");
    transport.insert(card());
    const again = await clock.run(reader.connect());
    transport.remove();
    expect(await codeOf(again.transmit(unhex("00b00000")))).toBe("card-pulled");
    expect(events).toEqual(["card-removed", "card-inserted", "card-removed"]);
    await clock.run(reader.close());
  });

  test("an AbortSignal stops the card on both pipes, and the reader goes on", async () => {
    const transport = fake({ card: card(() => ok, 60_000) });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    const controller = new AbortController();
    const working = codeOf(connected.transmit(unhex("802a008000"), { signal: controller.signal }));
    await clock.advance(100);
    controller.abort();
    expect(await working).toBe("aborted");
    expect(transport.controlAborts).toEqual([transport.commands.find((command) => command.name === "Abort")!.sequence]);
    expect(await clock.run(reader.slotStatus())).toBe("active");
    await clock.run(reader.close());
  });

  test("a deadline is the caller's, and settles", async () => {
    const reader = await open(fake({ card: card(() => ok, 60_000) }));
    const connected = await clock.run(reader.connect());
    expect(await codeOf(connected.transmit(unhex("802a008000"), { timeoutMs: 1000 }))).toBe("deadline-passed");
    await clock.run(reader.close());
  });

  test("closing settles what is in flight and what is queued", async () => {
    const reader = await open(fake({ card: card(() => ok, 60_000) }));
    const connected = await clock.run(reader.connect());
    const all = [
      codeOf(connected.transmit(unhex("802a008000"))),
      codeOf(connected.transmit(unhex("00b00000"))),
      codeOf(reader.slotStatus()),
    ];
    await clock.advance(10);
    await clock.run(reader.close());
    expect(await Promise.all(all)).toEqual(["aborted", "aborted", "aborted"]);
  });

  test("the cable is pulled", async () => {
    const transport = fake({ card: card(() => ok, 60_000) });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    const closed: string[] = [];
    const listening = (async () => {
      for await (const event of reader.events) closed.push(event.type);
    })();
    const working = codeOf(connected.transmit(unhex("802a008000")));
    await clock.advance(10);
    transport.vanish();
    expect(await working).toBe("reader-unplugged");
    await listening;
    expect(closed).toEqual(["closed"]);
    await clock.run(connected[Symbol.asyncDispose]());
    await clock.run(reader.close());
  });

  test("a reader that does not answer is not opened", async () => {
    const transport = fake({ reflex: () => [] });
    expect(await codeOf(Reader.open(transport, { clock, timeoutMs: 500 }))).toBe("deadline-passed");
    expect(await transport.closed).toBe("closed");
  });

  test("what the transport stands on is given back although the transport fails to close", async () => {
    const transport = fake();
    let released = 0;
    const reader = await clock.run(Reader.open(transport, { clock, release: async () => void released++ }));
    transport.close = async () => Promise.reject(new InkanError("reader-unplugged"));
    expect(await codeOf(reader.close())).toBe("reader-unplugged");
    expect(released).toBe(1);
    transport.vanish();
  });

  test("why a reader could not be opened is said even when it cannot be given back either", async () => {
    const release = async (): Promise<void> => Promise.reject(new Error("no way back"));
    expect(await codeOf(Reader.open(fake({ reflex: () => [] }), { clock, timeoutMs: 500, release }))).toBe("deadline-passed");
  });
});

describe("PIN pad", () => {
  const template = { header: [0x00, 0x20, 0x00, 0x80], minLength: 4, maxLength: 4 } as const;
  test("the block is CCID's, to the byte; the card gets what was typed; the host never", async () => {
    const inside = card();
    const transport = fake({ card: inside, pad: () => typed });
    const trace: TraceEvent[] = [];
    const reader = await clock.run(Reader.open(transport, { clock, trace: { event: (event) => trace.push(event) } }));
    const connected = await clock.run(reader.connect());
    expect((await clock.run(connected.verifyOnPad({ ...template, timeoutSeconds: 30, language: "en" }))).sw).toBe(0x9000);
    const secure = transport.commands.find((command) => command.name === "Secure")!;
    expect(hex(secure.data)).toBe("00" + "1e" + "82" + "00" + "00" + "0404" + "02" + "01" + "0904" + "00" + "000000" + "0020008000");
    expect(inside.seen).toEqual(["0020008004" + hex(typed)]);
    await clock.run(connected.modifyOnPad({ ...template, header: [0, 0x24, 1, 0x80], minLength: 6, maxLength: 16 }).catch(() => undefined));
    const modify = transport.commands.filter((command) => command.name === "Secure")[1]!;
    expect(hex(modify.data)).toBe(
      "01" + "00" + "82" + "00" + "00" + "00" + "00" + "1006" + "01" + "02" + "02" + "1104" + "00" + "01" + "000000" + "0024018000",
    );
    for (const event of trace) expect(hex(event.bytes)).not.toContain(hex(typed));
    await clock.run(reader.close());
  });

  test.each([
    ["cancel", "pin-cancelled"],
    ["timeout", "pin-timeout"],
  ] as const)("%s is its own outcome", async (key, code) => {
    const reader = await open(fake({ card: card(), pad: () => key }));
    const connected = await clock.run(reader.connect());
    expect(await codeOf(connected.verifyOnPad(template))).toBe(code);
    await clock.run(reader.close());
  });

  test("a secret the host typed is in no trace event, and its copy is wiped", async () => {
    const trace: TraceEvent[] = [];
    const transport = fake({ card: card() });
    const sent: Uint8Array[] = [];
    const send = transport.send.bind(transport);
    transport.send = (message) => (sent.push(message), send(message));
    const reader = await clock.run(Reader.open(transport, { clock, trace: { event: (event) => trace.push(event) } }));
    const connected = await clock.run(reader.connect());
    await clock.run(connected.transmit(Uint8Array.of(0x00, 0x20, 0x00, 0x80, 4, ...typed)));
    await clock.run(connected.transmit(Uint8Array.of(0x80, 0x32, 0x00, 0x80, 4, ...typed)));
    expect(trace.length).toBeGreaterThan(6);
    for (const event of trace) expect(hex(event.bytes)).not.toContain(hex(typed));
    expect(trace.filter((event) => event.redactedAt.length).map((event) => event.redactedAt)).toEqual([[[14, 5]], [[14, 5]]]);
    for (const message of sent) expect(message.every((byte) => byte === 0)).toBe(true);
    await clock.run(reader.close());
  });

  test("a trace that fails neither ends the session nor keeps a secret from being wiped", async () => {
    const transport = fake({ card: card() });
    const sent: Uint8Array[] = [];
    const send = transport.send.bind(transport);
    transport.send = (message) => (sent.push(message), send(message));
    const event = (): void => {
      throw new Error("the disk is full");
    };
    const reader = await clock.run(Reader.open(transport, { clock, trace: { event } }));
    const connected = await clock.run(reader.connect());
    expect((await clock.run(connected.transmit(Uint8Array.of(0x00, 0x20, 0x00, 0x80, 4, ...typed)))).ok).toBe(true);
    await clock.run(reader.close());
    expect(sent.length).toBe(4);
    for (const message of sent) expect(message.every((byte) => byte === 0)).toBe(true);
  });

  test("impossible lengths are refused before the reader hears of them", async () => {
    const reader = await open(fake({ card: card() }));
    const connected = await clock.run(reader.connect());
    expect(await codeOf(connected.verifyOnPad({ ...template, minLength: 5 }))).toBe("usage");
    await clock.run(reader.close());
  });
});

describe("a reader that has gone deaf", () => {
  test("an abort and a deadline are told at once; what comes next waits until the reader has stopped, or is given up", async () => {
    let deaf = false;
    const transport = fake({ card: card(() => ok, 1000), reflex: () => (deaf ? [] : undefined) });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    deaf = true;
    const began = clock.now();
    expect(await codeOf(connected.transmit(unhex("00b00000"), { timeoutMs: 700 }))).toBe("deadline-passed");
    expect(clock.now() - began).toBe(700);
    const stop = new AbortController();
    const queued = connected.transmit(unhex("00b00001"), { signal: stop.signal }).catch((error: InkanError) => error.code);
    await clock.advance(100);
    stop.abort();
    expect(await queued).toBe("aborted");
    expect(clock.now() - began).toBe(800);
    deaf = false;
    // the abort has no answer; a probe has, and then the next command's turn comes
    const next = clock.run(connected.transmit(unhex("00b00002")));
    expect((await next).sw).toBe(0x9000);
    expect(clock.now() - began).toBeGreaterThan(10_000);
    expect(transport.commands.filter(({ name }) => name === "XfrBlock").map(({ data }) => data[3])).toEqual([0, 2]);
    await clock.run(reader.close());
  });
  test("a wait for a card ends at its deadline, whatever the reader does", async () => {
    let deaf = false;
    const reader = await open(fake({ reflex: () => (deaf ? [] : undefined) }));
    deaf = true;
    const began = clock.now();
    expect(await codeOf(reader.connect({ waitForCard: true, timeoutMs: 900 }))).toBe("deadline-passed");
    expect(clock.now() - began).toBe(900);
    deaf = false;
    await clock.run(reader.close());
  });
});

describe("levels", () => {
  test("a small reader gets a long APDU in chained messages, and its chained answer is joined", async () => {
    const inside = card(() => ok);
    const transport: FakeReader = fake({
      card: inside,
      maxMessageLength: 110,
      reflex: (command, polite) =>
        command.name === "XfrBlock" && command.specific[1] === 0x10
          ? [{ afterMs: 0, message: transport.answer(command, { data: unhex("bb9000"), chain: 2 }) }]
          : polite(),
    });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    const apdu = new CommandApdu({ cla: 0, ins: 0xd6, p1: 0, p2: 0, data: new Uint8Array(250).fill(7) });
    expect((await clock.run(connected.transmit(apdu))).sw).toBe(0x9000);
    expect(inside.seen).toEqual([hex(apdu.toBytes())]);
    expect(
      transport.commands.filter((command) => command.name === "XfrBlock").map((command) => [command.specific[1], command.data.length]),
    ).toEqual([
      [1, 100],
      [3, 100],
      [2, 55],
    ]);
    await clock.run(reader.close());
  });

  test("T=0 at TPDU level: 61xx, 6Cxx, and a command with data is never repeated", async () => {
    const replies: Record<string, string> = {
      "00b0000000": "6c03",
      "00b0000003": "0102039000",
      "00a4040c021122": "6105",
      "00c0000005": "6f038401aa9000",
      "00c0000003": "6f038401",
      "0020008004": "6c04",
    };
    const inside = card((command) => unhex(replies[hex(command.subarray(0, command.length > 7 ? 5 : 7))] ?? "6f00"));
    const transport = fake({ card: { ...inside, powerOn: () => unhex("3b00") }, features: 0x00010030 });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    expect(hex((await clock.run(connected.transmit(unhex("00b0000000")))).toBytes())).toBe("0102039000");
    expect(hex((await clock.run(connected.transmit(unhex("00a4040c02112200")))).toBytes())).toBe("6f038401aa9000");
    inside.seen.length = 0;
    const copies: Uint8Array[] = [];
    const { parse } = CommandApdu;
    CommandApdu.parse = (bytes) => {
      const parsed = parse.call(CommandApdu, bytes);
      copies.push(parsed.data);
      return parsed;
    };
    try {
      expect((await clock.run(connected.transmit(Uint8Array.of(0, 0x20, 0, 0x80, 4, ...typed)))).sw).toBe(0x6c04);
    } finally {
      CommandApdu.parse = parse;
    }
    expect(inside.seen.length).toBe(1);
    expect(copies.map(hex), "the copy of the secret").toEqual(["00000000"]);
    expect(await codeOf(connected.transmit(unhex("00a4040c05112233")))).toBe("usage");
    await clock.run(reader.close());
  });

  test("T=0 at TPDU level: more than 255 bytes go in envelopes, whole and in order", async () => {
    const apdu = new CommandApdu({ cla: 0, ins: 0xdb, p1: 0x3f, p2: 0xff, data: new Uint8Array(600).map((_, i) => i), ne: 256 }).toBytes();
    const letter: number[] = [];
    let refuse = false;
    const inside = card((command) => {
      if (refuse) return unhex("6d00");
      if (command[1] === 0xc0) return unhex("aabb9000");
      letter.push(...command.subarray(5));
      return unhex(letter.length < apdu.length ? "9000" : "6102");
    });
    const reader = await open(fake({ card: { ...inside, powerOn: () => unhex("3b00") }, features: 0x00010030 }));
    const connected = await clock.run(reader.connect());
    expect(hex((await clock.run(connected.transmit(apdu))).toBytes())).toBe("aabb9000");
    expect(letter).toEqual([...apdu]);
    expect(inside.seen.map((tpdu) => tpdu.slice(0, 10))).toEqual(["00c20000ff", "00c20000ff", "00c2000063", "00c0000002"]);
    refuse = true;
    expect(await codeOf(connected.transmit(apdu))).toBe("card-short-only");
    await clock.run(reader.close());
  });

  test("T=1 at TPDU level: parameters, S(IFS), blocks with their waiting time, and a garbled one said again", async () => {
    const said: string[] = [];
    let n = 0;
    // S(IFS response 254) · S(WTX request 3) · wrong parity · I-block 9000
    const answers = ["00e101fe1e", "00c30103c1", "garbled", "000002900092"];
    const transport: FakeReader = fake({
      card: { ...card(), powerOn: () => unhex("3b808131fe458b") },
      features: 0x00010000,
      reflex: (command, polite) => {
        if (command.name === "SetParameters") {
          said.push(`parameters ${hex(command.data)}`);
          return [{ afterMs: 0, message: transport.answer(command, { data: command.data }) }];
        }
        if (command.name !== "XfrBlock") return polite();
        said.push(`${command.specific[0]} ${hex(command.data)}`);
        const answer = answers[n++]!;
        return [{ afterMs: 0, message: transport.answer(command, answer === "garbled" ? { failed: 0xfd } : { data: unhex(answer) }) }];
      },
    });
    const reader = await open(transport);
    const connected = await clock.run(reader.connect());
    expect((await clock.run(connected.transmit(unhex("00a40000")))).sw).toBe(0x9000);
    expect(said).toEqual(["parameters 1110004500fe00", "0 00c101fe3e", "0 00000400a40000a0", "3 00e30103e1", "0 00810081"]);
    await clock.run(reader.close());
  });

  test("two long APDUs at once do not mix their parts", async () => {
    const inside = card(() => ok);
    const reader = await open(fake({ card: inside, maxMessageLength: 110 }));
    const connected = await clock.run(reader.connect());
    const long = (fill: number): CommandApdu => new CommandApdu({ cla: 0, ins: 0xd6, p1: 0, p2: 0, data: new Uint8Array(250).fill(fill) });
    await clock.run(Promise.all([connected.transmit(long(1)), connected.transmit(long(2))]));
    expect(inside.seen).toEqual([long(1), long(2)].map((apdu) => hex(apdu.toBytes())));
    await clock.run(reader.close());
  });

  test("extended APDUs at short level and readers at character level are refused by name", async () => {
    for (const features of [0x00020030, 0x00000000]) {
      const reader = await open(fake({ card: card(), features }));
      const connected = await clock.run(reader.connect());
      expect(await codeOf(connected.transmit(new CommandApdu({ cla: 0, ins: 0xd6, p1: 0, p2: 0, data: new Uint8Array(300) })))).toBe(
        "unsupported",
      );
      await clock.run(reader.close());
    }
  });
});
