/** The virtual board: the real firmware image on rp2040js' CPU, with our own strict models of everything around it. */
export type { CardLine, Level, LineCard, Model, ModelHost, PinNets, RegisterBlock, RuleName } from "./model.js";
export { BoardDeadline, type Pace, Pump, type WaitOptions } from "./pace.js";
export { type BoardState, Engine, type EngineOptions, type EngineSnapshot, type ResetCause } from "./engine.js";
export { BoardViolation } from "./violation.js";
export { rules } from "./rules.js";
