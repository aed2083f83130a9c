export * from "./product.js";
export { chooserCell, displayTexts, type DisplayText, type DisplayTextName } from "./texts.js";
