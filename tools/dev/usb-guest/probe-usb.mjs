// In the guest: npm `usb` opens the reader, asks for the slot's status, lets a read time out, clears a halt, resets.
import { createRequire } from "node:module";
import { join } from "node:path";

const [, , root, ids] = process.argv;
const require = createRequire(join(root, "package.json"));
const { usb } = require("usb");
const [vendorId, productId] = ids.split(":").map((one) => Number.parseInt(one, 16));
const device = (await usb.getDevices()).find((one) => one.vendorId === vendorId && one.productId === productId);
if (!device) throw new Error("npm usb does not see the reader");
const TIMEOUT_MS = 20_000;
let sequence = 0;
async function slotStatus() {
  const number = sequence++ & 0xff;
  const sent = await device.transferOut(1, Uint8Array.of(0x65, 0, 0, 0, 0, 0, number, 0, 0, 0), TIMEOUT_MS);
  const { status, data } = await device.transferIn(1, 271, TIMEOUT_MS);
  const answer = data ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.alloc(0);
  if (sent.status !== "ok" || status !== "ok" || answer.length !== 10 || answer[0] !== 0x81 || answer[6] !== number || answer[8] !== 0)
    throw new Error(`GetSlotStatus ${number}: ${sent.status}, ${status}, ${answer.toString("hex")}`);
}
await device.open();
await device.claimInterface(0);
for (let round = 0; round < 20; round++) await slotStatus();
const early = await device.transferIn(1, 271, 200).then(
  (one) => `answered ${one.status}`,
  () => undefined,
);
if (early) throw new Error(`a read that nothing was sent for: ${early}`);
await slotStatus();
await device.clearHalt("in", 1);
await device.clearHalt("out", 1);
await slotStatus();
await device.releaseInterface(0);
await device.reset();
await device.claimInterface(0);
await slotStatus();
await device.releaseInterface(0);
await device.close();
