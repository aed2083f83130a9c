import type { VirtualReader } from "@inkan/hwtest/board";
import type { KeyName } from "@inkan/device-proto";
import { say } from "../texts.js";
import type { Context } from "./context.js";
import { drawn } from "./picture.js";

/** What a terminal sends for the keys of the pad, by byte. Letters are typed as on the pad: `*` for letters, then 2 2 # for B. */
const keys: ReadonlyMap<number, KeyName> = new Map<number, KeyName>([
  ...[..."0123456789"].map((digit) => [digit.charCodeAt(0), digit as KeyName] as const),
  [0x0d, "ok"],
  [0x0a, "ok"],
  [0x7f, "correct"],
  [0x08, "correct"],
  [0x15, "clear"],
  [0x1b, "cancel"],
  [0x2a, "mode"],
  [0x23, "next"],
]);
const interrupt = 0x03;

/** True when a person sits at the terminal and nobody else is to press the keys. */
export function personAtPad(context: Context): boolean {
  const { stdin, stderr } = context.world;
  return (
    context.fingers === undefined &&
    !context.json &&
    stdin.isTTY === true &&
    stdin.setRawMode !== undefined &&
    stderr.isTTY === true &&
    !context.pinFromInput
  );
}

/**
 * The virtual reader's display and pad on the terminal: the display is drawn again in place on every change, keys go to the key matrix.
 * What is typed is shown by nobody. Answers with what takes it off the terminal again.
 */
export function drawPad(reader: VirtualReader, context: Context): () => void {
  const { stdin, stderr } = context.world;
  let lines = 0;
  const draw = (): void => {
    const picture = drawn(reader.board.display.picture(), stderr.columns ?? 80);
    const pad = [...picture, say(context.language, "pad.keys")];
    stderr.write(`${lines > 0 ? `\x1b[${lines}A` : ""}${pad.map((line) => `\x1b[2K${line}`).join("\n")}\n`);
    lines = pad.length;
  };
  const stopDrawing = reader.board.display.listen(draw);
  draw();
  stdin.setRawMode!(true);
  const stopListening = stdin.listen((chunk) => {
    for (const byte of chunk ?? []) {
      // In raw mode the terminal does not make a signal of it.
      if (byte === interrupt) process.kill(process.pid, "SIGINT");
      const key = keys.get(byte);
      if (key !== undefined) reader.board.type([key]).catch(() => undefined);
    }
    chunk?.fill(0);
  });
  return () => {
    stopDrawing();
    stopListening();
    stdin.setRawMode!(false);
  };
}
