import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { standardMaterial } from "@inkan/hwtest/authority";
import type { CampaignOptions } from "@inkan/hwtest/campaigns";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { listReaders, openUri } from "@inkan/sdk/node";
import type { World } from "./main.js";
import { FakeReader } from "../testing/fake-reader.js";
import { inkan, type Ended } from "../testing/run.js";

type SerialPortLike = Awaited<ReturnType<NonNullable<NonNullable<Parameters<typeof openUri>[1]>["serialBinding"]>["open"]>>;

const material = standardMaterial();
let folder: string;
let reader: FakeReader;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "inkan-verbs-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  reader = new FakeReader(JpkiTestCard.standard(material));
});

const at = (name: string): string => join(folder, name);
const withReader = (argv: readonly string[], stdin?: string): Promise<Ended> =>
  inkan(argv, { readers: { "usb:FAKE0001": reader }, ...(stdin === undefined ? {} : { stdin }) });
const spend = (card: JpkiTestCard, times: number): void => {
  card.powerOn();
  card.transmit(Buffer.from("00A4040C0AD392F000260100000001", "hex"));
  for (let i = 0; i < times; i++) card.transmit(Uint8Array.of(0x00, 0x20, 0x00, 0x9b, 6, ...Buffer.from("WRONG1")));
};

