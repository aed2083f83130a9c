import { fill, status, type StatusCode } from "@inkan/device-proto";

/** Languages the product speaks. */
export type Language = "ja" | "en";

/** What fills an error's sentences: short words and numbers only. Bytes do not fit, so that no secret can get in. */
export type ErrorDetails = Readonly<Record<string, string | number>>;

/**
 * The one class of every foreseeable failure. Its code is a row of device-proto's status table, which has the sentences, what to try
 * and the exit code. Redacted by construction: it holds no bytes, and no APDU is ever among its details.
 */
export class InkanError extends Error {
  override readonly name = "InkanError";
  /** The row of the status table. */
  readonly code: StatusCode;
  /** Exit code of a program that ends because of this. */
  readonly exit: number;
  readonly details: ErrorDetails;
  /** How many tries the secret in question has left, when the card said so. */
  readonly secretTriesLeft?: number;

  constructor(code: StatusCode, details: ErrorDetails = {}, options: { readonly cause?: Error | undefined } = {}) {
    super(fill(status[code].message.en, details), options.cause ? { cause: options.cause } : undefined);
    this.code = code;
    this.exit = status[code].exit;
    this.details = details;
    const tries = details["tries"];
    if (typeof tries === "number") this.secretTriesLeft = tries;
  }

  /** What happened, in words. */
  sentence(language: Language): string {
    return fill(status[this.code].message[language], this.details);
  }

  /** What the person may try. */
  tryThis(language: Language): string {
    return fill(status[this.code].try[language], this.details);
  }
}

/** Narrows to {@link InkanError}, and to one code when given. */
export function isInkanError<C extends StatusCode = StatusCode>(error: unknown, code?: C): error is InkanError & { readonly code: C } {
  return error instanceof InkanError && (code === undefined || error.code === code);
}

/** Any thrown value as an {@link InkanError}: itself, or `unexpected` with the message. Aborts keep their meaning. */
export function toInkanError(error: unknown): InkanError {
  if (error instanceof InkanError) return error;
  if (error instanceof Error)
    return new InkanError(error.name === "AbortError" ? "aborted" : "unexpected", { detail: error.message }, { cause: error });
  return new InkanError("unexpected", { detail: String(error) });
}

/** What an aborted signal means: the caller's own InkanError when that is its reason (a deadline, an interrupt), else `aborted`. */
export function abortError(signal: AbortSignal): InkanError {
  const reason: unknown = signal.reason;
  return reason instanceof InkanError ? reason : new InkanError("aborted", {}, { cause: reason instanceof Error ? reason : undefined });
}
