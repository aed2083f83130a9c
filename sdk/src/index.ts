/**
 * Readers, cards and errors. What opens a reader on this machine is `@inkan/sdk/node`; in a browser, hand `Reader.open` a transport.
 *
 * @module
 */
export { abortError, InkanError, isInkanError, toInkanError } from "./errors.js";
export type { ErrorDetails, Language } from "./errors.js";
export type { Clock, TimerOptions } from "./exchange/clock.js";
export { systemClock } from "./exchange/system-clock.js";
export { Card } from "./reader/card.js";
export type { CallOptions, CardPort } from "./reader/card.js";
export { ReaderEvents } from "./reader/events.js";
export type { ReaderEvent } from "./reader/events.js";
export type { ExchangeLevel } from "./reader/level.js";
export type { PinModifyTemplate, PinVerifyTemplate } from "./reader/pin-template.js";
export {
  modifyPinDirect,
  parseProperties,
  pcscFeature,
  pcscPinStatus,
  pseudoApdu,
  type ReaderProperties,
  verifyPinDirect,
} from "./reader/ppdu.js";
export { Reader } from "./reader/reader.js";
export type { ConnectOptions, ReaderOptions, SlotState } from "./reader/reader.js";
export type { TraceEvent, TraceSink } from "./trace/event.js";
export type { ClosedReason, ReaderAddress, ReaderIdentity, Transport, TransportEvent } from "./transport/transport.js";
export { UsbTransport } from "./transport/usb.js";
export type {
  UsbConfigurationLike,
  UsbDeviceLike,
  UsbInResultLike,
  UsbInterfaceLike,
  UsbOutResultLike,
  UsbSetupLike,
} from "./transport/usb-device-like.js";
