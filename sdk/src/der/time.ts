import { DerError } from "./error.js";
import type { DerElement } from "./reader.js";
import { Tag, tagName } from "./tags.js";

/**
 * A Time of X.509 or CMS: UTCTime `YYMMDDHHMMSSZ` for 1950…2049, GeneralizedTime `YYYYMMDDHHMMSSZ` from 2050 on, always with
 * seconds, never with fractions or a zone (RFC 5280 §4.1.2.5, RFC 5652 §11.3).
 */
export function timeValue(element: DerElement): Date {
  const { tag, content, contentOffset } = element;
  const text = String.fromCharCode(...content.subarray(0, 16));
  let year: number;
  let rest: string;
  if (tag === Tag.utcTime) {
    if (!/^[0-9]{12}Z$/.test(text)) throw new DerError(contentOffset, "a UTCTime is YYMMDDHHMMSSZ");
    year = Number(text.slice(0, 2));
    year += year < 50 ? 2000 : 1900;
    rest = text.slice(2);
  } else if (tag === Tag.generalizedTime) {
    if (!/^[0-9]{14}Z$/.test(text)) throw new DerError(contentOffset, "a GeneralizedTime is YYYYMMDDHHMMSSZ");
    year = Number(text.slice(0, 4));
    if (year >= 1950 && year < 2050) throw new DerError(contentOffset, "a time before 2050 must be a UTCTime");
    rest = text.slice(4);
  } else throw new DerError(element.offset, `a time must be utcTime or generalizedTime, found ${tagName(tag)}`);
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) => Number(rest.slice(at, at + 2))) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(2000, month - 1, day, hour, minute, second));
  date.setUTCFullYear(year, month - 1, day);
  const real =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!real) throw new DerError(contentOffset, "there is no such date and time");
  return date;
}
