import { encodeFrame, hex, sessionKind, unhex } from "@inkan/device-proto";
import { openVirtualReader, PcscdHost, type VirtualReader } from "@inkan/hwtest/board";
import { afterEach, describe, expect, test } from "vitest";
import { playPcscd } from "../src/campaigns/pcscd-scene.js";

/** pcscd's serial framing on the released image, to a host as strict as its driver. What pcscd itself makes of it: `npm run test:interop`. */

let bench: VirtualReader | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

async function plug(): Promise<{ reader: VirtualReader; host: PcscdHost }> {
  bench = await openVirtualReader({ pace: "free", card: "standard", fingers: {} });
  await bench.board.usb.attach();
  await bench.board.run(300);
  await bench.board.cdc.open();
  return { reader: bench, host: new PcscdHost(bench.board) };
}
const lrc = (bytes: readonly number[]): Uint8Array =>
  Uint8Array.of(
    ...bytes,
    bytes.reduce((sum, byte) => sum ^ byte, 0),
  );
/** Power and T=1, as the driver does it. */
async function start(host: PcscdHost): Promise<void> {
  expect((await host.command("Escape", Uint8Array.of(0x01, 0x01, 0x01)))?.status).toBe(1);
  const atr = await host.command("IccPowerOn", undefined, { specific: [1, 0, 0] });
  expect(hex(atr!.data)).toBe("3bda13ff8131fb468012392f31c173c601c03b");
  expect(hex((await host.command("XfrBlock", unhex("ff1113fd")))!.data)).toBe("ff1113fd");
  expect((await host.command("SetParameters", unhex("1310ff4600fb00"), { specific: [1, 0, 0] }))?.status).toBe(0);
  expect(hex((await host.command("XfrBlock", unhex("00c101fe3e")))!.data)).toBe("00e101fe1e");
}
/** One I-block there and back: INF of the answer. */
async function apdu(host: PcscdHost, ns: 0 | 1, command: string): Promise<string> {
  const inf = unhex(command);
  const said = await host.command("XfrBlock", lrc([0, ns << 6, inf.length, ...inf]));
  expect(said?.status).toBe(0);
  expect(said!.data[1]! & 0x40).toBe(ns << 6); // the card answers as often as it is asked
  return hex(said!.data.slice(3, -1));
}
const jpki = "00a4040c0ad392f000260100000001";

describe("pcscd's serial framing on the released image", () => {
  test("what the driver asks at the opening of its port", async () => {
    const { host } = await plug();
    expect(new TextDecoder().decode((await host.command("Escape", Uint8Array.of(0x02)))!.data)).toMatch(/^Inkan reference reader \d/);
    expect((await host.command("Escape", Uint8Array.of(0x6a), { waitMs: 100 }))!.data).toHaveLength(21);
    expect((await host.command("Escape", unhex("b2a0004d4c" + "20".repeat(160))))!.status & 0xc0).toBe(0);
    expect(await host.command("Escape", unhex("1f02"))).toMatchObject({ status: 0x41, error: 0 });
    expect(await host.command("GetSlotStatus", undefined, { waitMs: 100 })).toMatchObject({ status: 1 });
    expect(await host.command("GetParameters")).toMatchObject({ status: 0x41, error: 0 });
  });

  test("a card at TPDU level: PPS, parameters, S(IFS), blocks", async () => {
    const { host } = await plug();
    await start(host);
    expect(await apdu(host, 0, jpki)).toBe("9000");
    expect(await apdu(host, 1, "00a4020c02000a")).toBe("9000");
    expect((await apdu(host, 0, "00b0000004")).slice(0, 4)).toBe("3082");
    expect((await host.command("IccPowerOff"))?.status).toBe(1);
  });

  test("the pad: the block that is due, its answer a block; the consent screen comes once for a block that is sent twice", async () => {
    const { reader, host } = await plug();
    await start(host);
    expect(await apdu(host, 0, jpki)).toBe("9000");
    expect(await apdu(host, 1, "00a4020c02001b")).toBe("9000");
    const verify = unhex("000a820000" + "1004" + "02" + "01" + "0904" + "00" + "000005" + "0020008000");
    expect(hex((await host.command("Secure", verify))!.data)).toBe("0000029000" + "92");
    expect(host.extensions).toBeGreaterThan(2);
    expect(await apdu(host, 1, "00a4020c02001a")).toBe("9000");
    let tones = 0;
    reader.board.on((event) => {
      if (event.type === "tone" && Math.abs(event.hertz - 1600) < 20) tones++;
    });
    const sign = `802a008033${"3031300d060960864801650304020105000420"}${"5a".repeat(32)}00`;
    const first = await apdu(host, 0, sign);
    expect(first).toHaveLength(2 * 254);
    const again = await host.command("XfrBlock", lrc([0, 0x80, 0]));
    expect(hex(again!.data.slice(3, -1))).toBe(first);
    expect(tones).toBe(1);
  });

  test("given up, asked out of turn: nothing late, nothing stray, no secret", async () => {
    const { reader } = await plug();
    expect(await playPcscd(reader)).toBe("nothing");
  });

  test("noise: stray bytes, half frames, wrong checks, half a hello; then it goes on", async () => {
    const { reader, host } = await plug();
    await start(host);
    const good = host.frame("XfrBlock", unhex("00000500b0000004b1"));
    for (const noise of [Uint8Array.of(0xff, 0x03), good.slice(0, 9), Uint8Array.of(...good.slice(0, -1), 0xaa), unhex("0002400103")]) {
      await host.write(noise);
      await reader.board.run(120);
      expect(host.take()).toEqual([]);
      expect(await host.command("GetSlotStatus")).toMatchObject({ status: 0 });
    }
    const escape = host.frame("Escape", Uint8Array.of(0x02));
    escape[escape.length - 1]! ^= 1;
    await host.write(escape);
    await reader.board.run(120);
    expect(host.take()).toEqual([{ kind: "nak" }]);
    expect(await apdu(host, 0, jpki)).toBe("9000");
  });

  test("a hello inside a frame is the frame's; alone it takes the port, and the card is off", async () => {
    const { reader, host } = await plug();
    await start(host);
    const payload = Uint8Array.of(1, 255, 1, 2, 3, 4, 5, 6, 7, 8);
    const hello = encodeFrame({ channel: 0, session: sessionKind.hello, more: false, seq: 0, ack: 0, tag: 0, payload });
    const inside = await host.command("XfrBlock", lrc([0, 0, hello.length + 1, 0, ...hello]));
    expect(inside?.status).toBe(0);
    expect(await host.command("GetSlotStatus")).toMatchObject({ status: 0 });
    await host.write(Uint8Array.of(0, ...hello));
    await reader.board.run(100);
    expect(host.take().map(({ kind }) => kind)).toContain("stray");
    expect(await host.command("GetSlotStatus")).toMatchObject({ status: 1 });
  });
});
