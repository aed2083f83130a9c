// COUNT times the same READ BINARY through the SDK, each answer compared: the microseconds of each, as client.c prints them.
import { openUri } from "@inkan/sdk/node";

const [path, count] = [process.argv[2], Number(process.argv[3])];
const warmUp = 300;
const command = Uint8Array.of(0x00, 0xb0, 0x00, 0x00, 62);
const due = Buffer.from(Uint8Array.from({ length: 62 }, (_, i) => i * 31));
const reader = await openUri(`serial:${path}`);
const card = await reader.connect();
const micros = new Float64Array(count);
for (let i = -warmUp; i < count; i++) {
  const from = process.hrtime.bigint();
  const { data, sw } = await card.transmit(command);
  const to = process.hrtime.bigint();
  if (sw !== 0x9000 || due.compare(data) !== 0) throw new Error(`a wrong answer: ${Buffer.from(data).toString("hex")} ${sw.toString(16)}`);
  if (i >= 0) micros[i] = Number(to - from) / 1000;
}
await reader.close();
process.stdout.write(`${[...micros].map((time) => time.toFixed(3)).join("\n")}\n`);
