import type { KeyObject } from "node:crypto";

/** Who may read a file. */
export type ReadRule = "free" | { readonly anyOf: readonly number[] };

/** A transparent file (ISO 7816-4). */
export interface DataFile {
  readonly kind: "data";
  readonly fid: number;
  readonly read: ReadRule;
  readonly bytes: Uint8Array;
}
/** A linear file of records, read with READ RECORD. */
export interface RecordFile {
  readonly kind: "records";
  readonly fid: number;
  readonly records: readonly Uint8Array[];
}
/** A secret (JICSAP: IEF). `value` undefined: nothing ever matches. */
export interface SecretFile {
  readonly kind: "secret";
  readonly fid: number;
  readonly value?: Uint8Array;
  /** Tries a fresh or reset counter has; 0: arrives blocked. */
  readonly maxTries: number;
  readonly minLength: number;
  readonly maxLength: number;
}
/** A private key (IEF) that signs after `needs` was verified. */
export interface KeyFile {
  readonly kind: "key";
  readonly fid: number;
  readonly needs: number;
  readonly key: KeyObject;
}
/** One file of an application. */
export type CardFile = DataFile | RecordFile | SecretFile | KeyFile;

/** One application (DF) of a card. */
export interface CardApplication {
  readonly name: string;
  readonly aid: Uint8Array;
  readonly files: readonly CardFile[];
}

/** What a card is: personalities are values of this. */
export interface CardPersonality {
  readonly atr: Uint8Array;
  readonly applications: readonly CardApplication[];
}

/** Everything of a test card that changes, as plain data: what survives power-off, and what does not. */
export interface CardState {
  /** Secrets that were changed and tries left, by `AID:FID`. */
  readonly secrets: Readonly<Record<string, { readonly tries: number; readonly value?: readonly number[] }>>;
  readonly selectedApplication: number;
  readonly selectedFile: number;
  /** Secrets verified since the application was selected. */
  readonly verified: readonly number[];
  /** GET CHALLENGE calls so far. */
  readonly challenges: number;
}
