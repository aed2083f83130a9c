// `npm run campaign -- NAME [--cases N] [--seed S] [--only I] [--json]`: counted runs over random cases. Case I of seed S is always the same
// case; a failure prints the one command that replays it. Ends with one JSON line; exit 5 when anything failed.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const words = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = words.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(words[at + 1]);
};
const name = words[0];
const cases = option("cases", 40);
const seed = option("seed", 1);
const only = option("only", undefined);
const json = words.includes("--json");

const built = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "hwtest"], { cwd: root, encoding: "utf8" });
if (built.status !== 0) {
  console.error(built.stdout);
  process.exit(1);
}
const { differences, fates, findSecret, observeSecret, randomSecret, sameShape, seeded } = await import(
  new URL("../../hwtest/dist/src/campaigns/index.js", import.meta.url).href
);

// Read once: a build that runs beside this must not change the image between two halves of a case.
const { releasedFirmware } = await import(new URL("../../device-proto/dist/src/firmware.js", import.meta.url).href);
const { image, boot } = await releasedFirmware();

const campaigns = {
  /** Two secrets of one shape, any length, any end, both faces, any start: nothing may tell them apart, and neither stands anywhere. */
  "pin-secrecy": async (index) => {
    const random = seeded(seed * 1_000_003 + index);
    // The person who never finishes costs 60 s of board time: one case in twenty.
    const quick = fates.filter((fate) => fate !== "timed-out");
    const fate = index % 20 === 19 ? "timed-out" : quick[random(quick.length)];
    const face = random(2) ? "usb" : "link";
    const secret = randomSecret(random, 6 + random(11));
    const session = { fate, face, seed: 1 + random(1_000_000), image, boot };
    const first = await observeSecret({ ...session, secret });
    const second = await observeSecret({ ...session, secret: sameShape(random, secret) });
    return { what: `${fate} over ${face}`, problems: [...differences(first, second), ...findSecret(secret, first)] };
  },
};

const campaign = campaigns[name];
if (campaign === undefined || !Number.isInteger(cases) || !Number.isInteger(seed)) {
  console.error(`usage: npm run campaign -- ${Object.keys(campaigns).join("|")} [--cases N] [--seed S] [--only I] [--json]`);
  process.exit(2);
}
const began = performance.now();
let failures = 0;
const indexes = only === undefined ? Array.from({ length: cases }, (_, index) => index) : [only];
for (const index of indexes) {
  const { what, problems } = await campaign(index);
  if (problems.length === 0) continue;
  failures++;
  console.error(`case ${index} (${what}): ${problems.join("; ")}\n  npm run campaign -- ${name} --seed ${seed} --only ${index}`);
}
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
const seconds = Math.round((performance.now() - began) / 1000);
console.log(JSON.stringify({ campaign: name, on: "arm", cases: indexes.length, failures, seed, seconds, commit }));
if (!json) console.log(`${indexes.length - failures} passed, ${failures} failed`);
process.exitCode = failures > 0 ? 5 : 0;
