// `npm run campaign -- NAME …`: what `inkan hwtest campaign NAME …` does, from a checkout: installs and builds what is missing first.
import { ensureBuilt, ensureInstalled, needNode, script } from "./toolchain.mjs";

await script(async () => {
  needNode();
  ensureInstalled();
  ensureBuilt();
  process.argv.splice(2, 0, "hwtest", "campaign");
  await import("../bin/inkan.mjs");
});
