import { decodeBlock, encodeBlock, epilogue, type Block } from "./block.js";
import type { BlockMachine, Step } from "./block-machine.js";
import type { LineParameters } from "./interface-bytes.js";

/**
 * Errors to make, by block number since the reset (0 = first).
 * Received: "nak" = say it was garbled, "mute" = do not answer. Sent: "edc" = wrong check, "parity" = one character with wrong
 * parity, "cut" = last character missing, "sequence" = N(S) or N(R) the wrong way, "silence" = nothing.
 */
export type T1Faults = {
  received?: Readonly<Record<number, "nak" | "mute">>;
  sent?: Readonly<Record<number, "edc" | "parity" | "cut" | "sequence" | "silence">>;
};

/** Plain data. */
export type ResponderState = {
  /** N(S) of our next I-block, and the N(S) we expect. */
  ns: number;
  nr: number;
  ifsd: number;
  ifsc: number;
  command: number[];
  /** Rest of the answer still to send. */
  answer: number[];
  /** Last block sent, as it should have been. */
  last: number[];
  lastKind: "none" | "I" | "R" | "S-request" | "S-response";
  /** N(S) of the last I-block sent. */
  lastNs: number;
  /** That block, while the answer it belongs to is the latest. */
  lastI: number[];
  /** A command is being worked on. */
  busy: boolean;
  askIfsd: number;
  received: number;
  sent: number;
};

/** PCBs of S-blocks (ISO 7816-3 §11.3.2.2); a response has bit 6 set too. */
const RESYNCH = 0xc0;
const IFS = 0xc1;
const ABORT = 0xc2;
const WTX = 0xc3;
const isResponse = 0x20;

/** The card's half of the T=1 protocol (ISO 7816-3 §11.6) as a pure machine: blocks in, blocks out; the line has the clock. */
export class Responder implements BlockMachine {
  state: ResponderState = Responder.fresh(32, 0);
  parameters: LineParameters | null = null;
  readonly #transmit: (command: Uint8Array) => { response: Uint8Array; thinkMs: number };
  readonly #faults: T1Faults;
  readonly #longest: number;

  /** `longest`: sends no longer INF than this, whatever IFSD allows. */
  constructor(transmit: (command: Uint8Array) => { response: Uint8Array; thinkMs: number }, faults: T1Faults, longest = 254) {
    this.#transmit = transmit;
    this.#faults = faults;
    this.#longest = longest;
  }

  get counts(): { readonly received: number; readonly sent: number } {
    return { received: this.state.received, sent: this.state.sent };
  }
  get busy(): boolean {
    return this.state.busy;
  }
  save(): ResponderState {
    return this.state;
  }
  load(state: unknown, parameters: LineParameters | null): void {
    this.state = state as ResponderState;
    this.parameters = parameters;
  }

  static fresh(ifsc: number, askIfsd: number): ResponderState {
    return {
      ns: 0,
      nr: 0,
      ifsd: 32,
      ifsc,
      command: [],
      answer: [],
      last: [],
      lastKind: "none",
      lastNs: 0,
      lastI: [],
      busy: false,
      askIfsd,
      received: 0,
      sent: 0,
    };
  }

  /** After a reset. */
  start(parameters: LineParameters, askIfsd: number): void {
    this.parameters = parameters;
    this.state = Responder.fresh(parameters.ifsc, askIfsd);
  }

  /** A block's bytes came (null = garbled; `parity` = at character level). */
  receive(bytes: readonly number[] | null, parity: boolean): Step {
    const s = this.state;
    const number = s.received++; // outside the optional chain, which would skip it
    const fault = this.#faults.received?.[number];
    if (fault === "mute") return { kind: "silent" };
    const block = bytes && fault !== "nak" ? decodeBlock(bytes, this.parameters!.crc) : undefined;
    if (!block) return this.#refuse(parity || fault === "nak" || !bytes ? 1 : this.#checkFailed(bytes) ? 1 : 2);
    if (block.nad !== 0) return this.#refuse(2);
    if ((block.pcb & 0x80) === 0) return this.#information(block);
    if ((block.pcb & 0xc0) === 0x80) return this.#ready(block);
    return this.#supervise(block);
  }

  /** The command is done: its answer, or S(IFS request) first. */
  answer(): Step {
    const s = this.state;
    if (s.askIfsd) {
      s.lastKind = "S-request";
      return this.#send({ nad: 0, pcb: IFS, inf: [s.askIfsd] }, "S-request");
    }
    s.busy = false;
    return this.#chunk();
  }

  /** S(WTX request). */
  moreTime(multiplier: number): Step {
    return this.#send({ nad: 0, pcb: WTX, inf: [multiplier] }, "S-request");
  }

