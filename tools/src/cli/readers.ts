import type { Card, Reader, ReaderAddress } from "@inkan/sdk";
import type { VirtualDoor } from "@inkan/sdk/node";
import { status, type StatusCode } from "@inkan/device-proto";
import { say } from "../texts.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import { virtualDoor } from "./virtual.js";

/** A reader's address as every JSON result carries it. */
export function readerDocument(address: ReaderAddress): object {
  const { uri, name, serial, path, firmware, virtual } = address;
  return { uri, name, serial, path, firmware, virtual };
}

/** What stood in the way of a part of discovery, in words. */
export function factDocument(
  fact: { readonly code: StatusCode; readonly detail: string },
  context: Context,
): { code: StatusCode; message: string; try: string } {
  const row = status[fact.code];
  const put = (text: string): string => text.replaceAll(/\{\w+\}/g, fact.detail);
  return { code: fact.code, message: put(row.message[context.language]), try: put(row.try[context.language]) };
}

/** Which reader: `--reader`, `INKAN_READER`, else the only one attached. @throws InkanError no-reader, several-readers */
export async function chooseReader(context: Context): Promise<string> {
  const named = context.readerUri ?? context.world.env["INKAN_READER"];
  if (named !== undefined && named !== "") return named;
  const { readers, facts } = await (await context.world.door()).listReaders();
  if (readers.length === 1) return readers[0]!.uri;
  if (readers.length > 1) throw stop("several-readers", { list: readers.map((reader) => reader.uri).join(" ") });
  for (const fact of facts) context.output.note(factDocument(fact, context).message);
  throw stop("no-reader");
}

/** Opens the chosen reader for the length of `work`; closing it settles what is in flight. */
export async function withReader<T>(context: Context, work: (reader: Reader) => Promise<T>): Promise<T> {
  context.signal.throwIfAborted();
  const uri = await chooseReader(context);
  const virtual: VirtualDoor = virtualDoor(context);
  const { openUri } = await context.world.door();
  const reader = await openUri(uri, { virtual, signal: context.signal, ...(context.trace === undefined ? {} : { trace: context.trace }) });
  context.reader = reader.address;
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** Opens the reader and connects to the card in it. @throws InkanError no-card, card-mute, … */
export async function withCard<T>(context: Context, work: (card: Card, reader: Reader) => Promise<T>): Promise<T> {
  return withReader(context, async (reader) => {
    const card = await reader.connect({ signal: context.signal });
    try {
      return await work(card, reader);
    } finally {
      await card.disconnect().catch(() => undefined); // pulled or unplugged: the work has already said so
    }
  });
}

/** The line that says which reader is used, when it is not a real one. */
export function noteVirtual(context: Context): void {
  if (context.reader?.virtual === true) context.output.note(say(context.language, "reader.virtual"));
}
