import type { ReaderAddress } from "@inkan/sdk";
import type { Context } from "../cli/context.js";
import { named } from "../cli/failure.js";
import { factDocument, readerDocument } from "../cli/readers.js";
import { virtualDoor } from "../cli/virtual.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan list`: every attached reader with its slot, and what stood in the way of finding more. Never fails for want of a reader. */
export async function run(context: Context): Promise<Result> {
  const { language, output, world } = context;
  const door = await world.door();
  const found = await door.listReaders();
  const chosen = context.readerUri ?? world.env["INKAN_READER"];
  const addresses: { readonly uri: string; readonly address?: ReaderAddress }[] =
    chosen !== undefined && chosen !== "" ? [{ uri: chosen }] : found.readers.map((address) => ({ uri: address.uri, address }));
  const readers: object[] = [];
  for (const { uri, address } of addresses) {
    context.signal.throwIfAborted();
    const seen = await look(context, uri).catch((error: unknown) => {
      // A reader that another program holds is still a reader.
      if (address === undefined || context.signal.aborted) throw error;
      return { address, slot: "unknown" as const, failure: named(error) };
    });
    if (chosen !== undefined) context.reader = seen.address;
    readers.push({ ...readerDocument(seen.address), slot: seen.slot, ...(seen.failure === undefined ? {} : { error: seen.failure.code }) });
    output.line(
      [
        seen.address.uri,
        seen.address.name,
        seen.address.serial,
        seen.address.path,
        seen.address.firmware,
        say(language, `slot.${seen.slot}`),
      ]
        .filter((part) => part !== undefined && part !== "")
        .join("  "),
    );
    if (seen.failure !== undefined) output.note(`  ${seen.failure.sentence(language)} ${seen.failure.tryThis(language)}`);
  }
  const facts = found.facts.map((fact) => factDocument(fact, context));
  for (const fact of facts) output.note(`${fact.message} ${fact.try}`);
  if (readers.length === 0) output.note(say(language, "list.none"));
  return { document: { ok: true, readers, facts } };
}

async function look(context: Context, uri: string) {
  const { openUri } = await context.world.door();
  const reader = await openUri(uri, {
    virtual: virtualDoor(context),
    signal: context.signal,
    ...(context.trace === undefined ? {} : { trace: context.trace }),
  });
  try {
    return { address: reader.address, slot: await reader.slotStatus({ signal: context.signal }), failure: undefined };
  } finally {
    await reader.close();
  }
}
