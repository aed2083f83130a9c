import type { Model, ModelHost, RegisterBlock } from "./model.js";
import { resetBits } from "./resets.js";

const US = 1000;

/** Hears of the watchdog's tick generator: TIMER and watchdog count it. */
interface TickSource {
  /** True when the tick is 1 MHz now. */
  readonly ticking: boolean;
}

interface WatchdogState {
  enabled: boolean;
  /** Microseconds; RP2040-E1 makes the counter fall by two each tick. */
  load: number;
  expiresAt: number;
  reason: number;
  scratch: number[];
  tick: number;
}

/** Watchdog and tick generator (datasheet §4.7), with erratum RP2040-E1. */
export class Watchdog implements Model, RegisterBlock, TickSource {
  readonly name = "watchdog";
  readonly #host: ModelHost;
  readonly #refHz: () => number;
  readonly #fire: (forced: boolean) => void;
  ticking = false;
  #state: WatchdogState = fresh();

  /** `fire` resets the chip. */
  constructor(host: ModelHost, refHz: () => number, fire: (forced: boolean) => void) {
    this.#host = host;
    this.#refHz = refHz;
    this.#fire = fire;
    host.map(0x40058000, this);
    host.register(this);
    host.listenClocks(() => this.#judge());
  }
  #judge(): void {
    this.ticking = (this.#state.tick & 0x200) !== 0 && (this.#state.tick & 0x1ff) * 1e6 === this.#refHz();
  }
  save(): WatchdogState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as WatchdogState);
    this.#judge();
  }
  /** Scratch and reason survive a watchdog reset; the engine sets the reason after it. */
  reset(power: boolean): void {
    const { scratch } = this.#state;
    this.#state = power ? fresh() : { ...fresh(), scratch };
    this.#host.cancel(this, 0);
    this.#judge();
  }
  /** REASON after a reset: 1 = timer, 2 = forced, 0 = power or RUN pin. */
  setReason(reason: 0 | 1 | 2): void {
    this.#state.reason = reason;
  }
  get scratch(): readonly number[] {
    return this.#state.scratch;
  }
  onEvent(): void {
    this.#fire(false);
  }
  read(offset: number): number {
    const state = this.#state;
    if (offset === 0) {
      const left = state.enabled ? Math.max(0, Math.round(((state.expiresAt - this.#host.nowNs) / US) * 2)) : state.load;
      return (state.enabled ? 1 << 30 : 0) | 0x07000000 | (left & 0xffffff);
    }
    if (offset === 8) return state.reason;
    if (offset >= 0xc && offset < 0x2c) return state.scratch[(offset - 0xc) >> 2]!;
    if (offset === 0x2c) return state.tick | (state.tick & 0x200 ? 0x400 : 0);
    this.#host.violation("bus/unknown-register", `WATCHDOG +0x${offset.toString(16)}`);
    return 0;
  }
  /** For atomic aliases: the running counter in CTRL is not written back. */
  peek(offset: number): number {
    return offset === 0 ? this.read(0) & ~0xffffff : this.read(offset);
  }
  write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0) {
      if (value & 0x80000000) return this.#fire(true);
      const enabled = (value & (1 << 30)) !== 0;
      if (enabled && !state.enabled) {
        if (!this.ticking) this.#host.violation("timer/no-tick", "watchdog enabled without a 1 MHz tick");
        state.expiresAt = this.#host.nowNs + (state.load * US) / 2;
      }
      state.enabled = enabled;
      this.#arm();
    } else if (offset === 4) {
      state.load = value & 0xffffff;
      state.expiresAt = this.#host.nowNs + (state.load * US) / 2;
      this.#arm();
    } else if (offset >= 0xc && offset < 0x2c) state.scratch[(offset - 0xc) >> 2] = value;
    else if (offset === 0x2c) {
      state.tick = value & 0x3ff;
      this.#judge();
    } else this.#host.violation(offset === 8 ? "bus/read-only" : "bus/unknown-register", `WATCHDOG +0x${offset.toString(16)}`);
  }
  #arm(): void {
    if (this.#state.enabled) this.#host.schedule(this, 0, Math.max(this.#host.nowNs, this.#state.expiresAt));
    else this.#host.cancel(this, 0);
  }
}

function fresh(): WatchdogState {
  return { enabled: false, load: 0, expiresAt: 0, reason: 0, scratch: new Array<number>(8).fill(0), tick: 0x200 };
}

interface TimerState {
  /** Board time at which the counter was 0. */
  zeroNs: number;
  latchedHigh: number;
  alarms: number[];
  armed: number;
  raw: number;
  enable: number;
  force: number;
}

/** The 64-bit microsecond TIMER and its four alarms (datasheet §4.6). It counts the watchdog's tick. */
export class Timer implements Model, RegisterBlock {
  readonly name = "timer";
  readonly resetBit = resetBits.timer;
  readonly #host: ModelHost;
  readonly #tick: TickSource;
  #state: TimerState = freshTimer(0);

  constructor(host: ModelHost, tick: TickSource) {
    this.#host = host;
    this.#tick = tick;
    host.map(0x40054000, this, this);
    host.register(this);
  }
  save(): TimerState {
    return structuredClone(this.#state);
  }
  load(state: unknown): void {
    this.#state = structuredClone(state as TimerState);
  }
  reset(): void {
    this.#state = freshTimer(this.#host.nowNs);
    for (let alarm = 0; alarm < 4; alarm++) this.#host.cancel(this, alarm);
    this.#interrupts();
  }
  onEvent(alarm: number): void {
    this.#state.armed &= ~(1 << alarm);
    this.#state.raw |= 1 << alarm;
    this.#interrupts();
  }
  read(offset: number): number {
    const state = this.#state;
    if (offset === 0x08) return state.latchedHigh;
    if (offset === 0x0c) {
      const now = this.#micros();
      state.latchedHigh = Math.floor(now / 2 ** 32);
      return now % 2 ** 32;
    }
    if (offset === 0x24) return Math.floor(this.#micros() / 2 ** 32);
    if (offset === 0x28) return this.#micros() % 2 ** 32;
    if (offset >= 0x10 && offset < 0x20) return state.alarms[(offset - 0x10) >> 2]!;
    if (offset === 0x20) return state.armed;
    if (offset === 0x2c) return 3;
    if (offset === 0x30) return 0;
    if (offset === 0x34) return state.raw;
    if (offset === 0x38) return state.enable;
    if (offset === 0x3c) return state.force;
    if (offset === 0x40) return (state.raw & state.enable) | state.force;
    this.#host.violation("bus/unknown-register", `TIMER +0x${offset.toString(16)}`);
    return 0;
  }
  write(offset: number, value: number, raw: number): void {
    const state = this.#state;
    if (offset >= 0x10 && offset < 0x20) {
      const alarm = (offset - 0x10) >> 2;
      const now = this.#micros();
      state.alarms[alarm] = value;
      state.armed |= 1 << alarm;
      // The alarm matches the low word: a time just passed comes again in 71 minutes, as on silicon.
      const ahead = (value - (now % 2 ** 32) + 2 ** 32) % 2 ** 32;
      this.#host.schedule(this, alarm, Math.max(this.#host.nowNs, state.zeroNs + (now + ahead) * US));
    } else if (offset === 0x20) {
      for (let alarm = 0; alarm < 4; alarm++) if (raw & (1 << alarm)) this.#host.cancel(this, alarm);
      state.armed &= ~raw;
    } else if (offset === 0x34) state.raw &= ~raw;
    else if (offset === 0x38) state.enable = value & 15;
    else if (offset === 0x3c) state.force = value & 15;
    else if (offset === 0x2c || (offset === 0x30 && (value & 1) === 0)) return;
    else this.#host.violation("chip/not-modelled", `write to TIMER +0x${offset.toString(16)}`);
    this.#interrupts();
  }
  #micros(): number {
    if (!this.#tick.ticking) this.#host.violation("timer/no-tick", "TIMER counts only while WATCHDOG_TICK gives 1 MHz");
    return Math.floor((this.#host.nowNs - this.#state.zeroNs) / US);
  }
  #interrupts(): void {
    const status = (this.#state.raw & this.#state.enable) | this.#state.force;
    for (let alarm = 0; alarm < 4; alarm++) this.#host.setIrq(alarm, ((status >>> alarm) & 1) === 1);
  }
}

function freshTimer(zeroNs: number): TimerState {
  return { zeroNs, latchedHigh: 0, alarms: [0, 0, 0, 0], armed: 0, raw: 0, enable: 0, force: 0 };
}
