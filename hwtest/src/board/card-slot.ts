import { pins } from "@inkan/device-proto";
import type { Level, LineCard, Model, ModelHost } from "./model.js";

/** FUNCSEL of PIO0. */
const functionPio0 = 6;

const eventPulled = 0;
const eventOverCurrent = 1;
/** Looks where CLK rests once the contact has settled. */
const eventRest = 3;
/** Looks at an order once everything that happens at the same instant has happened: a chip reset drops all contacts together. */
const eventOrder = 2;
/** The card's own events travel through the slot, so that a snapshot and the queue need not know which card is in. */
const eventCard = 16;

/** Clocks that RST stays low after CLK started (ISO 7816-3 §6.2.2) or in a warm reset (§6.2.3). */
const resetClocks = 400;
/** I/O is at rest for this many clocks before CLK may stop, and CLK runs for this many before I/O is used again (ISO 7816-3 §6.3.2). */
const restClocks = 1860;
const wakeClocks = 700;
/** Time the reader may take from stopping the generator to the level at which CLK rests. */
const restSettleNs = 20e3;
/** A pulled card, or a short circuit, must be without power after this (reader's own rule, far below what a hand can do). */
const switchOffNs = 1e6;
/** VCC stays off this long before it comes on again (ISO 7816-3 §6.2.4). */
const powerCycleNs = 10e6;

type SlotState = {
  inserted: boolean;
  voltageClass: 0 | 1 | 2 | 3;
  rst: Level;
  hz: number;
  readerLow: boolean;
  cardLow: boolean;
  clockOnNs: number;
  rstLowNs: number;
  vccOffNs: number;
  /** CLK rests while the card is active. */
  resting: boolean;
  /** When I/O last changed, whoever changed it. */
  ioNs: number;
};

/**
 * The card slot with its front end: presence switch, VCC in three classes, RST, CLK and the I/O net. It watches the order and the
 * times of activation and deactivation (ISO 7816-3 §6) and that the two ends never fight over I/O, and passes levels to the card.
 */
export class CardSlot implements Model {
  readonly name = "slot";
  readonly hurry = true;
  readonly #host: ModelHost;
  #card: LineCard | null = null;
  #s: SlotState;

