/** Strict DER: one byte string for one value, both ways. */
export { compareDer, concat, fromHex, sameBytes, toHex } from "./bytes.js";
export { DerError } from "./error.js";
export { DerReader, eachItem, type DerElement } from "./reader.js";
export { Tag, contextConstructed, contextPrimitive, tagName } from "./tags.js";
export * from "./values.js";
export * as write from "./writer.js";
