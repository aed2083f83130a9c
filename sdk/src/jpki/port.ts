/** A response as this room needs it. `ResponseApdu` fits. */
export interface JpkiResponse {
  readonly data: Uint8Array;
  readonly sw: number;
}

/** What the reader's pad asks for; the reader room makes the CCID block of it. */
export interface JpkiPadRequest {
  /** The command without its secret: CLA INS P1 P2. */
  readonly apdu: Uint8Array<ArrayBuffer>;
  readonly encoding: "ascii";
  /** Fewest and most characters. */
  readonly minimum: number;
  readonly maximum: number;
}

/** The part of a `Card` that the JPKI application needs. */
export interface JpkiPort {
  transmit(apdu: Uint8Array<ArrayBuffer>, options?: { readonly signal?: AbortSignal }): Promise<JpkiResponse>;
  verifyOnPad(request: JpkiPadRequest, options?: { readonly signal?: AbortSignal }): Promise<JpkiResponse>;
}
