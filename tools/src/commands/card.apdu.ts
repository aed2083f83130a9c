import { hex } from "@inkan/device-proto";
import { statusWord } from "@inkan/sdk/iso7816";
import { carriesSecret, readApdu } from "../cli/apdu.js";
import { refuseClearNetwork } from "../cli/clear-network.js";
import type { Context } from "../cli/context.js";
import { stop } from "../cli/failure.js";
import { withCard } from "../cli/readers.js";
import type { Options, Result } from "../cli/verb.js";
import { say } from "../texts.js";

/**
 * `inkan card apdu HEX…`: raw APDUs, in order, stopping at nothing but a broken exchange. `-` takes them from standard input, one a
 * line: the only way to give one that carries a secret, because arguments are seen by every user of the machine.
 */
export async function run(context: Context, args: readonly string[], options: Options): Promise<Result> {
  const { language, output, signal } = context;
  const fromInput = args.length === 1 && args[0] === "-";
  const commands = fromInput ? await readLines(context) : args.map((text) => readApdu(text, context));
  if (!fromInput && commands.some(carriesSecret))
    throw stop("refused", { detail: say(language, "apdu.secret-argument"), hint: say(language, "apdu.secret-hint") });
  try {
    return await withCard(context, async (card) => {
      if (commands.some(carriesSecret)) refuseClearNetwork(context, options);
      const exchanges: object[] = [];
      for (const command of commands) {
        const secret = carriesSecret(command);
        const response = await card.transmit(command, { signal });
        const sw = response.sw.toString(16).toUpperCase().padStart(4, "0");
        const meaning = statusWord(response.sw)[language];
        const shown = secret ? `${hex(command.subarray(0, 4))}••••` : hex(command);
        output.line(`→ ${shown.toUpperCase()}`);
        output.line(`← ${hex(response.data).toUpperCase()}${response.data.length > 0 ? " " : ""}${sw}  ${meaning}`);
        exchanges.push({ command: shown, data: hex(response.data), sw: sw.toLowerCase(), meaning });
      }
      return { document: { ok: true, exchanges } };
    });
  } finally {
    for (const command of commands) command.fill(0);
  }
}

/** All of standard input, one APDU a line. */
async function readLines(context: Context): Promise<Uint8Array[]> {
  const { signal, world } = context;
  signal.throwIfAborted();
  const decoder = new TextDecoder();
  let text = "";
  let stop!: () => void;
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      stop = world.stdin.listen((chunk) => {
        if (chunk === undefined) return resolve();
        text += decoder.decode(chunk, { stream: true });
        chunk.fill(0);
      });
    });
  } finally {
    stop();
  }
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => readApdu(line, context));
}
