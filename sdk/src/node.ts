/**
 * The door for Node: finds and opens readers on this machine. The packages it needs for that (`usb`, `@serialport/bindings-cpp`) are
 * optional and loaded when they are first wanted.
 *
 * @module
 */
export { listReaders } from "./node/list.js";
export type { ListFact, ListSources, ReaderList } from "./node/list.js";
export { openUri, parseUri } from "./node/open.js";
export type { OpenUriOptions, ReaderUri, VirtualDoor } from "./node/open.js";
export type { FoundUsbReader } from "./node/usb.js";
export type { SerialBindingLike, SerialPortInfo, SerialPortLike } from "./transport/serial/binding.js";
export { isLoopback, tcpStream } from "./node/tcp.js";
export type { TcpOptions } from "./node/tcp.js";
export { serialStream } from "./transport/serial/stream.js";
export type { SerialOptions } from "./transport/serial/stream.js";
