import { InkanError, Reader, type ReaderAddress, type TraceSink, type Transport } from "@inkan/sdk";
import { main } from "../src/main.js";
import type { Input } from "../src/cli/input.js";
import type { World } from "../src/cli/world.js";

/** How a run ended. */
export interface Ended {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout as JSON; undefined without --json. */
  readonly last: Record<string, unknown> | undefined;
}

/** What a run finds outside. */
export interface Outside {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Attached readers, by URI. */
  readonly readers?: Readonly<Record<string, Transport>>;
  readonly facts?: readonly { readonly code: InkanError["code"]; readonly detail: string }[];
  readonly world?: Partial<World>;
}

/** Runs the command line inside this process, with a world of its own. */
export async function inkan(argv: readonly string[], outside: Outside = {}): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const readers = outside.readers ?? {};
  const world = {
    env: { LANG: "en_US.UTF-8", ...outside.env },
    stdout: { write: (text: string | Uint8Array) => (stdout += typeof text === "string" ? text : Buffer.from(text).toString("latin1")) },
    stderr: { write: (text: string | Uint8Array) => (stderr += String(text)) },
    stdin: inputOf(outside.stdin ?? ""),
    onSignal: () => () => undefined,
    door: async () => ({
      listReaders: async () => ({
        readers: Object.values(readers).map((transport): ReaderAddress => transport.address),
        facts: outside.facts ?? [],
      }),
      openUri: async (uri: string, options: { readonly trace?: TraceSink } = {}) => {
        const transport = readers[uri];
        if (transport === undefined) throw new InkanError("no-reader");
        return Reader.open(transport, options.trace === undefined ? {} : { trace: options.trace });
      },
    }),
    bench: async () => {
      throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    },
    authority: async () => {
      throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    },
    campaigns: () => import("@inkan/hwtest/campaigns"),
    ...outside.world,
  } as unknown as World;
  const exit = await main(argv, world);
  const lines = stdout.trimEnd().split("\n");
  return {
    exit,
    stdout,
    stderr,
    last: argv.includes("--json") && lines.at(-1) !== "" ? (JSON.parse(lines.at(-1)!) as Record<string, unknown>) : undefined,
  };
}

/** Standard input that holds a text and ends. */
function inputOf(text: string): Input {
  return {
    listen(listener) {
      let open = true;
      queueMicrotask(() => {
        if (open && text !== "") listener(new TextEncoder().encode(text));
        if (open) listener(undefined);
      });
      return () => void (open = false);
    },
  };
}
