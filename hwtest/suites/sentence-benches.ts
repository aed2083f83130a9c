import { standardMaterial } from "@inkan/hwtest/authority";
import {
  cdcStream,
  keysFor,
  openPty,
  openVirtualReader,
  PcscdTransport,
  type PtyBridge,
  uartStream,
  type VirtualReader,
} from "@inkan/hwtest/board";
import { T1Card } from "@inkan/hwtest/cards";
import { Reader, systemClock, UsbTransport } from "@inkan/sdk";
import { type ByteStream, LinkTransport } from "@inkan/sdk/link";
import { openUri } from "@inkan/sdk/node";
import { FakeClock, FakeReader, JpkiTestCard } from "@inkan/sdk/testing";
import type { Bench, Person, Story } from "./sentences.js";

/** A way to tell the stories: what reader, through which of its faces. */
export interface Face {
  readonly name: string;
  /** False where the other end cannot see that the cable is pulled. */
  readonly unplugs: boolean;
  /** False where the SDK cannot have a secret typed on the pad (bPINSupport 0): the stories of the pad are not told. */
  readonly pad: boolean;
  /** The long stories, too. */
  readonly long: boolean;
  /** Only these, where time is real. */
  readonly only?: readonly string[];
  /** Tells a story; gives its sentences. */
  tell(story: Story): Promise<readonly string[]>;
}

/** A person looks before pressing, ms. */
const LOOK_MS = 250;
/** The two tones of the consent screen, Hz; nothing else sounds the one after the other. */
const CONSENT_TONES = [1200, 1600] as const;
const someone = (): Person => ({ pad: "nothing", consent: "ok" });
const jpkiCard = (): JpkiTestCard => JpkiTestCard.standard(standardMaterial());

/** FakeReader in FakeClock's time. */
function fake(face: "usb" | "link"): Face {
  return {
    name: `FakeReader, ${face}`,
    unplugs: true,
    pad: true,
    long: true,
    async tell(story) {
      const clock = new FakeClock();
      const person = someone();
      const pad = (): Uint8Array | "cancel" | "timeout" => {
        const { pad: does } = person;
        if (typeof does === "function") void clock.sleep(LOOK_MS).then(does);
        return typeof does === "object" ? Uint8Array.from(Buffer.from(does.types)) : does === "cancel" ? "cancel" : "timeout";
      };
      const reader = new FakeReader({ clock, face, pad, consent: () => person.consent });
      const open = (transport: FakeReader): Promise<Reader> => Reader.open(transport, { clock });
      const bench: Bench = {
        clock,
        person,
        open: () => open(reader),
        openOther: () => open(reader.another({ face: face === "usb" ? "link" : "usb" })),
        insert: (card) => reader.insert(card),
        remove: () => reader.remove(),
        unplug: () => reader.vanish(),
      };
      const told: string[] = [];
      await clock.run(story.run(bench, (sentence) => told.push(sentence), jpkiCard));
      return told;
    },
  };
}

/** How a face of the virtual board is opened, and what its cable is. */
interface Way {
  readonly pace: "free" | "line";
  /** Default true. */
  readonly pad?: boolean;
  open(reader: VirtualReader): Promise<Reader>;
  openOther(reader: VirtualReader): Promise<Reader>;
  unplug?(reader: VirtualReader): void;
  close?(): Promise<void>;
}

/** The released image on the virtual board, and a person at its real keys. */
function board(name: string, way: () => Way, only?: readonly string[]): Face {
  return {
    name: `virtual board, ${name}`,
    unplugs: way().unplug !== undefined,
    pad: way().pad ?? true,
    long: way().open === usb,
    ...(only && { only }),
    async tell(story) {
      const { pace, open, openOther, unplug, close } = way();
      const reader = await openVirtualReader({ pace, card: "none", face: "usb", fingers: false });
      const { board: virtual } = reader;
      const person = someone();
      sit(reader, person);
      const told: string[] = [];
      try {
        await virtual.usb.attach();
        await virtual.run(300);
        const bench: Bench = {
          clock: pace === "free" ? reader.clock : systemClock,
          person,
          open: () => open(reader),
          openOther: () => openOther(reader),
          insert: (card) => virtual.slot.insert(new T1Card(card)),
          remove: () => virtual.slot.remove(),
          ...(unplug && { unplug: () => unplug(reader) }),
        };
        await story.run(bench, (sentence) => told.push(sentence), jpkiCard);
      } finally {
        await close?.();
        await reader.close();
      }
      return told;
    },
  };
}

