import { KEYS, type KeyName } from "../board.js";
import { glyphs as referenceGlyphs } from "./glyphs.js";
import { isP256Point } from "./p256.js";
import { type Product, type ProductDefinition, resolveProduct } from "./product.js";
import { referenceDefinition } from "./reference.js";
import type { ProductRuleName } from "./rules.js";
import { DISPLAY_WIDTH, displayTexts, textWidth, type DisplayText } from "./texts.js";

/** One broken rule: where, which, and the values its sentences need. */
export interface ProductProblem {
  /** Path of the field: `usb.vendorId`, `keypad`, `texts.idleNoCard1.ja`; empty for the whole. */
  readonly field: string;
  readonly rule: ProductRuleName;
  readonly details: Readonly<Record<string, string | number>>;
}

/** What a check found; `product` only when nothing is wrong. */
export interface ProductCheck {
  readonly problems: readonly ProductProblem[];
  readonly product: Product | undefined;
}

/** Keys fixed at manufacture, at most. */
export const MAX_KEYS = 4;
/** A USB string descriptor holds 126 UTF-16 units (USB 2.0 §9.6.7). */
const MAX_USB_STRING = 126;
const DISPLAY_COLUMNS = DISPLAY_WIDTH / 8;

type Report = (field: string, rule: ProductRuleName, details?: ProductProblem["details"]) => void;
type Fields = Readonly<Record<string, unknown>>;

/** Checks the text of a definition file. Never throws. */
export function checkProductText(text: string): ProductCheck {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [{ field: "", rule: "not-json", details: { detail: (error as Error).message } }], product: undefined };
  }
  return checkProduct(value);
}

/** Checks a product definition, whatever it is. Every problem is reported, not only the first. Never throws. */
export function checkProduct(value: unknown): ProductCheck {
  const problems: ProductProblem[] = [];
  const report: Report = (field, rule, details = {}) => void problems.push({ field, rule, details });
  const top = fieldsOf(value, "", required, optional, report);
  if (top !== undefined) {
    if ("schema" in top && top["schema"] !== 1) report("schema", "schema", { found: show(top["schema"]) });
    const vendor = name(top["vendorName"], "vendorName", MAX_USB_STRING, report);
    displayName(top["productName"], report);
    version(top["version"], report);
    usb(top["usb"], vendor, report);
    productId(top, report);
    choice(top["language"], "language", ["ja", "en"], report);
    policies(top["policies"], report);
    keys(top["keys"], report);
    if ("keypad" in top) keypad(top["keypad"], report);
    const extra = "glyphs" in top ? glyphs(top["glyphs"], report) : [];
    if ("texts" in top) texts(top["texts"], new Set([...Object.keys(referenceGlyphs), ...extra]), report);
  }
  return { problems, product: problems.length === 0 ? resolveProduct(value as ProductDefinition) : undefined };
}

const required = ["schema", "vendorName", "productName", "version", "usb", "productId", "language", "policies", "keys"] as const;
const optional = ["keypad", "texts", "glyphs"] as const;

const show = (value: unknown): string => (JSON.stringify(value) ?? "undefined").slice(0, 60);
const join = (field: string, name: string): string => (field === "" ? name : `${field}.${name}`);

/** An object's own fields; reports what is missing and what nobody knows. */
function fieldsOf(value: unknown, field: string, must: readonly string[], may: readonly string[], report: Report): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    report(field, "type", { expected: "an object { … }" });
    return undefined;
  }
  const own = new Map(Object.entries(value));
  for (const each of must) if (!own.has(each)) report(join(field, each), "missing");
  for (const each of own.keys()) if (!must.includes(each) && !may.includes(each)) report(join(field, each), "unknown");
  return Object.fromEntries([...must, ...may].filter((each) => own.has(each)).map((each) => [each, own.get(each)]));
}

/** A field's text. Undefined, and reported unless it is missing altogether, when it is none. */
function textOf(value: unknown, field: string, report: Report): string | undefined {
  if (typeof value === "string") return value;
  if (value !== undefined) report(field, "type", { expected: 'a text "…"' });
  return undefined;
}

function name(value: unknown, field: string, max: number, report: Report): string | undefined {
  const text = textOf(value, field, report);
  if (text === undefined) return undefined;
  if (text.length >= 1 && text.length <= max && text.trim() === text && /^[^\p{C}\p{Zl}\p{Zp}]*$/u.test(text)) return text;
  report(field, "name", { max });
  return undefined;
}

/** As front.c breaks it: at the last blank that leaves a whole row, or in the middle of a word that is longer. */
export function displayRows(text: string): readonly string[] {
  if (text.length <= DISPLAY_COLUMNS) return [text];
  const cut = text.lastIndexOf(" ", DISPLAY_COLUMNS);
  return cut > 0 ? [text.slice(0, cut), text.slice(cut + 1)] : [text.slice(0, DISPLAY_COLUMNS), text.slice(DISPLAY_COLUMNS)];
}

function displayName(value: unknown, report: Report): void {
  const text = name(value, "productName", MAX_USB_STRING, report);
  if (text === undefined) return;
  const rows = displayRows(text);
  if (!/^[ -~]+$/.test(text) || rows.some((row) => row.length > DISPLAY_COLUMNS || row.trim() !== row))
    report("productName", "display-name", { name: text });
}

function version(value: unknown, report: Report): void {
  const text = textOf(value, "version", report);
  if (text === undefined) return;
  const numbers = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,4})$/.exec(text)?.slice(1).map(Number);
  if (numbers === undefined || numbers[0]! > 255 || numbers[1]! > 255 || numbers[2]! > 65535)
    report("version", "version", { found: show(text) });
}