describe("what is typed", () => {
  test("help has an example for each verb, in both languages", async () => {
    const { verbs } = await import("./main.js");
    for (const verb of verbs) {
      const words = verb.syntax.split(" ").filter((word) => !/^[<[]/.test(word));
      const english = await inkan([...words, "--help"]);
      expect(english.exit).toBe(0);
      expect(english.stdout).toContain(`Example:\n  ${verb.example}`);
      const japanese = await inkan([...words, "--help", "--lang", "ja"]);
      expect(japanese.stdout).toContain("使い方: inkan");
      expect(japanese.stdout).toContain("例:");
    }
  });

  test("--version is the package's", async () => {
    expect(await inkan(["--version"])).toMatchObject({ exit: 0, stdout: "0.1.0\n" });
  });

  test.each([
    [["nonsense"], /unknown command/],
    [["list", "--nonsense"], /unknown option/],
    [["sign"], /missing argument/],
    [["sign", "a", "b"], /too many arguments/],
    [["sign", "a", "--key", "card"], /does not fit/],
    [["list", "--trace"], /value is missing/],
    [[], /no command/],
    [["pin"], /no command/],
    [["pin", "verify", "other"], /auth or sign/],
    [["list", "--timeout", "soon"], /--timeout/],
    [["list", "--trace", "file.txt"], /\.jsonl or \.pcapng/],
    [["verify", "x", "--at", "tomorrow"], /2026/],
    [["verify", "x", "--revocation", "maybe"], /--revocation/],
    [["hwtest", "campaign", "nonsense"], /pin-secrecy/],
    [["hwtest", "campaign", "pin-secrecy", "--on", "host"], /arm/],
    [["hwtest", "campaign", "pin-secrecy", "--cases", "0"], /--cases/],
    [["hwtest", "campaign", "pin-secrecy", "--replay", "x", "--seed", "1"], /--replay goes without/],
  ])("%j is refused with exit 2", async (argv, sentence) => {
    const plain = await inkan(argv);
    expect(plain.exit).toBe(2);
    expect(plain.stdout).toBe("");
    expect(plain.stderr).toMatch(sentence);
    const json = await inkan([...argv, "--json", "--lang", "ja"]);
    expect(json.last).toMatchObject({
      schema: 1,
      ok: false,
      error: { code: "usage", exit: 2, try: "--help で使い方を確かめてください。" },
    });
  });
});

describe("which reader", () => {
  test("none: exit 3, and a sentence naming the virtual one", async () => {
    const ended = await inkan(["info"], { facts: [{ code: "usb-missing", detail: "no bus" }] });
    expect(ended.exit).toBe(3);
    expect(ended.stderr).toContain("--reader virtual:");
    expect(ended.stderr).toContain("no bus");
  });

  test("several: exit 2 and the list; --reader or INKAN_READER chooses", async () => {
    const readers = (): Record<string, FakeReader> => ({
      "usb:A": new FakeReader(undefined, { uri: "usb:A" }),
      "usb:B": new FakeReader(undefined, { uri: "usb:B" }),
    });
    const ended = await inkan(["info"], { readers: readers() });
    expect(ended).toMatchObject({ exit: 2 });
    expect(ended.stderr).toContain("usb:A usb:B");
    expect((await inkan(["info", "--json", "--reader", "usb:B"], { readers: readers() })).last).toMatchObject({
      ok: true,
      reader: { uri: "usb:B", virtual: true },
    });
    expect((await inkan(["info", "--json"], { readers: readers(), env: { INKAN_READER: "usb:A" } })).last).toMatchObject({
      reader: { uri: "usb:A" },
    });
  });

  test("list without a reader succeeds and says why there is none", async () => {
    const ended = await inkan(["list", "--json"], { facts: [{ code: "udev-missing", detail: "no udevadm" }] });
    expect(ended).toMatchObject({ exit: 0, last: { schema: 1, ok: true, readers: [], facts: [{ code: "udev-missing" }] } });
  });

  test("the bench is not installed: exit 8 and the command that installs it", async () => {
    expect((await inkan(["demo", "--out", at("demo"), "--json"])).last).toMatchObject({
      error: { code: "package-missing", exit: 8, try: expect.stringContaining("npm install @inkan/hwtest") },
    });
    expect(existsSync(at("demo"))).toBe(false);
  });
});

describe("the card", () => {
  test("card info", async () => {
    const { exit, last } = await withReader(["card", "info", "--json"]);
    expect(exit).toBe(0);
    expect(last).toMatchObject({
      card: { atr: expect.stringMatching(/^3bda13ff8131fb46/), applications: [{ name: "JPKI", token: "JPKIAPICCTOKEN2" }] },
    });
  });

  test("card apdu shows answers with their meaning", async () => {
    const { stdout } = await withReader(["card", "apdu", "00A4040C0AD392F000260100000001", "00 20 00 9B"]);
    expect(stdout).toContain("9000");
    expect(stdout).toContain("63C5");
  });

  test.each([
    "0020009B06414243313233",
    "1020009B06414243313233",
    "00240180043132333400",
    "002C000104313233340000",
    "8032008004313233 34",
    "00200080000004 31323334",
    "00C2000009 0020008004 31323334",
  ])("card apdu refuses a secret in the arguments: %s", async (apdu) => {
    expect((await withReader(["card", "apdu", apdu, "--json"])).last).toMatchObject({ error: { code: "refused", exit: 6 } });
    expect(reader.seen).toEqual([]);
  });

  test("card apdu - takes one from standard input and does not print it", async () => {
    const ended = await withReader(["card", "apdu", "-"], "00A4040C0AD392F000260100000001\n00200098 04 31323334\n");
    expect(ended.exit).toBe(0);
    expect(ended.stdout).not.toContain("31323334");
    expect(ended.stdout).toContain("00200098••••");
  });

  test.each(["zz", "00A4", "0"])("card apdu %s is no APDU", async (text) => {
    expect(await withReader(["card", "apdu", text])).toMatchObject({ exit: 2 });
  });

  test("certificates: listed, shown, exported whole", async () => {
    const { last } = await withReader(["cert", "list", "--json"]);
    expect(last).toMatchObject({
      certificates: [{ which: "auth" }, { which: "auth-ca" }, { which: "sign-ca" }, { which: "sign", readable: false }],
    });
    expect(await withReader(["cert", "export", "auth", "--out", at("auth.pem")])).toMatchObject({ exit: 0 });
    expect((await inkan(["cert", "show", at("auth.pem")])).stdout).toContain("JPKI");
    expect(await withReader(["cert", "export", "auth", "--out", at("auth.pem")])).toMatchObject({ exit: 2 });
    expect((await inkan(["cert", "show", at("none.pem"), "--json"])).last).toMatchObject({ error: { code: "file-unreadable" } });
    writeFileSync(at("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect((await inkan(["cert", "show", at("bad.pem"), "--json"])).last).toMatchObject({
      error: { code: "certificate-unreadable", exit: 2 },
    });
    reader.pad = { keys: "ABC123" };
    const sign = await withReader(["cert", "show", "sign", "--json"]);
    expect(sign.last).toMatchObject({ certificate: { holder: { name: "試験　太郎", birth: "1980-12-24" } } });
    expect(sign.stderr).toContain("5 tries left");
  });

  test("no card, a mute card, a pulled card, an unplugged reader", async () => {
    reader.card = undefined;
    expect((await withReader(["pin", "status", "--json"])).last).toMatchObject({ error: { code: "no-card", exit: 3 } });
    reader.mute = true;
    expect((await withReader(["pin", "status", "--json"])).last).toMatchObject({ error: { code: "card-mute", exit: 7 } });
    reader = new FakeReader(JpkiTestCard.standard(material));
    reader.reflex = (command) => (command.name === "XfrBlock" && reader.seen.length > 5 ? (reader.pull(), undefined) : undefined);
    expect((await withReader(["cert", "list", "--json"])).last).toMatchObject({ error: { code: "card-pulled", exit: 3 } });
    reader = new FakeReader(JpkiTestCard.standard(material));
    reader.reflex = (command) => (command.name === "XfrBlock" ? (reader.unplug(), false) : undefined);
    expect((await withReader(["cert", "list", "--json"])).last).toMatchObject({ error: { code: "reader-unplugged", exit: 3 } });
  });
});

describe("the port", () => {
  const door = (open: () => Promise<SerialPortLike>) => async () => ({
    listReaders,
    openUri: (uri: string, options: object) => openUri(uri, { ...options, serialBinding: { list: async () => [], open } }),
  });
  const through = (open: () => Promise<SerialPortLike>, ...argv: string[]): Promise<Ended> =>
    inkan(["card", "info", "--reader", "serial:/dev/ttyACM9", "--json", ...argv], {
      world: { door: door(open) } as unknown as Partial<World>,
    });
  const failing = (message: string) => () => Promise.reject(new Error(message));

  test.each([
    ["Error Resource temporarily unavailable Cannot lock port", "port-in-use", 7],
    ["Error: Permission denied, cannot open /dev/ttyACM9", "permission-denied", 8],
    ["Error: No such file or directory, cannot open /dev/ttyACM9", "port-missing", 7],
  ])("%s", async (message, code, exit) => {
    for (const language of ["ja", "en"]) {
      const ended = await through(failing(message), "--lang", language);
      expect(ended.last).toMatchObject({ error: { code, exit, message: expect.stringContaining("/dev/ttyACM9") } });
    }
  });

  test("garbage: what answers is no reader of ours", { timeout: 60_000 }, async () => {
    let isOpen = true;
    const noise = Buffer.from("login: \r\nPassword: \0\u0007\0");
    const port: SerialPortLike = {
      get isOpen() {
        return isOpen;
      },
      read: async (buffer) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (!isOpen) throw Object.assign(new Error("canceled"), { canceled: true });
        return { bytesRead: noise.copy(buffer) };
      },
      write: async () => undefined,
      set: async () => undefined,
      close: async () => void (isOpen = false),
    };
    expect((await through(async () => port)).last).toMatchObject({ error: { code: "port-garbage", exit: 7 } });
    expect(isOpen).toBe(false);
  });
});

