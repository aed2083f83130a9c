import type { FlashWindow } from "./chip.js";
import type { Flash } from "./flash.js";
import type { Model, ModelHost } from "./model.js";

const SETS = 1024;
const LINE = 8;

/** What the window needs from the serial interface. */
interface SerialInterface {
  /** True while XIP reads work: enabled in XIP mode, chip select under hardware control. */
  readonly xip: boolean;
  /** clk_sys cycles per SCK period. */
  readonly divider: number;
}

/**
 * The execute-in-place window (datasheet §2.6.3): a 16 KiB two-way cache of 8-byte lines. A miss costs the serial read (8 command,
 * 24 address, 64 data clocks, a lower bound), and a line that was read before the flash changed stays stale until the flush.
 */
export class Xip implements Model, FlashWindow {
  readonly name = "xip";
  readonly #host: ModelHost;
  readonly #flash: Flash;
  readonly #serial: SerialInterface;
  readonly #charge: (cycles: number) => void;
  /** Line number + 1 per way, 0 = empty; `recent` holds the way used last. */
  #tags = new Uint32Array(SETS * 2);
  #stale = new Uint8Array(SETS * 2);
  #recent = new Uint8Array(SETS);
  #enabled = true;

  constructor(host: ModelHost, flash: Flash, serial: SerialInterface, charge: (cycles: number) => void) {
    this.#host = host;
    this.#flash = flash;
    this.#serial = serial;
    this.#charge = charge;
    flash.onChange = (address, size) => this.#age(address, size);
    host.map(0x14000000, {
      read: (offset) => {
        if (offset === 0) return this.#enabled ? 3 : 2;
        if (offset === 4) return 0;
        if (offset === 8) return 3;
        host.violation("chip/not-modelled", `XIP_CTRL +0x${offset.toString(16)}`);
        return 0;
      },
      write: (offset, value) => {
        if (offset === 0) {
          if (value & 8) host.violation("chip/not-modelled", "XIP cache power-down");
          this.#enabled = (value & 1) !== 0;
        } else if (offset === 4) this.#flush();
        else host.violation("chip/not-modelled", `write to XIP_CTRL +0x${offset.toString(16)}`);
      },
    });
    host.register(this);
  }
  save(): unknown {
    return { tags: this.#tags.slice(), stale: this.#stale.slice(), recent: this.#recent.slice(), enabled: this.#enabled };
  }
  load(state: unknown): void {
    const { tags, stale, recent, enabled } = state as { tags: Uint32Array; stale: Uint8Array; recent: Uint8Array; enabled: boolean };
    this.#tags.set(tags);
    this.#stale.set(stale);
    this.#recent.set(recent);
    this.#enabled = enabled;
  }
  reset(): void {
    this.#enabled = true;
    this.#flush();
  }
  #flush(): void {
    this.#tags.fill(0);
    this.#stale.fill(0);
  }
  #age(address: number, size: number): void {
    for (let index = 0; index < this.#tags.length; index++) {
      const at = (this.#tags[index]! - 1) * LINE;
      if (at >= address - LINE && at < address + size) this.#stale[index] = 1;
    }
  }
  touch(offset: number, alias: number): void {
    const line = (offset >>> 3) + 1;
    const set = (line - 1) % SETS;
    // Even a hit is refused while the interface is off: whether silicon would hit depends on what ran before.
    if (!this.#serial.xip)
      this.#host.violation("flash/xip-off", `flash offset 0x${offset.toString(16)} read while the SSI is not in XIP mode`);
    if (this.#flash.busy) this.#host.violation("flash/busy", `flash offset 0x${offset.toString(16)} read while it programs or erases`);
    // 0x12000000 and 0x13000000 go past the cache; 0x11000000 only does not allocate.
    if (!this.#enabled || alias >= 2) return this.#charge(64 * this.#serial.divider);
    const first = set * 2;
    const way = this.#tags[first] === line ? 0 : this.#tags[first + 1] === line ? 1 : -1;
    if (way >= 0) {
      if (this.#stale[first + way]) this.#host.violation("flash/stale-cache", `flash offset 0x${offset.toString(16)}`);
      this.#recent[set] = way;
      return;
    }
    this.#charge(96 * this.#serial.divider);
    if (alias === 1) return;
    const victim = 1 - this.#recent[set]!;
    this.#tags[first + victim] = line;
    this.#stale[first + victim] = 0;
    this.#recent[set] = victim;
  }
}
