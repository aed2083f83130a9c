import { hex, unhex } from "@inkan/device-proto";
import { standardMaterial } from "@inkan/hwtest/authority";
import { cdcStream, keysFor, openVirtualReader, PcscdHost, PcscdTransport, uartStream, type VirtualReader } from "@inkan/hwtest/board";
import { T0Card, T1Card } from "@inkan/hwtest/cards";
import { Reader } from "@inkan/sdk";
import type { ByteStream } from "@inkan/sdk/link";
import { openJpki } from "@inkan/sdk/jpki";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { afterEach, describe, expect, test } from "vitest";

/** What goes through pcscd's framing to cards of both protocols, over both ports: the host's engines, the pad, the guard's word. */

let bench: VirtualReader | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

/** A board with the JPKI card, and what the card was asked; a person who types the next of `types` when the lamp goes on and agrees to every signature. */
async function plug(...types: readonly string[]): Promise<{ reader: VirtualReader; seen: string[]; consents: () => number }> {
  const typing = [...types];
  const card = JpkiTestCard.standard(standardMaterial());
  const seen: string[] = [];
  bench = await openVirtualReader({ pace: "free", card: "none", fingers: false });
  const { board, clock } = bench;
  board.slot.insert(
    new T1Card({
      atr: card.atr,
      powerOn: () => card.powerOn(),
      transmit: (command) => {
        seen.push(hex(command.subarray(0, 5))); // header and Lc, never more
        return card.transmit(command);
      },
    }),
  );
  let asked = 0;
  const later = (keys: Parameters<typeof board.type>[0]): void =>
    void clock
      .sleep(600)
      .then(() => board.type(keys))
      .catch(() => undefined);
  board.on((event) => {
    const secret = event.type === "lamp" && event.lit ? typing.shift() : undefined;
    if (secret !== undefined) later(secret.split(" ").flatMap((once) => keysFor(once)));
    if (event.type === "tone" && Math.abs(event.hertz - 1600) < 20) {
      asked++;
      later(["ok"]);
    }
  });
  await board.usb.attach();
  await board.run(300);
  return { reader: bench, seen, consents: () => asked };
}
async function overCdc(reader: VirtualReader): Promise<ByteStream> {
  await reader.board.cdc.open({ dtr: true });
  return cdcStream(reader.board.cdc);
}
const lrc = (bytes: readonly number[]): Uint8Array => Uint8Array.of(...bytes, bytes.reduce((sum, byte) => sum ^ byte, 0)); // prettier-ignore
/** An I-block there, and the block that comes back, without NAD and check. */
async function block(host: PcscdHost, pcb: number, inf: Uint8Array): Promise<{ pcb: number; inf: string }> {
  const said = await host.command("XfrBlock", lrc([0, pcb, inf.length, ...inf]));
  expect(said?.status).toBe(0);
  return { pcb: said!.data[1]!, inf: hex(said!.data.slice(3, -1)) };
}
async function start(host: PcscdHost): Promise<void> {
  expect(await host.command("IccPowerOn", undefined, { specific: [1, 0, 0] })).toMatchObject({ status: 0 });
  expect(hex((await host.command("XfrBlock", unhex("ff1113fd")))!.data)).toBe("ff1113fd");
  expect(await host.command("SetParameters", unhex("1310ff4600fb00"), { specific: [1, 0, 0] })).toMatchObject({ status: 0 });
  expect(hex((await host.command("XfrBlock", unhex("00c101fe3e")))!.data)).toBe("00e101fe1e");
}
const jpki = unhex("00a4040c0ad392f000260100000001");
const select = (file: string): Uint8Array => unhex(`00a4020c02${file}`);
/** PC_to_RDR_Secure's data: 4 to 16 characters; the block that is due has this PCB. */
const verify = (pcb: number): Uint8Array =>
  Uint8Array.of(...unhex("000a820000" + "1004" + "02" + "01" + "0904" + "00"), 0, pcb, 5, ...unhex("0020008000"));
const modify = (pcb: number): Uint8Array =>
  Uint8Array.of(...unhex("010a820000" + "0000" + "1004" + "01" + "02" + "02" + "0904" + "0001"), 0, pcb, 5, ...unhex("0024018000"));

