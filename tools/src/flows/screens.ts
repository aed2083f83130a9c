/** Keeps every distinct screen that the display showed, in order, as its memory and as a PNG. */
export interface Screen {
  readonly name: string;
  readonly pixels: Uint8Array;
  readonly png: Uint8Array;
}

/** What is watched: the board's display. */
export interface WatchedDisplay {
  readonly pixels: Uint8Array;
  png(): Uint8Array;
}

/** Collects screens; the same picture is kept once. */
export class Screens {
  readonly #seen = new Set<string>();
  readonly #kept: Screen[] = [];

  /** Looks at the display now. Answers with the screen when it is new. */
  look(display: WatchedDisplay): Screen | undefined {
    const key = Buffer.from(display.pixels).toString("base64");
    if (this.#seen.has(key) || display.pixels.every((byte) => byte === 0)) return undefined;
    this.#seen.add(key);
    const screen = {
      name: `screen-${String(this.#kept.length + 1).padStart(2, "0")}.png`,
      pixels: display.pixels.slice(),
      png: display.png(),
    };
    this.#kept.push(screen);
    return screen;
  }

  get all(): readonly Screen[] {
    return this.#kept;
  }
}
