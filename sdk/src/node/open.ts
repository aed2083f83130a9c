import { abortError, InkanError } from "../errors.js";
import type { Clock } from "../exchange/clock.js";
import { Reader } from "../reader/reader.js";
import type { TraceSink } from "../trace/event.js";
import { LinkTransport } from "../transport/link/transport.js";
import type { SerialBindingLike } from "../transport/serial/binding.js";
import { defaultBaud, serialStream } from "../transport/serial/stream.js";
import type { ReaderAddress, Transport } from "../transport/transport.js";
import { tcpStream } from "./tcp.js";
import { UsbTransport } from "../transport/usb.js";
import { findUsbReaders, type FoundUsbReader } from "./usb.js";

/** Opens a virtual reader: the bench gives one, so that the SDK needs to know no bench. */
export interface VirtualDoor {
  open(): Promise<{ readonly transport: Transport; readonly clock: Clock; close(): Promise<void> }>;
}

/** Options of {@link openUri}. */
export interface OpenUriOptions {
  /** Default the wall clock; a virtual reader brings its own. */
  readonly clock?: Clock;
  readonly trace?: TraceSink;
  /** Longest wait for the reader's first answer, ms. */
  readonly timeoutMs?: number;
  /** Aborts the opening. */
  readonly signal?: AbortSignal;
  /** What opens `virtual:`. */
  readonly virtual?: VirtualDoor;
  /** In place of the platform's serial ports. */
  readonly serialBinding?: SerialBindingLike;
  /** In place of the platform's USB. */
  readonly usb?: () => Promise<readonly FoundUsbReader[]>;
}

/** A reader's URI in its parts. */
export type ReaderUri =
  | { readonly scheme: "usb"; readonly which: string }
  | { readonly scheme: "serial"; readonly path: string; readonly baud: number }
  | { readonly scheme: "tcp"; readonly host: string; readonly port: number }
  | { readonly scheme: "virtual" };

/** Parses `usb:[SERIAL]`, `serial:PATH[?baud=N]`, `tcp://HOST:PORT` ([IPv6] in brackets) and `virtual:`. Throws `usage`. */
export function parseUri(uri: string): ReaderUri {
  const [, scheme, rest = ""] = /^([a-z-]+):(.*)$/s.exec(uri) ?? [];
  if (scheme === "usb") return { scheme, which: rest };
  if (scheme === "virtual" && rest === "") return { scheme };
  if (scheme === "serial") {
    const [, path, query] = /^([^?]+)(?:\?(.*))?$/s.exec(rest) ?? [];
    const baud = query === undefined ? defaultBaud : Number(/^baud=(\d{3,7})$/.exec(query)?.[1]);
    if (path && Number.isInteger(baud)) return { scheme, path, baud };
  }
  if (scheme === "tcp") {
    const [, six, name, digits] = /^\/\/(?:\[([0-9a-f:.]+)\]|([^[\]:/?#\s]+)):(\d{1,5})$/i.exec(rest) ?? [];
    const host = six ?? name;
    const port = Number(digits);
    if (host !== undefined && port >= 1 && port <= 65_535) return { scheme, host, port };
  }
  throw new InkanError("usage", {
    detail: `"${uri}" is no reader; one is usb:[SERIAL], serial:PATH[?baud=N], tcp://HOST:PORT or virtual:`,
  });
}

/**
 * Opens the reader a URI names. Rejects with `usage`, `no-reader`, `several-readers`, `permission-denied`, `port-in-use`, `port-missing`,
 * `port-garbage`, `link-version`, `usb-missing`, `package-missing`, `aborted` and what {@link Reader.open} rejects with.
 *
 * @example
 * await using reader = await openUri("usb:");
 * await using card = await reader.connect();
 */
export async function openUri(uri: string, options: OpenUriOptions = {}): Promise<Reader> {
  const { clock, trace, timeoutMs, signal } = options;
  const parsed = parseUri(uri);
  if (signal?.aborted) throw abortError(signal);
  const common = {
    ...(clock && { clock }),
    ...(trace && { trace }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(signal && { signal }),
  };
  switch (parsed.scheme) {
    case "usb": {
      const { device, address } = choose(await (options.usb ?? findUsbReaders)(), parsed.which);
      return Reader.open(await UsbTransport.open(device, { address, ...(clock && { clock }) }), common);
    }
    case "serial": {
      const { path, baud } = parsed;
      // A reader begins at the usual rate, whatever it was asked for before.
      const stream = await serialStream(path, { baud: defaultBaud, ...(options.serialBinding && { binding: options.serialBinding }) });
      const address: ReaderAddress = { uri, name: path, path, virtual: false };
      const transport = await LinkTransport.open(stream, {
        address,
        baud: defaultBaud,
        ...(baud !== defaultBaud && { raiseTo: baud }),
        ...(clock && { clock }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(signal && { signal }),
      });
      return Reader.open(transport, common);
    }
    case "tcp": {
      const { host, port } = parsed;
      const within = { ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
      const stream = await tcpStream(host, port, within);
      const address: ReaderAddress = { uri, name: `${host}:${port}`, path: uri, virtual: false };
      return Reader.open(await LinkTransport.open(stream, { address, ...(clock && { clock }), ...within }), common);
    }
    case "virtual": {
      if (!options.virtual) throw new InkanError("package-missing", { package: "@inkan/hwtest", command: "npm install @inkan/hwtest" });
      const opened = await options.virtual.open();
      return Reader.open(opened.transport, { ...common, clock: opened.clock, release: () => opened.close() });
    }
  }
}

function choose(found: readonly FoundUsbReader[], which: string): FoundUsbReader {
  const fitting =
    which === ""
      ? found
      : found.filter(({ address }) => address.serial === which || address.path === which || address.uri === `usb:${which}`);
  if (fitting.length > 1) throw new InkanError("several-readers", { list: fitting.map(({ address }) => address.uri).join(" ") });
  const [one] = fitting;
  if (!one) throw new InkanError("no-reader");
  return one;
}
