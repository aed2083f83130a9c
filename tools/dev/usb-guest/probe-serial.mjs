// In the guest: the kernel's own cdc_acm carries our link; the reader says who it is.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , root] = process.argv;
const { openUri } = await import(pathToFileURL(join(root, "sdk/dist/src/node.js")).href);
const reader = await openUri("serial:/dev/ttyACM0");
try {
  const status = await reader.slotStatus();
  if (status === "absent") throw new Error("no card, but one is in");
} finally {
  await reader.close();
}
