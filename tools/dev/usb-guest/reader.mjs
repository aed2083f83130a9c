// In the guest: one CCID reader through npm `usb`, message by message.
import { createRequire } from "node:module";
import { join } from "node:path";

const TIMEOUT_MS = 20_000;

/** `usb` as it is installed in the tree. */
export function npmUsb(root) {
  return createRequire(join(root, "package.json"))("usb");
}

export async function findReader(root, ids) {
  const { WebUSB } = npmUsb(root);
  const [vendorId, productId] = ids.split(":").map((one) => Number.parseInt(one, 16));
  const device = (await new WebUSB({ allowAllDevices: true }).getDevices()).find(
    (one) => one.vendorId === vendorId && one.productId === productId,
  );
  if (!device) throw new Error("npm usb does not see the reader");
  return device;
}

let sequence = 0;
/** Sends a command without data; answers with the message that is its answer. */
export async function command(device, type) {
  const number = sequence++ & 0xff;
  const sent = await device.transferOut(1, Uint8Array.of(type, 0, 0, 0, 0, 0, number, 0, 0, 0), TIMEOUT_MS);
  const { status, data } = await device.transferIn(1, 271, TIMEOUT_MS);
  const answer = bytesOf(data);
  if (sent.status !== "ok" || status !== "ok" || answer.length < 10 || answer[6] !== number)
    throw new Error(`command ${type.toString(16)} number ${number}: ${sent.status}, ${status}, ${answer.toString("hex")}`);
  return answer;
}

export function bytesOf(data) {
  return data ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.alloc(0);
}

/** bmICCStatus in words (CCID 1.1 §6.2.6). */
export const iccStatus = (answer) => ["active", "inactive", "absent"][answer[7] & 3];
export const GET_SLOT_STATUS = 0x65;
export const ICC_POWER_ON = 0x62;
