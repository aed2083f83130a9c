import type { Model } from "./model.js";

/** A pending event as plain data. */
export type EventRecord = readonly [model: string, kind: number, atNs: number, argument: number];

interface Entry {
  readonly model: Model;
  readonly kind: number;
  at: number;
  argument: number;
  queued: boolean;
}

/**
 * The board's only event queue: (model, kind, argument) at a time in ns, first-in first-out at equal times. One pair
 * (model, kind) is pending at most once; its entry object is made once and reused, so that a running line allocates nothing.
 */
export class EventQueue {
  /** Latest first, so that the next event is at the end; among equal times the one scheduled first is nearer to the end. */
  readonly #pending: Entry[] = [];
  readonly #entries = new Map<Model, Entry[]>();
  readonly #names = new Map<string, Model>();
  #hurrying = 0;
  /** Time of the next event in ns, Infinity when none is pending. */
  nextAt = Infinity;

  /** True while an event of a `hurry` model is pending. */
  get hurrying(): boolean {
    return this.#hurrying > 0;
  }

  /** Makes a model addressable by its name. A second model of that name takes the place of the first. */
  register(model: Model): void {
    const former = this.#names.get(model.name);
    if (former === model) return;
    if (former) for (const entry of this.#entries.get(former) ?? []) if (entry) this.cancel(former, entry.kind);
    this.#names.set(model.name, model);
    this.#entries.set(model, []);
    if (former) this.#entries.delete(former);
  }

  /** Forgets a model and its events. */
  unregister(model: Model): void {
    for (const entry of this.#entries.get(model) ?? []) if (entry?.queued) this.#remove(entry);
    this.#entries.delete(model);
    if (this.#names.get(model.name) === model) this.#names.delete(model.name);
  }

  /** Adds or moves the event (model, kind). */
  schedule(model: Model, kind: number, at: number, argument: number): void {
    const kinds = this.#entries.get(model);
    if (!kinds) throw new Error(`model ${model.name} schedules an event but is not registered`);
    if (!(at < Infinity)) throw new Error(`model ${model.name} schedules event ${kind} at ${at}`);
    const entry = (kinds[kind] ??= { model, kind, at, argument, queued: false });
    if (entry.queued) this.#remove(entry);
    entry.at = at;
    entry.argument = argument;
    entry.queued = true;
    if (model.hurry) this.#hurrying++;
    const pending = this.#pending;
    let index = pending.length;
    while (index > 0 && pending[index - 1]!.at <= at) index--;
    if (index === pending.length) pending.push(entry);
    else pending.splice(index, 0, entry);
    this.nextAt = pending[pending.length - 1]!.at;
  }

  cancel(model: Model, kind: number): void {
    const entry = this.#entries.get(model)?.[kind];
    if (entry?.queued) this.#remove(entry);
  }

  /** Takes the next event out and delivers it. Call only when one is due. */
  deliver(): void {
    const entry = this.#pending.pop()!;
    entry.queued = false;
    if (entry.model.hurry) this.#hurrying--;
    this.nextAt = this.#pending.length ? this.#pending[this.#pending.length - 1]!.at : Infinity;
    entry.model.onEvent!(entry.kind, entry.argument);
  }

  clear(): void {
    for (const entry of this.#pending) entry.queued = false;
    this.#pending.length = 0;
    this.#hurrying = 0;
    this.nextAt = Infinity;
  }

  /** In order of delivery. */
  save(): EventRecord[] {
    return this.#pending.toReversed().map((entry) => [entry.model.name, entry.kind, entry.at, entry.argument]);
  }

  load(records: readonly EventRecord[]): void {
    this.clear();
    for (const [name, kind, at, argument] of records) {
      const model = this.#names.get(name);
      if (!model) throw new Error(`a snapshot has an event for ${name}, which is not on this board`);
      this.schedule(model, kind, at, argument);
    }
  }

  #remove(entry: Entry): void {
    this.#pending.splice(this.#pending.indexOf(entry), 1);
    entry.queued = false;
    if (entry.model.hurry) this.#hurrying--;
    this.nextAt = this.#pending.length ? this.#pending[this.#pending.length - 1]!.at : Infinity;
  }
}