/** The person acts when the lamp goes on, and at the consent's rising tones. */
function sit({ board: virtual, clock }: VirtualReader, person: Person): void {
  const act = (deed: () => Promise<void> | void, afterMs = LOOK_MS): void => {
    // the board may end in the middle of it
    void clock
      .sleep(afterMs)
      .then(deed)
      .catch(() => undefined);
  };
  let tone = 0;
  virtual.on((event) => {
    if (event.type === "lamp" && event.lit)
      act(() => {
        const { pad } = person;
        if (typeof pad === "function") return pad();
        if (typeof pad === "object") return virtual.type(keysFor(pad.types));
        if (pad === "cancel") return virtual.type(["cancel"]);
      });
    if (event.type !== "tone" || event.hertz === 0) return;
    const rising = near(tone, CONSENT_TONES[0]) && near(event.hertz, CONSENT_TONES[1]);
    tone = event.hertz;
    // six words are read first: the reader takes no OK in the first half second
    if (rising) act(() => virtual.type([person.consent]), 600);
  });
}
const near = (heard: number, due: number): boolean => Math.abs(heard - due) < 20;

const address = { uri: "virtual:", name: "reader", virtual: true };
const usb = async ({ board: { usb: port }, clock }: VirtualReader): Promise<Reader> =>
  Reader.open(await UsbTransport.open(port.device, { address, clock }), { clock });
const link = async ({ board: virtual, clock }: VirtualReader, stream: ByteStream): Promise<Reader> => {
  const entropy = (bytes: Uint8Array): void => bytes.forEach((_, i) => (bytes[i] = virtual.engine.random() >>> 24));
  return Reader.open(await LinkTransport.open(stream, { address, clock, entropy }), { clock });
};
const cdc = async (reader: VirtualReader): Promise<Reader> => {
  await reader.board.cdc.open({ dtr: true });
  return link(reader, cdcStream(reader.board.cdc));
};
/** The framing of pcscd's serial driver on the same port: the SDK runs the card's protocol, block by block. */
const pcscd = async ({ board: virtual, clock }: VirtualReader): Promise<Reader> => {
  await virtual.cdc.open({ dtr: true });
  return Reader.open(new PcscdTransport(cdcStream(virtual.cdc), address), { clock });
};
const detach = ({ board: virtual }: VirtualReader): void => virtual.usb.detach();

/** The link over a real pseudo-terminal and the serialport package, in real time. */
function overPty(): Way {
  let bridge: PtyBridge | undefined;
  return {
    pace: "line",
    open: async ({ board: virtual }) => {
      bridge = await openPty(virtual.cdc);
      return openUri(`serial:${bridge.path}`);
    },
    openOther: usb,
    unplug: () => void bridge?.close(),
    close: async () => bridge?.close(),
  };
}

/** Every way the stories are told. One row here, and a new face is told all of them. */
export const faces: readonly Face[] = [
  fake("usb"),
  fake("link"),
  board("USB", () => ({ pace: "free", open: usb, openOther: cdc, unplug: detach })),
  board("link over CDC", () => ({ pace: "free", open: cdc, openOther: usb, unplug: detach })),
  board("link over UART0", () => ({ pace: "free", open: (reader) => link(reader, uartStream(reader.board)), openOther: usb })),
  board("pcscd's framing over CDC", () => ({ pace: "free", pad: false, open: pcscd, openOther: usb, unplug: detach })),
  board("link over a pty", overPty, [
    "sign with the pad",
    "the card is pulled in the middle of the secret; the next one works",
    "the program thinks better of it while the pad waits",
    "the second owner is told that the slot is busy, until the first one is done",
  ]),
];
