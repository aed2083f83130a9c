import { PC_to_RDR, RDR_to_PC } from "@inkan/device-proto";

/** Octets before the data of every bulk message (CCID 1.1 §6.1). */
const header = 10;

type Range = readonly [offset: number, length: number];

/**
 * VERIFY 20 21, CHANGE REFERENCE DATA 24 25, RESET RETRY COUNTER 2C 2D, 32, which Japanese cards use for both, and ENVELOPE C2 C3,
 * which may hold any of them; in any class (chaining, channels and secure messaging change the class, not the instruction).
 */
export const secretInstructions: ReadonlySet<number> = new Set([0x20, 0x21, 0x24, 0x25, 0x2c, 0x2d, 0x32, 0xc2, 0xc3]);

/** Where a command APDU carries a secret: the data of the instructions that carry one, see `secretInstructions`. `undefined` when nothing. */
export function secretInApdu(apdu: Uint8Array): Range | undefined {
  // Up to five octets are a header with at most a length: the question for the tries left has no secret.
  return carriesSecret(apdu) && apdu.length > 5 ? [5, apdu.length - 5] : undefined;
}

function carriesSecret([, ins]: Uint8Array): boolean {
  return ins !== undefined && secretInstructions.has(ins);
}

/**
 * Finds the secrets in CCID messages on their way to the reader. It has to remember one thing: a command APDU may be spread over
 * several XfrBlocks (wLevelParameter 1, 3, 2; CCID 1.1 §6.1.4), and only the first shows which command it is.
 */
export class SecretFinder {
  #secretChain = false;
  #answerIsSecret = false;

  /** Range to hide in a message to the reader. */
  toReader(message: Uint8Array): Range | undefined {
    this.#answerIsSecret = message[0] === PC_to_RDR.Secure;
    if (message[0] !== PC_to_RDR.XfrBlock || message.length <= header) return undefined;
    const level = message[8]! | (message[9]! << 8);
    const whole: Range = [header, message.length - header];
    if (level === 2 || level === 3) {
      const hide = this.#secretChain;
      if (level === 2) this.#secretChain = false;
      return hide ? whole : undefined;
    }
    const body = message.subarray(header);
    // At TPDU level the same APDU stands in a T=1 block behind NAD, PCB and LEN.
    const inBlock = body.length > 4 && body[2] === body.length - 4 ? secretInApdu(body.subarray(3, -1)) : undefined;
    const found = secretInApdu(body) ?? (inBlock === undefined ? undefined : ([inBlock[0] + 3, inBlock[1] + 1] as const));
    // A first piece too short to show its instruction is taken for the worst.
    this.#secretChain = level === 1 && (body.length < 2 || carriesSecret(body));
    return found === undefined ? undefined : [header + found[0], found[1]];
  }

  /** Range to hide in a message from the reader: what PC_to_RDR_Secure answers beyond its two status octets. */
  fromReader(message: Uint8Array): Range | undefined {
    const hide = this.#answerIsSecret && message[0] === RDR_to_PC.DataBlock && message.length > header + 2;
    return hide ? [header, message.length - header - 2] : undefined;
  }
}
