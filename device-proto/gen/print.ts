import { printCardPio } from "../src/pio/index.js";
import { printWords } from "../src/product/print-front.js";
import { referenceDefinition, referenceProduct } from "../src/product/reference.js";
import { printProductReference, productHeaders } from "./print-product.js";
import { printPinVectors } from "./print-pin-vectors.js";
import { printBlackBox, printErrors, printWireReference } from "./print-reference.js";

/** One printed file: path from device-proto's folder, and its text. */
export interface Printed {
  readonly path: string;
  readonly text: string;
}

/** Everything that is printed from the tables and checked in. */
export function printed(): readonly Printed[] {
  return [
    ...productHeaders(referenceProduct).map(({ path, text }) => ({ path: `firmware/${path}`, text })),
    { path: "firmware/gen/card_pio_gen.h", text: printCardPio() },
    { path: "firmware/gen/words_gen.h", text: printWords() },
    { path: "vectors/pin.json", text: printPinVectors() },
    { path: "../docs/reference/errors.md", text: printErrors() },
    { path: "../docs/reference/blackbox.md", text: printBlackBox() },
    { path: "../docs/reference/products.md", text: printProductReference(referenceProduct, referenceDefinition) },
    { path: "../docs/reference/wire.md", text: printWireReference() },
  ];
}
