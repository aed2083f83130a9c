import { chooserCell } from "@inkan/device-proto";
import { PNG } from "pngjs";
import { type Display, DISPLAY_HEIGHT, DISPLAY_WIDTH } from "./display.js";
import type { Front } from "./front.js";

/** The display's pages that the letter chooser's cell covers. */
const cellPages = Array.from({ length: chooserCell.height >> 3 }, (_, index) => (chooserCell.y >> 3) + index);
const SCALE = 4;
const LIT = [0xd8, 0xf0, 0xff] as const;
const DARK = [0x06, 0x0a, 0x12] as const;

/** One picture of the display. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 8 pages of 128 columns, least significant bit on top, as SSD1306 has it. */
  readonly pixels: Uint8Array;
  lit(x: number, y: number): boolean;
  /** PNG, each pixel 4 by 4. */
  png(): Uint8Array;
}

/**
 * The display as programs may look at it. The cell in which the letter chooser shows a character of a secret is masked with an even
 * pattern while a secret is entered, so that pictures, terminals and events never hold one (design: "the bench masks that cell").
 */
export class Screen {
  readonly #display: Display;
  readonly #front: Front;
  /** Called after each change of what is seen; settable for a single watcher, `listen` for more. */
  onChange: (() => void) | undefined;

  constructor(display: Display, front: Front) {
    this.#display = display;
    this.#front = front;
    display.listen(() => this.onChange?.());
  }
  /** Counts the changes of what is seen. */
  get revision(): number {
    return this.#display.revision;
  }
  /** `listener` is called after each change; the function returned takes it off. */
  listen(listener: () => void): () => void {
    return this.#display.listen(listener);
  }
  /** Masked pixels in page format. */
  get pixels(): Uint8Array {
    return this.picture().pixels;
  }
  /** Masked picture as PNG. */
  png(): Uint8Array {
    return this.picture().png();
  }
  /** What is seen now. `showTestSecrets` leaves the chooser's cell as it is: for simulated cards only. */
  picture(options: { readonly showTestSecrets?: boolean } = {}): Picture {
    const pixels = this.#display.pixels;
    const cellNs = Math.min(...cellPages.map((page) => this.#display.pageNs(page)));
    if (!options.showTestSecrets && this.#front.secretShown(cellNs)) mask(pixels);
    const lit = (x: number, y: number): boolean => ((pixels[(y >> 3) * DISPLAY_WIDTH + x]! >>> (y & 7)) & 1) === 1;
    return { width: DISPLAY_WIDTH, height: DISPLAY_HEIGHT, pixels, lit, png: () => encode(lit) };
  }
}

/** Every other pixel lit, whatever was there. */
function mask(pixels: Uint8Array): void {
  const { x, width } = chooserCell;
  for (const page of cellPages)
    for (let column = x; column < x + width; column++) pixels[page * DISPLAY_WIDTH + column] = column & 1 ? 0xaa : 0x55;
}

function encode(lit: (x: number, y: number) => boolean): Uint8Array {
  const image = new PNG({ width: DISPLAY_WIDTH * SCALE, height: DISPLAY_HEIGHT * SCALE, colorType: 2 });
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      image.data.set([...(lit(Math.floor(x / SCALE), Math.floor(y / SCALE)) ? LIT : DARK), 0xff], (y * image.width + x) * 4);
  return new Uint8Array(PNG.sync.write(image, { colorType: 2, inputHasAlpha: true }));
}
