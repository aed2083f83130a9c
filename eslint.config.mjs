import tseslint from "typescript-eslint";

/** Who may import whom, and where a clock may run: the house's own truths (docs/map.md). */
const nodeless = { group: ["node:*"], message: "this room also runs in a browser: no node: imports here" };
export default tseslint.config(
  { ignores: ["**/dist/**", "docs/api/**", "device-proto/firmware/**", "node_modules/**", "out/**"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "no-console": "error",
      "no-restricted-globals": [
        "error",
        { name: "setTimeout", message: "waits live in sdk/src/exchange (Clock)" },
        { name: "setInterval", message: "waits live in sdk/src/exchange (Clock)" },
      ],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/consistent-type-imports": "error",
      eqeqeq: "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["device-proto/src/**/*.ts"],
    ignores: ["**/*.test.ts", "device-proto/src/firmware.ts"],
    rules: { "no-restricted-imports": ["error", { patterns: [nodeless, { group: ["@inkan/*"], message: "device-proto knows nobody" }] }] },
  },
  {
    files: ["sdk/src/**/*.ts"],
    ignores: ["**/*.test.ts", "sdk/src/node.ts", "sdk/src/node/**", "sdk/src/hashing/**", "sdk/src/transport/serial/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [nodeless, { group: ["@inkan/hwtest*", "@inkan/tools*", "@inkan/sdk*"], message: "sdk imports device-proto only" }] },
      ],
    },
  },
  {
    files: ["hwtest/src/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@inkan/tools*", "@inkan/*/src/*", "@inkan/*/dist/*"], message: "through the doors" }] },
      ],
    },
  },
  {
    files: ["tools/src/**/*.ts"],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@inkan/hwtest*"], message: "hwtest is an optional peer: import() it", allowTypeImports: true }] },
      ],
    },
  },
  {
    files: ["tools/dev/**", "tools/bin/**", "**/*.test.ts", "hwtest/suites/**", "sdk/src/exchange/**"],
    rules: { "no-console": "off", "no-restricted-globals": "off" },
  },
);