describe("secrets", () => {
  test("status costs nothing, a right one is said to be right", async () => {
    for (let i = 0; i < 3; i++)
      expect((await withReader(["pin", "status", "--json"])).last).toMatchObject({ secrets: [{ triesLeft: 3 }, { triesLeft: 5 }] });
    reader.pad = { keys: "1234" };
    expect(await withReader(["pin", "verify", "auth", "--json"])).toMatchObject({ exit: 0, last: { verified: true, triesBefore: 3 } });
  });

  test("from standard input", async () => {
    expect((await withReader(["pin", "verify", "auth", "--pin-stdin", "--json"], "1234\n")).exit).toBe(0);
    const folded = await withReader(["pin", "verify", "sign", "--pin-stdin"], "abc123");
    expect(folded.exit).toBe(0);
    expect(folded.stderr).toContain("upper case");
  });

  test.each([
    ["4321", "pin-wrong", 4],
    ["123", "pin-short", 4],
    ["12345", "pin-long", 4],
    ["12a4", "pin-characters", 4],
    ["", "pin-short", 4],
  ])("from standard input, %j ends as %s", async (typed, code, exit) => {
    const ended = await withReader(["pin", "verify", "auth", "--pin-stdin", "--json"], `${typed}\n`);
    expect(ended.last).toMatchObject({ error: { code, exit } });
    expect(ended.last!["error"]).toEqual(code === "pin-wrong" ? expect.objectContaining({ secretTriesLeft: 2 }) : expect.anything());
    if (typed.length >= 3) expect(ended.stdout + ended.stderr).not.toContain(typed);
  });

  test.each([
    ["cancel", "pin-cancelled"],
    ["timeout", "pin-timeout"],
    [{ keys: "9999" }, "pin-wrong"],
  ] as const)("at the pad, %j ends as %s", async (pad, code) => {
    reader.pad = pad;
    for (const language of ["ja", "en"])
      expect((await withReader(["pin", "verify", "sign", "--json", "--lang", language])).last).toMatchObject({ error: { code, exit: 4 } });
  });

  test("tries left are said before each try, also with --quiet", async () => {
    const ended = await withReader(["pin", "verify", "sign", "--quiet"]);
    expect(ended.stderr).toContain("signature password: 5 tries left");
  });

  test("the last try is refused unless asked for, and a blocked one never tried", async () => {
    spend(reader.card!, 4);
    reader.pad = { keys: "WRONG1" };
    expect((await withReader(["pin", "verify", "sign", "--json"])).last).toMatchObject({
      error: { code: "pin-last-try", exit: 6, secretTriesLeft: 1 },
    });
    expect(reader.seen).not.toContain("Secure");
    expect((await withReader(["pin", "verify", "sign", "--last-try", "--json"])).last).toMatchObject({ error: { exit: 4 } });
    expect((await withReader(["pin", "verify", "sign", "--last-try", "--json"])).last).toMatchObject({
      error: { code: "pin-blocked", exit: 4, secretTriesLeft: 0 },
    });
    expect(reader.seen.filter((name) => name === "Secure")).toHaveLength(1);
  });
});

