import { encodePcscdFrame, PC_to_RDR, PcscdDeframer, type CommandName, type PcscdHeard } from "@inkan/device-proto";
import type { ByteStream } from "@inkan/sdk/link";
import type { VirtualBoard } from "./board.js";

/** What a reader may not do to pcscd's serial driver: `detail` says what it did. */
export class PcscdFault extends Error {
  override readonly name = "PcscdFault";
}

/** The reader's answer: bStatus, bError and abData. */
export interface PcscdAnswer {
  readonly status: number;
  readonly error: number;
  readonly data: Uint8Array;
}

/**
 * A host on the board's CDC port, or on another one, that is as strict as libccidtwin: one frame of echo before the answer, nothing but `80…FF` between frames, a wait
 * that begins anew with every byte. @throws PcscdFault where the driver would be out of step.
 */
export class PcscdHost {
  readonly #board: VirtualBoard;
  readonly #port: Pick<ByteStream, "onData" | "write">;
  readonly #deframer = new PcscdDeframer();
  #heard: PcscdHeard[] = [];
  #lastNs = 0;
  #sequence = 0;
  /** `80` bytes heard so far. */
  extensions = 0;

  constructor(board: VirtualBoard, port: Pick<ByteStream, "onData" | "write"> = board.cdc) {
    this.#board = board;
    this.#port = port;
    port.onData = (bytes) => {
      this.#lastNs = board.nowNs;
      this.#deframer.push(bytes, (one) => this.#heard.push(one));
    };
  }

  /** The bytes of a command's frame. */
  frame(name: CommandName, data: Uint8Array = new Uint8Array(0), specific: readonly number[] = [0, 0, 0]): Uint8Array {
    const head = Uint8Array.of(PC_to_RDR[name], data.length & 255, data.length >> 8, 0, 0, 0, this.#sequence++ & 255, ...specific);
    return encodePcscdFrame(Uint8Array.of(...head, ...data));
  }
  /** Bytes as they are. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#port.write(bytes);
  }
  /** Everything that was heard since the last look. */
  take(): PcscdHeard[] {
    return this.#heard.splice(0);
  }
  /** One command and its answer; `undefined` when nothing came for `waitMs` of the board's time. */
  async command(
    name: CommandName,
    data?: Uint8Array,
    options: { specific?: readonly number[]; waitMs?: number } = {},
  ): Promise<PcscdAnswer | undefined> {
    const frame = this.frame(name, data, options.specific);
    await this.write(frame);
    const echo = await this.#message(options.waitMs ?? 3000);
    if (echo === undefined) return undefined;
    if (echo.length !== 10 || echo[0] !== frame[2] || echo[6] !== frame[8])
      throw new PcscdFault("the first frame is not this command's echo");
    const message = await this.#message(options.waitMs ?? 3000);
    if (message === undefined) return undefined;
    if (message[6] !== frame[8]) throw new PcscdFault("an answer to another command");
    return { status: message[7]!, error: message[8]!, data: message.slice(10) };
  }

  async #message(waitMs: number): Promise<Uint8Array | undefined> {
    this.#lastNs = this.#board.nowNs;
    for (;;) {
      for (let one = this.#heard.shift(); one !== undefined; one = this.#heard.shift()) {
        if (one.kind === "stray") throw new PcscdFault(`a stray byte ${one.byte.toString(16)}`);
        if (one.kind === "working") this.extensions++;
        if (one.kind === "message") {
          if (!one.good) throw new PcscdFault("a wrong check");
          return one.message;
        }
      }
      if (this.#board.nowNs - this.#lastNs > waitMs * 1e6) return undefined;
      await this.#board.run(1);
    }
  }
}
