// In the guest: npm `usb` asks for the slot's status, lets a read time out, clears a halt, hears the card go and come on the interrupt
// endpoint, resets the device, and is told of unplugging and plugging in. Says "ok NAME" for each.
import { appendFileSync } from "node:fs";
import { GET_SLOT_STATUS, ICC_POWER_ON, bytesOf, command, findReader, iccStatus, npmUsb } from "./reader.mjs";

const [, , root, ids] = process.argv;
// A hand at the reader; the console is the bench's ear.
const hand = (what) => appendFileSync("/dev/console", `@ do ${what}\n`);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const LIMIT_MS = 20_000;

async function status(wanted) {
  const answer = await command(device, GET_SLOT_STATUS);
  if (answer.length !== 10 || answer[0] !== 0x81 || answer[8] !== 0 || (wanted && iccStatus(answer) !== wanted))
    throw new Error(`GetSlotStatus: ${answer.toString("hex")}, should be ${wanted ?? "good"}`);
}

const device = await findReader(root, ids);
await device.open();
await device.claimInterface(0);
for (let round = 0; round < 20; round++) await status();
const early = await device.transferIn(1, 271, 200).then(
  (one) => `answered ${one.status}`,
  () => undefined,
);
if (early) throw new Error(`a read that nothing was sent for: ${early}`);
await status();
await device.clearHalt("in", 1);
await device.clearHalt("out", 1);
await status("inactive");
console.log("ok npm-usb");

// RDR_to_PC_NotifySlotChange (CCID 1.1 §6.3.1): bit 0 the card is in, bit 1 that has changed.
async function notice(wanted) {
  const limit = Date.now() + LIMIT_MS;
  for (let said = ""; ; ) {
    if (Date.now() > limit) throw new Error(`the interrupt endpoint says "${said}", should say ${wanted}`);
    const { data } = await device.transferIn(2, 8, 2000).catch(() => ({ data: undefined }));
    said = bytesOf(data).toString("hex");
    if (said === wanted) return;
  }
}
hand("remove");
await notice("5002");
await status("absent");
hand("insert");
await notice("5003");
await status("inactive");
console.log("ok interrupt");

const on = await command(device, ICC_POWER_ON);
if (on[0] !== 0x80 || iccStatus(on) !== "active") throw new Error(`IccPowerOn: ${on.toString("hex")}`);
await status("active");
await device.releaseInterface(0);
await device.reset();
await device.claimInterface(0);
// USB reset deactivates the card: nobody inherits it.
await status("inactive");
await device.releaseInterface(0);
await device.close();
console.log("ok usb-reset");

const { WebUSB } = npmUsb(root);
const bus = new WebUSB({ allowAllDevices: true });
const told = [];
for (const type of ["connect", "disconnect"])
  bus.addEventListener(type, ({ device: one }) => told.push(`${type} ${one.vendorId.toString(16).padStart(4, "0")}`));
const heard = async (what) => {
  const limit = Date.now() + LIMIT_MS;
  while (!told.includes(what)) {
    if (Date.now() > limit) throw new Error(`no event "${what}"; heard: ${told.join(", ")}`);
    await wait(50);
  }
};
await wait(200);
const vendor = ids.slice(0, 4);
hand("unplug");
await heard(`disconnect ${vendor}`);
hand("plug");
await heard(`connect ${vendor}`);
console.log("ok npm-events");
process.exit(0);
