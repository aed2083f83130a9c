/** Counted campaigns and the observations they are made of. */
export { differences, type Fate, fates, findSecret, type Observation, observeSecret, type SecretSession } from "./secrecy.js";
export { randomSecret, sameShape, seeded } from "./secret-pair.js";
export { type NegativeCase, negativeCases, playNegative, shownByHostTests, type Scene } from "./negative.js";
export type { Campaign, CampaignRange, World } from "./campaign.js";
