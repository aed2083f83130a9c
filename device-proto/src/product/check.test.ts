import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { productHeaders, productPrints } from "../../gen/print-product.js";
import { checkProduct, checkProductText, displayRows } from "./check.js";
import { publishedKeys } from "./product.js";
import { referenceDefinition, referenceProduct } from "./reference.js";
import { productRules, type ProductRuleName } from "./rules.js";

const strict = JSON.parse(readFileSync(new URL("../../products/strict.json", import.meta.url), "utf8")) as Record<string, unknown>;
const key = (publicKey: string): object => ({ name: "k", publicKey });
const wide = "0".repeat(64);

/** The strict sample with one field changed; `path` is the field's. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(strict);
  const parts = path.split(".");
  const last = parts.pop()!;
  let at = copy;
  for (const part of parts) at = (at[part] ??= {}) as Record<string, unknown>;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** Field changed, value, the rule it breaks, and where the problem is said to be when that is not the field itself. */
const broken: readonly (readonly [field: string, value: unknown, rule: ProductRuleName, at?: string])[] = [
  ["schema", 2, "schema"],
  ["vendorName", undefined, "missing"],
  ["vendorname", "x", "unknown"],
  ["vendorName", 7, "type"],
  ["vendorName", "a\nb", "name"],
  ["vendorName", "x".repeat(127), "name"],
  ["vendorName", " blank", "name"],
  ["vendorName", "x".repeat(124), "missing", "usb.ccidName"],
  ["usb.linkName", "", "name"],
  ["productName", "読み取り機", "display-name"],
  ["productName", "a name with very very long words in it", "display-name"],
  ["version", "1.2", "version"],
  ["version", "01.2.3", "version"],
  ["version", "256.0.0", "version"],
  ["version", "1.0.65536", "version"],
  ["usb.vendorId", "0x1209", "hex-id"],
  ["usb.vendorId", "0000", "hex-id"],
  ["usb.productId", "FFFF", "hex-id"],
  ["usb.bcdDevice", "001a", "bcd"],
  ["usb", [], "type"],
  ["productId", "00".repeat(16), "product-id"],
  ["productId", "ab", "product-id"],
  ["productId", referenceDefinition.productId.toUpperCase(), "borrowed-product-id"],
  ["language", "de", "choice"],
  ["policies.padOnly", "yes", "type"],
  ["policies.padonly", true, "unknown"],
  ["policies.consent", undefined, "missing"],
  ["keys", {}, "type"],
  ["keys", Array.from({ length: 5 }, () => key(publishedKeys[0]!)), "too-many"],
  ["keys", [key(publishedKeys[0]!), key(publishedKeys[0]!.toUpperCase())], "twice", "keys.1.publicKey"],
  ["keys", [key(`${publishedKeys[0]!.slice(0, -1)}8`)], "public-key", "keys.0.publicKey"],
  ["keys", [key(publishedKeys[0]!.slice(2))], "public-key", "keys.0.publicKey"],
  ["keypad", [["1"]], "keypad"],
  ["keypad", Array.from({ length: 4 }, () => ["1", "2", "3", "ok"]), "keypad"],
  ["texts", [], "type"],
  ["texts.idleNoCard9", { en: "x" }, "text"],
  ["texts.__proto__x", { en: "x" }, "text"],
  ["texts.triesLeft", { en: "left" }, "text-places", "texts.triesLeft.en"],
  ["texts.pinWrong", { en: "seventeen letters" }, "text-width", "texts.pinWrong.en"],
  ["texts.pinWrong", { ja: "鬱です" }, "glyph", "texts.pinWrong.ja"],
  ["texts.pinWrong", { en: "a\nb" }, "glyph", "texts.pinWrong.en"],
  ["texts.pinWrong", { de: "x" }, "unknown", "texts.pinWrong.de"],
  ["glyphs", { A: wide }, "glyph-form", "glyphs.A"],
  ["glyphs", { 鬱: "12" }, "glyph-form", "glyphs.鬱"],
  ["glyphs", { 鬱憤: wide }, "glyph-form", "glyphs.鬱憤"],
  ["glyphs", 5, "type"],
];

