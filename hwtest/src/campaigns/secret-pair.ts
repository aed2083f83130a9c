/** How many presses of its key each character takes in letter mode (see `keysFor`): characters of one row are alike to whoever counts presses. */
const ALIKE = ["ADGJMPTW01", "BEHKNQUX", "CFILORVY", "234568SZ", "79"] as const;

/** Numbers that repeat with their seed (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A valid signature password of `length` characters: 6–16, A–Z and 0–9, at least one of each. */
export function randomSecret(random: (below: number) => number, length: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const all = `${letters}0123456789`;
  const characters = Array.from({ length }, () => all[random(all.length)]!);
  const at = random(length);
  characters[at] = String(random(10));
  characters[(at + 1 + random(length - 1)) % length] = letters[random(26)]!;
  return characters.join("");
}

/** A valid signature password of six characters that take one or two presses each: the pad's time is most of what a session costs to simulate. */
export function quickSecret(random: (below: number) => number): string {
  const quick = ALIKE[0] + ALIKE[1];
  const letters = quick.replaceAll(/[0-9]/g, "");
  const characters = Array.from({ length: 6 }, () => quick[random(quick.length)]!);
  const at = random(6);
  characters[at] = String(random(2));
  characters[(at + 1 + random(5)) % 6] = letters[random(letters.length)]!;
  return characters.join("");
}

/**
 * Another secret of the same shape: as long, and each character takes as many presses, so that the same fingers press at the same
 * times. What differs is only which keys. At least one character differs.
 */
export function sameShape(random: (below: number) => number, secret: string): string {
  for (;;) {
    const other = [...secret].map((character) => {
      const row = ALIKE.find((characters) => characters.includes(character))!;
      return row[random(row.length)]!;
    });
    const text = other.join("");
    if (text !== secret && /[A-Z]/.test(text) && /[0-9]/.test(text)) return text;
  }
}
