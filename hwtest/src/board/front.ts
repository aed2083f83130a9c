import { pins } from "@inkan/device-proto";
import type { Model, ModelHost } from "./model.js";
import type { Nets } from "./nets.js";
import type { Pwm } from "./pwm.js";

const FUNC_PWM = 4;
/** The buzzer hangs on PWM slice 2, channel A (device-proto/src/board.ts). */
const BUZZER_SLICE = 2;
/** The display follows the lamp with up to this delay, in ns: a whole frame on the I2C bus takes 24 ms. */
const AFTERGLOW_NS = 100e6;
/** Firmware puts the lamp out and then draws: a page that began within this time may still be the old one. */
const REDRAW_NS = 2e6;

/** What the front tells: the lamp, and the buzzer's tone in Hz (0 = silent). */
export interface FrontListener {
  lamp?(lit: boolean): void;
  tone?(hertz: number): void;
}

interface FrontState {
  lit: boolean;
  lampNs: number;
  hertz: number;
}

/** The lamp and the buzzer as a person sees and hears them. */
export class Front implements Model {
  readonly name = "front";
  readonly #host: ModelHost;
  readonly #nets: Nets;
  readonly #pwm: Pwm;
  readonly #listeners = new Set<FrontListener>();
  #state: FrontState = { lit: false, lampNs: -Infinity, hertz: 0 };

  constructor(host: ModelHost, nets: Nets, pwm: Pwm) {
    this.#host = host;
    this.#nets = nets;
    this.#pwm = pwm;
    nets.pull(pins.lamp, 0);
    nets.listen(pins.lamp, () => this.#lamp());
    nets.listen(pins.buzzer, () => this.#tone());
    pwm.onChange = () => this.#tone();
    host.register(this);
  }
  save(): FrontState {
    return { ...this.#state };
  }
  load(state: unknown): void {
    this.#state = { ...(state as FrontState) };
  }
  reset(): void {}

  get lit(): boolean {
    return this.#state.lit;
  }
  /** Hz, 0 = silent. */
  get hertz(): number {
    return this.#state.hertz;
  }
  /**
   * True while the letter chooser may be on the display: the lamp is lit, or it went out a moment ago and the chooser's cell, last
   * sent at `cellNs`, has not been drawn anew since.
   */
  secretShown(cellNs: number): boolean {
    const { lit, lampNs } = this.#state;
    return lit || (this.#host.nowNs < lampNs + AFTERGLOW_NS && cellNs < lampNs + REDRAW_NS);
  }
  listen(listener: FrontListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  #lamp(): void {
    const lit = this.#nets.level(pins.lamp) === 1;
    if (lit === this.#state.lit) return;
    this.#state.lit = lit;
    this.#state.lampNs = this.#host.nowNs;
    for (const listener of [...this.#listeners]) listener.lamp?.(lit);
  }
  #tone(): void {
    const channel = this.#nets.funcsel(pins.buzzer) === FUNC_PWM ? this.#pwm.channelA(BUZZER_SLICE) : undefined;
    const hertz = channel && channel.duty > 0 && channel.duty < 1 ? Math.round(channel.hertz) : 0;
    if (hertz === this.#state.hertz) return;
    this.#state.hertz = hertz;
    for (const listener of [...this.#listeners]) listener.tone?.(hertz);
  }
}
