import { BlockScript, type CharacterMachine, Responder, type RuleRow, T0Card, T1Card } from "../cards/index.js";
import type { LineCard } from "../board/model.js";
import type { Campaign } from "./campaign.js";
import { CardRig, echoCard, makeAtr, type Said } from "./card-rig.js";
import { FaultyBlocks, FaultyCharacters } from "./faulty-cards.js";
import { enumeratedCases, type EndlessKind, type FaultCase, faultCase, faultWords, singleCases } from "./line-fault-plan.js";
import { seeded } from "./secret-pair.js";

/** Six bytes: two blocks at IFSC 4. The answer goes in parts of 4 as well. */
const command = Uint8Array.from([0x00, 0xd6, 0x00, 0x00, 0x01, 0xaa]);
const answer = Uint8Array.from([0x11, 0x33, 0x55, 0x77, 0x90, 0x00]);
const case4 = Uint8Array.from([0x00, 0xa4, 0x04, 0x00, 0x02, 0xa1, 0xb2, 0x00]);
const plainAtr = Uint8Array.of(0x3b, 0x10, 0x11);
/** BWI 0 (0.1 s), CWI 2, 512/16, IFSC 4. */
const blockAtr = (crc: boolean, ifsc = 4): Uint8Array =>
  makeAtr({ y: 0x9, bytes: `95 81 ${crc ? "71" : "31"} ${ifsc.toString(16).padStart(2, "0")} 02${crc ? " 01" : ""}` });

/** Board time an exchange may take, in ms: T=1 some ten BWT and a reset; T=0 five characters at the end of WT, and one that never comes. */
const BUDGET_MS = { t1: 4_000, t0: 8_000, endless: 620_000 };
const named: ReadonlySet<number> = new Set([0xfe, 0xfd, 0xf6, 0xf4]);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const failedWith = (said: Said): number | undefined => ((said.status & 0xc0) === 0 ? undefined : said.error);

/** Everything a case is judged by. */
interface Played {
  readonly said: Said;
  readonly executed: number;
  /** The same command again with a line that works, after a power-on where the card was switched off. */
  readonly afterwards: string;
}

function judge(one: FaultCase, played: Played, right: string): string | undefined {
  const { said, executed, afterwards } = played;
  const error = failedWith(said);
  const budget = "endless" in one ? BUDGET_MS.endless : one.protocol === "t0" ? BUDGET_MS.t0 : BUDGET_MS.t1;
  if (said.ms > budget) return `took ${Math.round(said.ms)} ms of board time, ${budget} allowed`;
  if (error !== undefined && !named.has(error)) return `ended in slot error ${error.toString(16)}, which names nothing`;
  if (error === undefined && hex(said.data) !== right) return `a wrong answer: ${hex(said.data)}`;
  if (executed > 1) return `the command was executed ${executed} times`;
  if (error === undefined && executed !== 1) return "answered, and never executed";
  if (afterwards !== right) return `afterwards the card answers ${afterwards}`;
  if ("endless" in one) return error === undefined ? "an answer from a card that gives none" : undefined;
  // One fault is always recovered from; T=0 has no way back from a character that was lost.
  const recoverable = one.protocol === "t0" ? ![...one.faults.values()].includes("drop") : one.faults.size === 1;
  return recoverable && error !== undefined ? `not recovered: slot error ${error.toString(16)}` : undefined;
}

/** Runs the command once with faults and once without. */
function exchange(rig: CardRig, card: LineCard, apdu: Uint8Array, arm: (on: boolean) => void, executed: () => number): Played {
  rig.slot.insert(card);
  rig.pass(60);
  const on = rig.powerOn();
  if (on.error !== 0 || on.status !== 0) throw new Error(`power-on: ${on.status.toString(16)} ${on.error.toString(16)}`);
  arm(true);
  const said = rig.apdu(apdu);
  const times = executed();
  arm(false);
  if (rig.slot.contacts.voltageClass === 0) rig.powerOn();
  const again = rig.apdu(apdu);
  return {
    said,
    executed: times,
    afterwards: failedWith(again) === undefined ? hex(again.data) : `slot error ${again.error.toString(16)}`,
  };
}

