export * from "./product.js";
export * from "./reference.js";
export { chooserCell, displayTexts, type DisplayText, type DisplayTextName } from "./texts.js";
