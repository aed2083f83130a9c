import { defineConfig } from "vitest/config";

/** Packages resolve to their sources here, so that no test can run on a stale build. */
export default defineConfig({
  resolve: { conditions: ["inkan-source", "node", "import", "default"] },
  ssr: {
    resolve: { conditions: ["inkan-source", "node", "import", "default"], externalConditions: ["inkan-source"] },
    noExternal: [/^@inkan\//],
  },
  test: {
    include: ["{device-proto,sdk,hwtest,tools}/{src,testing,gen,suites}/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { shuffle: true },
  },
});
