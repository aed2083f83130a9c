// From nothing to the first answer of the card: modules, board, boot, enumeration, power on, SELECT.
import { openVirtualReader } from "@inkan/hwtest/board";
import { Reader } from "@inkan/sdk";

const board = await openVirtualReader({ pace: "free", card: "standard", face: "usb", fingers: false });
const reader = await Reader.open(await board.transport(), { clock: board.clock });
const card = await reader.connect();
// JPKI's application (D392F000260100000001).
const { sw } = await card.transmit(Uint8Array.of(0x00, 0xa4, 0x04, 0x0c, 10, 0xd3, 0x92, 0xf0, 0x00, 0x26, 0x01, 0, 0, 0, 0x01));
const { user, system } = process.cpuUsage();
if (sw !== 0x9000) throw new Error(`SELECT was answered ${sw.toString(16)}`);
await reader.close();
await board.close();
process.stdout.write(JSON.stringify({ cpuSeconds: (user + system) / 1e6 }));
