/**
 * The door for product definitions: checking one, and printing what comes from it.
 *
 * @module
 */
export { checkProduct, checkProductText, displayRows, MAX_KEYS, type ProductCheck, type ProductProblem } from "../src/product/check.js";
export { textPixels } from "../src/product/print-front.js";
export { withOverrides } from "../src/product/texts.js";
export { productRules, type ProductRule, type ProductRuleName } from "../src/product/rules.js";
export { referenceDefinition } from "../src/product/reference.js";
export type { Product, ProductDefinition, ProductPolicies } from "../src/product/product.js";
export { printDescriptors, printPlist, printUdev, productHeaders, productManifest, productPrints } from "./print-product.js";
