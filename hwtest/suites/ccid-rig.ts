import { commandStatus, hex } from "@inkan/device-proto";
import { cdcStream, openVirtualReader, type VirtualReader } from "@inkan/hwtest/board";
import { T1Card, type T1CardOptions } from "@inkan/hwtest/cards";
import { LinkTransport } from "@inkan/sdk/link";
import type { TransferRequest, TransferResult } from "../src/board/usb-transfer.js";

/** 512/64, the shortest etu the reader takes, TC1 = FF, IFSC 254, and 254-byte blocks: board time is not spent on the line. */
export const fastAtr = Uint8Array.of(0x3b, 0xd0, 0x97, 0xff, 0x81, 0x31, 0xfe, 0x46, 0xb0);
/** T=0 only, 372/1. */
export const t0Atr = Uint8Array.of(0x3b, 0x00);
/** INS of a command that the card of {@link thinkingCard} thinks over for a while. */
export const slowIns = 0xb2;

/** Answers each command with four bytes and 9000; INS B2 only after `slowMs`. What it was sent is kept. */
export function thinkingCard(options: T1CardOptions & { readonly slowMs?: number; readonly atr?: Uint8Array } = {}): {
  readonly line: T1Card;
  readonly seen: Uint8Array[];
} {
  const atr = options.atr ?? fastAtr;
  const seen: Uint8Array[] = [];
  const line = new T1Card(
    {
      atr,
      powerOn: () => atr,
      transmit: (command) => {
        seen.push(command);
        return { response: Uint8Array.of(1, 2, 3, 4, 0x90, 0), thinkMs: command[1] === slowIns ? (options.slowMs ?? 1200) : 0 };
      },
    },
    options,
  );
  return { line, seen };
}

/** One face of the reader as bytes: whole messages out and in, nothing between. */
export interface Pipe {
  readonly face: "usb" | "link";
  /** Sends; what comes back is heard by {@link Pipe.hear}. */
  say(message: Uint8Array): Promise<void>;
  /** The next message, time extensions passed over unless asked for. `undefined` after `ms` of board time. */
  hear(ms?: number, extensions?: boolean): Promise<Uint8Array | undefined>;
  /** Messages that nobody has heard yet. */
  readonly unheard: readonly Uint8Array[];
}

/** The released image with both faces open, as raw as they are. */
export class CcidBench {
  readonly reader: VirtualReader;
  readonly usb: Pipe;
  readonly link: Pipe;
  /** Messages of the interrupt pipe. */
  readonly notices: Uint8Array[] = [];
  #sequence = 0;
  readonly #silenced: (() => void)[] = [];

  private constructor(reader: VirtualReader, link: LinkTransport) {
    this.reader = reader;
    this.usb = this.#usbPipe();
    this.link = this.#linkPipe(link);
    this.#listen(0x82, 8, (notice) => this.notices.push(notice));
  }

  static async open(options: { readonly image?: Uint8Array; readonly boot?: Uint8Array } = {}): Promise<CcidBench> {
    const reader = await openVirtualReader({ pace: "free", card: "none", fingers: false, ...options });
    const { board, clock } = reader;
    await board.usb.attach();
    await board.run(300);
    await board.cdc.open({ dtr: true });
    const entropy = (bytes: Uint8Array): void => void bytes.fill(0x5a);
    const address = { uri: "virtual:", name: "reader", virtual: true };
    return new CcidBench(reader, await LinkTransport.open(cdcStream(board.cdc), { address, clock, entropy }));
  }
  close(): Promise<void> {
    return this.reader.close();
  }

