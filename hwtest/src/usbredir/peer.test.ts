import { releasedFirmware } from "@inkan/device-proto/firmware";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { VirtualBoard } from "../board/board.js";
import { T1Card } from "../cards/index.js";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { standardMaterial } from "../authority/index.js";
import { FakeGuest } from "./fake-guest.js";
import { UsbredirPeer } from "./peer.js";
import { statuses, type UsbredirError } from "./wire.js";

const firmware = await releasedFirmware();
const BULK_OUT = 0x01;
const BULK_IN = 0x81;

/** The released image in front of a guest that a test speaks for. */
async function meet(options: { hello?: boolean } = {}) {
  const board = await VirtualBoard.boot({ ...firmware, pace: "free" });
  onTestFinished(() => board.close());
  const errors: unknown[] = [];
  const wire = {
    congested: false,
    write: (bytes: Uint8Array) => guest.receive(bytes),
    failed: (error: unknown) => void errors.push(error),
  };
  const guest: FakeGuest = new FakeGuest((bytes) => peer.receive(bytes));
  const peer: UsbredirPeer = new UsbredirPeer(board.usb.host, wire);
  onTestFinished(() => peer.close());
  const until = async (done: () => boolean, ms = 2000): Promise<void> => board.runUntil(done, board.nowNs + ms * 1e6);
  /** The one answer to a request. */
  const answer = async (id: bigint) => {
    await until(() => guest.heard.some((one) => one.id === id));
    const found = guest.heard.filter((one) => one.id === id);
    expect(found).toHaveLength(1);
    return found[0]!;
  };
  const configure = async (): Promise<void> => {
    guest.say("reset", {});
    expect(await answer(guest.say("set_configuration", { configuration: 1 }))).toMatchObject({
      name: "configuration_status",
      body: { status: 0, configuration: 1 },
    });
  };
  let sequence = 0;
  const slotStatus = async (): Promise<string> => {
    const number = sequence++ & 0xff;
    const out = guest.bulkOut(BULK_OUT, Uint8Array.of(0x65, 0, 0, 0, 0, 0, number, 0, 0, 0));
    expect(await answer(out)).toMatchObject({ body: { status: 0, length: 10 } });
    const got = await answer(guest.bulkIn(BULK_IN, 271));
    if (got.name !== "bulk_packet") throw new Error(got.name);
    expect(got.body.data[6]).toBe(number);
    return Buffer.from(got.body.data).toString("hex").slice(0, 2) + got.body.data.length;
  };
  if (options.hello ?? true) {
    guest.hello();
    await board.usb.attach();
    await until(() => guest.all("device_connect").length === 1);
  }
  return { board, guest, peer, errors, wire, until, answer, configure, slotStatus };
}

