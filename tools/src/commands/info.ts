import { hex } from "@inkan/device-proto";
import type { Context } from "../cli/context.js";
import { noteVirtual, withReader } from "../cli/readers.js";
import type { Result } from "../cli/verb.js";
import { say } from "../texts.js";

/** `inkan info`: one reader in full. */
export async function run(context: Context): Promise<Result> {
  const { language, output } = context;
  context.face = "link";
  return withReader(context, async (reader) => {
    const identity = await reader.identify({ signal: context.signal });
    const imageHash = identity.imageHash === undefined ? undefined : hex(identity.imageHash);
    const slot = await reader.slotStatus({ signal: context.signal });
    noteVirtual(context);
    const { address } = reader;
    const rows: readonly (readonly [string, string | undefined])[] = [
      [say(language, "info.name"), address.name],
      [say(language, "info.address"), address.uri],
      [say(language, "info.serial"), address.serial ?? identity.serial],
      [say(language, "info.path"), address.path],
      [say(language, "info.firmware"), identity.firmware],
      [say(language, "info.image"), imageHash],
      [say(language, "info.slot"), say(language, `slot.${slot}`)],
    ];
    for (const [label, value] of rows) if (value !== undefined) output.line(`${label}: ${value}`);
    if (identity.testIds === true) output.line(say(language, "info.test-ids"));
    return { document: { ok: true, identity: { ...identity, imageHash }, slot } };
  });
}
