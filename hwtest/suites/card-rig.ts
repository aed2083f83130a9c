/** The card rig of the suites in this folder: it lives with the campaigns, which use it too. */
export { CardRig, echoCard, makeAtr, type Said } from "../src/campaigns/card-rig.js";
