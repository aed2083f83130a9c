// In the guest: `on` powers the card on, `status` asks; says what state the card is in.
import { GET_SLOT_STATUS, ICC_POWER_ON, command, findReader, iccStatus } from "./reader.mjs";

const [, , root, ids, what] = process.argv;
const device = await findReader(root, ids);
await device.open();
await device.claimInterface(0);
console.log(iccStatus(await command(device, what === "on" ? ICC_POWER_ON : GET_SLOT_STATUS)));
await device.releaseInterface(0);
await device.close();
