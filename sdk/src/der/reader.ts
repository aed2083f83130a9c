import { DerError } from "./error.js";
import { Tag, tagName } from "./tags.js";

/** One tag-length-value, its header already checked. All byte strings are views on the input, never copies. */
export interface DerElement {
  readonly tag: number;
  /** Of the identifier octet, from the start of the outermost input. */
  readonly offset: number;
  /** Of the first content octet. */
  readonly contentOffset: number;
  readonly content: Uint8Array;
  /** Header and content. */
  readonly bytes: Uint8Array;
}

/** Views are made when they are first wanted: of most elements only one of the two is, and a view costs more than reading a header. */
class Element implements DerElement {
  readonly tag: number;
  readonly offset: number;
  readonly contentOffset: number;
  readonly #source: Uint8Array;
  readonly #start: number;
  readonly #at: number;
  readonly #end: number;
  #content: Uint8Array | undefined;
  #bytes: Uint8Array | undefined;

  constructor(tag: number, source: Uint8Array, base: number, start: number, at: number, end: number) {
    this.tag = tag;
    this.offset = base + start;
    this.contentOffset = base + at;
    this.#source = source;
    this.#start = start;
    this.#at = at;
    this.#end = end;
  }

  get content(): Uint8Array {
    return (this.#content ??= this.#source.subarray(this.#at, this.#end));
  }

  get bytes(): Uint8Array {
    return (this.#bytes ??= this.#source.subarray(this.#start, this.#end));
  }
}

/**
 * Reads elements one after another, DER only (X.690 §10 and §11). Every form that BER allows and DER forbids, and every form these
 * structures never use, is refused by a line of its own, so that there is exactly one byte string for one value.
 *
 * ```
 *   30 82 01 0A │ content …        tag │ length │ value; `next()` checks the first two and the bound of the third,
 *   └── offset  └── contentOffset  the value functions in `values.ts` check the third
 * ```
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  #at = 0;

  /** @param base offset of `bytes` in the outermost input, for messages. */
  constructor(bytes: Uint8Array, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
  }

  /** A reader of what is inside a constructed element. */
  static inside(element: DerElement): DerReader {
    if ((element.tag & 0x20) === 0) throw new DerError(element.offset, `${tagName(element.tag)} is primitive and has nothing inside`);
    return new DerReader(element.content, element.contentOffset);
  }

  /** A reader of the fields of an element that must be a SEQUENCE: an item of a list, whose tag nobody has asked for yet. */
  static sequence(element: DerElement, what: string): DerReader {
    if (element.tag !== Tag.sequence)
      throw new DerError(element.offset, `${what} must be ${tagName(Tag.sequence)}, found ${tagName(element.tag)}`);
    return DerReader.inside(element);
  }

  /** The whole input as exactly one element. */
  static single(bytes: Uint8Array, tag: number, what: string, base = 0): DerElement {
    const reader = new DerReader(bytes, base);
    const element = reader.take(tag, what);
    reader.end(what);
    return element;
  }

  /** True when everything was read. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Offset of the next element, from the start of the outermost input. */
  get offset(): number {
    return this.#base + this.#at;
  }

  /** The next element, whatever it is. */
  next(what = "an element"): DerElement {
    const bytes = this.#bytes;
    const start = this.#at;
    const offset = this.#base + start;
    const tag = bytes[start];
    if (tag === undefined) throw new DerError(offset, `${what} is missing`);
    if (tag === 0) throw new DerError(offset, "end-of-contents octets belong to the indefinite form, which DER forbids");
    if ((tag & 0x1f) === 0x1f) throw new DerError(offset, "tag numbers above 30 are not used here");
    if ((tag & 0xc0) === 0) {
      const mustBeConstructed = tag === Tag.sequence || tag === Tag.set;
      if (tag === 0x10 || tag === 0x11) throw new DerError(offset, "a SEQUENCE or SET must be constructed");
      if (!mustBeConstructed && (tag & 0x20) !== 0)
        throw new DerError(offset, "DER forbids the constructed form of a string or simple type");
    }
    const first = bytes[start + 1];
    if (first === undefined) throw new DerError(offset + 1, "the length is missing");
    let length = first;
    let at = start + 2;
    if (first === 0x80) throw new DerError(offset + 1, "DER forbids the indefinite length");
    if (first > 0x84)
      throw new DerError(offset + 1, first === 0xff ? "length octet FF is reserved" : "a length of more than four octets is not used here");
    if (first > 0x80) {
      length = 0;
      for (let i = 0; i < (first & 0x7f); i++, at++) {
        const octet = bytes[at];
        if (octet === undefined) throw new DerError(this.#base + at, "the length is cut off");
        if (i === 0 && octet === 0) throw new DerError(this.#base + at, "a length must not begin with a zero octet");
        length = length * 256 + octet;
      }
      if (length < 0x80) throw new DerError(offset + 1, "a length below 128 must use the short form");
    }
    if (length > bytes.length - at)
      throw new DerError(offset + 1, `the length ${length} runs past the end, ${bytes.length - at} octets are left`);
    this.#at = at + length;
    return new Element(tag, bytes, this.#base, start, at, at + length);
  }

  /** The next element, which must have this tag. */
  take(tag: number, what: string): DerElement {
    const found = this.#bytes[this.#at];
    if (found === undefined) throw new DerError(this.offset, `${what} is missing`);
    if (found !== tag) throw new DerError(this.offset, `${what} must be ${tagName(tag)}, found ${tagName(found)}`);
    return this.next(what);
  }

  /** The next element if it has this tag: OPTIONAL. */
  maybe(tag: number, what: string): DerElement | undefined {
    return this.#bytes[this.#at] === tag ? this.next(what) : undefined;
  }

  /** The tag of the next element, `undefined` at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Nothing may be left. */
  end(what: string): void {
    if (!this.done) throw new DerError(this.offset, `${what} ends here, but ${this.#bytes.length - this.#at} octets follow`);
  }
}

/** Calls `each` with a reader positioned at every item of a SEQUENCE OF or SET OF; `least` items must be there. */
export function eachItem<T>(list: DerElement, what: string, least: number, each: (item: DerElement) => T): T[] {
  const reader = DerReader.inside(list);
  const out: T[] = [];
  while (!reader.done) out.push(each(reader.next(what)));
  if (out.length < least) throw new DerError(list.offset, `${what}: at least ${least} must be here`);
  return out;
}
