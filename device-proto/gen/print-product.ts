import {
  ccidClaims,
  ccidClassDescriptor,
  configurationDescriptor,
  deviceDescriptor,
  deviceDescriptorLayout,
  stringIndex,
  usbStrings,
} from "../src/ccid/index.js";
import type { Fields, Struct } from "../src/codec/index.js";
import { hex } from "../src/codec/index.js";
import { printGlyphs, printTexts } from "../src/product/print-front.js";
import type { Product } from "../src/product/product.js";
import { withOverrides } from "../src/product/texts.js";
import { printBoard, printProduct, printWire } from "./print-wire.js";

const id = (value: number): string => value.toString(16).padStart(4, "0");
const xml = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** What can be printed from a product definition, by the name `inkan product print --what` takes. */
export const productPrints: Readonly<Record<string, (product: Product) => string>> = {
  c: (product) =>
    productHeaders(product)
      .map(({ path, text }) => `/* ---- ${path} ---- */\n${text}`)
      .join("\n"),
  plist: printPlist,
  udev: printUdev,
  descriptors: printDescriptors,
  manifest: (product) => `${JSON.stringify(productManifest(product), null, 2)}\n`,
};

/** The C headers that a product changes, by their path in device-proto/firmware. */
export function productHeaders(product: Product): readonly { readonly path: string; readonly text: string }[] {
  const texts = withOverrides(product.texts);
  return [
    { path: "gen/wire_gen.h", text: printWire(product) },
    { path: "gen/board_gen.h", text: printBoard(product) },
    { path: "gen/product_gen.h", text: printProduct(product) },
    { path: "gen/texts_gen.h", text: printTexts(texts) },
    { path: "gen/glyphs_gen.h", text: printGlyphs(texts, product.glyphs) },
  ];
}

/** The three lines that libccid's Info.plist needs, each at the end of the array of its name: libccid pairs them by position. */
export function printPlist({ productName, usb }: Product): string {
  const line = (key: string, value: string): string => `<!-- last in <key>${key}</key> --> <string>${xml(value)}</string>\n`;
  return (
    line("ifdVendorID", `0x${id(usb.vendorId).toUpperCase()}`) +
    line("ifdProductID", `0x${id(usb.productId).toUpperCase()}`) +
    line("ifdFriendlyName", productName)
  );
}

/**
 * The udev rule: the person at the machine may use the reader's USB device and its serial port (uaccess wants a file name below 73), and
 * ModemManager must not try AT commands on that port.
 */
export function printUdev({ vendorName, productName, usb }: Product): string {
  const rule = (subsystem: string, match: string): string =>
    `ACTION!="remove", SUBSYSTEM=="${subsystem}", ${match}{idVendor}=="${id(usb.vendorId)}", ${match}{idProduct}=="${id(usb.productId)}", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1"\n`;
  return `# ${vendorName} ${productName}: save as /etc/udev/rules.d/70-reader-${id(usb.vendorId)}-${id(usb.productId)}.rules, then: udevadm control --reload\n${rule("usb", "ATTR")}${rule("tty", "ATTRS")}`;
}

const described = (shape: Struct<Fields>, values: object): string =>
  Object.entries(values)
    .filter(([name]) => name in shape.fields)
    .map(([name, value]) => `  ${name.padEnd(24)} ${String(value)} (${Number(value).toString(16)}h)\n`)
    .join("");
const block = (bytes: Uint8Array): string => hex(bytes).replace(/(.{32})(?=.)/g, "$1\n  ");

/** The USB descriptors, as bytes and with their fields named. */
export function printDescriptors(product: Product): string {
  const device = deviceDescriptor(product);
  const strings = Object.entries(usbStrings(product)).map(([index, text]) => `  ${index} ${JSON.stringify(text)}\n`);
  return [
    `device descriptor, ${device.length} bytes\n  ${block(device)}\n${described(deviceDescriptorLayout, deviceDescriptorLayout.decode(device))}`,
    `configuration descriptor, ${configurationDescriptor().length} bytes\n  ${block(configurationDescriptor())}\n`,
    `CCID class descriptor in it\n${described(ccidClassDescriptor, ccidClaims)}`,
    `strings (${stringIndex.serial} is the flash's unique id)\n${strings.join("")}`,
  ].join("\n");
}

