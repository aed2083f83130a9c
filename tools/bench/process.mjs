// What a fresh process costs, and whether it stays as small as it began.
import { samples } from "./measure.mjs";
import { fresh } from "./programs.mjs";

export const figures = {
  "boot-first-apdu": () => samples(5, async () => (await fresh("boot.mjs")).cpuSeconds),
  // Node's own start is taken off, in turns with it.
  import: () =>
    samples(9, async (i) => {
      const order = i % 2 ? ["@inkan/sdk", "node:process"] : ["node:process", "@inkan/sdk"];
      const cost = {};
      for (const module of order) cost[module] = (await fresh("import.mjs", [module])).cpuSeconds * 1000;
      return cost["@inkan/sdk"] - cost["node:process"];
    }),
  "heap-apdu": async () => (await fresh("heap.mjs", [], ["--expose-gc"])).bytesPerApdu,
};
