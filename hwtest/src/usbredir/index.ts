/**
 * The board's USB device for virtual machines: the usbredir protocol over the bench's transaction-level host.
 *
 * @module
 */
export { serveUsbredir, type ServedBoard, type UsbredirEnd, type UsbredirOptions, type UsbredirServer } from "./serve.js";
export { type PeerWire, UsbredirPeer } from "./peer.js";
export { UsbredirParser } from "./parser.js";
export {
  type Body,
  encodePacket,
  type Packet,
  type PacketName,
  type Sender,
  UsbredirError,
  type UsbredirRule,
  usbredirRules,
} from "./wire.js";
