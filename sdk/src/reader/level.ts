import type { Answer } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { ResponseApdu } from "../iso7816/apdu.js";
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

/** Carries one APDU to a reader of an APDU level. Throws `unsupported` where level and APDU do not go together, `protocol` for answers that are none. */
export async function carry(level: ExchangeLevel, apdu: Uint8Array, maxData: number, send: SendBlock): Promise<ResponseApdu> {
  switch (level) {
    case "extended-apdu":
      return parseResponse(await carryChained(apdu, maxData, send));
    case "short-apdu":
      if (apdu.length > 261 || apdu.length > maxData) throw new InkanError("unsupported", { detail: "the reader takes short APDUs only" });
      return parseResponse((await send(apdu, 0)).data);
    default:
      throw new InkanError("unsupported", { detail: `a reader at ${level} level` });
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

/** What a card answered, as a response APDU. Throws `protocol` for bytes that are none. */
export function parseResponse(bytes: Uint8Array): ResponseApdu {
  try {
    return ResponseApdu.parse(bytes);
  } catch (error) {
    if (!(error instanceof Iso7816Error)) throw error;
    throw new InkanError("protocol", { detail: error.message }, { cause: error });
  }
}
