/**
 * ISO/IEC 7816 at the level of bytes: command and response APDUs, status words in words, ATR, BER-TLV.
 *
 * @module
 */
export { CommandApdu, ResponseApdu } from "./apdu.js";
export type { ApduCase, CommandFields } from "./apdu.js";
export { parseAtr } from "./atr.js";
export type { Atr, AtrInterfaceGroup, AtrProtocol } from "./atr.js";
export { Iso7816Error } from "./error.js";
export { readHistorical } from "./historical.js";
export type { CompactTlv, HistoricalBytes } from "./historical.js";
export { statusWord, triesLeft } from "./status-words.js";
export type { StatusWordText } from "./status-words.js";
export { findTlv, readTlv, readTlvs } from "./tlv.js";
export type { Tlv } from "./tlv.js";
export { T1, T1Error } from "./t1.js";
export type { T1Options, T1Received, T1Sending } from "./t1.js";
export type { Edc } from "./t1-block.js";
