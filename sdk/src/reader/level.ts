import type { Answer } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { CommandApdu, ResponseApdu } from "../iso7816/apdu.js";
import { Iso7816Error } from "../iso7816/error.js";

/** How a reader wants APDUs (dwFeatures bits 16..18, CCID 1.1 table 5.1-1). */
export type ExchangeLevel = "character" | "tpdu" | "short-apdu" | "extended-apdu";

/** The level a reader's dwFeatures claims. */
export function levelOf(features: number): ExchangeLevel {
  switch ((features >> 16) & 7) {
    case 1:
      return "tpdu";
    case 2:
      return "short-apdu";
    case 4:
      return "extended-apdu";
    default:
      return "character";
  }
}

/** Sends one PC_to_RDR_XfrBlock and gives its answer. `level` is wLevelParameter. */
export type SendBlock = (data: Uint8Array, level: number) => Promise<Answer>;

/** Longest answer APDU there is: 65536 and the status word. */
const MAX_RESPONSE = 65538;

/** Carries one APDU at the reader's level. Throws `unsupported` where level and APDU do not go together, `protocol` for answers that are none. */
export async function carry(level: ExchangeLevel, t: number, apdu: Uint8Array, maxData: number, send: SendBlock): Promise<ResponseApdu> {
  switch (level) {
    case "extended-apdu":
      return parse(await carryChained(apdu, maxData, send));
    case "short-apdu":
      if (apdu.length > 261 || apdu.length > maxData) throw new InkanError("unsupported", { detail: "the reader takes short APDUs only" });
      return parse((await send(apdu, 0)).data);
    case "tpdu":
      if (t !== 0) throw new InkanError("unsupported", { detail: "a TPDU level reader with a T=1 card" });
      return carryT0(apdu, send);
    case "character":
      throw new InkanError("unsupported", { detail: "a reader at character level" });
  }
}

/** Extended APDU level: pass-through; what does not fit into one message is chained (CCID 1.1 §6.1.4, §6.2.1). */
async function carryChained(apdu: Uint8Array, maxData: number, send: SendBlock): Promise<Uint8Array> {
  let answer: Answer;
  if (apdu.length <= maxData) answer = await send(apdu, 0);
  else {
    for (let at = 0; ; at += maxData) {
      const part = apdu.subarray(at, at + maxData);
      const last = at + maxData >= apdu.length;
      answer = await send(part, at === 0 ? 1 : last ? 2 : 3);
      if (last) break;
      if (answer.specific !== 0x10)
        throw new InkanError("protocol", { detail: "the reader did not ask for the rest of a chained command" });
    }
  }
  // bChainParameter: 0 whole, 1 begins, 3 goes on, 2 ends
  if (answer.specific === 0) return answer.data;
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const first = parts.length === 0;
    if (answer.specific !== (first ? 1 : 3) && (first || answer.specific !== 2))
      throw new InkanError("protocol", { detail: `bChainParameter ${answer.specific} out of place` });
    parts.push(answer.data);
    size += answer.data.length;
    if (size > MAX_RESPONSE || (answer.data.length === 0 && answer.specific !== 2))
      throw new InkanError("protocol", { detail: "a chained answer that does not end" });
    if (answer.specific === 2) break;
    answer = await send(new Uint8Array(0), 0x10);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** T=0 at TPDU level: APDU to TPDU (ISO/IEC 7816-3 §12.2), with GET RESPONSE after 61xx and the right Le after 6Cxx. */
async function carryT0(bytes: Uint8Array, send: SendBlock): Promise<ResponseApdu> {
  const apdu = parseCommand(bytes);
  const { cla, ins, p1, p2, ne = 0 } = apdu;
  // the APDU's own bytes: the parsed copy may be a secret, and nobody would wipe it
  const start = apdu.case.endsWith("E") ? 7 : 5;
  const data = bytes.subarray(start, start + apdu.data.length);
  apdu.data.fill(0);
  if (data.length > 255) throw new InkanError("unsupported", { detail: "more than 255 bytes of data with T=0" });
  const transfer = async (header: readonly number[], body: Uint8Array): Promise<ResponseApdu> => {
    const tpdu = new Uint8Array(5 + body.length);
    tpdu.set(header);
    tpdu.set(body, 5);
    try {
      return parse((await send(tpdu, 0)).data);
    } finally {
      tpdu.fill(0);
    }
  };
  // Only a command without data is sent again after 6Cxx: nothing with a secret is ever repeated.
  const read = async (header: readonly number[], le: number): Promise<ResponseApdu> => {
    const answer = await transfer([...header, le & 255], new Uint8Array(0));
    return answer.sw1 === 0x6c ? transfer([...header, answer.sw2], new Uint8Array(0)) : answer;
  };
  let answer = data.length
    ? await transfer([cla, ins, p1, p2, data.length], data)
    : ne
      ? await read([cla, ins, p1, p2], Math.min(ne, 256))
      : await transfer([cla, ins, p1, p2, 0], new Uint8Array(0));
  const collected: Uint8Array[] = [answer.data];
  let size = answer.data.length;
  const more = (): number =>
    answer.sw1 === 0x61
      ? answer.sw2 || 256
      : data.length && ne && size === 0 && answer.sw === 0x9000 && collected.length === 1
        ? Math.min(ne, 256)
        : 0;
  // each round brings bytes, or it is the last
  while (size < ne && more() > 0) {
    answer = await read([cla, 0xc0, 0, 0], Math.min(more(), ne - size));
    collected.push(answer.data);
    if (answer.data.length === 0) break;
    size += answer.data.length;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of collected) {
    whole.set(part, at);
    at += part.length;
  }
  return new ResponseApdu(whole, answer.sw);
}

function parse(bytes: Uint8Array): ResponseApdu {
  return named("protocol", () => ResponseApdu.parse(bytes));
}

function parseCommand(bytes: Uint8Array): CommandApdu {
  return named("usage", () => CommandApdu.parse(bytes));
}

function named<T>(code: "protocol" | "usage", read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Iso7816Error)) throw error;
    throw new InkanError(code, { detail: error.message }, { cause: error });
  }
}
