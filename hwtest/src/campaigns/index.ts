/** Counted campaigns, what runs them, and the observations they are made of. */
export type { Campaign, CampaignRange, World } from "./campaign.js";
export { type CampaignFailure, type CampaignOptions, type CampaignResult, type CampaignRow, listCampaigns, runCampaign } from "./run.js";
export { differences, type Fate, fates, findSecret, type Observation, observeSecret, type SecretSession } from "./secrecy.js";
export { randomSecret, sameShape, seeded } from "./secret-pair.js";
export { type NegativeCase, negativeCases, playNegative, shownByHostTests, type Scene } from "./negative.js";
export { playProduct, type ProductFinding } from "./products.js";
