export { bytes, CodecError, rest, struct, u16be, u16le, u32le, u8 } from "./codec.js";
export type { Field, Fields, Infer, Struct } from "./codec.js";
export { crc32, crc32Mpeg2 } from "./crc32.js";
export { hex, unhex } from "./hex.js";
