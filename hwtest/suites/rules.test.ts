import { afterAll, beforeAll, expect, test } from "vitest";
import type { LineCard } from "../src/board/model.js";
import {
  BlockScript,
  CharacterScript,
  type Dialogue,
  type RuleExchange,
  type RuleRow,
  ruleRows,
  T0Card,
  T1Card,
} from "../src/cards/index.js";
import { CardRig, echoCard, makeAtr, type Said } from "./card-rig.js";

/** bError of each named end (CCID 1.1 table 6.2-2; C0 is ours). */
const errorNames: Readonly<Record<number, NonNullable<RuleExchange["error"]>[number]>> = {
  0xfe: "mute",
  0xfd: "parity",
  0xf6: "protocol",
  0xf4: "procedure",
  0xc0: "short-only",
};
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const upper = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();

let rig: CardRig;
beforeAll(async () => {
  rig = await CardRig.boot(process.env["INKAN_IMAGE"]);
});
afterAll(() => rig.slot.remove());

/** One end as the table would write it. */
function outcome(said: Said, command: string): RuleExchange {
  if ((said.status & 0xc0) === 0) return { command, answer: upper(said.data) };
  return {
    command,
    error: [errorNames[said.error] ?? ("protocol" as const)],
    after: rig.slot.contacts.voltageClass === 0 ? "off" : "in step",
  };
}
/** What the row says, narrowed to what happened where it allows several. */
function wanted(row: RuleExchange, happened: RuleExchange): RuleExchange {
  const named = happened.error?.[0];
  return { ...row, ...(row.error === undefined ? {} : { error: named !== undefined && row.error.includes(named) ? [named] : row.error }) };
}

/** BWI 0 and CWI 2: short waiting times. 512/16, 12 etu per character. */
const atrOf = (row: RuleRow): Uint8Array =>
  row.edc === "crc"
    ? makeAtr({ y: 0x9, bytes: `95 81 71 ${(row.ifsc ?? 254).toString(16).padStart(2, "0")} 02 01` })
    : makeAtr({ y: 0x9, bytes: `95 81 31 ${(row.ifsc ?? 254).toString(16).padStart(2, "0")} 02` });

/** Puts the card in, powers it, runs the row's commands, and compares dialogue and ends. */
function play(row: RuleRow, card: LineCard, dialogue: Dialogue): void {
  rig.slot.insert(card);
  rig.pass(300);
  try {
    const on = rig.powerOn();
    const ends: RuleExchange[] = [];
    for (const { command } of row.exchange) ends.push(outcome(command === "" ? on : rig.apdu(hex(command)), command));
    expect(dialogue.problem).toBeUndefined();
    expect(ends).toEqual(row.exchange.map((one, i) => wanted(one, ends[i]!)));
    expect(dialogue.over, `the script waits for ${dialogue.expected}`).toBe(true);
  } finally {
    rig.powerOff();
    rig.slot.remove();
    rig.pass(50);
  }
}

function playBlocks(row: RuleRow): void {
  const machine = new BlockScript(row);
  play(row, new T1Card(echoCard(atrOf(row)), { atrDelayClocks: 500, machine }), machine.dialogue);
}
function playCharacters(row: RuleRow): void {
  const machine = new CharacterScript(row);
  play(row, new T0Card(echoCard(Uint8Array.of(0x3b, 0x10, 0x11)), { machine }), machine.dialogue);
}
test.each(ruleRows(1).map((row) => [row.id, row.rule, row] as const))("T=1 %s: %s", (_id, _rule, row) => playBlocks(row));
test.each(ruleRows(0).map((row) => [row.id, row.rule, row] as const))("T=0 %s: %s", (_id, _rule, row) => playCharacters(row));

/** Can these tests fail? A dialogue, an end or a length that is not the reader's must be seen. */
test.each<[string, 0 | 1, string, (row: RuleRow) => RuleRow]>([
  ["another R-block", 1, "a9", (row) => ({ ...row, script: row.script.map((line) => (line === "> R(0) edc" ? "> R(0) other" : line)) })],
  ["another answer", 1, "a1", (row) => ({ ...row, exchange: [{ ...row.exchange[0]!, answer: "6A82" }, ...row.exchange.slice(1)] })],
  ["more to come", 1, "a1", (row) => ({ ...row, script: [...row.script, "> I(1,0) 00A4000C"] })],
  ["a card that stays on", 1, "rule-6.4", (row) => ({ ...row, exchange: [{ ...row.exchange[0]!, after: "in step" }] })],
  [
    "another header",
    0,
    "2s3-less",
    (row) => ({ ...row, script: row.script.map((line) => (line === "> 00B0000002" ? "> 00B0000003" : line)) }),
  ],
  ["another error", 0, "3e2-not-taken", (row) => ({ ...row, exchange: [{ ...row.exchange[0]!, error: ["protocol"] }] })],
])("a row with %s does not pass", (_, protocol, id, change) => {
  const row = change(ruleRows(protocol).find((one) => one.id === id)!);
  expect(() => {
    if (protocol === 1) playBlocks(row);
    else playCharacters(row);
  }).toThrow();
});
