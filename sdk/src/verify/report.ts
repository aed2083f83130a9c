import type { Certificate } from "../trust/certificate.js";
import type { HashName } from "../signing/signer.js";
import type { Words } from "./words.js";
import { sentences } from "./words.js";

/** EN 319 102-1 §5.1.3. */
export type Verdict = "TOTAL-PASSED" | "TOTAL-FAILED" | "INDETERMINATE";
/** The sub-indications of EN 319 102-1 §5.1.3 (tables 5 and 6) that this verifier gives. */
export type SubIndication =
  | "FORMAT_FAILURE"
  | "HASH_FAILURE"
  | "SIG_CRYPTO_FAILURE"
  | "SIG_CONSTRAINTS_FAILURE"
  | "CHAIN_CONSTRAINTS_FAILURE"
  | "CRYPTO_CONSTRAINTS_FAILURE"
  | "NO_SIGNING_CERTIFICATE_FOUND"
  | "NO_CERTIFICATE_CHAIN_FOUND"
  | "OUT_OF_BOUNDS_NO_POE"
  | "SIGNED_DATA_NOT_FOUND"
  | "TRY_LATER";

/** Every check there is, in the order of a report. */
export const checkIds = [
  "format",
  "signer-count",
  "algorithms",
  "content-type",
  "message-digest",
  "signer-certificate",
  "signing-certificate",
  "signature",
  "path",
  "validity",
  "authority",
  "critical-extensions",
  "key-usage",
  "policy",
  "revocation",
] as const;
/** Name of a check. */
export type CheckId = (typeof checkIds)[number];

/** One line of a report. */
export interface Check {
  readonly id: CheckId;
  readonly state: "passed" | "failed" | "not-checked";
  readonly text: Words;
}

/** What `verifyCms` answers. `checks` always has every check, so that nothing can be left out unseen. */
export interface Report {
  readonly verdict: Verdict;
  readonly subIndication?: SubIndication;
  readonly checks: readonly Check[];
  /** The moment that was judged. */
  readonly at: Date;
  /** What the caller chose. */
  readonly revocation: "required" | "none";
  readonly signer?: {
    readonly certificate: Certificate;
    readonly hash?: HashName;
    /** What the signature claims; nobody vouches for it. */
    readonly claimedTime?: Date;
  };
}

const failing: ReadonlySet<SubIndication> = new Set(["FORMAT_FAILURE", "HASH_FAILURE", "SIG_CRYPTO_FAILURE"]);

/** Collects checks and draws the verdict: the first failure that proves the signature wrong, else the first that leaves it open, else passed. */
export class Findings {
  readonly #states = new Map<CheckId, Check>();
  readonly #problems: SubIndication[] = [];

  pass(id: CheckId, text: Words): void {
    this.#set({ id, state: "passed", text });
  }

  fail(id: CheckId, problem: SubIndication, text: Words): void {
    this.#problems.push(problem);
    this.#set({ id, state: "failed", text });
  }

  /** Could not be checked, and the caller did not choose that. */
  open(id: CheckId, problem: SubIndication, text: Words): void {
    this.#problems.push(problem);
    this.#set({ id, state: "not-checked", text });
  }

  /** Not checked because the caller chose so. */
  waive(id: CheckId, text: Words): void {
    this.#set({ id, state: "not-checked", text });
  }

  #set(check: Check): void {
    // A check that failed once stays failed, whatever else is found under its name.
    if (this.#states.get(check.id)?.state !== "failed") this.#states.set(check.id, check);
  }

  /** True when nothing was set for this check yet. */
  isOpen(id: CheckId): boolean {
    return !this.#states.has(id);
  }

  /** Verdict and lines. A check that nobody set makes the result indeterminate: silence is never a pass. */
  conclude(): Pick<Report, "verdict" | "subIndication" | "checks"> {
    const checks = checkIds.map((id): Check => this.#states.get(id) ?? { id, state: "not-checked", text: sentences.skipped });
    const problem = this.#problems.find((each) => failing.has(each)) ?? this.#problems[0];
    if (problem !== undefined) return { verdict: failing.has(problem) ? "TOTAL-FAILED" : "INDETERMINATE", subIndication: problem, checks };
    if (checkIds.some((id) => this.isOpen(id))) throw new Error("a check was neither made nor waived");
    return { verdict: "TOTAL-PASSED", checks };
  }
}