  get sequence(): number {
    return (this.#sequence = (this.#sequence + 1) & 255);
  }
  other(pipe: Pipe): Pipe {
    return pipe === this.usb ? this.link : this.usb;
  }

  /** A good message. */
  message(id: number, data: Uint8Array = new Uint8Array(0), specific: readonly number[] = [0, 0, 0]): Uint8Array {
    const message = new Uint8Array(10 + data.length);
    new DataView(message.buffer).setUint32(1, data.length, true);
    message[0] = id;
    message[6] = this.sequence;
    message.set(specific, 7);
    message.set(data, 10);
    return message;
  }
  /** Says a good message and hears its answer. */
  async ask(pipe: Pipe, id: number, data?: Uint8Array, specific?: readonly number[], ms = 20_000): Promise<Uint8Array> {
    const message = this.message(id, data, specific);
    await pipe.say(message);
    const answer = await pipe.hear(ms);
    if (!answer || answer[6] !== message[6]) throw new Error(`${id.toString(16)} was answered ${answer ? hex(answer) : "not at all"}`);
    return answer;
  }
  async slotStatus(pipe: Pipe): Promise<number> {
    return (await this.ask(pipe, 0x65))[7]! & 3;
  }
  /** A control transfer, its status and data. */
  control(setup: readonly number[], data?: Uint8Array): Promise<TransferResult> {
    return this.#transfer({ kind: "control", setup: Uint8Array.from(setup), ...(data ? { data } : {}), timeoutMs: 1000 });
  }
  /** ABORT on the control pipe (§5.3.1): wValue = bSlot, bSeq. */
  controlAbort(sequence: number, slot = 0): Promise<TransferResult> {
    return this.control([0x21, 1, slot, sequence, 0, 0, 0, 0]);
  }
  /** A bulk-OUT transfer of exactly these bytes, without an empty packet at its end. */
  out(data: Uint8Array): Promise<TransferResult> {
    return this.#transfer({ kind: "out", endpoint: 0x01, data });
  }

  /** The board stops at the instant the transfer ends. */
  #transfer(request: TransferRequest): Promise<TransferResult> {
    const { engine, usb } = this.reader.board;
    return engine.pump.waitFor((resolve) => void usb.host.submit(request, resolve));
  }
  /** Reads an endpoint for ever, over bus resets too. */
  #listen(endpoint: number, length: number, take: (data: Uint8Array) => void): void {
    const { host } = this.reader.board.usb;
    const read = (): void => {
      host.submit({ kind: "in", endpoint, length }, ({ status, data }) => {
        if (status === "ok") take(data);
        if (status === "ok" || status === "stall") read();
        else this.#silenced.push(read);
      });
    };
    read();
  }
  /** Reads again after a reset or unplugging took the transfers away. */
  listenAgain(): void {
    for (const read of this.#silenced.splice(0)) read();
  }
  #ear(face: Pipe["face"], say: Pipe["say"]): { pipe: Pipe; take: (message: Uint8Array) => void } {
    const { board } = this.reader;
    const queue: Uint8Array[] = [];
    let wake: ((nothing: void) => void) | undefined;
    const hear = async (ms = 20_000, extensions = false): Promise<Uint8Array | undefined> => {
      const deadlineNs = board.nowNs + ms * 1e6;
      for (;;) {
        const message = queue.shift();
        if (message && (extensions || message[7]! >> 6 !== commandStatus.timeExtension)) return message;
        if (message) continue;
        if (board.nowNs >= deadlineNs) return undefined;
        await board.engine.pump
          .waitFor<void>((resolve) => ((wake = resolve), undefined), { deadlineNs })
          .catch((reason: unknown) => {
            if (!(reason instanceof Error) || reason.name !== "BoardDeadline") throw reason;
          });
      }
    };
    const take = (message: Uint8Array): void => {
      queue.push(message);
      wake?.();
    };
    return { pipe: { face, unheard: queue, say, hear }, take };
  }
  #usbPipe(): Pipe {
    const { pipe, take } = this.#ear("usb", async (message) => {
      await this.out(message);
      // a transfer of whole packets is ended by an empty one
      if (message.length % 64 === 0) await this.out(new Uint8Array(0));
    });
    this.#listen(0x81, 65_600, take);
    return pipe;
  }
  /** `say` only begins: who hears lets the board's time run. */
  #linkPipe(link: LinkTransport): Pipe {
    const { pipe, take } = this.#ear("link", async (message) => void link.send(message).catch(() => undefined));
    link.onMessage = (message) => take(message.slice());
    return pipe;
  }
}
