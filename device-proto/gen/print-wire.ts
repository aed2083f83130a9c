import {
  blackBoxAnswer,
  blackBoxEvents,
  blackBoxLimits,
  blackBoxRecord,
  blackBoxRequest,
  blackBoxStore,
  healthLayout,
} from "../src/blackbox/index.js";
import { clocks, flashMap, keypadLayout, pins, ramMap } from "../src/board.js";
import {
  answerHeader,
  answerOf,
  baudRateD,
  ccidClaims,
  clockRateF,
  commandHeader,
  commandStatus,
  configurationDescriptor,
  dataRates,
  deviceDescriptor,
  endpoints,
  iccStatus,
  interfaces,
  notices,
  PC_to_RDR,
  pinModifyBlock,
  pinVerifyBlock,
  securePath,
  ratePairs,
  RDR_to_PC,
  slotError,
  stringIndex,
  usbStrings,
} from "../src/ccid/index.js";
import type { Fields, Struct } from "../src/codec/index.js";
import { channel, frameHeader, hello, helloAck, linkLimits, MORE, rate, refuse, serviceMessage, sessionKind } from "../src/link/index.js";
import { IMAGE_F_RAM_LOAD, IMAGE_MAGIC, imageHeader, TLV_INFO_MAGIC, tlvType } from "../src/image/index.js";
import { pcscdByte, pcscdLimits } from "../src/pcscd/index.js";
import type { Product } from "../src/product/product.js";
import {
  policiesAnswer,
  policyBits,
  policyOffRequest,
  policyRequest,
  serviceMessages,
  serviceStatus,
  settingsRecord,
  settingsSource,
} from "../src/service/index.js";

const HEAD = (what: string): string => `/* ${what}. Printed by \`npm run print\` from the tables in device-proto/src; never edited. */\n`;
const upper = (name: string): string => name.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase();
const defines = (prefix: string, table: Readonly<Record<string, number>>): string =>
  Object.entries(table)
    .map(([name, value]) => `#define ${prefix}${upper(name)} 0x${value.toString(16).toUpperCase().padStart(2, "0")}u\n`)
    .join("");
const byteArray = (name: string, data: Uint8Array): string =>
  `static const uint8_t ${name}[${data.length}] = {\n${Array.from({ length: Math.ceil(data.length / 16) }, (_, row) => `  ${[...data.subarray(16 * row, 16 * row + 16)].map((b) => `0x${b.toString(16).padStart(2, "0")},`).join(" ")}`).join("\n")}\n};\n`;

/** A packed struct of the fixed part, with its size asserted. */
function layout(name: string, shape: Struct<Fields>): string {
  const lines = Object.entries(shape.fields).flatMap(([field, { c, size }]) => {
    if (size === undefined) return [];
    const array = /^(\w+)\[(\d+)\]$/.exec(c);
    return [`  ${array ? `${array[1]} ${field}[${array[2]}]` : `${c} ${field}`}; /* ${shape.offsets[field]} */`];
  });
  return `typedef struct __attribute__((packed)) {\n${lines.join("\n")}\n} wire_${name}_t;\n_Static_assert(sizeof(wire_${name}_t) == ${shape.size}, "wire_${name}_t");\n\n`;
}