describe("the SDK as pcscd's framing's host", () => {
  test("over UART0, at its first rate: power on, T=1, a PIN typed on the host", async () => {
    const { reader, seen } = await plug();
    const transport = new PcscdTransport(uartStream(reader.board), { uri: "serial:", name: "uart0", virtual: true });
    const sdk = await Reader.open(transport, { clock: reader.clock });
    const card = await openJpki(await sdk.connect());
    await card.verify("auth", { on: "host", pin: Uint8Array.from(Buffer.from("1234")) });
    // the question for the tries, then the PIN, once
    expect(seen.filter((header) => header.startsWith("0020"))).toEqual(["00200080", "0020008004"]);
    expect(transport.violation).toBeUndefined();
    await sdk.close();
    expect(reader.board.uart.overruns).toBe(0);
  });

  test("a T=0 card: every case, 61xx, 6Cxx", async () => {
    const { reader } = await plug();
    reader.board.slot.remove();
    const atr = Uint8Array.of(0x3b, 0x12, 0x11, 0x49, 0x4b);
    const got: string[] = [];
    let heard: number[] = [];
    const machine = {
      reset: () => void (heard = []),
      save: () => undefined,
      load: () => undefined,
      receive: (byte: number): number[] => {
        heard.push(byte);
        const [, ins, , , p3 = 0] = heard;
        const whole = (answer: number[]): number[] => {
          got.push(Buffer.from(heard).toString("hex"));
          heard = [];
          return answer;
        };
        if (heard.length < 5) return [];
        if (ins === 0xb0) return whole(p3 === 16 ? [0xb0, ...new Uint8Array(16).fill(0x33), 0x90, 0x00] : [0x6c, 16]);
        if (ins === 0xc0) return whole([0xc0, ...new Uint8Array(p3).fill(0x44), 0x90, 0x00]);
        if (ins === 0x44) return whole([0x90, 0x00]);
        return heard.length === 5 ? [ins!] : heard.length === 5 + p3 ? whole([0x61, 8]) : [];
      },
    };
    await reader.board.run(500);
    reader.board.slot.insert(
      new T0Card({ atr, powerOn: () => atr, transmit: () => ({ response: new Uint8Array(0), thinkMs: 0 }) }, { machine }),
    );
    await reader.board.run(500);
    const transport = new PcscdTransport(await overCdc(reader), { uri: "virtual:", name: "reader", virtual: true });
    const sdk = await Reader.open(transport, { clock: reader.clock });
    const card = await sdk.connect();
    const said = async (command: string): Promise<string> => {
      const { data, sw } = await card.transmit(unhex(command));
      return `${hex(data)} ${sw.toString(16)}`;
    };
    expect(await said("00440000")).toBe(" 9000");
    expect(await said("00b0000010")).toBe(`${"33".repeat(16)} 9000`);
    expect(await said("00b0000000")).toBe(`${"33".repeat(16)} 9000`);
    expect(await said("00a40400023f0000")).toBe(`${"44".repeat(8)} 9000`);
    expect(await said("00a40400023f00")).toBe(" 6108");
    expect(got).toEqual(["0044000000", "00b0000010", "00b0000000", "00b0000010", "00a40400023f00", "00c0000008", "00a40400023f00"]);
    expect(transport.violation).toBeUndefined();
    await sdk.close();
  });
});

describe("a host as strict as the driver", () => {
  test("PIN modify: typed twice on the pad, the answer is a block, and the card has the new one", async () => {
    const { reader, seen } = await plug("1234", "5678 5678");
    await reader.board.cdc.open();
    const host = new PcscdHost(reader.board);
    await start(host);
    expect((await block(host, 0x00, jpki)).inf).toBe("9000");
    expect((await block(host, 0x40, select("0018"))).inf).toBe("9000");
    expect(hex((await host.command("Secure", verify(0x00)))!.data)).toBe("000002900092");
    const changed = await host.command("Secure", modify(0x40), { waitMs: 20_000 });
    expect(hex(changed!.data)).toBe("0040029000d2");
    expect(seen.filter((header) => header.startsWith("0024"))).toEqual(["0024018004"]);
    expect((await block(host, 0x00, Uint8Array.of(0x00, 0x20, 0x00, 0x80, 4, ...Buffer.from("5678")))).inf).toBe("9000");
  });

  test("the pad over UART0", async () => {
    const { reader, seen } = await plug("1234");
    const host = new PcscdHost(reader.board, uartStream(reader.board));
    await start(host);
    expect((await block(host, 0x00, jpki)).inf).toBe("9000");
    expect((await block(host, 0x40, select("0018"))).inf).toBe("9000");
    expect(hex((await host.command("Secure", verify(0x00)))!.data)).toBe("000002900092");
    expect(seen.filter((header) => header.startsWith("0020"))).toEqual(["0020008004"]);
  });

  test("the consent screen comes once per signature, however often a block of it is sent; a second signature asks again", async () => {
    const { reader, seen, consents } = await plug("ABC123");
    await reader.board.cdc.open();
    const host = new PcscdHost(reader.board);
    await start(host);
    expect((await block(host, 0x00, jpki)).inf).toBe("9000");
    expect((await block(host, 0x40, select("001b"))).inf).toBe("9000");
    expect(hex((await host.command("Secure", verify(0x00)))!.data)).toBe("000002900092");
    expect((await block(host, 0x40, select("001a"))).inf).toBe("9000");
    const sign = unhex(`802a008033${"3031300d060960864801650304020105000420"}${"5a".repeat(32)}00`);
    const [first, rest] = [sign.subarray(0, 20), sign.subarray(20)];
    // The first part of the chain twice: it was had (R with the other N(R)), and the second one is no block that is due.
    expect(await block(host, 0x20, first)).toEqual({ pcb: 0x90, inf: "" });
    expect(await block(host, 0x20, first)).toEqual({ pcb: 0x92, inf: "" });
    const part = await block(host, 0x40, rest);
    expect(part.pcb).toBe(0x20);
    // The last part again, as if its answer had been lost, and the answer again, as often as it is asked for.
    expect((await block(host, 0x40, rest)).pcb & 0xc0).toBe(0x80);
    for (let time = 0; time < 2; time++) expect(await block(host, 0x80, new Uint8Array(0))).toEqual(part);
    const signatures = (): number => seen.filter((header) => header.startsWith("802a")).length;
    expect([consents(), signatures()]).toEqual([1, 1]);
    expect((await block(host, 0x90, new Uint8Array(0))).inf).toMatch(/9000$/);
    expect((await block(host, 0x00, sign)).inf).toHaveLength(2 * 254);
    expect([consents(), signatures()]).toEqual([2, 2]);
  });
});
