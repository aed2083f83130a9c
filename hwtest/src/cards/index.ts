/** The line around simulated cards: levels and times, character by character. */
export type { ApduCard } from "./apdu-card.js";
export { crc16, decodeBlock, encodeBlock, lrc, type Block } from "./block.js";
export { etuClocks, lineParameters, type LineParameters } from "./interface-bytes.js";
export type { BlockMachine, Step } from "./block-machine.js";
export { blockMatches, blockOf, BlockScript, blockWords } from "./block-script.js";
export { Responder, type ResponderState, type T1Faults } from "./responder.js";
export { Dialogue, readScript, type RuleExchange, type RuleRow, ruleRows, type ScriptLine } from "./rule-rows.js";
export { CharacterScript } from "./character-script.js";
export { type CharacterMachine, T0Card, type T0CardOptions, T0Commands } from "./t0-card.js";
export { T1Card, type T1CardOptions } from "./t1-card.js";
