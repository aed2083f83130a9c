import type { KeyName } from "../board.js";
import { unhex } from "../codec/index.js";
import type { DisplayText } from "./texts.js";

/**
 * A product definition: everything a manufacturer changes to make his own reader, as plain data (a JSON file, or a module's default
 * export). `checkProduct` of the door `@inkan/device-proto/product` judges one; docs/reference/products.md explains each field.
 */
export interface ProductDefinition {
  /** The shape of this file; 1. */
  readonly schema: 1;
  /** iManufacturer, and the front half of the interface names. */
  readonly vendorName: string;
  /** iProduct, and what the display shows: printable ASCII, at most two rows of 16. */
  readonly productName: string;
  /** Firmware version, `major.minor.patch`, as MCUboot counts it (255.255.65535). */
  readonly version: string;
  readonly usb: {
    /** Four hex digits each. */
    readonly vendorId: string;
    readonly productId: string;
    /** Device release, four decimal digits: "0010" is 0.1.0. */
    readonly bcdDevice: string;
    /** Interface names; default: vendor name and "CCID", vendor name and "link". */
    readonly ccidName?: string;
    readonly linkName?: string;
  };
  /** 16 bytes in hex, drawn by lot once for each product: an image with another one is refused. */
  readonly productId: string;
  /** The display's. */
  readonly language: "ja" | "en";
  readonly policies: ProductPolicies;
  /** Who may sign images: at most 4 P-256 keys, fixed at manufacture. */
  readonly keys: readonly { readonly name: string; /** Uncompressed point, 04 X Y: 130 hex digits. */ readonly publicKey: string }[];
  /** What stands on the 4×4 pad, [row][column]; default the reference's. */
  readonly keypad?: readonly (readonly string[])[];
  /** Display texts that differ from the reference's, by name. */
  readonly texts?: Readonly<Record<string, Partial<DisplayText>>>;
  /** Glyphs that those texts need and the reference has not: character → 64 hex digits, 16 rows of 16 pixels (GNU Unifont's form). */
  readonly glyphs?: Readonly<Record<string, string>>;
}

/** What a product allows. */
export interface ProductPolicies {
  /** The person confirms each hash on the pad before the signature key signs it. */
  readonly consent: boolean;
  /** Secrets of JPKI may only be typed on the pad. */
  readonly padOnly: boolean;
  /** RESET RETRY COUNTER (INS 2C) on the secure path. */
  readonly allow2C: boolean;
  /** Updates without OK on the pad, at most 10 slot writes a day. */
  readonly unattendedUpdates: boolean;
}

/** A product definition that was checked, its numbers as numbers. */
export interface Product {
  readonly vendorName: string;
  readonly productName: string;
  /** Firmware version, `major.minor.patch`. */
  readonly version: string;
  readonly usb: {
    readonly vendorId: number;
    readonly productId: number;
    readonly bcdDevice: number;
    readonly ccidName: string;
    readonly linkName: string;
  };
  /** 16 bytes, product id in the image's protected TLV. */
  readonly productId: Uint8Array;
  /** Ids from pid.codes' test range: shown on the display, in `doctor` and in `lint`. */
  readonly testIds: boolean;
  /** One of {@link keys} is a TEST key, whose private half everybody has: shown in the same places. */
  readonly testKey: boolean;
  readonly language: "ja" | "en";
  readonly policies: ProductPolicies;
  /** 65 bytes each: 04 X Y. */
  readonly keys: readonly { readonly name: string; readonly publicKey: Uint8Array }[];
  readonly keypad: readonly (readonly KeyName[])[] | undefined;
  readonly texts: Readonly<Record<string, Partial<DisplayText>>>;
  readonly glyphs: Readonly<Record<string, string>>;
}

/** True for pid.codes' ids for tests, 1209:0001 to 1209:0010: nobody's own. */
export function isTestId(vendorId: number, productId: number): boolean {
  return vendorId === 0x1209 && productId >= 0x0001 && productId <= 0x0010;
}

/**
 * Public keys whose private half is published, 04 X Y in hex: an image that such a key signs is nobody's. The P-256 key of RFC 6979 A.2.5,
 * which is in every test suite.
 */
export const publishedKeys: readonly string[] = [
  "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
];

/** Numbers for a definition that is known to be good; `checkProduct` for one that is not. */
export function resolveProduct(definition: ProductDefinition): Product {
  const { vendorName, productName, version, usb, language, policies, texts = {}, glyphs = {} } = definition;
  const [vendorId, productId, bcdDevice] = [usb.vendorId, usb.productId, usb.bcdDevice].map((digits) => Number.parseInt(digits, 16));
  return {
    vendorName,
    productName,
    version,
    usb: {
      vendorId: vendorId!,
      productId: productId!,
      bcdDevice: bcdDevice!,
      ccidName: usb.ccidName ?? `${vendorName} CCID`,
      linkName: usb.linkName ?? `${vendorName} link`,
    },
    productId: unhex(definition.productId),
    testIds: isTestId(vendorId!, productId!),
    testKey: definition.keys.some(({ publicKey }) => publishedKeys.includes(publicKey.toLowerCase())),
    language,
    policies,
    keys: definition.keys.map(({ name, publicKey }) => ({ name, publicKey: unhex(publicKey) })),
    keypad: definition.keypad as Product["keypad"],
    texts,
    glyphs,
  };
}