/** firmware/gen/wire_gen.h: message ids, layouts, descriptors. */
export function printWire(product: Product): string {
  const strings = Object.entries(usbStrings(product)).map(([index, text]) => {
    const data = new Uint8Array(2 + 2 * text.length);
    data.set([data.length, 3]);
    for (let i = 0; i < text.length; i++) data.set([text.charCodeAt(i) & 255, text.charCodeAt(i) >> 8], 2 + 2 * i);
    return byteArray(`WIRE_STRING_${index}`, data);
  });
  return [
    HEAD("The wire: CCID 1.1, USB descriptors, the link, the image"),
    "#ifndef WIRE_GEN_H\n#define WIRE_GEN_H\n#include <stdint.h>\n\n/* CCID messages */\n",
    defines("PC_TO_RDR_", upperKeys(PC_to_RDR)),
    defines("RDR_TO_PC_", { ...upperKeys(RDR_to_PC), ...upperKeys(notices) }),
    `/* which answer each command has: X(command, answer) */\n#define WIRE_ANSWERS(X) \\\n${Object.entries(answerOf)
      .map(([c, a]) => `  X(PC_TO_RDR_${c.toUpperCase()}, RDR_TO_PC_${a.toUpperCase()})`)
      .join(" \\\n")}\n`,
    `/* the secure path: which commands may carry a secret from the pad: X(ins, p1, modify, ask_current, only where the product allows it) */\n`,
    `#define WIRE_SECURE_PATH(X) \\\n${securePath
      .map(
        ({ ins, p1, operation, askCurrent, ifProductAllows }) =>
          `  X(0x${ins.toString(16)}, 0x${p1.toString(16).padStart(2, "0")}, ${operation === "modify"}, ${askCurrent}, ${ifProductAllows === true})`,
      )
      .join(" \\\n")}\n`,
    "/* bStatus */\n",
    defines("ICC_", iccStatus),
    defines("COMMAND_", commandStatus),
    "/* bError */\n",
    Object.entries(slotError)
      .map(([n, v]) => `#define CCID_ERROR_${n} 0x${v.toString(16).toUpperCase().padStart(2, "0")}u\n`)
      .join(""),
    "\n",
    layout("command", commandHeader),
    layout("answer", answerHeader),
    layout("pin_verify", pinVerifyBlock),
    layout("pin_modify", pinModifyBlock),
    "/* USB */\n",
    byteArray("WIRE_DEVICE_DESCRIPTOR", deviceDescriptor(product)),
    byteArray("WIRE_CONFIGURATION_DESCRIPTOR", configurationDescriptor()),
    ...strings,
    byteArray("WIRE_STRING_0", Uint8Array.of(4, 3, 0x09, 0x04)),
    defines("WIRE_STRING_INDEX_", stringIndex),
    defines("WIRE_EP_", endpoints),
    defines("WIRE_INTERFACE_", interfaces),
    `#define WIRE_MAX_CCID_MESSAGE ${ccidClaims.dwMaxCCIDMessageLength}u\n#define WIRE_CLOCK_KHZ ${ccidClaims.dwDefaultClock}u\n`,
    `#define WIRE_LCD_LAYOUT 0x${ccidClaims.wLcdLayout.toString(16).padStart(4, "0")}u\n`,
    `#define WIRE_ID_VENDOR 0x${product.usb.vendorId.toString(16).padStart(4, "0")}u\n#define WIRE_ID_PRODUCT 0x${product.usb.productId.toString(16).padStart(4, "0")}u\n`,
    `#define WIRE_DATA_RATES_COUNT ${dataRates.length}u\nstatic const uint32_t WIRE_DATA_RATES[${dataRates.length}] = { ${dataRates.join(", ")} };\n\n`,
    "/* ISO 7816-3 tables 7 and 8, and the pairs the line makes (TA1 values, ascending) */\n",
    `static const uint16_t WIRE_F[16] = { ${clockRateF.join(", ")} };\nstatic const uint8_t WIRE_D[16] = { ${baudRateD.join(", ")} };\n`,
    `#define WIRE_RATE_PAIRS_COUNT ${ratePairs.length}u\nstatic const uint8_t WIRE_RATE_PAIRS[${ratePairs.length}] = { ${ratePairs.map((p) => `0x${p.ta1.toString(16).padStart(2, "0")}`).join(", ")} };\n\n`,
    "/* the link */\n",
    defines("LINK_CHANNEL_", channel),
    defines("LINK_", sessionKind),
    `#define LINK_MORE 0x${MORE.toString(16)}u\n`,
    Object.entries(linkLimits)
      .map(([n, v]) => `#define LINK_LIMIT_${upper(n)} ${v}u\n`)
      .join(""),
    "\n",
    layout("link_header", frameHeader),
    layout("link_hello", hello),
    layout("link_hello_ack", helloAck),
    layout("link_refuse", refuse),
    layout("link_rate", rate),
    layout("service", serviceMessage),
    Object.entries(serviceMessages)
      .map(([n, m]) => `#define SERVICE_${upper(n)} 0x${m.id.toString(16).padStart(2, "0")}u\n`)
      .join(""),
    defines("SERVICE_STATUS_", serviceStatus),
    defines("POLICY_", policyBits),
    defines("SETTINGS_SOURCE_", settingsSource),
    defines("POLICY_REQUEST_", policyRequest),
    layout("policies", policiesAnswer),
    layout("policy_off", policyOffRequest),
    layout("settings_record", settingsRecord),
    "\n",
    "/* pcscd's serial framing */\n",
    defines("PCSCD_", pcscdByte),
    Object.entries(pcscdLimits)
      .map(([n, v]) => `#define PCSCD_LIMIT_${upper(n)} ${v}u\n`)
      .join(""),
    "\n",
    "/* the black box */\n",
    layout("blackbox_record", blackBoxRecord),
    layout("blackbox_request", blackBoxRequest),
    layout("blackbox_answer", blackBoxAnswer),
    layout("health", healthLayout),
    Object.entries(blackBoxEvents)
      .map(([n, { id }]) => `#define BLACKBOX_${upper(n)} ${id}u\n`)
      .join(""),
    `#define BLACKBOX_FAULTS 0x${Object.values(blackBoxEvents)
      .reduce((mask, { id, fault }) => mask | (fault ? 1 << id : 0), 0)
      .toString(16)}u /* bit = kind */\n`,
    Object.entries(blackBoxStore)
      .map(([n, v]) => `#define BLACKBOX_STORE_${upper(n)} ${v}u\n`)
      .join(""),
    Object.entries(blackBoxLimits)
      .map(([n, v]) => `#define BLACKBOX_LIMIT_${upper(n)} ${v}u\n`)
      .join(""),
    "\n",
    "/* the image (MCUboot) */\n",
    layout("image_header", imageHeader),
    `#define IMAGE_MAGIC 0x${IMAGE_MAGIC.toString(16)}u\n#define IMAGE_F_RAM_LOAD 0x${IMAGE_F_RAM_LOAD.toString(16)}u\n#define IMAGE_TLV_INFO_MAGIC 0x${TLV_INFO_MAGIC.toString(16)}u\n#define IMAGE_TLV_SHA256 0x${tlvType.sha256.toString(16)}u\n`,
    "#endif\n",
  ].join("");
}