function playBlocks(rig: CardRig, one: Exclude<FaultCase, { endless: unknown }>): Played {
  let executed = 0;
  const inner = new Responder(
    (heard) => {
      executed++;
      return { response: hex(heard) === hex(command) ? answer : Uint8Array.of(0x6f, 0), thinkMs: 0 };
    },
    {},
    4,
  );
  const machine = new FaultyBlocks(inner, one.faults, seeded(one.seed));
  const card = new T1Card(echoCard(blockAtr(one.protocol === "crc")), { atrDelayClocks: 500, machine });
  return exchange(
    rig,
    card,
    command,
    (on) => machine.arm(on),
    () => executed,
  );
}

function playCharacters(rig: CardRig, one: Exclude<FaultCase, { endless: unknown }>): Played {
  const machine = new FaultyCharacters([...answer.slice(0, -2)], one.faults);
  const card = new T0Card(echoCard(plainAtr), { machine, complain: machine.complain });
  return exchange(
    rig,
    card,
    case4,
    (on) => machine.arm(on),
    () => machine.executed.length,
  );
}

/** A card that never comes to an end, until it is reset; then it behaves. */
function playEndless(rig: CardRig, kind: EndlessKind): Played {
  const first = "> I(0,0) 00D6000001AA";
  const scripts: Record<Exclude<EndlessKind, "null">, RuleRow["script"]> = {
    babble: [first, "< noise 20000"],
    wtx: [first, "< S(WTX request) 01", ["> S(WTX response) 01", "< S(WTX request) 01"]],
    nr: [first, "< R(0)", [first, "< R(0)"]],
  };
  let card: LineCard;
  if (kind === "null") {
    const machine: CharacterMachine = {
      reset: () => undefined,
      receive: () => (++heard === 5 ? Array.from({ length: 1000 }, () => 0x60 | (8640 << 9)) : []),
      save: () => null,
      load: () => undefined,
    };
    let heard = 0;
    card = new T0Card(echoCard(plainAtr), { machine });
  } else {
    const row: RuleRow = { id: kind, section: "", rule: "", script: scripts[kind], exchange: [] };
    card = new T1Card(echoCard(blockAtr(false, 254)), { atrDelayClocks: 500, machine: new BlockScript(row) });
  }
  rig.slot.insert(card);
  rig.pass(60);
  rig.powerOn();
  const said = rig.apdu(kind === "null" ? case4 : command);
  rig.powerOff();
  rig.slot.remove();
  rig.pass(60);
  rig.slot.insert(
    new T1Card({ ...echoCard(blockAtr(false)), transmit: () => ({ response: answer, thinkMs: 0 }) }, { atrDelayClocks: 500 }),
  );
  rig.pass(60);
  rig.powerOn();
  return { said, executed: 0, afterwards: hex(rig.apdu(command).data) };
}

/** One case on a board as it was after boot; what is wrong, in words. */
function play(rig: CardRig, one: FaultCase): string | undefined {
  const played = "endless" in one ? playEndless(rig, one.endless) : one.protocol === "t0" ? playCharacters(rig, one) : playBlocks(rig, one);
  return judge(one, played, hex(answer));
}

/** The single faults and a few pairs with an image: the first that goes wrong, in words. For images that are wrong on purpose. */
export async function firstLineFault(image: Uint8Array, bootCode: Uint8Array): Promise<string | undefined> {
  const rig = CardRig.with(bootCode, image);
  const fresh = rig.save();
  for (let number = 0; number < singleCases + 60; number++) {
    const one = faultCase(1, number);
    if ("endless" in one) continue;
    fresh();
    const why = play(rig, one);
    if (why !== undefined) return `${faultWords(one)}: ${why}`;
  }
  return undefined;
}

/** Faults on the card line: every single one at every block, every ordered pair, then several at random; T=1 with LRC and CRC, and T=0. */
export const lineFaults: Campaign = {
  name: "line-faults",
  on: ["arm"],
  cases: enumeratedCases,
  about: "drop, duplicate, flip, delay on the card line, singly and in pairs: the right answer or a named error, in bounded time",
  async run({ seed, from, to }, failed, ran) {
    let rig = await CardRig.boot();
    let fresh = rig.save();
    for (let number = from; number < to; number++) {
      const one = faultCase(seed, number);
      let why: string | undefined;
      try {
        fresh();
        const played =
          "endless" in one ? playEndless(rig, one.endless) : one.protocol === "t0" ? playCharacters(rig, one) : playBlocks(rig, one);
        why = judge(one, played, hex(answer));
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        rig = await CardRig.boot(); // a board that stopped on a rule does not go on
        fresh = rig.save();
      }
      if (why !== undefined) failed(number, `${faultWords(one)}: ${why}`);
      ran?.(1);
    }
  },
};
