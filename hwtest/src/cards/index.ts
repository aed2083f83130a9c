/** The line around simulated cards: levels and times, character by character. */
export type { ApduCard } from "./apdu-card.js";
export { crc16, decodeBlock, encodeBlock, lrc, type Block } from "./block.js";
export { etuClocks, lineParameters, type LineParameters } from "./interface-bytes.js";
export { Responder, type ResponderState, type Step, type T1Faults } from "./responder.js";
export { T0Card, type T0CardOptions } from "./t0-card.js";
export { T1Card, type T1CardOptions } from "./t1-card.js";
