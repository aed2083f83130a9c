import { printCardPio } from "../src/pio/index.js";
import { printGlyphs, printTexts, printWords } from "../src/product/print-front.js";
import { referenceProduct } from "../src/product/product.js";
import { printErrors, printWireReference } from "./print-reference.js";
import { printBoard, printProduct, printWire } from "./print-wire.js";

/** One printed file: path from device-proto's folder, and its text. */
export interface Printed {
  readonly path: string;
  readonly text: string;
}

/** Everything that is printed from the tables and checked in. */
export function printed(): readonly Printed[] {
  return [
    { path: "firmware/gen/wire_gen.h", text: printWire(referenceProduct) },
    { path: "firmware/gen/board_gen.h", text: printBoard() },
    { path: "firmware/gen/product_gen.h", text: printProduct(referenceProduct) },
    { path: "firmware/gen/card_pio_gen.h", text: printCardPio() },
    { path: "firmware/gen/texts_gen.h", text: printTexts() },
    { path: "firmware/gen/glyphs_gen.h", text: printGlyphs() },
    { path: "firmware/gen/words_gen.h", text: printWords() },
    { path: "../docs/reference/errors.md", text: printErrors() },
    { path: "../docs/reference/wire.md", text: printWireReference() },
  ];
}
