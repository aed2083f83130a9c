/** Counted campaigns, what runs them, and the observations they are made of. */
export type { Campaign, CampaignRange, World } from "./campaign.js";
export { type CampaignFailure, type CampaignOptions, type CampaignResult, type CampaignRow, listCampaigns, runCampaign } from "./run.js";
export { compareSecrets, differences, findSecret, type Observation, observeSecret } from "./secrecy.js";
export { deadly, type Face, faces, type Fate, fates, type Kind, kinds, possible, type SecretSession, sudden } from "./secret-session.js";
export { randomSecret, sameShape, seeded } from "./secret-pair.js";
export { type NegativeCase, negativeCases, playNegative, shownByGuest, shownByHostTests, type Scene } from "./negative.js";
export { playProduct, type ProductFinding } from "./products.js";
