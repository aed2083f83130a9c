import { type Product } from "@inkan/device-proto";
import { textPixels, withOverrides } from "@inkan/device-proto/product";
import { isInkanError, Reader } from "@inkan/sdk";
import { type JpkiCard, openJpki } from "@inkan/sdk/jpki";
import { JpkiTestCard } from "@inkan/sdk/testing";
import { standardMaterial } from "../authority/index.js";
import { keysFor } from "../board/fingers.js";
import { cdcStream, openVirtualReader, type VirtualReader } from "../board/open-virtual-reader.js";
import { PcscdTransport } from "../board/pcscd-transport.js";
import { T1Card } from "../cards/index.js";

/** One thing that a product's image must show. */
export interface ProductFinding {
  readonly holds: boolean;
  readonly sentence: string;
}

/** Long enough for the start-up screen to be drawn, and for it to make way, in ms of board time. */
const START_SHOWN_MS = 400;
const START_GONE_MS = 2600;

/**
 * Boots a product's image on the virtual board, on its own pad, and looks whether its definition is in force: what USB and the link say of it, what
 * its display says, and its policies, by what reaches the card.
 */
export async function playProduct(product: Product, image: Uint8Array, boot: Uint8Array): Promise<readonly ProductFinding[]> {
  const findings: ProductFinding[] = [];
  const find = (sentence: string, holds: boolean): void => void findings.push({ holds, sentence });
  await onBoard(product, image, boot, "link", async (bench) => {
    await bench.board.run(START_SHOWN_MS);
    const texts = withOverrides(product.texts);
    const said = (name: string): string => texts[name]![product.language];
    const notices = { testKeyAndIds: product.testKey && product.testIds, testKey: product.testKey, testIds: product.testIds };
    const due = Object.entries(notices).find(([, holds]) => holds)?.[0];
    for (const name of Object.keys(notices))
      find(
        `at the start the display ${name === due ? "says" : "does not say"} "${said(name)}"`,
        shows(bench, product, said(name)) === (name === due),
      );
    const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
    const { info, device } = { info: bench.board.usb.device, device: product.usb };
    find(
      `USB ids ${device.vendorId.toString(16)}:${device.productId.toString(16)}`,
      info.vendorId === device.vendorId && info.productId === device.productId,
    );
    find(`iManufacturer and iProduct`, info.manufacturerName === product.vendorName && info.productName === product.productName);
    const identity = await reader.identify({});
    find(`the link's name and version`, identity.product === product.productName && identity.firmware === product.version);
    find(`the link's TEST flags`, identity.testIds === product.testIds && identity.testKey === product.testKey);
    await bench.board.run(START_GONE_MS);
    find(`at rest the display says "${said("idleNoCard2")}"`, shows(bench, product, said("idleNoCard2")));
    await reader.close();
  });
  await playPolicies(product, image, boot, find);
  return findings;
}

/** Pad-only: a PIN from the host never reaches the card; the same PIN typed on this product's pad does. */
async function playPolicies(
  product: Product,
  image: Uint8Array,
  boot: Uint8Array,
  find: (sentence: string, holds: boolean) => void,
): Promise<void> {
  const material = standardMaterial();
  let verifies = 0;
  /** What becomes of a secret that the host types. */
  const onHost = async (reader: Reader, way: string): Promise<JpkiCard> => {
    const jpki = await openJpki(await reader.connect({}));
    const pin = new TextEncoder().encode(material.authPin);
    const outcome = await jpki.verify("auth", { on: "host", pin }).then(
      () => "accepted",
      (error: unknown) => (isInkanError(error) ? error.code : String(error)),
    );
    const refused = product.policies.padOnly;
    find(
      `a PIN from the host, ${way}, is ${refused ? "refused, and never reaches the card" : "let through"} (${outcome})`,
      refused ? outcome !== "accepted" && verifies === 0 : outcome === "accepted" && verifies === 1,
    );
    return jpki;
  };
  /** A fresh card, and the secrets that reach it are counted from here. */
  const insert = (bench: VirtualReader): void => {
    const jpkiCard = JpkiTestCard.standard(material);
    verifies = 0;
    bench.board.slot.insert(
      new T1Card({
        atr: jpkiCard.atr,
        powerOn: () => jpkiCard.powerOn(),
        transmit: (command: Uint8Array) => {
          if (command[1] === 0x20 && command.length > 5) verifies++;
          return jpkiCard.transmit(command);
        },
      }),
    );
  };
  await onBoard(product, image, boot, "usb", async (bench) => {
    insert(bench);
    await bench.board.usb.attach();
    await bench.board.run(START_SHOWN_MS);
    await bench.board.cdc.open({ dtr: true });
    const transport = new PcscdTransport(cdcStream(bench.board.cdc), { uri: "virtual:", name: product.productName, virtual: true });
    const reader = await Reader.open(transport, { clock: bench.clock });
    await onHost(reader, "in pcscd's blocks");
    await reader.close();
  });
  await onBoard(product, image, boot, "usb", async (bench) => {
    insert(bench);
    const reader = await Reader.open(await bench.transport(), { clock: bench.clock });
    const jpki = await onHost(reader, "over USB");
    const before = verifies;
    const typed = await onPad(bench, material.authPin, () => jpki.verify("auth", { on: "pad" }));
    find(`the PIN typed on its pad is accepted (${typed})`, typed === "accepted" && verifies === before + 1);
    await reader.close();
  });
}

async function onPad(bench: VirtualReader, secret: string, verify: () => Promise<unknown>): Promise<string> {
  let typing: Promise<void> = Promise.resolve();
  const release = bench.board.on((event) => {
    if (event.type === "lamp" && event.lit) typing = bench.board.type(keysFor(secret));
  });
  const outcome = await verify().then(
    () => "accepted",
    (error: unknown) => (isInkanError(error) ? error.code : String(error)),
  );
  release();
  await typing;
  return outcome;
}

async function onBoard(
  product: Product,
  image: Uint8Array,
  boot: Uint8Array,
  face: "usb" | "link",
  act: (bench: VirtualReader) => Promise<void>,
): Promise<void> {
  const bench = await openVirtualReader({
    pace: "free",
    face,
    image,
    boot,
    fingers: false,
    ...(product.keypad ? { keypad: product.keypad } : {}),
  });
  try {
    await act(bench);
  } finally {
    await bench.close();
  }
}

/** True when one of the display's four rows begins with exactly this text. */
function shows(bench: VirtualReader, product: Product, text: string): boolean {
  const { pixels } = bench.board.display;
  const { upper, lower } = textPixels(text, product.glyphs);
  const same = (at: number, columns: Uint8Array): boolean => columns.every((column, x) => pixels[at + x] === column);
  return text !== "" && [0, 1, 2, 3].some((row) => same(256 * row, upper) && same(256 * row + 128, lower));
}
