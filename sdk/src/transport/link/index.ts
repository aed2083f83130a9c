/**
 * The framed link over any byte stream: a serial port, a socket, a virtual board's CDC.
 *
 * @module
 */
export type { ByteStream } from "../byte-stream.js";
export { LinkTransport } from "./transport.js";
export type { LinkOptions } from "./transport.js";
