import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StatusCode, status, type KeyName } from "@inkan/device-proto";
import { standardMaterial } from "@inkan/hwtest/authority";
import { keysFor, openVirtualReader, type VirtualReader, type VirtualReaderOptions } from "@inkan/hwtest/board";
import { T1Card } from "@inkan/hwtest/cards";
import { Reader, type TraceSink } from "@inkan/sdk";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { main, type World } from "@inkan/tools";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

/**
 * Bad days, told on the whole: the command line, the SDK, the released firmware on the virtual board, the simulated card. Each ends with its exit
 * code, one sentence of what happened, one of what to do, in the language asked for, and leaves no file behind.
 */

let folder: string;
let bench: VirtualReader | undefined;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "inkan-bad-days-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const faces = ["usb", "link"] as const;
const languages = ["ja", "en"] as const;
/** The language of the story that runs; each story is told in both. */
let language: (typeof languages)[number] = "ja";
let documents = 0;

interface Ended {
  readonly exit: number;
  readonly error:
    | {
        readonly code: StatusCode;
        readonly exit: number;
        readonly message: string;
        readonly try: string;
        readonly secretTriesLeft?: number;
      }
    | undefined;
  readonly said: string;
}

async function open(options: Omit<VirtualReaderOptions, "pace">): Promise<VirtualReader> {
  bench = await openVirtualReader({ pace: "free", ...options });
  return bench;
}

/** Runs the command line against the opened bench. */
async function inkan(...argv: string[]): Promise<Ended & { readonly language: "ja" | "en" }> {
  const reader = bench!;
  let stdout = "";
  let stderr = "";
  const world = {
    env: {},
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    stdin: { listen: () => () => undefined },
    onSignal: () => () => undefined,
    door: async () => ({
      listReaders: async () => ({ readers: [], facts: [] }),
      openUri: async (_: string, how: { readonly trace?: TraceSink }) =>
        Reader.open(await reader.transport(), { clock: reader.clock, ...how }),
    }),
  } as unknown as World;
  const exit = await main([...argv, "--reader", "virtual:", "--json", "--lang", language], world);
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as { error?: Ended["error"] };
  return { exit, error: last.error, said: stdout + stderr, language };
}

