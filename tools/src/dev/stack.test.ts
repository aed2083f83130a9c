import { describe, expect, test } from "vitest";

const stack = await import(new URL("../../dev/stack.mjs", import.meta.url).href);

type Analysis = { bytes: number; main: { bytes: number; path: string[] }; interrupts: { handler: string; bytes: number }[] };
const { namesInArray, parseDisassembly, parseUsage, priorities, stackBound } = stack as {
  namesInArray(source: string, array: string): Set<string>;
  parseDisassembly(text: string): Map<string, { name: string; frame: number; calls: Set<string>; indirect: boolean }>;
  parseUsage(text: string): Map<string, number>;
  priorities(sources: string): Record<string, number>;
  stackBound(input: object): Analysis;
};

const line = (operation: string, operands: string): string => `20000000:\tb5f0      \t${operation}\t${operands}`;
const program = (...functions: readonly (readonly [name: string, ...code: string[]])[]): string =>
  functions.map(([name, ...code], index) => `${(0x20000100 + 0x100 * index).toString(16)} <${name}>:\n${code.join("\n")}`).join("\n\n");
const bl = (index: number, name: string): string => line("bl", `${(0x20000100 + 0x100 * index).toString(16)} <${name}>`);
const bound = (text: string, more: object = {}): Analysis =>
  stackBound({ functions: parseDisassembly(text), usage: new Map(), roots: ["main"], interrupts: {}, indirect: [], ...more });

describe("the stack's bound", () => {
  test("pushes, local room, the deeper of two ways", () => {
    const text = program(
      ["main", line("push", "{r4, r5, lr}"), bl(1, "a"), bl(2, "b")],
      ["a", line("push", "{r4-r7, lr}"), line("sub", "sp, #40")],
      ["b", line("sub", "sp, sp, #8")],
    );
    expect(bound(text)).toMatchObject({ bytes: 12 + 20 + 40, main: { path: ["main 12", "a 60"] } });
  });

  test("a tail call counts, a jump inside does not; the compiler's own number counts when it is larger", () => {
    const text = program(
      ["main", line("b.n", "20000200 <a>"), line("bne.n", "20000104 <main+0x4>")],
      ["a.constprop.0", line("push", "{lr}")],
    );
    expect(bound(text, { usage: parseUsage("x.c:3:4:a\t1000\tstatic\nx.c:9:1:a\t24\tstatic\n") }).bytes).toBe(1000);
  });

  test("recursion is refused, in a circle too", () => {
    expect(() => bound(program(["main", bl(0, "main")]))).toThrow(/recursion: main → main/);
    expect(() => bound(program(["main", bl(1, "a")], ["a", bl(2, "b")], ["b", bl(1, "a")]))).toThrow(/recursion: a → b → a/);
  });

  test("a call through a pointer wants a row, a row wants a call, and its callees must be there", () => {
    const text = program(["main", line("blx", "r3")], ["a", line("sub", "sp, #100")]);
    expect(() => bound(text)).toThrow(/main calls through a pointer/);
    expect(bound(text, { indirect: [{ in: ["main"], calls: ["a"] }] }).bytes).toBe(100);
    expect(() => bound(text, { indirect: [{ in: ["main"], calls: ["c"] }] })).toThrow(/c is not in the image/);
    const plain = program(["main", line("bx", "lr")]);
    expect(() => bound(plain, { indirect: [{ in: ["main"], calls: [] }] })).toThrow(/explains no call/);
  });

  test("interrupts: the deepest of each priority, on top of each other, with what the exception pushes", () => {
    const text = program(["main"], ["irq_a", line("sub", "sp, #8")], ["irq_b", line("sub", "sp, #80")], ["irq_c", line("sub", "sp, #4")]);
    const found = bound(text, { interrupts: { irq_a: 1, irq_b: 1, irq_c: 0 } });
    expect(found.bytes).toBe(36 + 80 + 36 + 4);
    expect(priorities("#define PRIORITY_LINE 0u\nirq_enable(IRQ_PIO0_0, PRIORITY_LINE);")).toEqual({ irq_pio0_0: 0 });
  });

  test("a frame of no fixed size is refused", () => {
    expect(() => parseUsage("x.c:1:1:a\t16\tdynamic\n")).toThrow(/no fixed size/);
    expect(parseUsage("x.c:1:1:a\t16\tdynamic,bounded\n").get("a")).toBe(16);
  });

  test("the names in a C table, with braces inside", () => {
    expect([...namesInArray("static const row_t k_rows[] = {\n {A, on_a, 1},\n {B, on_b, 2},\n};\nint other;", "k_rows")]).toEqual([
      "on_a",
      "on_b",
    ]);
  });
});
