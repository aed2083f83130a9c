import { createHash, X509Certificate } from "node:crypto";
import type { ApduCard } from "@inkan/hwtest/cards";
import { type Card, type Clock, InkanError, type Reader } from "@inkan/sdk";
import { CommandApdu } from "@inkan/sdk/iso7816";
import { type JpkiCard, openJpki } from "@inkan/sdk/jpki";
import type { JpkiTestCard } from "@inkan/sdk/testing";

/** What the person at the pad does when the lamp goes on, and when the display asks whether to sign. */
export interface Person {
  /** Types a secret, presses cancel, does nothing, or does something else after a moment. */
  pad: { readonly types: string } | "cancel" | "nothing" | (() => void);
  consent: "ok" | "cancel";
}

/** A reader on a bench, whatever it is made of and however it is reached. Time passes in `clock`. */
export interface Bench {
  readonly clock: Clock;
  readonly person: Person;
  /** Opens the face that is told of. */
  open(): Promise<Reader>;
  /** Opens another face of the same reader. */
  openOther(): Promise<Reader>;
  insert(card: ApduCard): void;
  remove(): void;
  /** Pulls the cable; absent where that cannot be seen at the other end. */
  readonly unplug?: () => void;
}

/** A story: what happens, and every sentence that must come of it, in order, on every bench. */
export interface Story {
  readonly title: string;
  readonly tells: readonly string[];
  /** Half a minute of board time on the card's line: told through one face of the board only. */
  readonly long?: true;
  /** A secret is typed on the pad in it, asked for by PC_to_RDR_Secure. */
  readonly pad?: true;
  /** The story is about a cable that is pulled. */
  readonly unplugs?: true;
  run(bench: Bench, tell: (sentence: string) => void, jpki: () => JpkiTestCard): Promise<void>;
}

const digest = new Uint8Array(32).fill(0x5a);
const right = "ABC123";
const short = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
/** How a call ended, in one sentence. */
async function ending(promise: Promise<unknown>, done = "done"): Promise<string> {
  return promise.then(
    () => done,
    (error: unknown) => {
      if (!(error instanceof InkanError)) throw error;
      return error.secretTriesLeft === undefined ? error.code : `${error.code}, ${error.secretTriesLeft} left`;
    },
  );
}
/** Bytes that differ from their neighbours and from those 256 further on. */
const pattern = (length: number, step: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * step + (i >> 8)) & 255);
const same = (got: Uint8Array, due: Uint8Array): string =>
  got.length === due.length && got.every((byte, i) => byte === due[i]) ? "each of them right" : `not what was sent: ${short(got)}`;
/** T=1, 512/64, IFSC 254: long APDUs cost little board time. Answers with as many bytes as it is asked for, after looking at what it got. */
function longCard(seen: string[]): ApduCard {
  const atr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0x31, 0xfe, 0x46, 0xb0);
  return {
    atr,
    powerOn: () => atr,
    transmit: (bytes) => {
      const { data, ne = 0 } = CommandApdu.parse(bytes);
      seen.push(`the card got ${data.length} bytes, ${same(data, pattern(data.length, 11))}`);
      return { response: Uint8Array.of(...pattern(ne, 7), 0x90, 0x00), thinkMs: 1 };
    },
  };
}
const connectJpki = async (reader: Reader): Promise<{ card: Card; jpki: JpkiCard }> => {
  const card = await reader.connect();
  return { card, jpki: await openJpki(card) };
};
const SETTLED_MS = 500;

/** An extended APDU of so many bytes, and one more back. */
function longStory(title: string, size: number): Story {
  return {
    title,
    tells: [`the card got ${size} bytes, each of them right`, `9000, ${size + 1} bytes, each of them right`],
    async run(bench, tell) {
      const seen: string[] = [];
      bench.insert(longCard(seen));
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const card = await reader.connect();
      const response = await card.transmit(new CommandApdu({ cla: 0, ins: 0xcb, p1: 0, p2: 0, data: pattern(size, 11), ne: size + 1 }));
      for (const sentence of seen) tell(sentence);
      tell(`${response.sw.toString(16)}, ${response.data.length} bytes, ${same(response.data, pattern(size + 1, 7))}`);
      await reader.close();
    },
  };
}