/** PascalCase ids without inner underscores: IccPowerOn → ICCPOWERON, as the dispatcher's table spells them. */
function upperKeys(table: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name.toUpperCase(), value]));
}

/** firmware/gen/board_gen.h: pins, maps, clocks. */
export function printBoard(product: Product): string {
  const layout = product.keypad ?? keypadLayout;
  const keys = [...new Set(keypadLayout.flat().filter((key) => !/^\d$/.test(key)))];
  return [
    HEAD("The board: pins, flash map, RAM map, clocks, keypad"),
    "#ifndef BOARD_GEN_H\n#define BOARD_GEN_H\n#include <stdint.h>\n\n",
    Object.entries(pins)
      .map(([name, pin]) => `#define PIN_${upper(name)} ${pin}u\n`)
      .join(""),
    "\n",
    Object.entries(flashMap)
      .map(([name, part]) =>
        typeof part === "number"
          ? `#define FLASH_SIZE 0x${part.toString(16)}u\n`
          : `#define FLASH_${upper(name)}_AT 0x${part.at.toString(16)}u\n#define FLASH_${upper(name)}_SIZE 0x${part.size.toString(16)}u\n`,
      )
      .join(""),
    "\n",
    Object.entries(ramMap)
      .map(([name, value]) => `#define RAM_${upper(name)} 0x${value.toString(16)}u\n`)
      .join(""),
    "\n",
    Object.entries(clocks)
      .map(([name, value]) => `#define CLOCK_${upper(name)} ${value}u\n`)
      .join(""),
    "\n",
    "/* key codes: digits are their ASCII, the others follow */\n",
    keys.map((key, i) => `#define KEY_${key.toUpperCase()} ${i + 1}u\n`).join(""),
    `static const uint8_t KEYPAD[16] = { ${layout
      .flat()
      .map((key) => (/^\d$/.test(key) ? `'${key}'` : `KEY_${key.toUpperCase()}`))
      .join(", ")} };\n#endif\n`,
  ].join("");
}

/** A C string literal of the text's UTF-8 bytes. */
function literal(text: string): string {
  const plain = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && !'"\\?'.includes(String.fromCharCode(byte));
  const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, "0")}`;
  return `"${[...new TextEncoder().encode(text)].map((byte) => (plain(byte) ? String.fromCharCode(byte) : octal(byte))).join("")}"`;
}

/** firmware/gen/product_gen.h: names, ids, policies. */
export function printProduct(product: Product): string {
  const [major, minor, revision] = product.version.split(".");
  return [
    HEAD("The product definition"),
    "#ifndef PRODUCT_GEN_H\n#define PRODUCT_GEN_H\n#include <stdint.h>\n\n",
    `#define PRODUCT_VENDOR ${literal(product.vendorName)}\n#define PRODUCT_NAME ${literal(product.productName)}\n#define PRODUCT_VERSION "${product.version}"\n`,
    `#define PRODUCT_VERSION_MAJOR ${major}u\n#define PRODUCT_VERSION_MINOR ${minor}u\n#define PRODUCT_VERSION_REVISION ${revision}u\n`,
    `#define PRODUCT_LANGUAGE ${product.language === "ja" ? 0 : 1} /* 0 ja, 1 en */\n#define PRODUCT_CONSENT ${product.policies.consent ? 1 : 0}\n#define PRODUCT_PAD_ONLY ${product.policies.padOnly ? 1 : 0}\n#define PRODUCT_ALLOW_2C ${product.policies.allow2C ? 1 : 0}\n#define PRODUCT_UNATTENDED_UPDATES ${product.policies.unattendedUpdates ? 1 : 0}\n#define PRODUCT_TEST_IDS ${product.testIds ? 1 : 0}\n#define PRODUCT_TEST_KEY ${product.testKey ? 1 : 0}\n`,
    byteArray("PRODUCT_ID", product.productId),
    `#define PRODUCT_KEY_COUNT ${product.keys.length}u\n`,
    ...product.keys.map((key, i) => byteArray(`PRODUCT_KEY_${i}`, key.publicKey)),
    "#endif\n",
  ].join("");
}
