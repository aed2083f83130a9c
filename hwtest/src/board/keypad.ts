import { type KeyName, keypadLayout, pins } from "@inkan/device-proto";
import type { Model, ModelHost } from "./model.js";
import type { Nets } from "./nets.js";

const ROWS = [pins.keypadRow0, pins.keypadRow1, pins.keypadRow2, pins.keypadRow3] as const;
const COLUMNS = [pins.keypadCol0, pins.keypadCol1, pins.keypadCol2, pins.keypadCol3] as const;
/** How long a person holds a key, and lets go before the next, in ms. */
const HOLD_MS = 60;
const GAP_MS = 60;

/**
 * The 4×4 key matrix: contacts between row and column wires, nothing else. A closed contact carries the row's level to the column;
 * two keys of one column join two rows, so firmware that drives rows both ways shorts two drivers.
 */
export class Keypad implements Model {
  readonly name = "keypad";
  readonly #host: ModelHost;
  readonly #nets: Nets;
  readonly #layout: readonly (readonly KeyName[])[];
  /** Bit row·4 + column. */
  #pressed = 0;
  #queue: Promise<void> = Promise.resolve();

  /** `layout`: what is printed on the keys, [row][column]; default the reference product's. */
  constructor(host: ModelHost, nets: Nets, layout: readonly (readonly KeyName[])[] = keypadLayout) {
    this.#host = host;
    this.#nets = nets;
    this.#layout = layout;
    for (const row of ROWS) nets.listen(row, () => this.#conduct());
    host.register(this);
  }
  save(): number {
    return this.#pressed;
  }
  load(state: unknown): void {
    this.#pressed = state as number;
  }
  reset(): void {}

  /** Closes or opens one contact at once. */
  set(key: KeyName, down: boolean): void {
    const bit = 1 << this.#contact(key);
    this.#pressed = down ? this.#pressed | bit : this.#pressed & ~bit;
    this.#conduct();
  }
  /** Presses a key, holds it `holdMs` of board time, lets go, and waits a moment. Presses follow each other in the order of the calls. */
  press(key: KeyName, holdMs = HOLD_MS, signal?: AbortSignal): Promise<void> {
    const next = this.#queue.then(() => this.#press(key, holdMs, signal));
    this.#queue = next.catch(() => undefined);
    return next;
  }
  /** Presses one key after the other. */
  async type(keys: readonly KeyName[], signal?: AbortSignal): Promise<void> {
    for (const key of keys) await this.press(key, HOLD_MS, signal);
  }

  async #press(key: KeyName, holdMs: number, signal: AbortSignal | undefined): Promise<void> {
    const options = signal ? { signal } : {};
    this.set(key, true);
    try {
      await this.#host.pump.sleep(holdMs, options);
    } finally {
      this.set(key, false);
    }
    await this.#host.pump.sleep(GAP_MS, options);
  }
  #conduct(): void {
    for (let column = 0; column < 4; column++) {
      let low = false;
      let high = false;
      for (let row = 0; row < 4; row++) {
        if (!(this.#pressed & (1 << (row * 4 + column)))) continue;
        const drive = this.#nets.chipDrive(ROWS[row]!);
        if (drive === 0) low = true;
        else if (drive === 1) high = true;
      }
      if (low && high) this.#host.violation("pins/contention", `two keys of column ${column} join a row driven low and a row driven high`);
      this.#nets.drive(COLUMNS[column]!, "keypad", low ? 0 : high ? 1 : null);
    }
  }
  #contact(key: KeyName): number {
    const row = this.#layout.findIndex((keys) => keys.includes(key));
    if (row < 0) throw new RangeError(`the pad has no key ${key}`);
    return row * 4 + this.#layout[row]!.indexOf(key);
  }
}
