/**
 * One way by which other programs reach the virtual reader of `virtual run`: a serial port, a socket. It follows the board: a reader that
 * is reset or loses its power vanishes there and comes again.
 */
export interface VirtualDoor {
  /** Makes the door, or brings the reader back to it. Answers with what the `ready` event says of it. @throws InkanError */
  up(): Promise<Readonly<Record<string, string>>>;
  /** Takes the reader away, as when its cable is pulled. */
  down(): Promise<void>;
  /** Takes the door away for good. */
  close(): Promise<void>;
}
