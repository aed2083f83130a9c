import { Oid } from "@inkan/sdk/trust";
import { der } from "@inkan/sdk/testing";

const { sequence, setOfItems, oid, printableString, utf8String, context } = der.write;

/** One attribute of a name, short form. */
export type Part = readonly ["C" | "O" | "OU" | "L" | "CN", string];

const types = { C: Oid.countryName, O: Oid.organizationName, OU: Oid.organizationalUnitName, L: Oid.localityName, CN: Oid.commonName };

/** A Name; C is a PrintableString and the rest UTF8String, as in JPKI's own (jpki-card.md §7.1). */
export function name(parts: readonly Part[]): Uint8Array {
  return sequence(
    ...parts.map(([type, value]) => setOfItems([sequence(oid(types[type]), type === "C" ? printableString(value) : utf8String(value))])),
  );
}

/** GeneralName directoryName: `[4] EXPLICIT Name`. */
export function directoryName(parts: readonly Part[]): Uint8Array {
  return context(4, name(parts));
}

/** The two authorities. Nothing in their names can be taken for a real one's. */
export const authorityNames = {
  sign: [
    ["C", "JP"],
    ["O", "JPKI-TEST"],
    ["OU", "JPKI-TEST for digital signature"],
    ["OU", "Inkan test authority, not valid for anything"],
  ],
  auth: [
    ["C", "JP"],
    ["O", "JPKI-TEST"],
    ["OU", "JPKI-TEST for user authentication"],
    ["OU", "Inkan test authority, not valid for anything"],
  ],
} as const satisfies Record<string, readonly Part[]>;

/** The authorities' names in Japanese, as subjectAltName and issuerAltName. */
export const authorityNamesJa = {
  sign: [
    ["C", "JP"],
    ["O", "公的個人認証サービス（試験用・無効）"],
    ["OU", "試験用署名用"],
  ],
  auth: [
    ["C", "JP"],
    ["O", "公的個人認証サービス（試験用・無効）"],
    ["OU", "試験用利用者証明用"],
  ],
} as const satisfies Record<string, readonly Part[]>;

/** Where the CRL that covers a municipality stands: a name in a directory, not an address (jpki-card.md §7.5). */
export function distributionPointName(which: "sign" | "auth", prefecture: string, municipality: string): readonly Part[] {
  const [country, organization, unit] = authorityNames[which];
  return [country, organization, unit, ["OU", "CRL Distribution Points"], ["OU", prefecture], ["CN", `${municipality} CRLDP`]];
}
