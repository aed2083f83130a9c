/** A card at APDU level: what `@inkan/sdk/testing` offers and what the line around it needs. */
export interface ApduCard {
  readonly atr: Uint8Array;
  /** Power or reset: forgets selections and verified secrets, returns the ATR to send. */
  powerOn(): Uint8Array;
  /** One command APDU; `thinkMs` is how long a real card would take for it. */
  transmit(command: Uint8Array): { response: Uint8Array; thinkMs: number };
  /** State as plain data, for snapshots. A card without state needs neither. */
  save?(): unknown;
  load?(state: unknown): void;
}
