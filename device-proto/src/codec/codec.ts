/**
 * The only place that touches offsets. A layout is declared once as a `struct`, its type follows, and both directions come from it;
 * `gen/` prints the same declaration as C.
 */

/** Bytes that do not fit a layout, or a value that does not fit its field. */
export class CodecError extends Error {
  override readonly name = "CodecError";
  /** Byte offset in the input (decode) or in the output (encode). */
  readonly offset: number;
  /** Which rule was broken, e.g. `bSlot: u8 must be 0..255, is 256`. */
  readonly rule: string;
  constructor(offset: number, rule: string) {
    super(`byte ${offset}: ${rule}`);
    this.offset = offset;
    this.rule = rule;
  }
}

/** One field of a layout. */
export interface Field<T> {
  /** Size in bytes, or `undefined` for a field that takes the rest. */
  readonly size: number | undefined;
  /** The C type printed for it: `uint8_t`, `uint16_t`, … or `uint8_t[n]`. */
  readonly c: string;
  read(view: DataView, offset: number, end: number): T;
  write(view: DataView, offset: number, value: T, name: string): void;
  /** Bytes this value takes; only asked of `rest` fields. */
  length(value: T): number;
}

function unsigned(bytes: 1 | 2 | 4, little: boolean): Field<number> {
  const max = 2 ** (8 * bytes) - 1;
  return {
    size: bytes,
    c: `uint${8 * bytes}_t`,
    length: () => bytes,
    read: (view, offset) =>
      bytes === 1 ? view.getUint8(offset) : bytes === 2 ? view.getUint16(offset, little) : view.getUint32(offset, little),
    write: (view, offset, value, name) => {
      if (!Number.isInteger(value) || value < 0 || value > max) throw new CodecError(offset, `${name}: must be 0..${max}, is ${value}`);
      if (bytes === 1) view.setUint8(offset, value);
      else if (bytes === 2) view.setUint16(offset, value, little);
      else view.setUint32(offset, value, little);
    },
  };
}

/** Unsigned byte, 0..255. */
export const u8 = unsigned(1, true);
/** Unsigned 16-bit, little-endian (USB, CCID, link). */
export const u16le = unsigned(2, true);
/** Unsigned 32-bit, little-endian. */
export const u32le = unsigned(4, true);
/** Unsigned 16-bit, big-endian (ISO 7816 status words). */
export const u16be = unsigned(2, false);

/** Exactly `size` bytes. Decoding copies, so that the value outlives the buffer. */
export function bytes(size: number): Field<Uint8Array> {
  return {
    size,
    c: `uint8_t[${size}]`,
    length: () => size,
    read: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, size).slice(),
    write: (view, offset, value, name) => {
      if (value.length !== size) throw new CodecError(offset, `${name}: must be ${size} bytes, is ${value.length}`);
      new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value);
    },
  };
}

/** All bytes up to the end; only as the last field. */
export const rest: Field<Uint8Array> = {
  size: undefined,
  c: "uint8_t[]",
  length: (value) => value.length,
  read: (view, offset, end) => new Uint8Array(view.buffer, view.byteOffset + offset, end - offset).slice(),
  write: (view, offset, value) => new Uint8Array(view.buffer, view.byteOffset + offset, value.length).set(value),
};

/** What a struct's fields are. */
export type Fields = Readonly<Record<string, Field<never> | Field<number> | Field<Uint8Array>>>;
/** The value type of a struct. */
export type Infer<S> = S extends Struct<infer F> ? { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never } : never;

/** A declared layout. */
export interface Struct<F extends Fields> {
  readonly fields: F;
  /** Size of the fixed part in bytes. */
  readonly size: number;
  /** Offset of each field in bytes. */
  readonly offsets: { readonly [K in keyof F]: number };
  /** Throws {@link CodecError} when the input is shorter than the fixed part, or longer where there is no `rest` field. */
  decode(input: Uint8Array): Infer<Struct<F>>;
  /** Throws {@link CodecError} when a value does not fit its field. */
  encode(value: Infer<Struct<F>>): Uint8Array<ArrayBuffer>;
}

/** Declares a layout: fields in wire order, without padding. */
export function struct<F extends Fields>(fields: F): Struct<F> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  const offsets: Record<string, number> = {};
  let size = 0;
  let open = false;
  for (const [name, field] of entries) {
    if (open) throw new CodecError(size, `${name}: a field cannot follow one that takes the rest`);
    offsets[name] = size;
    if (field.size === undefined) open = true;
    else size += field.size;
  }
  return {
    fields,
    size,
    offsets: offsets as { readonly [K in keyof F]: number },
    decode(input) {
      if (input.length < size) throw new CodecError(input.length, `must be ${open ? "at least " : ""}${size} bytes, is ${input.length}`);
      if (!open && input.length > size) throw new CodecError(size, `must be ${size} bytes, is ${input.length}`);
      const view = new DataView(input.buffer, input.byteOffset, input.length);
      const value: Record<string, unknown> = {};
      for (const [name, field] of entries) value[name] = field.read(view, offsets[name]!, input.length);
      return value as Infer<Struct<F>>;
    },
    encode(value) {
      const values = value as Record<string, unknown>;
      const last = entries.at(-1);
      const output = new Uint8Array(size + (open && last ? last[1].length(values[last[0]]) : 0));
      const view = new DataView(output.buffer);
      for (const [name, field] of entries) field.write(view, offsets[name]!, values[name], name);
      return output;
    },
  };
}
