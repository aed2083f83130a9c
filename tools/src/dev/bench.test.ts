import { expect, test } from "vitest";

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly against: string;
  readonly goal: { readonly min?: number; readonly max?: number };
}
interface Result extends Figure {
  readonly value: number | null;
  readonly min: number | null;
  readonly n: number;
  readonly holds: boolean | null;
  readonly why?: string;
}
const file = (name: string): string => new URL(`../../bench/${name}.mjs`, import.meta.url).href;
const { PeerMissing, conclude, median, pairs } = (await import(file("measure"))) as {
  PeerMissing: new (message: string) => Error;
  conclude: (figure: Figure, values: number[] | undefined, why?: string) => Result;
  median: (values: number[]) => number;
  pairs: (count: number, ours: () => number, theirs: () => number) => Promise<number[]>;
};
const { bench, choose, line } = (await import(file("run"))) as {
  bench: (
    chosen: Figure[],
    take: (figure: Figure) => Promise<number[]>,
    report: (result: Result) => void,
    budgetMs: number,
  ) => Promise<{ held: number; missed: number; exit: number }>;
  choose: (args: string[], known: Figure[]) => { json: boolean; chosen: Figure[] };
  line: (result: Result) => string;
};
const { figures } = (await import(file("figures"))) as { figures: Figure[] };

const figure = (name: string, goal: Figure["goal"]): Figure => ({ name, unit: "×", against: "a peer", goal });
const known = [figure("a", { min: 1 }), figure("b", { max: 2 })];
const MINUTE = 60_000;

test("the median, whatever the order", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
});

test.each<[Figure["goal"], number[], boolean | null]>([
  [{ min: 1 }, [1, 1, 1, 1, 1], true],
  [{ min: 1 }, [0.9999, 0.9999, 0.9999, 2, 2], false],
  [{ max: 2 }, [2, 2, 2, 9, 9], true],
  [{ max: 2 }, [2.0001, 2.0001, 2.0001, 1, 1], false],
  [{ min: 1 }, [5, 5, 5, 5], null],
  [{ min: 1 }, [5, 5, 5, 5, NaN], null],
  [{ min: 1 }, [5, 5, 5, 5, Infinity], null],
])("goal %o with samples %o", (goal, values, holds) => {
  expect(conclude(figure("x", goal), values)).toMatchObject({ n: values.length, holds, value: holds === null ? null : median(values) });
});

test("pairs take turns in who begins, and are ours over theirs", async () => {
  const order: string[] = [];
  const ratios = await pairs(
    4,
    () => (order.push("ours"), 6),
    () => (order.push("theirs"), 3),
  );
  expect(ratios).toEqual([2, 2, 2, 2]);
  expect(order.join(" ")).toBe("ours theirs theirs ours ours theirs theirs ours");
});

test("every figure has a goal one way and stands once", () => {
  expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
  for (const { goal } of figures) expect(Object.keys(goal)).toHaveLength(1);
});

test("names and --json in any order; a name that is none is exit 2", () => {
  expect(choose(["b", "--json"], known)).toEqual({ json: true, chosen: [known[1]] });
  expect(choose([], known)).toEqual({ json: false, chosen: known });
  for (const wrong of ["c", "--jason", ""])
    expect(() => choose(["a", wrong], known)).toThrow(expect.objectContaining({ exit: 2, message: expect.stringContaining("a, b") }));
});

test.each<[string, (name: string) => Promise<number[]>, number, number, (boolean | null)[]]>([
  ["all held", async () => [1, 1, 1, 1, 1], 0, 2, [true, true]],
  ["one missed", async (name) => (name === "a" ? [0, 0, 0, 0, 0] : [1, 1, 1, 1, 1]), 5, 1, [false, true]],
  ["one could not be taken", async (name) => (name === "a" ? Promise.reject(new Error("broken")) : [1, 1, 1, 1, 1]), 5, 1, [null, true]],
  ["a peer is missing", async (name) => (name === "b" ? Promise.reject(new PeerMissing("get it")) : [1, 1, 1, 1, 1]), 8, 1, [true, null]],
])("%s", async (_, take, exit, held, holds) => {
  const results: Result[] = [];
  const end = await bench(
    known,
    ({ name }) => take(name),
    (result) => results.push(result),
    MINUTE,
  );
  expect(end).toMatchObject({ exit, held, missed: 2 - held });
  expect(results.map((result) => result.holds)).toEqual(holds);
  for (const result of results.filter(({ holds: each }) => each === null)) expect(line(result)).toContain(`not taken: ${result.why}`);
});

test("a figure that never ends does not hold up the run", async () => {
  const results: Result[] = [];
  const end = await bench(
    known,
    () => new Promise(() => undefined),
    (result) => results.push(result),
    20,
  );
  expect(end).toMatchObject({ exit: 5, missed: 2 });
  expect(results.map(({ why }) => why)).toEqual(["the run's 0.02 s were over", "the run's 0.02 s were over"]);
});