describe("the reader for a guest", () => {
  it("is described before it is connected, unconfigured, and again when it is configured", async () => {
    const { guest, configure } = await meet();
    expect(guest.heard.map((one) => one.name)).toEqual(["hello", "ep_info", "interface_info", "device_connect"]);
    expect(guest.all("device_connect")[0]!.body).toMatchObject({
      speed: 1,
      deviceClass: 0xef,
      subclass: 2,
      protocol: 1,
      vendorId: 0x1209,
      productId: 1,
    });
    const before = guest.all("ep_info")[0]!.body;
    expect([...before.types].filter((type) => type !== 255)).toEqual([0, 0]);
    await configure();
    const after = guest.all("ep_info")[1]!.body;
    const listed = [...after.types].flatMap((type, slot) =>
      type === 255 ? [] : [[slot, type, after.interfaces[slot], new DataView(after.maxPackets.buffer).getUint16(2 * slot, true)]],
    );
    expect(listed).toContainEqual([1, 2, 0, 64]);
    expect(listed).toContainEqual([17, 2, 0, 64]);
    const interfaces = guest.all("interface_info")[1]!.body;
    expect([interfaces.count, ...interfaces.classes.subarray(0, 3)]).toEqual([3, 0x0b, 0x02, 0x0a]);
    // The configuration's answer comes after its description.
    expect(guest.heard.at(-1)!.name).toBe("configuration_status");
  });

  it("after a reset it is in the Address state, and answers as one", async () => {
    const { guest, answer, configure, slotStatus } = await meet();
    await configure();
    expect(await slotStatus()).toBe("8110");
    guest.say("reset", {});
    expect(await answer(guest.say("get_configuration", {}))).toMatchObject({ body: { status: 0, configuration: 0 } });
    expect(await answer(guest.bulkIn(BULK_IN, 64))).toMatchObject({ body: { status: statuses.inval, length: 0 } });
    await configure();
    expect(await answer(guest.say("get_configuration", {}))).toMatchObject({ body: { status: 0, configuration: 1 } });
    expect(await slotStatus()).toBe("8110");
  });

  it("control: short answers, stalls, data out", async () => {
    const { guest, answer, configure } = await meet();
    await configure();
    const head = await answer(guest.control([0x80, 6, 0x0100, 0, 64]));
    expect(head).toMatchObject({ name: "control_packet", body: { status: 0, length: 18 } });
    expect(await answer(guest.control([0x80, 6, 0x0600, 0, 10]))).toMatchObject({ body: { status: statuses.stall, length: 0 } });
    const coding = Uint8Array.of(0x00, 0x10, 0x0e, 0x00, 0, 0, 8);
    expect(await answer(guest.control([0x21, 0x20, 0, 1, 7], coding))).toMatchObject({ body: { status: 0, length: 7 } });
    const back = await answer(guest.control([0xa1, 0x21, 0, 1, 7]));
    expect(back.name === "control_packet" && [...back.body.data]).toEqual([...coding]);
    expect(await answer(guest.say("set_alt_setting", { interface: 0, alternate: 9 }))).toMatchObject({
      body: { status: statuses.stall, alternate: 0 },
    });
    expect(await answer(guest.say("get_alt_setting", { interface: 0 }))).toMatchObject({ body: { status: 0, alternate: 0 } });
    expect(await answer(guest.say("set_configuration", { configuration: 9 }))).toMatchObject({
      body: { status: statuses.stall, configuration: 1 },
    });
  });

  it("a read is taken back: answered once, and nothing of the next answer is lost", async () => {
    const { board, guest, answer, configure, slotStatus } = await meet();
    await configure();
    const waiting = guest.bulkIn(BULK_IN, 271);
    await board.run(50);
    expect(guest.all("bulk_packet", waiting)).toEqual([]);
    guest.say("cancel_data_packet", {}, waiting);
    expect(await answer(waiting)).toMatchObject({ body: { status: statuses.cancelled, length: 0 } });
    guest.say("cancel_data_packet", {}, waiting);
    for (let round = 0; round < 5; round++) expect(await slotStatus()).toBe("8110");
    expect(guest.all("bulk_packet", waiting)).toHaveLength(1);
  });

  it("a reset answers what was under way as cancelled, also what had not begun", async () => {
    const { guest, answer, configure, slotStatus } = await meet();
    await configure();
    const waiting = guest.bulkIn(BULK_IN, 271);
    guest.say("reset", {});
    const held = guest.control([0x80, 6, 0x0100, 0, 18]);
    const taken = guest.control([0x80, 6, 0x0100, 0, 18]);
    guest.say("cancel_data_packet", {}, taken);
    expect(guest.all("control_packet", taken)[0]!.body.status).toBe(statuses.cancelled);
    expect(await answer(waiting)).toMatchObject({ body: { status: statuses.cancelled } });
    expect(await answer(held)).toMatchObject({ body: { status: 0, length: 18 } });
    await configure();
    expect(await slotStatus()).toBe("8110");
  });

  it("a halted endpoint stalls until the guest clears it; toggles begin anew on both sides", async () => {
    const { guest, answer, configure, slotStatus } = await meet();
    await configure();
    expect(await slotStatus()).toBe("8110");
    expect(await answer(guest.control([0x02, 3, 0, BULK_IN, 0]))).toMatchObject({ body: { status: 0 } });
    expect(await answer(guest.bulkIn(BULK_IN, 64))).toMatchObject({ body: { status: statuses.stall } });
    expect(await answer(guest.control([0x02, 1, 0, BULK_IN, 0]))).toMatchObject({ body: { status: 0 } });
    expect(await slotStatus()).toBe("8110");
  });

  it("interrupt endpoints are polled here and pushed; a guest that does not read stops the polling", async () => {
    const { board, guest, wire, peer, answer, configure, until } = await meet();
    await configure();
    const interrupt = [...guest.all("ep_info").at(-1)!.body.types].findIndex(
      (type, slot) => type === 3 && guest.all("ep_info").at(-1)!.body.interfaces[slot] === 0,
    );
    const endpoint = 0x80 | (interrupt & 15);
    expect(await answer(guest.say("start_interrupt_receiving", { endpoint }))).toMatchObject({ body: { status: 0, endpoint } });
    expect(await answer(guest.say("start_interrupt_receiving", { endpoint: BULK_IN }))).toMatchObject({ body: { status: statuses.inval } });
    const put = (): void => board.slot.insert(new T1Card(JpkiTestCard.standard(standardMaterial())));
    put();
    // The first notice follows the configuration: no card yet.
    await until(() => guest.all("interrupt_packet").length > 1);
    // RDR_to_PC_NotifySlotChange (CCID 1.10 §6.3.1): slot 0 present, changed.
    expect(guest.all("interrupt_packet").at(-1)!.body).toMatchObject({ endpoint, status: 0, length: 2, data: Uint8Array.of(0x50, 3) });
    wire.congested = true;
    board.slot.remove();
    await board.run(500);
    const heard = guest.all("interrupt_packet").length;
    put();
    await board.run(500);
    expect(guest.all("interrupt_packet").length).toBeLessThanOrEqual(heard + 1);
    wire.congested = false;
    peer.drained();
    board.slot.remove();
    await until(() => guest.all("interrupt_packet").length > heard);
    expect(await answer(guest.say("stop_interrupt_receiving", { endpoint }))).toMatchObject({ body: { status: 0 } });
    const stopped = guest.all("interrupt_packet").length;
    put();
    await board.run(500);
    expect(guest.all("interrupt_packet").length).toBe(stopped);
  });

  it("the cable is pulled and put back: disconnect, silence, connect", async () => {
    const { board, guest, configure, slotStatus, until } = await meet();
    await configure();
    for (let round = 1; round <= 3; round++) {
      const waiting = guest.bulkIn(BULK_IN, 271);
      board.usb.detach();
      expect(guest.heard.at(-1)!.name).toBe("device_disconnect");
      const late = guest.control([0x80, 6, 0x0100, 0, 18]);
      await board.run(20);
      expect(guest.heard.at(-1)!.name).toBe("device_disconnect");
      expect(guest.heard.some((one) => one.id === waiting || one.id === late)).toBe(false);
      await board.usb.attach();
      await until(() => guest.all("device_connect").length === round + 1);
      await configure();
      expect(await slotStatus()).toBe("8110");
    }
  });

  it("pulled in the middle of a reset", async () => {
    const { board, guest, configure, slotStatus, until } = await meet();
    await configure();
    guest.say("reset", {});
    await board.run(5);
    board.usb.detach();
    await until(() => guest.all("device_disconnect").length === 1);
    await board.usb.attach();
    await until(() => guest.all("device_connect").length === 2);
    await configure();
    expect(await slotStatus()).toBe("8110");
  });

  it("a board that stops takes the device with it and says why", async () => {
    const { board, guest, errors, configure } = await meet();
    await configure();
    const why = new Error("a rule was broken");
    board.engine.pump.stop(why);
    await new Promise((turn) => setImmediate(turn));
    expect(errors).toEqual([why]);
    expect(guest.heard.at(-1)!.name).toBe("device_disconnect");
  });

  it("a side that lacks a capability, or uses an id twice, is told goodbye", async () => {
    const first = await meet({ hello: false });
    first.guest.hello(0x3f);
    expect(first.errors.map((error) => (error as UsbredirError).rule)).toEqual(["capabilities"]);
    const second = await meet();
    await second.configure();
    const id = second.guest.bulkIn(BULK_IN, 64);
    second.guest.say("bulk_packet", { endpoint: BULK_IN, status: 0, length: 64, lengthHigh: 0, stream: 0, data: new Uint8Array(0) }, id);
    expect(second.errors.map((error) => (error as UsbredirError).rule)).toEqual(["duplicate-id"]);
    const third = await meet();
    await third.configure();
    for (let one = 0; one < 1025; one++) third.guest.bulkIn(BULK_IN, 64);
    expect(third.errors.map((error) => (error as UsbredirError).rule)).toEqual(["too-many-transfers"]);
  });

  it("whatever a guest asks, in whatever order: every request answered once, and the reader still works", async () => {
    const { board, guest, errors, configure, slotStatus, until } = await meet();
    const byte = fc.integer({ min: 0, max: 255 });
    const word = fc.integer({ min: 0, max: 0xffff });
    const endpoint = fc.constantFrom(0, 1, 2, 3, 0x81, 0x82, 0x83, 0x84, 15, 0x8f);
    const command = fc.oneof(
      fc.constant({ do: "reset" as const }),
      fc.record({ do: fc.constant("configure" as const), value: fc.constantFrom(0, 1, 1, 1, 2) }),
      fc.record({
        do: fc.constant("in" as const),
        setup: fc.tuple(
          byte.map((type) => type | 0x80),
          byte,
          word,
          word,
          fc.integer({ min: 0, max: 300 }),
        ),
      }),
      fc.record({ do: fc.constant("descriptor" as const), type: fc.integer({ min: 0, max: 8 }), index: fc.integer({ min: 0, max: 8 }) }),
      fc.record({ do: fc.constant("halt" as const), set: fc.boolean(), endpoint }),
      fc.record({
        do: fc.constant("read" as const),
        endpoint: endpoint.map((one) => one | 0x80),
        length: fc.integer({ min: 0, max: 600 }),
      }),
      fc.record({ do: fc.constant("start" as const), endpoint }),
      fc.record({ do: fc.constant("stop" as const), endpoint }),
      fc.record({ do: fc.constant("interface" as const), interface: byte, alternate: byte }),
      fc.record({ do: fc.constant("cancel" as const), back: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 30 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        const asked: bigint[] = [];
        const reads: bigint[] = [];
        guest.heard.length = 0;
        for (const one of commands) {
          if (one.do === "reset") guest.say("reset", {});
          else if (one.do === "configure") asked.push(guest.say("set_configuration", { configuration: one.value }));
          else if (one.do === "in") asked.push(guest.control(one.setup as [number, number, number, number, number]));
          else if (one.do === "descriptor") asked.push(guest.control([0x80, 6, (one.type << 8) | one.index, 0, 255]));
          else if (one.do === "halt") asked.push(guest.control([0x02, one.set ? 3 : 1, 0, one.endpoint, 0]));
          else if (one.do === "read") reads.push(guest.bulkIn(one.endpoint, one.length));
          else if (one.do === "start") asked.push(guest.say("start_interrupt_receiving", { endpoint: one.endpoint }));
          else if (one.do === "stop") asked.push(guest.say("stop_interrupt_receiving", { endpoint: one.endpoint }));
          else if (one.do === "interface") asked.push(guest.say("set_alt_setting", { interface: one.interface, alternate: one.alternate }));
          else if (one.do === "cancel") guest.say("cancel_data_packet", {}, reads.at(-1 - one.back) ?? 0n);
          else await board.run(one.ms);
        }
        for (const id of reads) guest.say("cancel_data_packet", {}, id);
        const all = [...asked, ...reads];
        await until(() => all.every((id) => guest.heard.some((packet) => packet.id === id)), 10_000);
        for (const id of all) expect(guest.heard.filter((packet) => packet.id === id)).toHaveLength(1);
        expect(errors).toEqual([]);
        await configure();
        expect(await slotStatus()).toBe("8110");
      }),
      { numRuns: 40 },
    );
  });
});