/** The failure is `code`, with its exit code and both sentences of the table in the language that was asked for. */
function expectFailure(ended: Awaited<ReturnType<typeof inkan>>, code: StatusCode, tries?: number): void {
  expect(ended.error?.code, ended.said).toBe(code);
  expect(ended.exit).toBe(status[code].exit);
  expect(ended.error?.exit).toBe(status[code].exit);
  const start = (text: string): string => text.split("{")[0]!;
  expect(ended.error!.message.startsWith(start(status[code].message[ended.language]))).toBe(true);
  expect(ended.error!.try.startsWith(start(status[code].try[ended.language]))).toBe(true);
  expect(ended.error!.message + ended.error!.try).not.toMatch(/…|\{/);
  if (tries !== undefined) expect(ended.error?.secretTriesLeft).toBe(tries);
}

/** Does something when the lamp goes on, the `time`-th time. */
function whenAsked(reader: VirtualReader, deed: () => void | Promise<void>): void {
  const stop = reader.board.on((event) => {
    if (event.type !== "lamp" || !event.lit) return;
    stop();
    // A person looks before acting; and the board is not changed in the middle of its own event.
    void reader.clock
      .sleep(300)
      .then(deed)
      .catch(() => undefined);
  });
}
const press = (reader: VirtualReader, ...keys: KeyName[]): Promise<void> => reader.board.type(keys);

const document = (): string => {
  const path = join(folder, `document-${documents++}`);
  writeFileSync(path, "what is signed");
  return path;
};
const leftOf = (path: string): string[] =>
  readdirSync(folder).filter((name) => join(folder, name).startsWith(path) && join(folder, name) !== path);

const worlds = faces.flatMap((face) => languages.map((spoken) => ({ face, spoken })));
describe.each(worlds)("over $face, in $spoken", ({ face, spoken }) => {
  beforeEach(() => {
    language = spoken;
  });
  test("no card", async () => {
    await open({ face, card: "none" });
    expectFailure(await inkan("card", "info"), "no-card");
  });

  test("a mute card", async () => {
    await open({ face, card: new T1Card(JpkiTestCard.standard(standardMaterial()), { mute: true }) });
    expectFailure(await inkan("card", "info"), "card-mute");
  });

  test("a wrong secret, then a blocked one: tries are counted down and the last is refused", async () => {
    await open({ face, card: "standard", fingers: { auth: "4321" } });
    expectFailure(await inkan("pin", "verify", "auth"), "pin-wrong", 2);
    expectFailure(await inkan("pin", "verify", "auth"), "pin-wrong", 1);
    expectFailure(await inkan("pin", "verify", "auth"), "pin-last-try", 1);
    expect((await inkan("pin", "status")).said).toContain('"triesLeft":1');
  });

  test("cancelled at the pad", async () => {
    const reader = await open({ face, card: "standard", fingers: false });
    whenAsked(reader, () => press(reader, "1", "2", "cancel"));
    expectFailure(await inkan("pin", "verify", "auth"), "pin-cancelled");
    expect((await inkan("pin", "status", "auth")).said).toContain('"triesLeft":3');
  });

  test("the card is pulled while the secret is typed", async () => {
    const reader = await open({ face, card: "standard", fingers: false });
    whenAsked(reader, async () => {
      await press(reader, "1", "2");
      await reader.remove();
    });
    const path = document();
    expectFailure(await inkan("sign", path), "card-pulled");
    expect(leftOf(path)).toEqual([]);
  });

  test("the reader is unplugged while the secret is typed", async () => {
    const reader = await open({ face, card: "standard", fingers: false });
    whenAsked(reader, () => reader.board.usb.detach());
    const path = document();
    expectFailure(await inkan("sign", path), "reader-unplugged");
    expect(leftOf(path)).toEqual([]);
  });
});

test("nobody types", async () => {
  await open({ card: "standard", fingers: false });
  expectFailure(await inkan("pin", "verify", "auth"), "pin-timeout");
});

test("a secret that is too short is not sent: the pad says so and goes on", async () => {
  const reader = await open({ card: "standard", fingers: false });
  whenAsked(reader, async () => {
    await press(reader, "1", "2", "3", "ok");
    await reader.clock.sleep(200);
    await press(reader, "4", "ok");
  });
  expect(await inkan("pin", "verify", "auth")).toMatchObject({ exit: 0, error: undefined });
});

test("a secret that is too long never gets longer than allowed", async () => {
  const reader = await open({ card: "standard", fingers: false });
  whenAsked(reader, () => press(reader, "1", "2", "3", "4", "5", "6", "ok"));
  expect(await inkan("pin", "verify", "auth")).toMatchObject({ exit: 0, error: undefined });
});

test("the last try: asked for by --last-try, confirmed on the pad, and then the secret is blocked", async () => {
  const reader = await open({ card: "standard", fingers: { auth: "4321" } });
  await inkan("pin", "verify", "auth");
  await inkan("pin", "verify", "auth");
  // The display goes back to rest; the next thing it shows is the question whether to spend the last try. The lamp is dark.
  await reader.clock.sleep(5_000);
  const stop = reader.board.on((event) => {
    if (event.type !== "display") return;
    stop();
    void reader.clock.sleep(500).then(() => press(reader, "ok"));
  });
  const ended = await inkan("pin", "verify", "auth", "--last-try");
  expect(["pin-wrong", "pin-blocked"]).toContain(ended.error?.code);
  expect(ended).toMatchObject({ exit: 4, error: { secretTriesLeft: 0 } });
  expectFailure(await inkan("pin", "verify", "auth", "--last-try"), "pin-blocked", 0);
});

describe("while it signs", () => {
  const asked = (reader: VirtualReader, deed: () => void | Promise<void>): void => {
    // The consent's picture comes after the lamp went out for good and the card was asked to sign.
    let lamps = 0;
    reader.board.on((event) => {
      if (event.type === "lamp" && event.lit) lamps++;
      if (event.type !== "tone" || event.hertz < 1580 || event.hertz > 1620 || lamps === 0) return;
      lamps = 0;
      void reader.clock
        .sleep(800) // OK counts only after half a second
        .then(deed)
        .catch(() => undefined);
    });
  };
  const signer = async (deed: (reader: VirtualReader) => void | Promise<void>): Promise<VirtualReader> => {
    const reader = await open({ card: "standard", fingers: false });
    whenAsked(reader, () => press(reader, ...keysFor(standardMaterial().signPassword)));
    asked(reader, () => deed(reader));
    return reader;
  };

  test("refused on the pad", async () => {
    await signer((reader) => press(reader, "cancel"));
    const path = document();
    expectFailure(await inkan("sign", path), "consent-refused");
    expect(leftOf(path)).toEqual([]);
  });

  test("nobody confirms", async () => {
    await signer(() => undefined);
    const path = document();
    expectFailure(await inkan("sign", path), "consent-timeout");
    expect(leftOf(path)).toEqual([]);
  });

  test("the card is pulled", async () => {
    await signer((reader) => reader.remove());
    const path = document();
    expectFailure(await inkan("sign", path), "card-pulled");
    expect(leftOf(path)).toEqual([]);
  });

  test("a good day after bad ones: the same reader signs", async () => {
    await signer((reader) => press(reader, "ok"));
    const path = document();
    expect(await inkan("sign", path)).toMatchObject({ exit: 0, error: undefined });
    expect(leftOf(path)).toHaveLength(1);
  });
});
