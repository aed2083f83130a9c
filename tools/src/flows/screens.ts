/** A screen that stood still, as its memory and as a PNG. */
export interface Screen {
  readonly name: string;
  /** SSD1306 page format. */
  readonly pixels: Uint8Array;
  readonly png: Uint8Array;
}

/** One picture of the display. */
export interface SeenPicture {
  readonly pixels: Uint8Array;
  png(): Uint8Array;
}

/** A picture that stays this long was meant to be read; a frame on its way to the display changes every few ms. Board time. */
const STANDS_MS = 40;

/** Keeps every distinct screen that stood still, in order. */
export class Screens {
  readonly #seen = new Set<string>();
  readonly #kept: Screen[] = [];
  #last: { readonly picture: SeenPicture; readonly at: number } | undefined;

  /** The display changed to `picture` at `at` ms. Answers with the screen before, when that one stood and is new. */
  changed(picture: SeenPicture, at: number): Screen | undefined {
    const screen = this.#stood(at);
    this.#last = { picture, at };
    return screen;
  }

  /** Nothing more will change. */
  end(): Screen | undefined {
    return this.#stood(Infinity);
  }

  get all(): readonly Screen[] {
    return this.#kept;
  }

  #stood(now: number): Screen | undefined {
    const last = this.#last;
    if (last === undefined || now - last.at < STANDS_MS || last.picture.pixels.every((byte) => byte === 0)) return undefined;
    const key = Buffer.from(last.picture.pixels).toString("base64");
    if (this.#seen.has(key)) return undefined;
    this.#seen.add(key);
    const screen = {
      name: `screen-${String(this.#kept.length + 1).padStart(2, "0")}.png`,
      pixels: last.picture.pixels,
      png: last.picture.png(),
    };
    this.#kept.push(screen);
    return screen;
  }
}
