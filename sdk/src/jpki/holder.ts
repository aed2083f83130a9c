import type { Certificate } from "../trust/certificate.js";
import { Oid } from "../trust/oids.js";

/** The four attributes a signature certificate states about its holder (jpki-card.md §7.3). Personal data: show only when asked to. */
export interface Holder {
  readonly name: string;
  readonly address: string;
  /** `YYYY-MM-DD`. */
  readonly birth: string;
  /** 1 male, 2 female, 3 unknown, 9 not applicable; other values as they stand. */
  readonly sex: string;
  /** True when characters of name or address were replaced because the certificate's character set lacks them. */
  readonly substituted: boolean;
}

/** The holder of a JPKI signature certificate; `undefined` when it states none (an authentication certificate never does). Unknown otherNames are passed over. */
export function holderOf(certificate: Certificate): Holder | undefined {
  const names = certificate.extensions.subjectAltName?.otherNames ?? [];
  const find = (oid: string): string | undefined => names.find((each) => each.oid === oid)?.value;
  const [name, address, birth, sex] = [Oid.jpkiName, Oid.jpkiAddress, Oid.jpkiBirth, Oid.jpkiSex].map(find);
  if (name === undefined || address === undefined || birth === undefined || sex === undefined) return undefined;
  // An era digit, then the Gregorian date.
  const date = /^[0-5]([0-9]{4})([0-9]{2})([0-9]{2})$/.exec(birth);
  const flags = `${find(Oid.jpkiNameSubstitution) ?? ""}${find(Oid.jpkiAddressSubstitution) ?? ""}`;
  return { name, address, sex, birth: date === null ? birth : `${date[1]}-${date[2]}-${date[3]}`, substituted: /[^0]/.test(flags) };
}
