import type { PinVerifyTemplate } from "../reader/pin-template.js";

/** A response as this room needs it. `ResponseApdu` fits. */
export interface JpkiResponse {
  readonly data: Uint8Array;
  readonly sw: number;
}

/** The part of a `Card` that the JPKI application needs. */
export interface JpkiPort {
  transmit(apdu: Uint8Array<ArrayBuffer>, options?: { readonly signal?: AbortSignal }): Promise<JpkiResponse>;
  verifyOnPad(template: PinVerifyTemplate, options?: { readonly signal?: AbortSignal }): Promise<JpkiResponse>;
}
