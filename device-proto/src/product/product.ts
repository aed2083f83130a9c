import { unhex } from "../codec/index.js";

/** A product definition: everything a manufacturer changes to make his own reader. From it come C tables and USB descriptors. */
export interface Product {
  readonly vendorName: string;
  readonly productName: string;
  /** Firmware version, `major.minor.patch`. */
  readonly version: string;
  readonly usb: { readonly vendorId: number; readonly productId: number; readonly bcdDevice: number };
  /** 16 bytes, product id in the image's protected TLV. */
  readonly productId: Uint8Array;
  /** Ids from pid.codes' test range: shown on the display, in `doctor` and in `lint`. */
  readonly testIds: boolean;
  readonly language: "ja" | "en";
  readonly policies: {
    /** The person confirms each hash on the pad before the signature key signs it. */
    readonly consent: boolean;
    /** Secrets of JPKI may only be typed on the pad. */
    readonly padOnly: boolean;
  };
}

/** The reference product: pid.codes' test ids, consent on, pad-only off. */
export const referenceProduct: Product = {
  vendorName: "Inkan",
  productName: "Inkan reference reader",
  version: "0.1.0",
  usb: { vendorId: 0x1209, productId: 0x0001, bcdDevice: 0x0010 },
  productId: unhex("696e6b616e2d7265666572656e636530"),
  testIds: true,
  language: "ja",
  policies: { consent: true, padOnly: false },
};
