import { standardMaterial } from "../authority/index.js";
import { T1Card, type ApduCard } from "../cards/index.js";
import { releasedFirmware } from "@inkan/device-proto/firmware";
import { type ByteStream, LinkTransport } from "@inkan/sdk/link";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { type ClosedReason, type Transport, UsbTransport } from "@inkan/sdk";
import type { BoardClock } from "./board-clock.js";
import { type BoardOptions, VirtualBoard } from "./board.js";
import type { CdcAcm } from "./cdc.js";
import { Fingers } from "./fingers.js";
import type { LineCard } from "./model.js";
import type { Pace } from "./pace.js";

/** Which secret of the standard card the pad is asked for, by the file that is selected (JPKI: EF 0018 and EF 001B). */
const SIGN_SECRET_FILE = 0x1b;
/** The card lies still for this long before anything else happens, in ms. */
const SETTLE_MS = 1;

/** Between plugging in and starting a program, in ms: a card that is in has been debounced by then. */
const PLUGGED_MS = 300;

/** How to open a virtual reader. */
export interface VirtualReaderOptions {
  readonly pace: Pace;
  /** What is in the slot at first; default none. */
  readonly card?: "standard" | "none" | LineCard;
  /** Which of the reader's faces `transport()` opens; default USB. */
  readonly face?: "usb" | "link";
  /** Boot code and image in place of the released ones. */
  readonly boot?: Uint8Array;
  readonly image?: Uint8Array;
  /** What is printed on the keys of another product's pad. */
  readonly keypad?: BoardOptions["keypad"];
  /** A flash from an earlier run. */
  readonly flash?: Uint8Array;
  readonly seed?: number;
  /** `reset`: a watchdog that expires resets the chip; default `violation`. */
  readonly watchdog?: "reset" | "violation";
  /**
   * The person's fingers: secrets by key of the card (default: the standard card's), or false: nobody is there. They type when the
   * lamp goes on and press OK for consent.
   */
  readonly fingers?: false | { readonly auth?: string; readonly sign?: string };
}

/** A virtual reader with its board, a person's fingers and a hand that holds cards. */
export interface VirtualReader {
  readonly board: VirtualBoard;
  readonly clock: BoardClock;
  readonly fingers: Fingers;
  /** Plugs the cable in and opens the face. */
  transport(): Promise<Transport>;
  /** Puts a card in: a new standard card, or the one given. */
  insert(card?: "standard" | LineCard): Promise<void>;
  /** Pulls the card. */
  remove(): Promise<void>;
  close(): Promise<void>;
}

/** Boots the released image on a virtual board and gives it a card, fingers and a cable. */
export async function openVirtualReader(options: VirtualReaderOptions): Promise<VirtualReader> {
  const released = await releasedFirmware();
  const material = standardMaterial();
  const board = await VirtualBoard.boot({
    boot: options.boot ?? released.boot,
    image: options.image ?? released.image,
    pace: options.pace,
    ...(options.flash ? { flash: options.flash } : {}),
    ...(options.keypad ? { keypad: options.keypad } : {}),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.watchdog ? { watchdog: options.watchdog } : {}),
  });
  let asked: () => number | undefined = () => undefined;
  const secrets = options.fingers === false ? undefined : { auth: material.authPin, sign: material.signPassword, ...options.fingers };
  const fingers = new Fingers(board.front, board.keypad, board.engine.pump, {
    secret: () => (secrets === undefined ? undefined : asked() === SIGN_SECRET_FILE ? secrets.sign : secrets.auth),
    consent: options.fingers !== false,
  });
  const put = (card: "standard" | LineCard): void => {
    if (card !== "standard") {
      asked = () => undefined;
      return board.slot.insert(card);
    }
    const standard = JpkiTestCard.standard(material);
    asked = () => standard.save().selectedFile;
    board.slot.insert(new T1Card(standard satisfies ApduCard));
  };
  if (options.card !== undefined && options.card !== "none") put(options.card);
  return {
    board,
    clock: board.clock,
    fingers,
    transport: async () => {
      await board.usb.attach();
      await board.run(PLUGGED_MS);
      return options.face === "link" ? openLink(board) : openUsb(board);
    },
    insert: async (card = "standard") => {
      put(card);
      await board.run(SETTLE_MS);
    },
    remove: async () => {
      board.slot.remove();
      await board.run(SETTLE_MS);
    },
    close: async () => {
      fingers.close();
      board.close();
    },
  };
}

async function openUsb(board: VirtualBoard): Promise<Transport> {
  const { device } = board.usb;
  return UsbTransport.open(device, { address: address(board), clock: board.clock });
}

async function openLink(board: VirtualBoard): Promise<Transport> {
  await board.cdc.open({ dtr: true });
  // The board's own randomness, so that a session repeats to the byte.
  const entropy = (bytes: Uint8Array): void => bytes.forEach((_, index) => (bytes[index] = board.engine.random() >>> 24));
  return LinkTransport.open(cdcStream(board.cdc), { address: address(board), clock: board.clock, entropy });
}

function address(board: VirtualBoard): Transport["address"] {
  const { productName, serialNumber } = board.usb.device;
  return { uri: "virtual:", name: productName ?? "virtual reader", ...(serialNumber ? { serial: serialNumber } : {}), virtual: true };
}

/** The board's CDC port as a stream of bytes. */
export function cdcStream(cdc: CdcAcm): ByteStream {
  let end: (reason: ClosedReason) => void;
  const closed = new Promise<ClosedReason>((resolve) => (end = resolve));
  const stream: ByteStream = {
    onData: undefined,
    closed,
    write: (bytes) => cdc.write(bytes),
    close: () => cdc.close(),
  };
  cdc.onData = (bytes) => stream.onData?.(bytes);
  cdc.onClosed = (reason) => end(reason === "closed" ? "closed" : "unplugged");
  return stream;
}
