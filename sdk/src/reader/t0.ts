import type { Answer } from "@inkan/device-proto";
import { InkanError } from "../errors.js";
import { CommandApdu, ResponseApdu } from "../iso7816/apdu.js";
import { Iso7816Error } from "../iso7816/error.js";
import { parseResponse } from "./level.js";

/** Sends one T=0 TPDU (CLA INS P1 P2 P3 and data) and gives what the card answered. */
export type SendTpdu = (tpdu: Uint8Array) => Promise<Answer>;

const ENVELOPE = 0xc2;
const GET_RESPONSE = 0xc0;

/**
 * T=0 at TPDU level: APDU to TPDU (ISO/IEC 7816-3 §12.2), with GET RESPONSE after 61xx, the right Le after 6Cxx, and ENVELOPE for more than 255
 * bytes of data. Rejects with card-short-only for a card that knows no ENVELOPE.
 */
export async function carryT0(bytes: Uint8Array, send: SendTpdu): Promise<ResponseApdu> {
  const apdu = parseCommand(bytes);
  const { cla, ins, p1, p2, ne = 0 } = apdu;
  // the APDU's own bytes: the parsed copy may be a secret, and nobody would wipe it
  const start = apdu.case.endsWith("E") ? 7 : 5;
  const data = bytes.subarray(start, start + apdu.data.length);
  apdu.data.fill(0);
  const transfer = async (header: readonly number[], body: Uint8Array): Promise<ResponseApdu> => {
    const tpdu = new Uint8Array(5 + body.length);
    tpdu.set(header);
    tpdu.set(body, 5);
    try {
      return parseResponse((await send(tpdu)).data);
    } finally {
      tpdu.fill(0);
    }
  };
  // Only a command without data is sent again after 6Cxx: nothing with a secret is ever repeated.
  const read = async (header: readonly number[], le: number): Promise<ResponseApdu> => {
    const answer = await transfer([...header, le & 255], new Uint8Array(0));
    return answer.sw1 === 0x6c ? transfer([...header, answer.sw2], new Uint8Array(0)) : answer;
  };
  const envelope = async (): Promise<ResponseApdu> => {
    for (let at = 0; ; at += 255) {
      const part = bytes.subarray(at, at + 255);
      const answer = await transfer([cla, ENVELOPE, 0, 0, part.length], part);
      if (at === 0 && (answer.sw === 0x6d00 || answer.sw === 0x6e00)) throw new InkanError("card-short-only");
      // the card's word on the whole command comes with the last part, or with the first it refuses
      if (at + 255 >= bytes.length || answer.sw !== 0x9000) return answer;
    }
  };
  let answer =
    data.length > 255
      ? await envelope()
      : data.length
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
    answer = await read([cla, GET_RESPONSE, 0, 0], Math.min(more(), ne - size));
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

function parseCommand(bytes: Uint8Array): CommandApdu {
  try {
    return CommandApdu.parse(bytes);
  } catch (error) {
    if (!(error instanceof Iso7816Error)) throw error;
    throw new InkanError("usage", { detail: error.message }, { cause: error });
  }
}