describe("sign and verify", () => {
  const trust = (): string => {
    writeFileSync(at("ca.pem"), material.caPem);
    return at("ca.pem");
  };

  test("a signed file verifies, a changed one does not", async () => {
    writeFileSync(at("letter"), "yes");
    reader.pad = { keys: "ABC123" };
    const signed = await withReader(["sign", at("letter"), "--json"]);
    expect(signed).toMatchObject({ exit: 0, last: { ok: true, signature: at("letter.p7s"), words: expect.any(Array) } });
    const words = signed.last!["words"] as string[];
    expect(words).toHaveLength(6);
    expect(signed.stderr).toContain(words.join(" "));
    const verify = (...more: string[]): Promise<Ended> =>
      inkan(["verify", at("letter"), "--trust", trust(), "--at", "2027-01-01T00:00:00Z", "--json", ...more]);
    expect(await verify("--revocation", "none")).toMatchObject({ exit: 0, last: { ok: true, verdict: "TOTAL-PASSED" } });
    expect(await verify()).toMatchObject({
      exit: 9,
      last: { ok: false, verdict: "INDETERMINATE", error: { code: "verification-indeterminate", exit: 9 } },
    });
    expect(await inkan(["verify", at("letter.p7s"), "--revocation", "none"])).toMatchObject({ exit: 9 });
    expect(await inkan(["verify", at("letter.p7s"), "--revocation", "crl:x"])).toMatchObject({ exit: 10 });
    writeFileSync(at("letter"), "no!");
    expect(await verify("--revocation", "none")).toMatchObject({
      exit: 5,
      last: { verdict: "TOTAL-FAILED", subIndication: "HASH_FAILURE", error: { code: "verification-failed", exit: 5 } },
    });
    expect(await inkan(["verify", at("ca.pem")])).toMatchObject({ exit: 2 });
    expect(await inkan(["verify", at("nothing"), "--lang", "ja"])).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("ファイルを読めません"),
    });
  });

  test("an existing signature is kept before anybody is asked for a password", async () => {
    writeFileSync(at("kept"), "x");
    writeFileSync(at("kept.p7s"), "old");
    expect((await withReader(["sign", at("kept"), "--json"])).last).toMatchObject({ error: { code: "output-exists", exit: 2 } });
    expect(reader.seen).toEqual([]);
    reader.pad = { keys: "ABC123" };
    expect(await withReader(["sign", at("kept"), "--force"])).toMatchObject({ exit: 0 });
    expect(readFileSync(at("kept.p7s"))[0]).toBe(0x30);
  });

  test("nothing is left behind when the card is pulled while it signs", async () => {
    writeFileSync(at("half"), "x");
    reader.pad = { keys: "ABC123" };
    reader.reflex = (_, apdu) => (apdu?.[1] === 0x2a ? (reader.pull(), undefined) : undefined);
    expect((await withReader(["sign", at("half"), "--json"])).last).toMatchObject({ error: { code: "card-pulled", exit: 3 } });
    expect(readdirSync(folder).filter((name) => name.includes("half"))).toEqual(["half"]);
  });

  test("an unwritable place and an unreadable file are found first", async () => {
    writeFileSync(at("here"), "x");
    expect((await withReader(["sign", at("here"), "--out", at("none/x.p7s"), "--json"])).last).toMatchObject({
      error: { code: "file-unwritable", exit: 2 },
    });
    expect((await withReader(["sign", at("nowhere"), "--json"])).last).toMatchObject({ error: { code: "file-unreadable", exit: 2 } });
    expect((await withReader(["sign", folder, "--json"])).last).toMatchObject({ error: { code: "file-unreadable", exit: 2 } });
    expect(reader.seen).toEqual([]);
  });

  test("attached", async () => {
    writeFileSync(at("inside"), "x");
    reader.pad = { keys: "ABC123" };
    expect(await withReader(["sign", at("inside"), "--format", "cms-attached", "--out", at("inside.p7m")])).toMatchObject({ exit: 0 });
    expect(
      await inkan(["verify", at("inside.p7m"), "--trust", trust(), "--revocation", "none", "--at", "2027-01-01T00:00:00Z"]),
    ).toMatchObject({ exit: 0 });
  });
});

