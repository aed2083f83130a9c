// How a figure is taken: samples, their median, and what the goal says to it. Knows no subject.

/** A program or package to compare with is not here: the run ends with exit 8 and this sentence. */
export class PeerMissing extends Error {}

/** Fewer samples than this are no figure. */
export const leastSamples = 5;

/** Median of numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Seconds of processor time this process has used, all its threads. */
export const cpuNow = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Units of work per second of processor time: `work` returns its units and is called until `seconds` are used. */
export function cpuRate(work, seconds = 0.25) {
  const start = cpuNow();
  let units = 0;
  let used;
  do {
    units += work();
    used = cpuNow() - start;
  } while (used < seconds);
  return units / used;
}

/** `count` ratios of ours to theirs. The two are taken in turns, and who begins changes, so that drift of the machine cancels out. */
export async function pairs(count, ours, theirs) {
  const ratios = [];
  for (let i = 0; i < count; i++) {
    const first = i % 2 ? theirs : ours;
    const a = await first();
    const b = await (first === ours ? theirs : ours)();
    ratios.push(first === ours ? a / b : b / a);
  }
  return ratios;
}

/** `count` samples, one after the other. */
export async function samples(count, take) {
  const values = [];
  for (let i = 0; i < count; i++) values.push(await take(i));
  return values;
}

/** What is printed of a figure. `holds` is null when it could not be taken, and `why` says why. */
export function conclude({ name, unit, against, goal }, values, why) {
  const sound = values !== undefined && values.length >= leastSamples && values.every(Number.isFinite);
  if (!sound) {
    const reason =
      why ?? (values === undefined ? "no samples" : `${values.length} samples, not all of them numbers, or fewer than ${leastSamples}`);
    return { name, value: null, min: null, max: null, n: values?.length ?? 0, unit, against, goal, holds: null, why: reason };
  }
  const value = median(values);
  const holds = value <= (goal.max ?? Infinity) && value >= (goal.min ?? -Infinity);
  return {
    name,
    value,
    min: Math.min(...values),
    max: Math.max(...values),
    n: values.length,
    unit,
    against,
    goal,
    holds,
  };
}
