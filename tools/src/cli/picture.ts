/** A picture in one colour. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  lit(x: number, y: number): boolean;
}

/** Braille dots (Unicode 2800): two columns and four rows in a character; bit numbers by [row][column]. */
const dots = [
  [0, 3],
  [1, 4],
  [2, 5],
  [6, 7],
] as const;

/**
 * The display for a terminal, in a frame: half blocks (one column a pixel, two rows a line) where the terminal is wide enough, else
 * Braille (two columns, four rows a character). Lines without their ends.
 */
export function drawn(picture: Bitmap, columns: number): string[] {
  const half = columns >= picture.width + 2;
  const [stepX, stepY] = half ? [1, 2] : [2, 4];
  const width = Math.ceil(picture.width / stepX);
  const lines = Array.from({ length: Math.ceil(picture.height / stepY) }, (_, line) =>
    Array.from({ length: width }, (_, column) =>
      half ? halfBlock(picture, column, line * 2) : braille(picture, column * 2, line * 4),
    ).join(""),
  );
  return [`┌${"─".repeat(width)}┐`, ...lines.map((line) => `│${line}│`), `└${"─".repeat(width)}┘`];
}

function halfBlock(picture: Bitmap, x: number, y: number): string {
  const upper = picture.lit(x, y);
  const lower = y + 1 < picture.height && picture.lit(x, y + 1);
  return upper ? (lower ? "█" : "▀") : lower ? "▄" : " ";
}

function braille(picture: Bitmap, x: number, y: number): string {
  let bits = 0;
  for (const [row, line] of dots.entries())
    for (const [column, bit] of line.entries())
      if (x + column < picture.width && y + row < picture.height && picture.lit(x + column, y + row)) bits |= 1 << bit;
  return bits === 0 ? " " : String.fromCodePoint(0x2800 + bits);
}

/** A picture over the SSD1306's memory: eight pages of 128 bytes, bit 0 of a byte on top (SSD1306 §8.7). */
export function pages(memory: Uint8Array, width = 128): Bitmap {
  return { width, height: (memory.length / width) * 8, lit: (x, y) => (((memory[(y >> 3) * width + x] ?? 0) >> (y & 7)) & 1) === 1 };
}
