import { encodePcscdFrame, PC_to_RDR, PcscdDeframer, type PcscdHeard, pcscdLimits, RDR_to_PC } from "@inkan/device-proto";
import type { ClosedReason, ReaderAddress, Transport } from "@inkan/sdk";
import type { ByteStream } from "@inkan/sdk/link";

const HEADER = 10;
/** What libccid's driver believes of the reader: TPDU level, automatic voltage and baud rate by the host's parameters (CCID 1.1 table 5.1-1). */
const FEATURES = 0x00010230;
/** bStatus: a time extension of a card that is active (CCID 1.1 table 6.2-3). */
const TIME_EXTENSION = 0x80;
/** The answer of each command whose run may take long (CCID 1.1 table 6.1-1). */
const answerOf: Readonly<Record<number, number>> = {
  [PC_to_RDR.IccPowerOn]: RDR_to_PC.DataBlock,
  [PC_to_RDR.XfrBlock]: RDR_to_PC.DataBlock,
  [PC_to_RDR.Secure]: RDR_to_PC.DataBlock,
  [PC_to_RDR.SetParameters]: RDR_to_PC.Parameters,
  [PC_to_RDR.Escape]: RDR_to_PC.Escape,
};

/**
 * pcscd's serial framing as the SDK's transport: the SDK is the host that runs T=1 and T=0, as libccid is. As strict as that driver: the echo
 * comes first and is the command's header, nothing stands between frames but `80…FF`, every check is right; else the transport ends in
 * `violation`. The pad is not offered (pinSupport 0): PC_to_RDR_Secure wants the prologue of the host's block at this level.
 */
export class PcscdTransport implements Transport {
  readonly address: ReaderAddress;
  readonly maxMessageLength = pcscdLimits.maxMessage;
  readonly features = FEATURES;
  readonly pinSupport = 0;
  readonly notifies = false;
  onMessage: Transport["onMessage"];
  onNotice: Transport["onNotice"];
  onEvent: Transport["onEvent"];
  readonly closed: Promise<ClosedReason>;
  readonly #stream: ByteStream;
  readonly #deframer = new PcscdDeframer();
  #settle!: (reason: ClosedReason) => void;
  /** The command whose echo, then whose answer, is due. */
  #due: { readonly header: Uint8Array; echoed: boolean } | undefined;
  /** What the reader did that the driver would not survive. */
  violation: string | undefined;

  constructor(stream: ByteStream, address: ReaderAddress) {
    this.#stream = stream;
    this.address = address;
    this.closed = new Promise((resolve) => (this.#settle = resolve));
    stream.onData = (chunk) => this.#deframer.push(chunk, (heard) => this.#hear(heard));
    void stream.closed.then((reason) => this.#settle(reason));
  }

  async send(message: Uint8Array): Promise<void> {
    const frame = encodePcscdFrame(message);
    this.#due = { header: message.slice(0, HEADER), echoed: false };
    await this.#stream.write(frame);
    frame.fill(0);
  }

  /** There is no control pipe. */
  async abort(): Promise<void> {}

  async close(): Promise<void> {
    await this.#stream.close();
    this.#settle("closed");
  }

  #hear(heard: PcscdHeard): void {
    const due = this.#due;
    if (heard.kind === "stray") return this.#break(`a stray byte ${heard.byte.toString(16)}`);
    if (heard.kind === "nak") return this.#break("a NAK of a good frame");
    if (heard.kind !== "message") {
      const type = due?.echoed ? answerOf[due.header[0]!] : undefined;
      if (type === undefined) return this.#break("a byte of time between commands");
      return this.onMessage?.(Uint8Array.of(type, 0, 0, 0, 0, due!.header[5]!, due!.header[6]!, TIME_EXTENSION, 1, 0));
    }
    const { message, good } = heard;
    if (!good) return this.#break("a wrong check");
    if (!due) return this.#break("an answer nobody waits for");
    if (message[6] !== due.header[6]) return this.#break("an answer to another command");
    if (due.echoed) {
      this.#due = undefined;
      this.onMessage?.(message);
      return;
    }
    if (message.length !== HEADER || message[0] !== due.header[0]) return this.#break("the first frame is not the command's echo");
    due.echoed = true;
  }

  #break(why: string): void {
    this.violation ??= why;
    this.onEvent?.({ type: "discarded", bytes: new Uint8Array(0), reason: why });
    this.#settle("violation");
    void this.#stream.close();
  }
}