  constructor(host: ModelHost) {
    this.#host = host;
    this.#s = this.#fresh();
    const { nets } = host;
    nets.pull(pins.cardPresent, 0);
    nets.pull(pins.cardOverCurrentN, 1);
    // The front end's inputs rest at "off" while the chip drives nothing.
    for (const pin of [pins.cardRst, pins.cardVcc, pins.cardVsel0, pins.cardVsel1, pins.cardClk]) nets.pull(pin, 0);
    nets.pull(pins.cardIo, 0);
    nets.listen(pins.cardIo, () => this.#io());
    nets.listen(pins.cardRst, () => this.#rst());
    nets.listen(pins.cardClk, () => this.#clock());
    nets.listen(pins.cardVcc, () => this.#vcc());
    for (const pin of [pins.cardVsel0, pins.cardVsel1]) nets.listen(pin, () => this.#voltageSelect());
    host.listenClocks(() => this.#clock());
  }

  /** The card in the slot, or null. */
  get card(): LineCard | null {
    return this.#card;
  }
  /** What the card's contacts see now: voltage class (0 = off), RST, clock in Hz. */
  get contacts(): { readonly voltageClass: number; readonly rst: Level; readonly hz: number } {
    return { voltageClass: this.#s.voltageClass, rst: this.#s.rst, hz: this.#s.hz };
  }

  /** Puts a card in; the switch closes. @throws if there is one already. */
  insert(card: LineCard): void {
    if (this.#card) throw new Error("the slot is occupied");
    this.#card = card;
    this.#s.inserted = true;
    const host = this.#host;
    card.attach({
      get nowNs() {
        return host.nowNs;
      },
      get readerAlive() {
        return host.cpuAlive;
      },
      driveIo: (low) => this.#cardDrives(low),
      schedule: (kind, atNs, argument = 0) => host.schedule(this, eventCard + kind, atNs, argument),
      cancel: (kind) => host.cancel(this, eventCard + kind),
      violation: (rule, detail) => host.violation(rule, detail),
    });
    this.#host.nets.drive(pins.cardPresent, "slot", 1);
  }

  /** Pulls the card: contacts open and the switch with them; the reader has 1 ms to switch everything off. */
  remove(): void {
    const card = this.#card;
    if (!card) return;
    for (let kind = 0; kind < 16; kind++) this.#host.cancel(this, eventCard + kind);
    card.detach();
    this.#card = null;
    this.#s.inserted = false;
    this.#cardDrives(false);
    this.#host.nets.drive(pins.cardPresent, "slot", null);
    if (this.#s.voltageClass) this.#host.schedule(this, eventPulled, this.#host.nowNs + switchOffNs);
  }

  /** The front end reports (or stops reporting) over-current. */
  overCurrent(on: boolean): void {
    this.#host.nets.drive(pins.cardOverCurrentN, "slot", on ? 0 : null);
    if (on && this.#s.voltageClass) this.#host.schedule(this, eventOverCurrent, this.#host.nowNs + switchOffNs);
  }

  onEvent(kind: number, argument: number): void {
    if (kind >= eventCard) this.#card?.onEvent?.(kind - eventCard, argument);
    else if (kind === eventPulled && this.#s.voltageClass && !this.#s.inserted)
      this.#host.violation("slot/vcc-without-card", "VCC still on 1 ms after the card was pulled");
    else if (kind === eventOverCurrent && this.#s.voltageClass)
      this.#host.violation("slot/over-current", "VCC still on 1 ms after over-current");
    else if (kind === eventOrder && this.#s.rst && !this.#s.hz) this.#stopped();
    else if (kind === eventRest && this.#s.resting) this.#rests();
  }

  reset(power: boolean): void {
    if (!power) return; // the chip's reset changes its pins; the slot sees that like any other change
    this.#card?.reset(true);
    this.#s = { ...this.#fresh(), inserted: this.#card !== null };
    this.#host.nets.pull(pins.cardIo, 0);
  }

  save(): unknown {
    return { slot: structuredClone(this.#s), card: this.#card?.save() ?? null };
  }

  load(saved: unknown): void {
    const { slot, card } = structuredClone(saved) as { slot: SlotState; card: unknown };
    if (slot.inserted !== (this.#card !== null))
      throw new Error("the snapshot was taken with another slot content: insert or remove the card first");
    this.#s = slot;
    this.#card?.load(card);
  }

  // ---- levels

  #fresh(): SlotState {
    return {
      inserted: false,
      voltageClass: 0,
      rst: 0,
      hz: 0,
      readerLow: false,
      cardLow: false,
      clockOnNs: 0,
      rstLowNs: 0,
      vccOffNs: -powerCycleNs,
      resting: false,
      ioNs: 0,
    };
  }
  #clocksSince(atNs: number): number {
    // Half a clock of tolerance: the first edge's phase is not known to this model.
    return ((this.#host.nowNs - atNs) * this.#s.hz) / 1e9 + 0.5;
  }

  #vcc(): void {
    const s = this.#s;
    const now = this.#host.nowNs;
    const on = this.#host.nets.level(pins.cardVcc) === 1;
    if (on === s.voltageClass > 0) return;
    if (!on) {
      if (s.rst || s.hz) this.#host.violation("slot/deactivation-order", `VCC off while ${s.rst ? "RST is high" : "CLK runs"}`);
      // A chip reset lets go of I/O together with everything else; firmware that still has it muxed must hold it low.
      else if (this.#host.nets.level(pins.cardIo) && this.#host.nets.funcsel(pins.cardIo) !== 31)
        this.#host.violation("slot/deactivation-order", "VCC off while I/O is high");
      s.voltageClass = 0;
      s.vccOffNs = now;
      this.#host.nets.pull(pins.cardIo, 0);
      this.#host.cancel(this, eventPulled);
      this.#host.cancel(this, eventOverCurrent);
      this.#card?.onVcc(0, now);
      return;
    }
    const voltageClass = this.#selected();
    if (!s.inserted) this.#host.violation("slot/vcc-without-card", "VCC on, slot empty");
    if (voltageClass === 0) this.#host.violation("slot/voltage-class", "VCC on with class 0");
    if (s.rst || s.hz) this.#host.violation("slot/activation-order", `VCC on while ${s.rst ? "RST is high" : "CLK runs"}`);
    if (now - s.vccOffNs < powerCycleNs)
      this.#host.violation("slot/power-cycle", `VCC was off for ${((now - s.vccOffNs) / 1e6).toFixed(3)} ms`);
    s.voltageClass = voltageClass || 1;
    this.#host.nets.pull(pins.cardIo, 1);
    this.#card?.onVcc(s.voltageClass, now);
  }

  #selected(): 0 | 1 | 2 | 3 {
    return (this.#host.nets.level(pins.cardVsel0) | (this.#host.nets.level(pins.cardVsel1) << 1)) as 0 | 1 | 2 | 3;
  }
  #voltageSelect(): void {
    if (this.#s.voltageClass && this.#selected() !== this.#s.voltageClass)
      this.#host.violation("slot/voltage-class", "the class changed while VCC is on");
  }

  #clock(): void {
    const s = this.#s;
    const hz = this.#host.nets.funcsel(pins.cardClk) === 8 ? this.#host.gpoutHz(0) : 0;
    if (hz === s.hz) {
      // Where CLK rests it stays, until it runs.
      if (s.resting && !hz) this.#host.schedule(this, eventRest, this.#host.nowNs + restSettleNs);
      return;
    }
    const now = this.#host.nowNs;
    if (hz && (hz < 1e6 || hz > 5e6)) this.#host.violation("slot/clock-range", `${hz} Hz`);
    if (hz && !s.hz) {
      if (!s.voltageClass) this.#host.violation("slot/activation-order", "CLK before VCC");
      else if (s.readerLow) this.#host.violation("slot/activation-order", "CLK while the reader still holds I/O low");
      else if (s.rst && !s.resting) this.#host.violation("slot/activation-order", "CLK while RST is high");
      s.clockOnNs = now;
      s.resting = false;
    } else if (!hz && s.rst) this.#host.schedule(this, eventOrder, now);
    s.hz = hz;
    this.#card?.onClock(hz, now);
  }

  /** CLK stopped with RST high: a clock stop, for a card that allows one, or the wrong order. */
  #stopped(): void {
    const s = this.#s;
    if (!this.#card?.clockStop) return this.#host.violation("slot/deactivation-order", "CLK stopped while RST is high");
    const clocks = ((this.#host.nowNs - Math.max(s.ioNs, s.clockOnNs)) * 3.571428) / 1e3;
    if (clocks < restClocks) this.#host.violation("slot/clock-stop", `CLK stopped ${Math.floor(clocks)} clocks after I/O was used`);
    s.resting = true;
    this.#host.schedule(this, eventRest, this.#host.nowNs + restSettleNs);
  }
  #rests(): void {
    const level = this.#host.nets.level(pins.cardClk);
    if (!((this.#card?.clockStop ?? 0) & (level ? 2 : 1)))
      this.#host.violation("slot/clock-stop", `CLK rests ${level ? "high" : "low"}: the card allows the other state only`);
  }

  #rst(): void {
    const s = this.#s;
    const level = this.#host.nets.level(pins.cardRst);
    if (level === s.rst) return;
    const now = this.#host.nowNs;
    if (level) {
      if (!s.voltageClass || !s.hz) this.#host.violation("slot/activation-order", `RST high without ${s.voltageClass ? "CLK" : "VCC"}`);
      else if (s.readerLow) this.#host.violation("slot/activation-order", "RST high while the reader holds I/O low");
      else if (this.#clocksSince(Math.max(s.clockOnNs, s.rstLowNs)) < resetClocks)
        this.#host.violation("slot/rst-early", `RST high after ${Math.floor(this.#clocksSince(Math.max(s.clockOnNs, s.rstLowNs)))} clocks`);
    } else {
      s.rstLowNs = now;
      s.resting = false; // a deactivation begins; it may begin from rest
    }
    s.rst = level;
    this.#card?.onReset(level, now);
  }

  #io(): void {
    const s = this.#s;
    const drive = this.#host.nets.chipDrive(pins.cardIo);
    if (drive === 1) this.#host.violation("slot/io-high-drive", "the reader drives I/O high");
    const low = drive === 0;
    if (low === s.readerLow) return;
    s.readerLow = low;
    this.#ioUsed(low);
    if (!low && this.#host.nets.funcsel(pins.cardIo) === functionPio0) this.#pad();
    this.#conflict();
    this.#card?.onReaderIo(low, this.#host.nowNs);
  }

  /** The reader uses I/O: not while CLK rests, nor too soon after. */
  #ioUsed(low: boolean): void {
    const s = this.#s;
    const now = this.#host.nowNs;
    s.ioNs = now;
    if (!low || !s.rst) return;
    if (s.resting) this.#host.violation("slot/clock-restart", "I/O is used while CLK rests");
    else if (s.hz && this.#clocksSince(s.clockOnNs) < wakeClocks)
      this.#host.violation("slot/clock-restart", `I/O is used ${Math.floor(this.#clocksSince(s.clockOnNs))} clocks after CLK started`);
  }

  /** The PIO takes the line: a slow open-drain edge wants the Schmitt trigger, and nothing may pull against the card's pull-up. */
  #pad(): void {
    const pad = this.#host.nets.pad(pins.cardIo);
    const wrong = [
      [!(pad & 0x40), "its input is off"],
      [!(pad & 0x02), "its Schmitt trigger is off"],
      [(pad & 0x04) !== 0, "its pull-down is on"],
    ].flatMap(([bad, why]) => (bad ? [why] : []));
    if (wrong.length) this.#host.violation("slot/io-pad", `the I/O pad is 0x${pad.toString(16)}: ${wrong.join(", ")}`);
  }

  #cardDrives(low: boolean): void {
    const s = this.#s;
    if (low === s.cardLow) return;
    s.cardLow = low;
    s.ioNs = this.#host.nowNs;
    this.#conflict();
    this.#host.nets.drive(pins.cardIo, "card", low ? 0 : null);
  }

  /** While RST is low the reader may take the line to its resting level whatever the card does. */
  #conflict(): void {
    const s = this.#s;
    if (s.readerLow && s.cardLow && s.rst && s.hz) this.#host.violation("slot/io-conflict", "both ends pull I/O low");
  }
}