  #checkFailed(bytes: readonly number[]): boolean {
    const tail = this.parameters!.crc ? 2 : 1;
    const body = bytes.slice(0, -tail);
    return epilogue(body, this.parameters!.crc).some((byte, i) => byte !== bytes[body.length + i]);
  }

  /** Rule 7: R-block with the N(S) we expect; but a request of ours is repeated instead. */
  #refuse(error: 1 | 2): Step {
    const s = this.state;
    if (s.lastKind === "S-request") return this.#repeat();
    return this.#send({ nad: 0, pcb: 0x80 | (s.nr << 4) | error, inf: [] }, "R");
  }

  #information(block: Block): Step {
    const s = this.state;
    if (block.pcb & 0x1f || ((block.pcb >> 6) & 1) !== s.nr || block.inf.length > s.ifsc || s.busy) return this.#refuse(2);
    s.nr ^= 1;
    s.answer = [];
    s.lastI = [];
    s.command.push(...block.inf);
    if (block.pcb & 0x20) return this.#send({ nad: 0, pcb: 0x80 | (s.nr << 4), inf: [] }, "R");
    const command = Uint8Array.from(s.command);
    s.command = [];
    const { response, thinkMs } = this.#transmit(command);
    s.answer = [...response];
    s.busy = true;
    return { kind: "think", ms: thinkMs };
  }

  #ready(block: Block): Step {
    const s = this.state;
    if (block.pcb & 0x2c || block.inf.length) return this.#refuse(2);
    const nr = (block.pcb >> 4) & 1;
    if (s.lastKind === "none") return this.#send({ nad: 0, pcb: 0x80, inf: [] }, "R");
    // rule 7.1: in an answer of ours, N(R) speaks of our I-blocks, whatever we complained of since
    if (s.lastKind === "R" && s.lastI.length) {
      if (nr !== s.lastNs) return s.answer.length ? this.#chunk() : this.#refuse(2);
      s.last = s.lastI;
      s.lastKind = "I";
      return this.#repeat();
    }
    if (s.lastKind !== "I" || nr === s.lastNs) return this.#repeat();
    return s.answer.length ? this.#chunk() : this.#refuse(2);
  }

  #supervise(block: Block): Step {
    const s = this.state;
    const [first] = block.inf;
    switch (block.pcb) {
      case RESYNCH: {
        if (block.inf.length) return this.#refuse(2);
        const { ifsd, ifsc, received, sent } = s;
        this.state = { ...Responder.fresh(ifsc, 0), ifsd, received, sent };
        return this.#send({ nad: 0, pcb: RESYNCH | isResponse, inf: [] }, "S-response");
      }
      case IFS:
        if (block.inf.length !== 1 || !first || first === 255) return this.#refuse(2);
        s.ifsd = first;
        return this.#send({ nad: 0, pcb: IFS | isResponse, inf: [first] }, "S-response");
      case ABORT:
        if (block.inf.length) return this.#refuse(2);
        s.answer = [];
        s.command = [];
        return this.#send({ nad: 0, pcb: ABORT | isResponse, inf: [] }, "S-response");
    }
    const awaited = s.lastKind === "S-request" ? s.last[1]! | isResponse : 0;
    if (block.pcb !== awaited || block.inf.length !== 1 || first !== s.last[3]) return this.#refuse(2);
    if (block.pcb === (WTX | isResponse)) {
      s.lastKind = "S-response";
      return { kind: "go-on" };
    }
    s.ifsd = s.askIfsd;
    s.askIfsd = 0;
    return this.answer();
  }

  #chunk(): Step {
    const s = this.state;
    const length = Math.min(s.ifsd, this.#longest);
    const inf = s.answer.slice(0, length);
    s.answer = s.answer.slice(length);
    s.lastNs = s.ns;
    s.ns ^= 1;
    const step = this.#send({ nad: 0, pcb: (s.lastNs << 6) | (s.answer.length ? 0x20 : 0), inf }, "I");
    s.lastI = s.last;
    return step;
  }

  #repeat(): Step {
    return this.#put(this.state.last);
  }

  #send(block: Block, kind: ResponderState["lastKind"]): Step {
    this.state.last = encodeBlock(block, this.parameters!.crc);
    this.state.lastKind = kind;
    return this.#put(this.state.last);
  }

  #put(block: readonly number[]): Step {
    const number = this.state.sent++;
    const fault = this.#faults.sent?.[number];
    const bytes = [...block];
    if (fault === "silence") return { kind: "silent" };
    if (fault === "edc") bytes[bytes.length - 1]! ^= 1;
    if (fault === "parity") bytes[1]! |= 0x100;
    if (fault === "cut") bytes.pop();
    if (fault === "sequence") {
      const decoded = decodeBlock(block, this.parameters!.crc)!;
      return {
        kind: "send",
        bytes: encodeBlock({ ...decoded, pcb: decoded.pcb ^ (decoded.pcb & 0x80 ? 0x10 : 0x40) }, this.parameters!.crc),
      };
    }
    return { kind: "send", bytes };
  }
}
