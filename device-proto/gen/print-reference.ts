import { blackBoxEvents, blackBoxLimits, blackBoxRecord } from "../src/blackbox/index.js";
import {
  answerOf,
  ccidClaims,
  ccidClassDescriptor,
  endpoints,
  PC_to_RDR,
  RDR_to_PC,
  ratePairs,
  securePath,
  slotError,
} from "../src/ccid/index.js";
import type { Fields, Struct } from "../src/codec/index.js";
import { commandHeader, answerHeader, pinModifyBlock, pinVerifyBlock } from "../src/ccid/index.js";
import { frameHeader, hello, helloAck, linkLimits, refuse } from "../src/link/index.js";
import { status } from "../src/status.js";

const HEAD = "<!-- Printed by `npm run print` from the tables in device-proto/src; never edited. -->\n\n";
const hexByte = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");
const table = (columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [columns, columns.map(() => "---"), ...rows]
    .map((row) => `| ${row.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |\n`)
    .join("");
const layout = (shape: Struct<Fields>): string =>
  table(
    ["offset", "field", "size"],
    Object.entries(shape.fields).map(([name, { size }]) => [shape.offsets[name] ?? 0, `\`${name}\``, size ?? "the rest"]),
  );

/** docs/reference/errors.md: every refusal, its exit code and sentences. */
export function printErrors(): string {
  const rows = Object.entries(status).map(([code, row]) => [
    `\`${code}\``,
    row.exit,
    row.message.en,
    row.try.en,
    row.message.ja,
    row.try.ja,
  ]);
  return `${HEAD}# Errors\n\nEvery refusal the SDK and the command know. Exit codes: 0 done · 1 unexpected · 2 usage or files · 3 no reader or card · 4 secret · 5 verification failed · 6 refused for safety · 7 link, card or device · 8 missing program, package or permission · 9 indeterminate · 10 cannot do this · 130 interrupted.\n\n${table(["code", "exit", "what happened", "what to do", "何が起きたか", "どうするか"], rows)}`;
}

/** docs/reference/blackbox.md: what the black box writes down. */
export function printBlackBox(): string {
  return [
    HEAD,
    "# The black box\n\nKinds of messages, status words and times of the last days, for whoever must find out what went wrong. Never contents: no INF, no lengths, no historical\nbytes, serials or file ids; of an exchange that carries a secret (VERIFY, CHANGE, RESET RETRY COUNTER) only its status word.\n\n",
    `The last ${blackBoxLimits.ringRecords} events stand in RAM that no reset clears. Faults go to flash within 50 ms, with what led to them; everything else is summed up in a digest each\nsecond in which something happened and nothing runs; as the day goes on more rarely (each four sector erases double the second), so that the flash is erased\nat most ${blackBoxLimits.erasesPerDay} times in 24 powered hours. Times are boot count and ms. \`clear\` and \`cancel\` held for 5 s: the reader asks, and OK erases everything.\nPrograms read it by \`reader.blackBox()\` and \`reader.health()\` of the SDK, over the link.\n\n`,
    table(
      ["kind", "event", "to flash at once", "a", "b"],
      Object.entries(blackBoxEvents).map(([name, { id, fault, a, b }]) => [id, `\`${name}\``, fault ? "yes" : "", a, b]),
    ),
    "\n## A record\n\nThe check is CRC-32 of the twelve bytes before it.\n\n",
    layout(blackBoxRecord),
  ].join("");
}

/** docs/reference/wire.md: CCID messages, PIN blocks, descriptors, link headers. */
export function printWireReference(): string {
  const claims = Object.keys(ccidClassDescriptor.fields).map((name) => {
    const value = ccidClaims[name as keyof typeof ccidClaims];
    return [`\`${name}\``, value, `${value.toString(16).toUpperCase()}h`];
  });
  return [
    HEAD,
    "# On the wire\n\nWhat the reader and the host say to each other. The link's frames are explained in [link.md](link.md).\n\n",
    "## CCID commands (bulk OUT) and their answers (bulk IN)\n\n",
    table(
      ["id", "PC_to_RDR_", "answered by RDR_to_PC_", "id"],
      Object.entries(answerOf).map(([command, answer]) => [
        hexByte(PC_to_RDR[command as keyof typeof PC_to_RDR]),
        command,
        answer,
        hexByte(RDR_to_PC[answer]),
      ]),
    ),
    "\n### Header of a command\n\n",
    layout(commandHeader),
    "\n### Header of an answer\n\n",
    layout(answerHeader),
    "\n### bError when the command failed\n\nValues 01h to 7Fh are the offset of the field that is wrong.\n\n",
    table(
      ["value", "name"],
      Object.entries(slotError).map(([name, value]) => [`${hexByte(value)}h`, name]),
    ),
    "\n### PC_to_RDR_Secure: PIN verification\n\n",
    layout(pinVerifyBlock),
    "\n### PC_to_RDR_Secure: PIN modification\n\n",
    layout(pinModifyBlock),
    "\n### Which commands may carry a secret from the pad\n\nCLA 00h to 03h. Everything else is refused on the secure path.\n\n",
    table(
      ["command", "INS", "P1", "operation", "current one typed too", "where"],
      securePath.map(({ name, ins, p1, operation, askCurrent, ifProductAllows }) => [
        name,
        `${hexByte(ins)}h`,
        `${hexByte(p1)}h`,
        operation,
        askCurrent ? "yes" : "no",
        ifProductAllows ? "products that allow it" : "always",
      ]),
    ),
    "\n## The CCID class descriptor of the reference product\n\n",
    table(["field", "value", "hex"], claims),
    "\n## Endpoints\n\n",
    table(
      ["endpoint", "address"],
      Object.entries(endpoints).map(([name, address]) => [name, `${hexByte(address)}h`]),
    ),
    "\n## Speeds of the card line\n\n",
    table(
      ["TA1", "F", "D", "bit/s at 3.571 MHz"],
      ratePairs.map(({ ta1, f, d, rate }) => [`${hexByte(ta1)}h`, f, d, rate]),
    ),
    "\n## Link headers\n\n### Frame\n\n",
    layout(frameHeader),
    "\n### hello\n\n",
    layout(hello),
    "\n### hello-ack\n\n",
    layout(helloAck),
    "\n### refuse\n\n",
    layout(refuse),
    "\n### Limits\n\n",
    table(["limit", "value"], Object.entries(linkLimits)),
  ].join("");
}
