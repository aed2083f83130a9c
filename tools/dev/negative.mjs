// `npm run test:negative`: builds every deliberately wrong image of firmware/negative.h and plays its scene on the virtual board. Each
// must be stopped by exactly the rule its row names; the right image must pass every scene. Needs the cross compiler: without it exit 8.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wrongImages } from "./usb-guest/checks.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = (args) => spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
const built = run([join(root, "node_modules/typescript/bin/tsc"), "-b", "hwtest"]);
if (built.status !== 0) {
  console.error(built.stdout);
  process.exit(1);
}
const { negativeCases, playNegative, shownByGuest, shownByHostTests } = await import(
  new URL("../../hwtest/dist/src/campaigns/index.js", import.meta.url).href
);
const only = process.argv.slice(2);

const switches = [...readFileSync(join(root, "device-proto/firmware/negative.h"), "utf8").matchAll(/^ \*\s+NEGATIVE_([A-Z0-9_]+)/gm)].map(
  (match) => match[1],
);
let passed = 0;
let failed = 0;
const verdict = (holds, line) => {
  if (holds) passed++;
  else failed++;
  console.log(`${holds ? "ok  " : "FAIL"} ${line}`);
};
const rows = new Set(negativeCases.map(({ name }) => name));
for (const [name, program] of Object.entries(shownByHostTests))
  verdict(existsSync(join(root, "device-proto/firmware/test", program)), `${name}: shown by ${program} in npm run test:firmware`);
for (const name of shownByGuest) verdict(name in wrongImages, `${name}: shown by npm run test:usb`);
for (const name of switches)
  if (!rows.has(name) && !(name in shownByHostTests) && !shownByGuest.includes(name))
    verdict(false, `${name} stands in negative.h and has no row`);
for (const name of rows) if (!switches.includes(name)) verdict(false, `${name} has a row and does not stand in negative.h`);

const folder = mkdtempSync(join(tmpdir(), "inkan-negative-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const images = (place) => ["reader.img", "boot.bin"].map((file) => new Uint8Array(readFileSync(join(place, file))));

if (only.length === 0)
  for (const scene of new Set(negativeCases.map(({ scene }) => scene))) {
    const found = await playNegative(scene, ...images(join(root, "device-proto/firmware/release"))).catch((error) => String(error));
    verdict(found === "nothing", `the released image, scene ${scene}: ${found}`);
  }
for (const { name, scene, caughtBy } of negativeCases) {
  if (only.length > 0 && !only.includes(name)) continue;
  const place = join(folder, name);
  const compiled = run([join(root, "tools/dev/firmware.mjs"), "build", "--define", `NEGATIVE_${name}`, "--out", place]);
  if (compiled.status === 8) {
    console.error(compiled.stderr || compiled.stdout);
    process.exit(8);
  }
  if (compiled.status !== 0) {
    verdict(false, `${name} does not compile\n${compiled.stdout}${compiled.stderr}`);
    continue;
  }
  const found = await playNegative(scene, ...images(place)).catch((error) => String(error));
  verdict(found === caughtBy, `${name}: ${found}${found === caughtBy ? "" : `, expected ${caughtBy}`}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 5 : 0;
