import type { Campaign } from "./campaign.js";

/** A campaign by its name; its module is loaded when it is wanted, so that one campaign's import cost is its own. */
export interface CampaignEntry {
  readonly name: string;
  readonly load: () => Promise<Campaign>;
}

/** Every campaign: one row each, in the order of the alphabet. */
export const campaigns: readonly CampaignEntry[] = [
  { name: "chaining", load: async () => (await import("./chaining.js")).chaining },
  { name: "host-vanishes", load: async () => (await import("./host-vanishes.js")).hostVanishes },
  { name: "interleavings", load: async () => (await import("./interleavings.js")).interleavings },
  { name: "line-faults", load: async () => (await import("./line-faults.js")).lineFaults },
  { name: "link-noise", load: async () => (await import("./link-noise.js")).linkNoise },
  { name: "pin-secrecy", load: async () => (await import("./pin-secrecy.js")).pinSecrecy },
  { name: "pio-mutants", load: async () => (await import("./pio-mutants.js")).pioMutants },
  { name: "removals", load: async () => (await import("./removals.js")).removals },
  { name: "t0-parity", load: async () => (await import("./t0-parity.js")).t0Parity },
];

/** The rows of the registry, or of the module at `url` that exports `campaigns` like this one. */
export async function rowsOf(url?: string): Promise<readonly CampaignEntry[]> {
  return url === undefined ? campaigns : ((await import(url)) as { readonly campaigns: readonly CampaignEntry[] }).campaigns;
}
