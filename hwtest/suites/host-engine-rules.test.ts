import { T1, T1Error, type T1Received, type T1Sending } from "@inkan/sdk/iso7816";
import { expect, test } from "vitest";
import { BlockScript, type RuleExchange, type RuleRow, ruleRows } from "../src/cards/index.js";

/** Rows about what a reader does below its blocks: the host of a TPDU level reader has no part in it. */
const belowTheHost: Readonly<Record<string, string>> = {
  babble: "a reader's receiver gives up by time",
  "ifs-revived": "a reader resets a card that does not begin",
  "ifs-dead": "and resets it once more",
};

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const upper = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();

function run<T>(exchange: Generator<T1Sending, T, T1Received>, card: BlockScript): T {
  let step = exchange.next();
  for (let n = 0; !step.done; n++) {
    if (n > 20_000) throw new Error("the exchange does not end");
    const { block, bwt } = step.value;
    const said = card.receive([...block]);
    step = exchange.next(
      said.kind !== "send" || (said.delayBwt ?? 0) > bwt
        ? "silence"
        : said.bytes.some((byte) => byte > 255)
          ? "garbled"
          : Uint8Array.from(said.bytes),
    );
  }
  return step.value;
}

/** Plays the row's commands and says how each ended, as the table would. */
function ends(row: RuleRow, card: BlockScript): RuleExchange[] {
  const ifsc = row.ifsc ?? 254;
  card.start({ inverse: false, fidi: 0x11, extraGuard: 0, specific: false, ifsc, bwi: 0, cwi: 2, crc: row.edc === "crc" });
  const host = new T1({ ifsc, bwi: 0, edc: row.edc ?? "lrc" });
  const ended = (command: string, act: () => Uint8Array | undefined): RuleExchange | undefined => {
    try {
      const answer = act();
      if (answer === undefined) return undefined;
      return answer.length < 2 ? { command, error: ["protocol"], after: "in step" } : { command, answer: upper(answer) };
    } catch (error) {
      if (!(error instanceof T1Error)) throw error;
      return { command, error: [error.kind === "garbled" ? "parity" : error.kind], after: error.kind === "protocol" ? "in step" : "off" };
    }
  };
  const power = ended("", () => run(host.start(), card) as undefined);
  if (power) return [power];
  return row.exchange.map(({ command }) => ended(command, () => run(host.exchange(hex(command)), card))!);
}

test.each(
  ruleRows(1)
    .filter(({ id }) => !(id in belowTheHost))
    .map((row) => [row.id, row.rule, row] as const),
)("the SDK's T=1 %s: %s", (_id, _rule, row) => {
  const card = new BlockScript(row);
  const happened = ends(row, card);
  expect(card.dialogue.problem).toBeUndefined();
  expect(happened).toEqual(
    row.exchange.map((one, i) => {
      // a host that runs T=1 cannot tell damage on the line from nonsense, and "off" is the caller's to do
      const named = happened[i]?.error?.[0];
      const allowed = one.error && [...one.error, ...(one.error.includes("protocol") && one.after === "off" ? (["parity"] as const) : [])];
      return { ...one, ...(allowed && { error: named !== undefined && allowed.includes(named) ? [named] : allowed }) };
    }),
  );
  expect(card.dialogue.over, `the script waits for ${card.dialogue.expected}`).toBe(true);
});
