/** What passed between host and reader, redacted, for people and for Wireshark. */
export type { TraceEvent, TraceSink } from "./event.js";
export type { UsbDescriptors } from "./pcapng.js";
export { TraceRecorder, type TraceRecorderOptions } from "./recorder.js";
export { secretInApdu } from "./secrets.js";
