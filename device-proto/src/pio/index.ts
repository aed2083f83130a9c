/** The checked PIO assembler and the card-line program. */
export { PioError } from "./error.js";
export { assemblePio, pioMemoryWords, type PioProgram } from "./assembler.js";
export { encodeInstruction, type Scope, type SideSet } from "./instruction.js";
export { cardLine, cardLinePatches, cardLineSource, ticksPerEtu } from "./card-line.js";
export { clockDivider, diTable, etuError, fiMaxKhz, fiTable, maxEtuError, minEtuClocks, offeredFiDi } from "./fidi.js";
export { printCardPio } from "./print.js";
