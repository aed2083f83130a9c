import { isLoopback, parseUri } from "@inkan/sdk/node";
import { say } from "../texts.js";
import type { Context } from "./context.js";
import { stop } from "./failure.js";
import type { Options } from "./verb.js";

/**
 * A secret that this program holds does not go in clear over a network unless the person says so. What is typed on the pad never does.
 * @throws InkanError refused (exit 6)
 */
export function refuseClearNetwork(context: Context, options: Options): void {
  const uri = context.reader?.uri;
  if (uri === undefined || !uri.startsWith("tcp:") || options["allowClearNetwork"] === true) return;
  const parsed = parseUri(uri);
  if (parsed.scheme !== "tcp" || isLoopback(parsed.host)) return;
  const { language } = context;
  throw stop("refused", { detail: say(language, "secret.clear-network", { uri }), hint: say(language, "secret.clear-network-hint") });
}
