// `npm run test:products`: builds the image of every second product (device-proto/products/*.json, and one whose update key is published) and
// plays it on the virtual board: its descriptors, names, texts, pad and policies must be in force, and what is for tests must say so. The
// released image must show the reference product. Needs the cross compiler: without it exit 8.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = (args) => spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
const built = run([join(root, "node_modules/typescript/bin/tsc"), "-b", "hwtest"]);
if (built.status !== 0) {
  console.error(built.stdout);
  process.exit(1);
}
const load = (path) => import(new URL(`../../${path}`, import.meta.url).href);
const { playProduct } = await load("hwtest/dist/src/campaigns/index.js");
const { checkProductText } = await load("device-proto/dist/gen/product.js");
const { publishedKeys, referenceProduct } = await load("device-proto/dist/src/index.js");

let passed = 0;
let failed = 0;
const verdict = (holds, line) => {
  if (holds) passed++;
  else failed++;
  console.log(`${holds ? "ok  " : "FAIL"} ${line}`);
};
const images = (place) => ["reader.img", "boot.bin"].map((file) => new Uint8Array(readFileSync(join(place, file))));
const play = async (title, product, place) => {
  const findings = await playProduct(product, ...images(place)).catch((error) => [{ holds: false, sentence: String(error) }]);
  for (const { holds, sentence } of findings) verdict(holds, `${title}: ${sentence}`);
};

const folder = mkdtempSync(join(tmpdir(), "inkan-products-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const samples = join(root, "device-proto/products");
const files = readdirSync(samples)
  .sort()
  .map((name) => ({ title: name, file: join(samples, name) }));
// Own USB ids, but an update key that everybody has: it must not pass for a product.
const borrowed = {
  ...JSON.parse(readFileSync(join(samples, "strict.json"), "utf8")),
  usb: { vendorId: "1d6b", productId: "0f00", bcdDevice: "0123" },
  productName: "TEST key reader",
  language: "ja",
  keys: [{ name: "RFC 6979 A.2.5", publicKey: publishedKeys[0] }],
};
files.push({ title: "a published key", file: join(folder, "borrowed.json") });
writeFileSync(files.at(-1).file, JSON.stringify(borrowed));

await play("the reference product", referenceProduct, join(root, "device-proto/firmware/release"));
for (const [index, { title, file }] of files.entries()) {
  const place = join(folder, String(index));
  const compiled = run([join(root, "tools/dev/firmware.mjs"), "build", "--product", file, "--out", place]);
  if (compiled.status === 8) {
    console.error(compiled.stderr || compiled.stdout);
    process.exit(8);
  }
  if (compiled.status !== 0) verdict(false, `${title} does not build\n${compiled.stdout}${compiled.stderr}`);
  else await play(title, checkProductText(readFileSync(file, "utf8")).product, place);
}
const broken = join(folder, "broken.json");
writeFileSync(broken, JSON.stringify({ ...borrowed, productId: undefined }));
const refusal = run([join(root, "tools/dev/firmware.mjs"), "build", "--product", broken, "--out", join(folder, "broken")]);
verdict(refusal.status === 2 && refusal.stderr.includes("productId"), "a definition with a mistake is not built, and the field is named");
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 5 : 0;