function usb(value: unknown, vendor: string | undefined, report: Report): void {
  if (value === undefined) return;
  const own = fieldsOf(value, "usb", ["vendorId", "productId", "bcdDevice"], ["ccidName", "linkName"], report);
  if (own === undefined) return;
  for (const id of ["vendorId", "productId"]) {
    const text = textOf(own[id], `usb.${id}`, report);
    if (text !== undefined && (!/^[0-9a-fA-F]{4}$/.test(text) || /^(0000|ffff)$/i.test(text)))
      report(`usb.${id}`, "hex-id", { found: show(text) });
  }
  const bcd = textOf(own["bcdDevice"], "usb.bcdDevice", report);
  if (bcd !== undefined && !/^\d{4}$/.test(bcd)) report("usb.bcdDevice", "bcd", { found: show(bcd) });
  for (const each of ["ccidName", "linkName"]) {
    if (each in own) name(own[each], `usb.${each}`, MAX_USB_STRING, report);
    else if (vendor !== undefined && `${vendor} CCID`.length > MAX_USB_STRING) report(`usb.${each}`, "missing");
  }
}

function productId(top: Fields, report: Report): void {
  const text = textOf(top["productId"], "productId", report)?.toLowerCase();
  if (text === undefined) return;
  if (!/^[0-9a-f]{32}$/.test(text) || /^(.)\1*$/.test(text)) report("productId", "product-id");
  const own = top["usb"] as { vendorId?: unknown; productId?: unknown } | null | undefined;
  const { usb: reference } = referenceDefinition;
  const sameDevice = String(own?.vendorId).toLowerCase() === reference.vendorId && String(own?.productId) === reference.productId;
  if (text === referenceDefinition.productId && !sameDevice) report("productId", "borrowed-product-id");
}

function choice(value: unknown, field: string, choices: readonly string[], report: Report): void {
  if (value !== undefined && !choices.includes(value as string)) report(field, "choice", { choices: choices.join(", ") });
}

function policies(value: unknown, report: Report): void {
  if (value === undefined) return;
  const own = fieldsOf(value, "policies", ["consent", "padOnly", "allow2C", "unattendedUpdates"], [], report) ?? {};
  for (const [each, on] of Object.entries(own))
    if (typeof on !== "boolean") report(`policies.${each}`, "type", { expected: "true or false" });
}

function keys(value: unknown, report: Report): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) return report("keys", "type", { expected: "a list [ … ]" });
  if (value.length > MAX_KEYS) report("keys", "too-many", { max: MAX_KEYS, found: value.length });
  const seen = new Set<string>();
  value.forEach((each: unknown, index) => {
    const field = `keys.${index}`;
    const own = fieldsOf(each, field, ["name", "publicKey"], [], report);
    if (own === undefined) return;
    name(own["name"], `${field}.name`, 32, report);
    const point = textOf(own["publicKey"], `${field}.publicKey`, report)?.toLowerCase();
    if (point === undefined) return;
    if (!isP256Point(point)) report(`${field}.publicKey`, "public-key");
    if (seen.has(point)) report(`${field}.publicKey`, "twice", { found: `${point.slice(0, 12)}…` });
    seen.add(point);
  });
}

function keypad(value: unknown, report: Report): void {
  const rows: unknown[] = Array.isArray(value) ? value : [];
  const placed = rows.flatMap((row: unknown) => (Array.isArray(row) ? (row as unknown[]) : []));
  const missing = KEYS.filter((key: KeyName) => !placed.includes(key));
  if (rows.length === 4 && rows.every((row) => Array.isArray(row) && row.length === 4) && missing.length === 0) return;
  report("keypad", "keypad", { keys: KEYS.join(" "), found: missing.join(" ") || show(value) });
}

function glyphs(value: unknown, report: Report): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    report("glyphs", "type", { expected: "an object { … }" });
    return [];
  }
  return Object.entries(value).flatMap(([character, rows]) => {
    const good =
      [...character].length === 1 &&
      /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character) &&
      character > "~" &&
      typeof rows === "string" &&
      /^[0-9a-fA-F]{64}$/.test(rows);
    if (!good) report(`glyphs.${character}`, "glyph-form");
    return good ? [character] : [];
  });
}

function texts(value: unknown, drawable: ReadonlySet<string>, report: Report): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return report("texts", "type", { expected: "an object { … }" });
  for (const [each, own] of Object.entries(value)) {
    const field = `texts.${each}`;
    if (!Object.hasOwn(displayTexts, each)) {
      report(field, "text", { names: Object.keys(displayTexts).join(" ") });
      continue;
    }
    const reference: DisplayText = displayTexts[each as keyof typeof displayTexts];
    const languages = fieldsOf(own, field, [], ["ja", "en"], report) ?? {};
    for (const [language, text] of Object.entries(languages)) {
      const said = textOf(text, `${field}.${language}`, report);
      if (said !== undefined) sentence(said, `${field}.${language}`, reference[language as "ja" | "en"], drawable, report);
    }
  }
}

function sentence(text: string, field: string, reference: string, drawable: ReadonlySet<string>, report: Report): void {
  const places = (of: string): string => (of.match(/\{[01]\}/g) ?? []).sort().join(" ");
  if (places(text) !== places(reference)) report(field, "text-places", { wanted: places(reference) || "–", reference });
  const width = textWidth(text);
  if (width > DISPLAY_WIDTH) report(field, "text-width", { width, max: DISPLAY_WIDTH });
  const strange = [...new Set([...text].filter((character) => !drawable.has(character)))];
  if (strange.length > 0) report(field, "glyph", { characters: strange.map(show).join(" ") });
}
