import { pins } from "@inkan/device-proto";
import { cardLine } from "@inkan/device-proto/pio";
import { characterLevels } from "../cards/characters.js";
import type { Model } from "./model.js";
import { PioBench, PioReader } from "./pio-bench.js";

const IO = pins.cardIo;

/** Puts given edges on the line at given times, and keeps what the reader does: [ns, pulls low]. */
class Wire implements Model {
  readonly name = "wire";
  readonly edges: [number, boolean][] = [];
  readonly #bench: PioBench;
  #script: [number, boolean][] = [];
  #low = false;
  constructor(bench: PioBench) {
    this.#bench = bench;
    bench.register(this);
    bench.nets.pull(IO, 1);
    bench.nets.listen(IO, () => {
      const low = bench.nets.chipDrive(IO) === 0;
      if (low !== this.#low) this.edges.push([bench.nowNs, (this.#low = low)]);
    });
  }
  /** A character from the card, leading edge at `atNs`; `late` = its rising edges come so much later (weak pull-up). */
  character(byte: number, atNs: number, etuNs: number, options: { wrongParity?: boolean; inverse?: boolean; late?: number } = {}): void {
    const levels = [...characterLevels(byte, options.inverse ?? false, options.wrongParity), false];
    levels.forEach((low, i) => {
      if (i === 0 || low !== levels[i - 1]) this.low(low, atNs + i * etuNs + (low ? 0 : (options.late ?? 0)));
    });
  }
  low(low: boolean, atNs: number): void {
    this.#script.push([atNs, low]);
    this.#script.sort((a, b) => a[0] - b[0]);
    this.#bench.schedule(this, 0, this.#script[0]![0]);
  }
  onEvent(): void {
    const [, low] = this.#script.shift()!;
    this.#bench.nets.drive(IO, "card", low ? 0 : null);
    if (this.#script.length) this.#bench.schedule(this, 0, this.#script[0]![0]);
  }
  save(): null {
    return null;
  }
  load(): void {}
  reset(): void {}
}

/** PIO0 with the program, driven as the firmware drives it, and a wire to put edges on. */
export type Rig = { bench: PioBench; reader: PioReader; wire: Wire };
/** @param words the program, by default the released one. */
export function rig(words: readonly number[] = cardLine.words): Rig {
  const bench = new PioBench();
  const wire = new Wire(bench);
  bench.pass(1000);
  const reader = new PioReader(bench, words);
  bench.pass(1e6);
  wire.edges.length = 0;
  return { bench, reader, wire };
}

/** F and D; the last only where the reader's edges are looked at: 8 clocks per etu leave a card's edges no room. */
const speeds: (readonly [number, number])[] = [
  [372, 1],
  [372, 4],
  [512, 32],
];
const near = (value: number, wanted: number, by: number): boolean => Math.abs(value - wanted) <= by;

/** Reader's edges in etu after its first one. */
const places = ({ wire, reader }: Rig): number[] => wire.edges.map(([at]) => (at - wire.edges[0]![0]) / reader.etuNs);
/** Places of the edges of `bytes` sent `pitch` etu apart. */
function ideal(bytes: readonly number[], pitch: number, inverse = false): number[] {
  return bytes.flatMap((byte, i) => {
    const levels = [false, ...characterLevels(byte, inverse), false];
    return levels.flatMap((low, at) => (at > 0 && low !== levels[at - 1] ? [i * pitch + at - 1] : []));
  });
}
const same = (a: readonly number[], b: readonly number[], by: number): boolean =>
  a.length === b.length && a.every((value, i) => near(value, b[i]!, by));

/** Each returns why it failed, or nothing. They are also what the mutation check judges by. */
/** What the card-line program must do at its pin, tick by tick: each says what is wrong, or nothing. With a program of its own, and rates. */
export const scenarios: Record<string, (words?: readonly number[], rates?: typeof speeds) => string | undefined> = {
  "sends edge for edge, 12 etu apart, and then listens": (words, rates = [...speeds, [512, 64]]) => {
    for (const [f, d] of rates) {
      const all = rig(words);
      all.reader.mode({});
      all.reader.rate(f, d);
      all.reader.send([0x3b, 0x00, 0xff, 0x5a, 0xa5, 0x11], 8);
      all.bench.until(() => !all.reader.sending, 100);
      if (!same(places(all), ideal([0x3b, 0x00, 0xff, 0x5a, 0xa5, 0x11], 12), 0.005)) return `edges at ${f}/${d}: ${places(all).join(" ")}`;
      const free = (all.bench.nowNs - all.wire.edges[0]![0]) / all.reader.etuNs - 60;
      if (free > 12) return `turned round only ${free} etu after the last start edge`;
      all.wire.character(0x42, all.bench.nowNs + 2 * all.reader.etuNs, all.reader.etuNs);
      all.bench.pass(20 * all.reader.etuNs);
      if (all.reader.received[0]?.byte !== 0x42 || !all.reader.received[0].parityOk) return `deaf after sending at ${f}/${d}`;
    }
    return undefined;
  },
  "11 etu apart, and with extra guard": (words) => {
    const eleven = rig(words);
    eleven.reader.mode({ eleven: true });
    eleven.reader.rate(512, 32);
    eleven.reader.send([1, 2, 3], 14);
    eleven.bench.until(() => !eleven.reader.sending, 100);
    if (!same(places(eleven), ideal([1, 2, 3], 11), 0.005)) return `pitch 11: ${places(eleven).join(" ")}`;
    const more = rig(words);
    more.reader.mode({});
    more.reader.guard = 5;
    more.reader.send([1, 2], 14);
    more.bench.until(() => !more.reader.sending, 100);
    return same(places(more), ideal([1, 2], 17), 0.005) ? undefined : `guard 5: ${places(more).join(" ")}`;
  },
  "counts the turn-round in whole etu": (words) => {
    for (const wait of [0, 8, 31]) {
      const all = rig(words);
      const from = all.bench.nowNs;
      all.reader.mode({});
      all.reader.send([0x55], wait);
      all.bench.until(() => all.wire.edges.length > 0, 100);
      const gap = (all.wire.edges[0]![0] - from) / all.reader.etuNs;
      if (!(gap >= wait + 5 / 16 && gap <= wait + 8 / 16)) return `waited ${gap} etu for ${wait}`;
    }
    return undefined;
  },
  "receives at every phase of its tick, both conventions": (words) => {
    for (const inverse of [false, true]) {
      for (let phase = 0; phase < 8; phase++) {
        const all = rig(words);
        all.reader.mode({ signal: true, inverse });
        all.reader.rate(512, 32);
        all.bench.pass(777 + phase * 37);
        const bytes = [0x00, 0xff, 0x3b, 0xa7, 0x80, 0x01];
        // Back to back at 12 etu, the closest a card may send here.
        bytes.forEach((byte, i) =>
          all.wire.character(byte, all.bench.nowNs + 1000 + i * 12 * all.reader.etuNs, all.reader.etuNs, { inverse }),
        );
        all.bench.pass(80 * all.reader.etuNs);
        if (all.reader.received.map((one) => one.byte).join() !== bytes.join() || !all.reader.received.every((one) => one.parityOk))
          return `phase ${phase} ${inverse ? "inverse" : "direct"}: ${all.reader.received.map((one) => one.byte.toString(16)).join(" ")}`;
        if (all.wire.edges.length) return "error signal for a good character";
      }
    }
    return undefined;
  },
  "samples in the middle, up to a tick early": (words, rates = speeds) => {
    // A level that is only there from n + 0.43 to n + 0.51 etu must be read: the sample stands -1/16 to 0 etu from the middle (§7.2: ±0.2).
    for (const [f, d] of rates) {
      const { bench, reader, wire } = rig(words);
      reader.mode({});
      reader.rate(f, d);
      const { etuNs } = reader;
      for (let bit = 1; bit <= 9; bit++) {
        for (const phase of [0.05, 0.5, 0.95]) {
          const at = bench.nowNs + Math.ceil((2 + phase) * (etuNs / 16));
          reader.received.length = 0;
          wire.low(true, at);
          wire.low(false, at + etuNs);
          wire.low(true, at + (bit + 0.43) * etuNs);
          wire.low(false, at + (bit + 0.51) * etuNs);
          bench.pass(15 * etuNs);
          const want = bit === 9 ? 0xff : 0xff & ~(1 << (bit - 1));
          if (reader.received.length !== 1 || reader.received[0]!.byte !== want) return `bit ${bit} at ${f}/${d}, phase ${phase}`;
        }
      }
    }
    return undefined;
  },
  "a CPU that is late with the next word only stretches the gap": (words) => {
    const all = rig(words);
    all.reader.mode({});
    all.reader.rate(512, 32);
    all.reader.budget = 2;
    all.reader.send([0x12, 0x34, 0x56], 8);
    all.bench.pass(100 * all.reader.etuNs);
    all.reader.thaw();
    all.bench.until(() => !all.reader.sending, 100);
    const edges = places(all);
    const two = ideal([0x12, 0x34], 12);
    const third = ideal([0x56], 12).map((at) => at + edges[two.length]!);
    return edges[two.length]! > 90 && same(edges, [...two, ...third], 0.005) ? undefined : `edges ${edges.join(" ")}`;
  },
  "pulls low 10.5 to 12 etu after a character with wrong parity, then hears the repeat": (words, rates = speeds) => {
    for (const inverse of [false, true]) {
      for (const [f, d] of rates) {
        const all = rig(words);
        all.reader.mode({ signal: true, inverse });
        all.reader.rate(f, d);
        all.bench.pass(5000);
        const at = all.bench.nowNs + 1000;
        const { etuNs } = all.reader;
        all.wire.character(0x37, at, etuNs, { wrongParity: true, inverse });
        all.wire.character(0x37, at + 14 * etuNs, etuNs, { inverse });
        all.bench.pass(40 * etuNs);
        const signal = all.wire.edges.map(([ns]) => (ns - at) / etuNs);
        if (signal.length !== 2) return `edges ${signal.join(" ")}`;
        // §7.3: from 10.5 ± 0.2 etu, for 1 to 2 etu; ours by design from 10.5 to a tick later.
        if (!near(signal[0]!, 10.53, 0.04) || !near(signal[1]! - signal[0]!, 1.5, 0.01)) return `signal at ${signal.join(" ")}`;
        if (all.reader.received.map((one) => one.parityOk).join() !== "false,true" || all.reader.received[1]!.byte !== 0x37)
          return "repeat not heard";
      }
    }
    return undefined;
  },
  "says nothing about parity when the error signal is off, and takes 11-etu characters": (words) => {
    const all = rig(words);
    all.reader.mode({});
    all.reader.rate(372, 4);
    const at = all.bench.nowNs + 1000;
    for (let i = 0; i < 4; i++) all.wire.character(i, at + i * 11 * all.reader.etuNs, all.reader.etuNs, { wrongParity: i === 1 });
    all.bench.pass(60 * all.reader.etuNs);
    if (all.wire.edges.length) return "signalled";
    return all.reader.received.map((one) => `${one.byte}${one.parityOk}`).join() === "0true,1false,2true,3true" ? undefined : "misread";
  },
  "sends again after an error signal, 2 etu later at least, and not before the CPU allows it": (words, rates = speeds) => {
    for (const [f, d] of rates) {
      const all = rig(words);
      all.reader.mode({ signal: true });
      all.reader.rate(f, d);
      all.reader.send([0x61, 0x62], 8);
      all.bench.until(() => all.wire.edges.length > 0, 100);
      const start = all.wire.edges[0]![0];
      const { etuNs } = all.reader;
      all.wire.low(true, start + 10.5 * etuNs);
      all.wire.low(false, start + 11.6 * etuNs);
      all.bench.until(() => !all.reader.sending, 100);
      const again = ideal([0x61], 12).length;
      const place = (all.wire.edges[again]![0] - start) / etuNs;
      if (!near(place, 213 / 16, 0.03)) return `repeat at ${place} etu`;
      const first = ideal([0x61], 12);
      const second = ideal([0x61, 0x62], 12).map((at) => at + place);
      if (!same(places(all), [...first, ...second], 0.005)) return "the repeat differs";
    }
    const held = rig(words);
    held.reader.mode({ signal: true });
    held.reader.repeatLimit = 0;
    held.reader.send([0x61], 8);
    held.bench.until(() => held.wire.edges.length > 0, 100);
    held.wire.low(true, held.wire.edges[0]![0] + 10.5 * held.reader.etuNs);
    held.wire.low(false, held.wire.edges[0]![0] + 11.6 * held.reader.etuNs);
    held.bench.pass(100 * held.reader.etuNs);
    return same(places(held), ideal([0x61], 12), 0.005) ? undefined : "repeated without leave";
  },
  "samples the error signal at 11.0 ± 0.2 etu": (words) => {
    for (const [from, to, repeats] of [
      [10.85, 11.15, 1],
      [10.2, 10.8, 0],
      [11.2, 11.9, 0],
    ] as const) {
      // prettier-ignore
      const all = rig(words);
      all.reader.mode({ signal: true });
      all.reader.send([0x0f], 8);
      all.bench.until(() => all.wire.edges.length > 0, 100);
      const start = all.wire.edges[0]![0];
      all.wire.low(true, start + from * all.reader.etuNs);
      all.wire.low(false, start + to * all.reader.etuNs);
      all.bench.pass(60 * all.reader.etuNs);
      if (all.reader.repeats !== repeats) return `low from ${from} to ${to}: ${all.reader.repeats} repeats`;
    }
    return undefined;
  },
  "ignores spikes up to 0.4 etu and takes 0.6 etu for a start bit": (words, rates = speeds) => {
    for (const [width, count] of [
      [0.05, 0],
      [0.3, 0],
      [0.4, 0],
      [0.6, 1],
    ] as const) {
      // prettier-ignore
      for (const [f, d] of rates) {
        const all = rig(words);
        all.reader.mode({});
        all.reader.rate(f, d);
        all.bench.pass(3000);
        if (width === 0.4) {
          // After a character: the machine's registers are as that left them, not as a reset does.
          all.wire.character(0x5a, all.bench.nowNs, all.reader.etuNs);
          all.bench.pass(15 * all.reader.etuNs);
          if (all.reader.received.length !== 1) return `${all.reader.received.length} characters before the spike`;
          all.reader.received.length = 0;
        }
        const at = all.bench.nowNs;
        all.wire.low(true, at);
        all.wire.low(false, at + width * all.reader.etuNs);
        all.bench.pass(15 * all.reader.etuNs);
        if (all.reader.received.length !== count) return `${width} etu at ${f}/${d}: ${all.reader.received.length} characters`;
      }
    }
    return undefined;
  },
  "a line that is low when listening begins is no start bit": (words) => {
    const all = rig(words);
    all.bench.nets.drive(IO, "card", 0);
    all.bench.pass(1e6);
    all.reader.mode({});
    all.reader.received.length = 0;
    all.reader.listen();
    all.bench.pass(20 * all.reader.etuNs);
    return all.reader.received.length === 0 ? undefined : "took a low line for a character";
  },
};

/** Mutants that change nothing that matters. */
export const harmless: readonly (readonly [word: RegExp, why: string])[] = [
  [/^jmp send → e2$|^jmp guard → eeb$/, "jmp !osre: OSR holds a word there, always"],
  [/^out x, 1 → 60(20|2[2-9a-f]|3[0-9a-f])$/, "after directions and guard only the more bit is left in the word"],
  [/^wait 1 pin 0 → 2[1-4]a0$|^set pindirs, 0 → e[1-4]80$/, "a short pause before waiting for the next start bit"],
];
/** Is this word among them? */
export const isHarmless = (at: number, form: number): boolean => harmless.some(([word]) => word.test(mutantName(at, form)));

/** A word of the program changed, as the table of harmless ones names it. */
export const mutantName = (at: number, form: number): string =>
  `${cardLine.source[at]!.text.replace(/\s*\[\d+\]$/, "").replace(/\s+/g, " ")} → ${form.toString(16)}`;

/** Does any scenario see that this word stands in the place of the right one? */
export function mutantCaught(at: number, form: number): boolean {
  const words = [...cardLine.words];
  words[at] = form;
  return Object.values(scenarios).some((scenario) => {
    try {
      return scenario(words, [[512, 32]]) !== undefined;
    } catch {
      return true; // stuck, or a rule of the board broken
    }
  });
}