describe("a product definition is checked", () => {
  it("the samples are good, and the reference is what is built in", () => {
    expect(checkProduct(referenceDefinition)).toEqual({ problems: [], product: referenceProduct });
    expect(checkProduct(strict).problems).toEqual([]);
  });

  it.each(broken.map(([field, value, rule, at = field]) => ({ field, value, rule, at })))("$field: $rule", ({ field, value, rule, at }) => {
    const { problems, product } = checkProduct(changed(field, value));
    expect(problems.map((problem) => [problem.field, problem.rule])).toContainEqual([at, rule]);
    expect(product).toBeUndefined();
  });

  it("every rule is broken by one of these rows or by a file that is not JSON, and has all its values", () => {
    expect(checkProductText("{").problems).toMatchObject([{ rule: "not-json" }]);
    expect(new Set(Object.keys(productRules))).toEqual(new Set([...broken.map(([, , rule]) => rule), "not-json"]));
    for (const [field, value] of broken)
      for (const { rule, details } of checkProduct(changed(field, value)).problems)
        for (const { ja, en } of [productRules[rule].message, productRules[rule].try])
          for (const hole of `${ja}${en}`.match(/\{\w+\}/g) ?? [])
            expect(Object.keys(details), `${rule} ${hole}`).toContain(hole.slice(1, -1));
  });

  it("several mistakes are told at once", () => {
    const fields = checkProduct({ ...strict, version: "1", language: "xx", more: 1 }).problems.map(({ field }) => field);
    expect(fields.sort()).toEqual(["language", "more", "version"]);
  });

  it("a published key makes a product a TEST one, ids of pid.codes' test range too", () => {
    expect(checkProduct(changed("keys", [key(publishedKeys[0]!)])).product).toMatchObject({ testKey: true, testIds: true });
    expect(checkProduct(changed("usb.vendorId", "1d6b")).product).toMatchObject({ testKey: false, testIds: false });
    expect(checkProduct(changed("usb.productId", "0011")).product).toMatchObject({ testIds: false });
  });

  it("a name breaks as the display breaks it", () => {
    expect(displayRows("Inkan reference reader")).toEqual(["Inkan reference", "reader"]);
    expect(displayRows("sixteen_letters_")).toEqual(["sixteen_letters_"]);
    expect(displayRows("sixteen_letters_ x")).toEqual(["sixteen_letters_", "x"]);
    expect(displayRows("seventeen_letters_")).toEqual(["seventeen_letter", "s_"]);
  });
});

describe("whatever it is given, the checker answers", () => {
  it("any JSON value is refused in words, never by an exception", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => checkProduct(value).problems.length > 0),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.string(), (text) => checkProductText(text).problems.length > 0),
      { numRuns: 300 },
    );
  });

  it("what passes the check prints, and every header is one whole file", () => {
    const names = ["vendorName", "productName", "version", "usb.ccidName", "texts.pinWrong", "language", "usb.vendorId"];
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.constantFrom('"', "\\", "??/", "*/ x /*", "ABC", "1.2.3", "12ab"),
    );
    let passed = 0;
    fc.assert(
      fc.property(fc.constantFrom(...names), text, (field, value) => {
        const { problems, product } = checkProduct(changed(field, field.startsWith("texts") ? { en: value } : value));
        expect(product === undefined).toBe(problems.length > 0);
        if (product === undefined) return;
        passed++;
        for (const { path, text: header } of productHeaders(product)) {
          expect(header.trimEnd().endsWith("#endif"), path).toBe(true);
          // What was said stays inside its string or comment: outside of them no line is new.
          const bare = (source: string): string => source.replace(/"(?:[^"\\\n]|\\.)*"|\/\*[^]*?\*\//g, "");
          for (const line of bare(header).split("\n")) {
            expect(line).toMatch(/^[ -~]*$/);
            expect(/\*\/|"/.test(line), line).toBe(false);
          }
        }
        for (const print of Object.values(productPrints)) expect(print(product)).toMatch(/\n$/);
      }),
      { numRuns: 300 },
    );
    expect(passed).toBeGreaterThan(20);
  });
});

describe("what is printed", () => {
  it("Info.plist: three strings, escaped", () => {
    const { product } = checkProduct(changed("productName", "A<B & C"));
    expect(productPrints["plist"]!(product!).match(/<string>(.*?)<\/string>/g)).toEqual([
      "<string>0x1209</string>",
      "<string>0x0002</string>",
      "<string>A&lt;B &amp; C</string>",
    ]);
  });
  it("udev: 0660 with uaccess, and ModemManager kept away, for the device and its port", () => {
    const rules = productPrints["udev"]!(referenceProduct)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(rules).toHaveLength(2);
    for (const rule of rules) {
      expect(rule).toMatch(
        /idVendor\}=="1209", ATTRS?\{idProduct\}=="0001", MODE="0660", TAG\+="uaccess", ENV\{ID_MM_DEVICE_IGNORE\}="1"$/,
      );
    }
  });
  it("the manifest has the policies and never more than public keys", () => {
    const { product } = checkProduct(changed("keys", [key(publishedKeys[0]!)]));
    expect(JSON.parse(productPrints["manifest"]!(product!))).toMatchObject({
      productId: strict["productId"],
      usb: "1209:0002",
      policies: { padOnly: true, consent: true },
      keys: [{ publicKey: publishedKeys[0] }],
      testKey: true,
    });
  });
});
