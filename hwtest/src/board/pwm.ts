import type { Level, Model, ModelHost, RegisterBlock } from "./model.js";
import { PINS, type Nets } from "./nets.js";
import { resetBits } from "./resets.js";

const FUNC_PWM = 4;
const SLICES = 8;
const SLICE_SIZE = 0x14;
const ENABLE = 1;

/** The PWM slices (datasheet §4.5) as registers with a frequency: no edges are made, so a tone costs nothing. */
export class Pwm implements Model, RegisterBlock {
  readonly name = "pwm";
  readonly resetBit = resetBits.pwm;
  /** Called after a register changed. */
  onChange: () => void = () => undefined;
  readonly #host: ModelHost;
  /** CSR, DIV, CTR, CC, TOP of each slice. */
  #registers: number[][] = fresh();

  constructor(host: ModelHost, nets: Nets) {
    this.#host = host;
    host.map(0x40050000, this, this);
    host.register(this);
    host.listenClocks(() => this.onChange());
    // PWM drives whatever pin selects it; between the edges nobody models the level is low.
    for (let pin = 0; pin < PINS; pin++) nets.peripheralOutput(FUNC_PWM, pin, 0 as Level, 1);
  }
  save(): number[][] {
    return structuredClone(this.#registers);
  }
  load(state: unknown): void {
    this.#registers = structuredClone(state as number[][]);
  }
  reset(): void {
    this.#registers = fresh();
    this.onChange();
  }
  /** Frequency in Hz and duty cycle (0 to 1) of channel A of a slice; undefined while it stands still. */
  channelA(slice: number): { readonly hertz: number; readonly duty: number } | undefined {
    const [control = 0, divider = 0, , compare = 0, top = 0] = this.#registers[slice]!;
    if (!(control & ENABLE)) return undefined;
    return { hertz: this.#host.clkSysHz / (divider / 16) / (top + 1), duty: Math.min(1, (compare & 0xffff) / (top + 1)) };
  }
  read(offset: number): number {
    if (offset < SLICES * SLICE_SIZE) return this.#registers[Math.floor(offset / SLICE_SIZE)]![offset % SLICE_SIZE >> 2]!;
    if (offset === 0xa0) return this.#registers.reduce((bits, [control = 0], slice) => bits | ((control & ENABLE) << slice), 0);
    if (offset <= 0xb0) return 0;
    this.#host.violation("bus/unknown-register", `PWM +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number): void {
    if (offset < SLICES * SLICE_SIZE) {
      const field = offset % SLICE_SIZE >> 2;
      if (field === 0 && value & 0x30) this.#host.violation("chip/not-modelled", "PWM counting pin B");
      this.#registers[Math.floor(offset / SLICE_SIZE)]![field] = value;
    } else if (offset === 0xa0) this.#registers.forEach((slice, index) => (slice[0] = (slice[0]! & ~ENABLE) | ((value >>> index) & 1)));
    else if (value !== 0 && offset !== 0xa4) return this.#host.violation("chip/not-modelled", "PWM interrupts");
    this.onChange();
  }
}

function fresh(): number[][] {
  return Array.from({ length: SLICES }, () => [0, 0x10, 0, 0, 0xffff]);
}
