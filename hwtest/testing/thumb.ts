import { createHash } from "node:crypto";
import { buildImage } from "@inkan/device-proto/image";
import { ramMap } from "@inkan/device-proto";

/** Vector table of the test programs: all 48 entries of the RP2040. */
const VECTORS = 48;
const CODE_AT = ramMap.imageLoad + ramMap.imageHeader + VECTORS * 4;

type Item =
  | { readonly kind: "code"; readonly halfword: number }
  | { readonly kind: "literal"; readonly register: number; readonly value: number };

/**
 * A program for the virtual chip, register access by register access, as machine code. It is wrapped into an image that the released
 * loader copies to RAM and enters at 125 MHz, so a test begins at reset like everything else.
 */
export class Program {
  readonly #items: Item[] = [];
  /** Vectors by exception number, besides reset: absolute addresses. */
  readonly #vectors = new Map<number, number>();

  /** Raw Thumb halfwords. */
  code(...halfwords: number[]): this {
    for (const halfword of halfwords) this.#items.push({ kind: "code", halfword });
    return this;
  }
  /** LDR Rn, =value */
  load(register: number, value: number): this {
    this.#items.push({ kind: "literal", register, value: value >>> 0 });
    return this;
  }
  /** Word write. */
  write(address: number, value: number): this {
    return this.load(0, address).load(1, value).code(0x6001); // STR r1, [r0]
  }
  write16(address: number, value: number): this {
    return this.load(0, address).load(1, value).code(0x8001); // STRH r1, [r0]
  }
  write8(address: number, value: number): this {
    return this.load(0, address).load(1, value).code(0x7001); // STRB r1, [r0]
  }
  /** Sets bits through the atomic alias. */
  set(address: number, bits: number): this {
    return this.write(address + 0x2000, bits);
  }
  clear(address: number, bits: number): this {
    return this.write(address + 0x3000, bits);
  }
  /** Word read into r2. */
  read(address: number): this {
    return this.load(0, address).code(0x6802); // LDR r2, [r0]
  }
  /** Waits until all bits of `mask` are set. */
  until(address: number, mask: number): this {
    // LDR r2,[r0]; BICS r1' … : r3 = mask & ~r2 must be 0
    return this.load(0, address).load(1, mask).code(0x6802, 0x000b, 0x4393, 0xd1fb); // ldr r2,[r0]; movs r3,r1; bics r3,r2; bne .-6
  }
  /** Waits until all bits of `mask` are clear. */
  untilClear(address: number, mask: number): this {
    return this.load(0, address).load(1, mask).code(0x6802, 0x420a, 0xd1fc); // ldr r2,[r0]; tst r2,r1; bne .-4
  }
  /** About 4 · `turns` cycles. */
  spin(turns: number): this {
    return this.load(3, turns).code(0x3b01, 0xd1fd); // subs r3,#1; bne .-2
  }
  /** Releases blocks from reset and waits for RESET_DONE. */
  unreset(bits: number): this {
    return this.clear(0x4000c000, bits).until(0x4000c008, bits);
  }
  /** Copies a word: [to] := [from]. */
  copy(from: number, to: number): this {
    return this.read(from).load(0, to).code(0x6002); // STR r2, [r0]
  }
  /** From here on `exception` is served by a handler made of these halfwords and BX LR. Emitted out of line. */
  handler(exception: number, body: (program: Program) => Program): this {
    const inner = body(new Program()).code(0x4770); // BX LR
    // Jump over it: B +n, patched by layout because its size is known here.
    const words = inner.#assemble(0);
    const size = words.length;
    const skip = size / 2 + (this.#position() % 4 === 0 ? 1 : 0);
    this.code(0xe000 | ((skip - 1) & 0x7ff));
    while (this.#position() % 4) this.code(0xbf00);
    this.#vectors.set(exception, CODE_AT + this.#position() + 1);
    const view = new DataView(words.buffer);
    for (let at = 0; at < size; at += 2) this.code(view.getUint16(at, true));
    return this;
  }
  /** A vector that is not a handler of this program. */
  vector(exception: number, value: number): this {
    this.#vectors.set(exception, value);
    return this;
  }

  /** The image for slot A; at its end the program loops for ever with interrupts as they are. */
  image(): Uint8Array {
    const code = this.code(0xe7fe).#assemble(CODE_AT % 4); // B .
    const body = new Uint8Array(VECTORS * 4 + code.length);
    const view = new DataView(body.buffer);
    view.setUint32(0, ramMap.stackTop, true);
    view.setUint32(4, CODE_AT + 1, true);
    for (const [exception, vector] of this.#vectors) view.setUint32(exception * 4, vector, true);
    body.set(code, VECTORS * 4);
    return buildImage(body, "0.0.1", (bytes) => new Uint8Array(createHash("sha256").update(bytes).digest()));
  }
  #position(): number {
    return this.#items.length * 2;
  }
  /** Literals go behind the code; there is room for 1020 bytes between a load and its literal, so longer programs put pools in between. */
  #assemble(origin: number): Uint8Array {
    const { length } = this.#items;
    const poolAt = (length * 2 + 3) & ~3;
    const pool: number[] = [];
    const halfwords = this.#items.map((item, index) => {
      if (item.kind === "code") return item.halfword;
      let slot = pool.indexOf(item.value);
      if (slot < 0) slot = pool.push(item.value) - 1;
      const pc = (origin + index * 2 + 4) & ~3;
      const offset = (origin + poolAt + slot * 4 - pc) >> 2;
      if (offset > 255) throw new RangeError("this test program is too long for one literal pool");
      return 0x4800 | (item.register << 8) | offset; // LDR Rn, [PC, #offset]
    });
    const bytes = new Uint8Array(poolAt + pool.length * 4);
    const view = new DataView(bytes.buffer);
    halfwords.forEach((halfword, index) => view.setUint16(index * 2, halfword, true));
    if (length % 2) view.setUint16(length * 2, 0xbf00, true);
    pool.forEach((value, index) => view.setUint32(poolAt + index * 4, value, true));
    return bytes;
  }
}
