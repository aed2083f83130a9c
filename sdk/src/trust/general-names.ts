import type { DerElement } from "../der/index.js";
import {
  DerError,
  DerReader,
  Tag,
  bitStringValue,
  contextConstructed,
  contextPrimitive,
  eachItem,
  oidValue,
  textValue,
} from "../der/index.js";
import type { DistinguishedName } from "./name.js";
import { readName } from "./name.js";

/** GeneralNames of the kinds JPKI uses; other kinds are kept by their tag. */
export interface GeneralNames {
  /** otherName whose value is a character string, in order. */
  readonly otherNames: readonly { readonly oid: string; readonly value: string }[];
  readonly directoryNames: readonly DistinguishedName[];
  readonly uris: readonly string[];
  /** Tags of names of other kinds. */
  readonly others: readonly number[];
}

interface Growing {
  otherNames: { oid: string; value: string }[];
  directoryNames: DistinguishedName[];
  uris: string[];
  others: number[];
}
const empty = (): Growing => ({ otherNames: [], directoryNames: [], uris: [], others: [] });

/** Reads GeneralNames: at least one name. */
export function generalNames(list: DerElement, what: string): GeneralNames {
  const out = empty();
  eachItem(list, what, 1, (item) => readGeneralName(item, out));
  return out;
}

function readGeneralName(item: DerElement, out: Growing): void {
  if ((item.tag & 0xc0) !== 0x80 || (item.tag & 0x1f) > 8) throw new DerError(item.offset, "not a GeneralName");
  if (item.tag === contextConstructed(0)) {
    const reader = DerReader.inside(item);
    const oid = oidValue(reader.take(Tag.oid, "the otherName's type"));
    const wrapped = reader.take(contextConstructed(0), "the otherName's value");
    reader.end("the otherName");
    const inner = DerReader.inside(wrapped);
    const value = inner.next("the otherName's value");
    inner.end("the otherName's value");
    if (value.tag === Tag.utf8String || value.tag === Tag.printableString || value.tag === Tag.ia5String)
      out.otherNames.push({ oid, value: textValue(value) });
    else out.others.push(item.tag);
  } else if (item.tag === contextConstructed(4)) {
    // Name is a CHOICE, so the tag is EXPLICIT (X.680 §31.2.7).
    out.directoryNames.push(readName(DerReader.single(item.content, Tag.sequence, "the directoryName", item.contentOffset)));
  } else if (item.tag === contextPrimitive(6)) {
    out.uris.push(new TextDecoder("latin1").decode(item.content));
  } else out.others.push(item.tag);
}

/** Reads CRLDistributionPoints and gathers the full names of all of them. */
export function distributionPoints(list: DerElement): GeneralNames {
  const out = empty();
  eachItem(list, "cRLDistributionPoints", 1, (item) => {
    const reader = DerReader.sequence(item, "a distribution point");
    const point = reader.maybe(contextConstructed(0), "distributionPoint");
    const reasons = reader.maybe(contextPrimitive(1), "reasons");
    const issuer = reader.maybe(contextConstructed(2), "cRLIssuer");
    reader.end("the distribution point");
    if (reasons !== undefined) bitStringValue(reasons);
    if (point === undefined && issuer === undefined) throw new DerError(item.offset, "a distribution point with neither name nor issuer");
    if (point === undefined) return;
    const choice = DerReader.inside(point);
    const name = choice.next("the distribution point's name");
    choice.end("the distribution point's name");
    if (name.tag === contextConstructed(0)) eachItem(name, "fullName", 1, (each) => readGeneralName(each, out));
    else out.others.push(name.tag);
  });
  return out;
}
