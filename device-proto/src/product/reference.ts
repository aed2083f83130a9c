import { type Product, type ProductDefinition, resolveProduct } from "./product.js";

/** The reference product: pid.codes' test ids, consent on, pad-only off so that PC/SC software that types PINs works. */
export const referenceDefinition: ProductDefinition = {
  schema: 1,
  vendorName: "Inkan",
  productName: "Inkan reference reader",
  version: "0.1.0",
  usb: { vendorId: "1209", productId: "0001", bcdDevice: "0010" },
  productId: "696e6b616e2d7265666572656e636530",
  language: "ja",
  policies: { consent: true, padOnly: false, allow2C: false, unattendedUpdates: false },
  keys: [],
};

/** The reference product, checked by a test. */
export const referenceProduct: Product = /* @__PURE__ */ resolveProduct(referenceDefinition);
