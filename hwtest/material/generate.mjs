// Makes new test material in this folder: `npm run build && node hwtest/material/generate.mjs --replace`. Everything that was signed
// with the old keys becomes unverifiable, so this is a deliberate act.
import { writeFileSync } from "node:fs";
import { generateMaterial } from "@inkan/hwtest/authority";

if (!process.argv.includes("--replace")) {
  process.stderr.write("This replaces every test key and certificate. Say --replace to do it.\n");
  process.exit(2);
}
for (const [name, text] of Object.entries(generateMaterial())) writeFileSync(new URL(name, import.meta.url), text);
