export { JpkiTestCard, type CardAnswer } from "./jpki-test-card.js";
export type {
  CardApplication,
  CardFile,
  CardPersonality,
  CardState,
  DataFile,
  KeyFile,
  ReadRule,
  RecordFile,
  SecretFile,
} from "./model.js";
export { aids, standardAtr, standardPersonality, type CardMaterial } from "./personality.js";
export { parseShort, type ShortCommand } from "./command.js";