describe("--trace and --timeout", () => {
  test("a trace is written, whole, without the secret, also when the run fails", async () => {
    reader.pad = { keys: "1234" };
    expect(await withReader(["pin", "verify", "auth", "--trace", at("a.jsonl")])).toMatchObject({ exit: 0 });
    expect(readFileSync(at("a.jsonl"), "utf8").split("\n").length).toBeGreaterThan(5);
    reader = new FakeReader(undefined);
    expect(await withReader(["pin", "status", "--trace", at("b.pcapng")])).toMatchObject({ exit: 3 });
    expect(readFileSync(at("b.pcapng")).readUInt32LE(0)).toBe(0x0a0d0d0a);
    expect(await withReader(["pin", "status", "--trace", at("b.pcapng")])).toMatchObject({ exit: 2 });
  });

  test("a reader that never answers ends by --timeout with exit 7", async () => {
    reader.reflex = (command) => (command.name === "XfrBlock" ? false : undefined);
    expect((await withReader(["card", "info", "--timeout", "0.2", "--json"])).last).toMatchObject({
      error: { code: "deadline-passed", exit: 7 },
    });
  });
});

describe("campaigns", () => {
  test("without a name, which there are", async () => {
    const plain = await inkan(["hwtest", "campaign"]);
    expect(plain.exit).toBe(0);
    expect(plain.stdout).toMatch(/^pin-secrecy +arm +40 +two secrets/m);
    const { last } = await inkan(["hwtest", "campaign", "--json"]);
    expect(last!["campaigns"]).toContainEqual(expect.objectContaining({ name: "pin-secrecy", on: ["arm"], cases: 40 }));
  });

  /** A runner that reports what the test wants: the real one has its tests beside it. */
  const runs = (failures: number): Partial<World> => ({
    campaigns: async () =>
      ({
        runCampaign: async ({ name, cases = 10, seed = 1, failed, progress }: CampaignOptions) => {
          for (let number = 0; number < failures; number++) failed?.({ number, why: "it went wrong", replay: `out/${number}.json` });
          progress?.(cases, cases);
          return { campaign: name, on: "host", cases, failures, seed, seconds: 1, commit: "abc1234" };
        },
      }) as unknown as Awaited<ReturnType<World["campaigns"]>>,
  });

  test("nothing found: exit 0, the result last, for programs and for people", async () => {
    const ended = await inkan(["hwtest", "campaign", "any", "--cases", "7", "--seed", "3", "--json"], { world: runs(0) });
    expect(ended).toMatchObject({ exit: 0, stderr: "" });
    expect(ended.last).toEqual({ schema: 1, campaign: "any", on: "host", cases: 7, failures: 0, seed: 3, seconds: 1, commit: "abc1234" });
    expect((await inkan(["hwtest", "campaign", "any"], { world: runs(0) })).stdout).toMatch(/\n10 passed, 0 failed\n$/);
  });

  test("something found: exit 5, and the one command that replays each", async () => {
    const ended = await inkan(["hwtest", "campaign", "any"], { world: runs(2) });
    expect(ended.exit).toBe(5);
    expect(ended.stdout).toMatch(/\n8 passed, 2 failed\n$/);
    expect(ended.stderr).toContain("case 1 failed: it went wrong\n  to replay it: inkan hwtest campaign any --replay out/1.json\n");
    const json = await inkan(["hwtest", "campaign", "any", "--json"], { world: runs(1) });
    expect(json.stdout).toContain(
      '"event":"failure","case":0,"why":"it went wrong","replay":"inkan hwtest campaign any --replay out/0.json"',
    );
  });
});
