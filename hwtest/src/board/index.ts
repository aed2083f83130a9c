/**
 * The virtual board: the released firmware image on rp2040js' CPU, with our own strict models of everything around it.
 *
 * @module
 */
export type { CardLine, Level, LineCard, Model, ModelHost, PinNets, RegisterBlock, RuleName } from "./model.js";
export { BoardDeadline, type Driven, type Pace, Pump, type WaitOptions } from "./pace.js";
export { type BoardState, Engine, type EngineOptions, type EngineSnapshot, type ResetCause } from "./engine.js";
export { BoardViolation } from "./violation.js";
export { rules } from "./rules.js";
export { BoardClock } from "./board-clock.js";
export { type BoardEvent, type BoardOptions, type BoardSlot, type BoardSnapshot, type BoardUsb, VirtualBoard } from "./board.js";
export { type FrontListener, Front } from "./front.js";
export { type FingerOptions, Fingers, keysFor } from "./fingers.js";
export { type Picture, Screen } from "./screen.js";
export { cdcStream, openVirtualReader, type VirtualReader, type VirtualReaderOptions } from "./open-virtual-reader.js";
export { attachUsb, VirtualUsbDevice } from "./usb-device.js";
export { CdcAcm } from "./cdc.js";
export * from "./serial-binding.js";
export * from "./pty.js";
export * from "./pcscd-host.js";
export { PcscdTransport } from "./pcscd-transport.js";
export { uartStream } from "./uart-stream.js";
