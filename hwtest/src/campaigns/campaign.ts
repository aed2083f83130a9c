/** Where the cases of a campaign run: the portable C built for this machine (or plain TypeScript), or the ARM image on the virtual board. */
export type World = "host" | "arm";

/** The cases `from` … `to − 1` of one seed. */
export interface CampaignRange {
  readonly on: World;
  readonly seed: number;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** A counted run over random cases. Case N of seed S is always the same case, whatever ran before it and on whatever machine. */
export interface Campaign {
  readonly name: string;
  /** The worlds it can run in; the first is used when the caller names none. */
  readonly on: readonly World[];
  /** How many cases run when the caller does not say. */
  readonly cases: number;
  /** One sentence for the list of `inkan hwtest campaign`. */
  readonly about: string;
  /**
   * Runs the cases in order. Calls `failed` for each case that went wrong, with a sentence that holds no secret; `ran` (a caller may give none) after
   * each case or batch, with how many ran since the last call: the runner takes
   * a range whose cases were not all told for an error. Throws only when the cases cannot be run at all (a program is missing: InkanError exit 8).
   */
  run(range: CampaignRange, failed: (number: number, why: string) => void, ran?: (cases: number) => void): Promise<void>;
}
