// npm start: the main job from one command, from a fresh clone. Installs and builds what is missing, then runs `inkan demo`.
// Its own out/ may be there from an earlier start, so the demo may write over it.
import { ensureBuilt, ensureInstalled, needNode, script } from "./toolchain.mjs";

await script(async () => {
  needNode();
  ensureInstalled();
  ensureBuilt();
  process.argv.splice(2, 0, "demo", "--force");
  await import("../bin/inkan.mjs");
});