/** What an update's manifest says of the product; the builder adds version's files. */
export function productManifest(product: Product): Readonly<Record<string, unknown>> {
  return {
    product: product.productName,
    vendor: product.vendorName,
    version: product.version,
    usb: `${id(product.usb.vendorId)}:${id(product.usb.productId)}`,
    productId: hex(product.productId),
    policies: product.policies,
    keys: product.keys.map(({ name, publicKey }) => ({ name, publicKey: hex(publicKey) })),
    testIds: product.testIds,
    testKey: product.testKey,
  };
}

const HEAD = "<!-- Printed by `npm run print` from the tables in device-proto/src; never edited. -->\n\n";

const fields: readonly (readonly [field: string, meaning: string])[] = [
  ["`schema`", "the shape of the file: 1"],
  ["`vendorName`", "manufacturer: USB string 1"],
  ["`productName`", "USB string 2 and the name on the display: ASCII, two rows of 16"],
  ["`version`", "firmware version, `major.minor.patch`"],
  [
    "`usb.vendorId`, `usb.productId`",
    "four hex digits each; 1209:0001 to 1209:0010 are pid.codes' for tests, and the reader says so on its display",
  ],
  ["`usb.bcdDevice`", "four decimal digits: `0123` is release 1.2.3"],
  ["`usb.ccidName`, `usb.linkName`", "names of the two functions (optional)"],
  ["`productId`", "32 hex digits, `openssl rand -hex 16` once: an image with another one is refused"],
  ["`language`", "`ja` or `en`: the display's"],
  ["`policies.consent`", "each hash is confirmed on the pad before the signature key signs it"],
  ["`policies.padOnly`", "JPKI's secrets can be typed on the pad only"],
  ["`policies.allow2C`", "RESET RETRY COUNTER may take the secure path"],
  ["`policies.unattendedUpdates`", "updates need no OK on the pad"],
  [
    "`keys`",
    'up to 4 of `{ "name", "publicKey" }`, the P-256 point as 04 X Y in hex; one whose private half is published makes the reader say TEST',
  ],
  ["`keypad`", "four rows of four keys (optional)"],
  ["`texts`", 'display texts that differ, `{ "name": { "ja", "en" } }` (optional)'],
  ["`glyphs`", "characters those texts need beyond the reference's, in GNU Unifont's 16 × 16 form (optional)"],
];

/** docs/reference/products.md: the fields, and what comes out for one product. */
export function printProductReference(product: Product, definition: object): string {
  const code = (language: string, text: string): string => `\`\`\`${language}\n${text.trimEnd()}\n\`\`\`\n\n`;
  return [
    HEAD,
    "# Products\n\nA manufacturer makes his own reader by writing one JSON file. `inkan product check FILE` says what is wrong with it, field by field;\n`inkan product print FILE --what c|plist|udev|descriptors|manifest` prints what comes from it;\n`node tools/dev/firmware.mjs build --product FILE --out DIR` builds its image. A program gives the SDK the same product: `listReaders({ products: [product] })`.\nThe second sample, stricter and with another pad, is [strict.json](../../device-proto/products/strict.json); `npm run test:products` builds it and uses it.\n\n",
    `| field | meaning |\n| --- | --- |\n${fields.map((row) => `| ${row.join(" | ")} |\n`).join("")}\n`,
    `## The reference product\n\n${code("json", JSON.stringify(definition, null, 2))}`,
    `For libccid's \`Info.plist\`:\n\n${code("xml", printPlist(product))}`,
    `For udev:\n\n${code("", printUdev(product))}`,
    `On USB:\n\n${code("", printDescriptors(product))}`,
    `In the update's manifest:\n\n${code("json", JSON.stringify(productManifest(product), null, 2))}`,
  ]
    .join("")
    .replace(/\n+$/, "\n");
}
