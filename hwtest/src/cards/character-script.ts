import { Dialogue, type RuleRow } from "./rule-rows.js";
import type { CharacterMachine } from "./t0-card.js";

/** A card that plays one row of `t0-rules.json`: hex both ways; `wrong` before a line = its first character comes with wrong parity once. */
export class CharacterScript implements CharacterMachine {
  readonly dialogue: Dialogue;
  #heard = "";

  constructor(row: RuleRow) {
    this.dialogue = new Dialogue(row.script, (line, heard) => line === heard);
  }
  reset(): void {
    this.#heard = "";
    this.dialogue.reset();
  }
  /** A line is due as soon as all its characters came; one that does not begin like it is a deviation at once. */
  receive(byte: number): number[] {
    this.#heard += byte.toString(16).padStart(2, "0").toUpperCase();
    const due = this.dialogue.due;
    if (due.some((line) => line !== this.#heard && line.startsWith(this.#heard))) return [];
    this.dialogue.hear(this.#heard);
    this.#heard = "";
    return this.dialogue.says().flatMap((line) => {
      const [, wrong, hex] = /^(?:(wrong) )?((?:[0-9A-F]{2})+|silence)$/.exec(line) ?? [];
      if (hex === undefined) throw new RangeError(`neither hex nor silence: ${line}`);
      const bytes = hex === "silence" ? [] : hex.match(/../g)!.map((pair) => parseInt(pair, 16));
      if (wrong !== undefined) bytes[0]! |= 0x100;
      return bytes;
    });
  }
  save(): unknown {
    throw new Error("a scripted card is not part of a snapshot");
  }
  load(): void {
    this.save();
  }
}
