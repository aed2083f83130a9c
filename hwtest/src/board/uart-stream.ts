import type { ByteStream } from "@inkan/sdk/link";
import type { VirtualBoard } from "./board.js";

/**
 * The cable on the board's UART0 as a stream of bytes: what a program sees of a port of its own whose rate it may change. Time runs while
 * something is being written.
 */
export function uartStream(board: VirtualBoard): ByteStream & { setRate(baud: number): Promise<void> } {
  const { far } = board.uart;
  const { pump } = board.engine;
  let waiting: (() => void)[] = [];
  let end: (reason: "closed") => void;
  const drained = (): Promise<void> => {
    if (!far.sending) return Promise.resolve();
    return pump.waitFor<void>((resolve) => void waiting.push(resolve));
  };
  const stream = {
    onData: undefined as ByteStream["onData"],
    closed: new Promise<"closed">((resolve) => (end = resolve)),
    write: (bytes: Uint8Array): Promise<void> => {
      far.send(bytes);
      return drained();
    },
    setRate: async (baud: number): Promise<void> => {
      await drained();
      far.baud = baud;
    },
    close: async (): Promise<void> => {
      await drained().catch(() => undefined);
      far.onData = far.onDrained = undefined;
      end("closed");
    },
  };
  far.onData = (chunk) => {
    stream.onData?.(chunk);
    // Whoever waits for these bytes gets his turn before the board goes on.
    board.engine.halt();
  };
  far.onDrained = () => {
    const done = waiting;
    waiting = [];
    for (const resolve of done) resolve();
  };
  return stream;
}