/** Told once, for every bench. */
export const stories: readonly Story[] = [
  {
    title: "list, power on, read the certificate",
    tells: [
      "slot: present",
      "ATR: 3bda13ff8131fb468012392f31c173c601c03b",
      "slot: active",
      "certificate: CN=TEST0117823890A",
      "slot: present",
    ],
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      tell(`slot: ${await reader.slotStatus()}`);
      const { card, jpki } = await connectJpki(reader);
      tell(`ATR: ${Buffer.from(card.atr).toString("hex")}`);
      tell(`slot: ${await reader.slotStatus()}`);
      const { subject } = new X509Certificate(await jpki.readCertificate("auth"));
      tell(`certificate: ${/CN=.*/.exec(subject)?.[0]}`);
      await card.disconnect();
      tell(`slot: ${await reader.slotStatus()}`);
      await reader.close();
    },
  },
  {
    title: "sign with the pad",
    tells: ["verified", "signed: 256 bytes, the same every time", "5 left"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      bench.person.pad = { types: right };
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      tell(await ending(jpki.verify("sign", { on: "pad" }), "verified"));
      const signer = await jpki.signer("sign");
      const [first, second] = [await signer.sign("sha256", digest), await signer.sign("sha256", digest)];
      tell(`signed: ${first.length} bytes, ${short(first) === short(second) ? "the same every time" : "another each time"}`);
      // a verified secret is asked for again after a reset only
      await jpki.reselect();
      tell(`${await jpki.triesLeft("sign")} left`);
      await reader.close();
    },
  },
  {
    title: "a wrong secret tells the tries left, and a right one gives them back",
    tells: ["pin-wrong, 4 left", "4 left", "verified", "5 left"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      bench.person.pad = { types: "ADGJ01" };
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      tell(await ending(jpki.verify("sign", { on: "pad" })));
      tell(`${await jpki.triesLeft("sign")} left`);
      bench.person.pad = { types: right };
      tell(await ending(jpki.verify("sign", { on: "pad" }), "verified"));
      await jpki.reselect();
      tell(`${await jpki.triesLeft("sign")} left`);
      await reader.close();
    },
  },
  {
    title: "the person cancels, or does nothing",
    tells: ["pin-cancelled", "pin-timeout", "5 left"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      bench.person.pad = "cancel";
      tell(await ending(jpki.verify("sign", { on: "pad" })));
      bench.person.pad = "nothing";
      tell(await ending(jpki.verify("sign", { on: "pad" }, { timeoutSeconds: 2 })));
      tell(`${await jpki.triesLeft("sign")} left`);
      await reader.close();
    },
  },
  {
    title: "the person does not want to sign this",
    tells: ["verified", "consent-refused"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      bench.person.pad = { types: right };
      bench.person.consent = "cancel";
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      tell(await ending(jpki.verify("sign", { on: "pad" }), "verified"));
      const signer = await jpki.signer("sign");
      tell(await ending(signer.sign("sha256", digest)));
      await reader.close();
    },
  },
  {
    title: "the card is pulled in the middle of the secret; the next one works",
    tells: ["card-pulled", "card-pulled", "slot: absent", "no-card", "verified"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      bench.person.pad = () => bench.remove();
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { card, jpki } = await connectJpki(reader);
      tell(await ending(jpki.verify("sign", { on: "pad" })));
      tell(await ending(card.transmit(Uint8Array.of(0, 0xb0, 0, 0, 0))));
      tell(`slot: ${await reader.slotStatus()}`);
      tell(await ending(reader.connect()));
      bench.insert(jpkiCard());
      bench.person.pad = { types: right };
      await bench.clock.sleep(SETTLED_MS);
      tell(await ending((await connectJpki(reader)).jpki.verify("sign", { on: "pad" }), "verified"));
      await reader.close();
    },
  },
  {
    title: "the program thinks better of it while the pad waits",
    tells: ["aborted", "slot: active", "5 left", "verified"],
    pad: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      const stop = new AbortController();
      bench.person.pad = () => stop.abort();
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      tell(await ending(jpki.verify("sign", { on: "pad" }, { signal: stop.signal })));
      tell(`slot: ${await reader.slotStatus()}`);
      tell(`${await jpki.triesLeft("sign")} left`);
      bench.person.pad = { types: right };
      tell(await ending(jpki.verify("sign", { on: "pad" }), "verified"));
      await reader.close();
    },
  },
  longStory("4 KiB each way", 4_095),
  { ...longStory("64 KiB each way", 65_535), long: true },
  {
    title: "cards come and go, and somebody waits for one",
    tells: ["card-inserted", "connected", "card-removed", "card-inserted", "card-removed"],
    async run(bench, tell, jpkiCard) {
      const reader = await bench.open();
      const stop = reader.events.on(({ type }) => {
        if (type !== "closed") tell(type);
      });
      const waiting = reader.connect({ waitForCard: true, timeoutMs: 10_000 });
      await bench.clock.sleep(SETTLED_MS);
      bench.insert(jpkiCard());
      tell(await ending(waiting, "connected"));
      bench.remove();
      await bench.clock.sleep(SETTLED_MS);
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      bench.remove();
      await bench.clock.sleep(SETTLED_MS);
      stop();
      await reader.close();
    },
  },
  {
    title: "the second owner is told that the slot is busy, until the first one is done",
    tells: ["slot: active", "slot-busy", "connected"],
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      const first = await bench.open();
      const second = await bench.openOther();
      const card = await first.connect();
      tell(`slot: ${await second.slotStatus()}`);
      tell(await ending(second.connect()));
      // A stranger's "busy" keeps the owner from nothing.
      await card.disconnect();
      tell(await ending(second.connect(), "connected"));
      await second.close();
      await first.close();
    },
  },
  {
    title: "no card, and a program that asks too much",
    tells: ["slot: absent", "no-card", "no-card", "usage"],
    async run(bench, tell, jpkiCard) {
      const reader = await bench.open();
      tell(`slot: ${await reader.slotStatus()}`);
      tell(await ending(reader.connect()));
      tell(await ending(reader.connect({ waitForCard: true, timeoutMs: 700 })));
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      await reader.connect();
      tell(await ending(reader.connect()));
      await reader.close();
    },
  },
  {
    title: "a secret typed on the host, which the reference product lets through",
    tells: ["pin-wrong, 2 left", "verified"],
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      const { jpki } = await connectJpki(reader);
      const on = (pin: string) => ({ on: "host", pin: Uint8Array.from(Buffer.from(pin)) }) as const;
      tell(await ending(jpki.verify("auth", on("4321"))));
      tell(await ending(jpki.verify("auth", on("1234")), "verified"));
      await reader.close();
    },
  },
  {
    title: "the cable is pulled while the pad waits",
    tells: ["closed", "the call: gone", "the reader: gone"],
    pad: true,
    unplugs: true,
    async run(bench, tell, jpkiCard) {
      bench.insert(jpkiCard());
      bench.person.pad = () => bench.unplug!();
      await bench.clock.sleep(SETTLED_MS);
      const reader = await bench.open();
      reader.events.on(({ type }) => {
        if (type === "closed") tell(type);
      });
      const { jpki } = await connectJpki(reader);
      const how = await ending(jpki.verify("sign", { on: "pad" }));
      // a link that breaks cannot know what became of the secret; a cable that is pulled out of USB is simply gone
      tell(`the call: ${["reader-unplugged", "outcome-unknown"].includes(how) ? "gone" : how}`);
      const after = await ending(reader.slotStatus());
      tell(`the reader: ${["reader-unplugged", "session-broken"].includes(after) ? "gone" : after}`);
      await reader.close();
    },
  },
];
